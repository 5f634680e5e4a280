//! Ports for processes that must come back on the one they had, so that port 0 does not serve.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as Name, UnixListener};
use std::sync::Mutex;

/// Below the ports that the kernel gives to whoever asks for any (32,768 and above): else the port could be taken by
/// another between this choice and its use, or while its process is stopped.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// What holds the ports of this process: their names, which no second process can have.
static HELD: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// An address on loopback that nobody else is given while this process lives.
///
/// # Errors
/// When there is none.
pub fn free() -> io::Result<SocketAddr> {
    // Processes that run side by side begin at different places.
    let start = std::process::id() as usize * 16 % PORTS.len();
    for port in PORTS.cycle().skip(start).take(PORTS.len()) {
        if let Some(name) = hold(port)? {
            HELD.lock().map_err(|_| io::Error::other("a thread that held ports panicked"))?.push(name);
            return Ok((Ipv4Addr::LOCALHOST, port).into());
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// The name that stands for the port, unless another process has it or something listens there.
fn hold(port: u16) -> io::Result<Option<UnixListener>> {
    let name = Name::from_abstract_name(format!("wardkeep-tests-port-{port}"))?;
    let held = match UnixListener::bind_addr(&name) {
        Ok(held) => held,
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => return Ok(None),
        Err(e) => return Err(e),
    };
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(held))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_process_has_no_other_is_given() {
        let port = free().unwrap().port();
        assert!(hold(port).unwrap().is_none());
    }

    #[test]
    fn what_somebody_listens_on_is_not_given() {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        assert!(hold(port).unwrap().is_none());
    }
}
