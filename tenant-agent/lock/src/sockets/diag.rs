//! What is said to the kernel about sockets: `sock_diag` over netlink, as bytes.
//!
//! Source: linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h; man 7 `sock_diag`. Numbers are in the machine's order,
//! ports and addresses in the network's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const HEADER: usize = 16;
/// Ports, addresses, interface and cookie of a socket.
const ID: usize = 48;
/// `inet_diag_msg`: family, state and two more bytes, the id, five numbers.
const FOUND: usize = 4 + ID + 20;

const ERROR: u16 = 2;
const DONE: u16 = 3;
const LIST: u16 = 20;
const DESTROY: u16 = 21;

const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const DUMP: u16 = 0x300;

const TCP: u8 = 6;
/// All states of TCP in which something may still be sent: not `TIME_WAIT`, `CLOSE` and `LISTEN`.
const SENDING: u32 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;

/// The address families, as the kernel numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4 = 2,
    V6 = 10,
}

/// One TCP socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    family: Family,
    id: [u8; ID],
    /// Whose, as long as somebody has it open.
    pub(super) uid: u32,
    /// 0 when nobody has it open.
    pub(super) inode: u32,
}

/// One message of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Found(Found),
    /// The end of a list, or the answer to a request: 0, or a negative number of an error.
    Over(i32),
}

impl Found {
    /// The other end; one of IPv4 as such, also where the socket is of IPv6.
    pub(super) fn peer(&self) -> SocketAddr {
        let port = u16::from_be_bytes([self.id[2], self.id[3]]);
        let mut address = [0; 16];
        address.copy_from_slice(&self.id[20..36]);
        let ip = match self.family {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(address[0], address[1], address[2], address[3])),
            Family::V6 => Ipv6Addr::from(address).to_canonical(),
        };
        SocketAddr::new(ip, port)
    }

    /// Ends it for its owner. The other end learns of it when it sends: what would tell it is refused, as all else.
    pub(super) fn destroy(&self) -> Vec<u8> {
        request(DESTROY, ACKNOWLEDGE, self.family, &self.id)
    }
}

/// All of a family that may still send.
pub(super) fn list(family: Family) -> Vec<u8> {
    request(LIST, DUMP, family, &[0; ID])
}

fn request(kind: u16, flags: u16, family: Family, id: &[u8; ID]) -> Vec<u8> {
    let length = u32::try_from(HEADER + 8 + ID).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + 8 + ID);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((REQUEST | flags).to_ne_bytes());
    // Sequence and sender: one question at a time, and the kernel knows the sender.
    bytes.extend([0; 8]);
    bytes.extend([family as u8, TCP, 0, 0]);
    bytes.extend(SENDING.to_ne_bytes());
    bytes.extend(id);
    bytes
}

/// The messages of one datagram; nothing when it is not as it should be.
pub(super) fn messages(mut datagram: &[u8]) -> Option<Vec<Message>> {
    let mut all = Vec::new();
    while !datagram.is_empty() {
        let length = usize::try_from(number(datagram, 0)?).ok()?;
        let body = datagram.get(HEADER..length)?;
        match u16::from_ne_bytes(datagram.get(4..6)?.try_into().ok()?) {
            LIST => all.push(Message::Found(found(body)?)),
            DONE | ERROR => all.push(Message::Over(number(body, 0)?.cast_signed())),
            _ => {}
        }
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(all)
}

fn found(body: &[u8]) -> Option<Found> {
    let body = body.get(..FOUND)?;
    let family = match body[0] {
        2 => Family::V4,
        10 => Family::V6,
        _ => return None,
    };
    let numbers = 4 + ID;
    let id = body.get(4..numbers)?.try_into().ok()?;
    Some(Found { family, id, uid: number(body, numbers + 12)?, inode: number(body, numbers + 16)? })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One as the kernel says it.
    pub(crate) fn said(peer: &str, uid: u32, inode: u32) -> Vec<u8> {
        let peer: SocketAddr = peer.parse().expect("an address");
        let (family, address) = match peer.ip() {
            IpAddr::V4(ip) => (2, [ip.octets().to_vec(), vec![0; 12]].concat()),
            IpAddr::V6(ip) => (10, ip.octets().to_vec()),
        };
        let mut body = vec![family, 1, 0, 0, 0x12, 0x34];
        body.extend(peer.port().to_be_bytes());
        body.extend([0; 16]);
        body.extend(address);
        body.extend([0; 12 + 12]);
        body.extend(uid.to_ne_bytes());
        body.extend(inode.to_ne_bytes());
        message(LIST, &body)
    }

    /// The end, or an answer.
    pub(crate) fn over(error: i32) -> Vec<u8> {
        message(ERROR, &error.to_ne_bytes())
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).expect("short");
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat()
    }

    #[test]
    fn what_is_cut_or_makes_no_sense_is_nothing() {
        let whole = said("192.0.2.9:443", 998, 7);
        for length in 1..whole.len() {
            assert_eq!(messages(&whole[..length]), None, "{length}");
        }
        let mut endless = whole.clone();
        endless[..4].copy_from_slice(&0u32.to_ne_bytes());
        assert_eq!(messages(&endless), None);
        let mut strange = whole;
        strange[HEADER] = 99;
        assert_eq!(messages(&strange), None);
    }

    #[test]
    fn both_families_and_what_is_of_both() {
        let (v4, v6, mapped) = ("192.0.2.9:443", "[2001:db8::9]:443", "[::ffff:127.0.0.1]:7400");
        let text = [said(v4, 998, 7), said(v6, 0, 0), said(mapped, 1, 2), over(-95)].concat();
        let read = messages(&text).expect("whole");
        let peers: Vec<String> = read
            .iter()
            .map(|message| match message {
                Message::Found(found) => format!("{} {} {}", found.peer(), found.uid, found.inode),
                Message::Over(error) => error.to_string(),
            })
            .collect();
        assert_eq!(peers, ["192.0.2.9:443 998 7", "[2001:db8::9]:443 0 0", "127.0.0.1:7400 1 2", "-95"]);
    }
}
