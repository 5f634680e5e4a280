//! What a TLS client says after its first message: records, of which only the plain ones can be read. A second hello, asked for
//! by the server, must name the same host; a new handshake within the connection could name any, and is cut.
//!
//! Sources: RFC 8446 4.1.2, 5.1 and appendix D.4; RFC 5246 6.2 and 7.4.1.1.

use super::hello::{self, HANDSHAKE, Hello};
use super::wire::{Reader, Writer};

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const DATA: u8 = 23;
const HEADER: usize = 5;
/// Largest record, with what encryption adds.
const RECORD: usize = (1 << 14) + 2048;

/// The client said what a tunnel does not carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Other;

/// How far the handshake is, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Messages can be read.
    Plain,
    /// TLS 1.2 has one encrypted message more; TLS 1.3 may have its second hello.
    Changed {
        has_finished: bool,
    },
    Data,
}

/// Passes records on until the client ends. `is_same` judges each hello.
pub(crate) async fn pass(from: &mut Reader, to: &mut Writer, is_same: impl Fn(&Hello) -> bool) -> Result<(), Other> {
    let mut phase = Phase::Plain;
    loop {
        while from.ahead().len() < HEADER {
            if !matches!(from.fill().await, Ok(1..)) {
                to.end().await;
                return Ok(());
            }
        }
        let head = from.ahead();
        let (kind, length) = (head[0], HEADER + usize::from(u16::from_be_bytes([head[3], head[4]])));
        if head[1] != 3 || length > RECORD {
            return Err(Other);
        }
        if kind == HANDSHAKE {
            while from.ahead().len() < length {
                if !matches!(from.fill().await, Ok(1..)) {
                    return Ok(());
                }
            }
            phase = handshake(phase, &from.ahead()[..length], &is_same)?;
        } else {
            phase = match kind {
                CHANGE_CIPHER_SPEC if phase == Phase::Plain => Phase::Changed { has_finished: false },
                CHANGE_CIPHER_SPEC | ALERT => phase,
                DATA => Phase::Data,
                _ => return Err(Other),
            };
        }
        let mut left = length;
        while left > 0 {
            let Ok(Some(piece)) = from.piece(left).await else { return Ok(()) };
            left -= piece.len();
            if to.send(&piece).await.is_err() {
                return Ok(());
            }
        }
    }
}

fn handshake(phase: Phase, record: &[u8], is_same: impl Fn(&Hello) -> bool) -> Result<Phase, Other> {
    match (hello::parse(record), phase) {
        (Ok(Some(hello)), _) if is_same(&hello) => Ok(phase),
        (Ok(Some(_)), _) => Err(Other),
        // A part of a hello, or of anything else.
        (Ok(None), Phase::Plain) => Err(Other),
        (Err(_), Phase::Plain) => Ok(phase),
        (_, Phase::Changed { has_finished: false }) => Ok(Phase::Changed { has_finished: true }),
        (_, Phase::Changed { has_finished: true } | Phase::Data) => Err(Other),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::hello::tests::{NAMED, made};
    use super::super::pulse::Pulse;
    use super::super::wire;
    use super::*;

    fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
        [&[kind, 3, 3][..], &u16::try_from(payload.len()).unwrap().to_be_bytes(), payload].concat()
    }

    /// What a client says in one go; what of it passed.
    async fn passed(said: Vec<u8>) -> Result<Vec<u8>, Other> {
        let pulse = Arc::new(Pulse::new(Duration::from_secs(9)));
        let ((mut client, near), (far, mut host)) = (tokio::io::duplex(1 << 20), tokio::io::duplex(1 << 20));
        client.write_all(&said).await.unwrap();
        drop(client);
        let (mut from, _) = wire::split(Box::new(near), &pulse);
        let (_, mut to) = wire::split(Box::new(far), &pulse);
        pass(&mut from, &mut to, |hello| hello.name.as_deref() == Some("example.com") && !hello.hides).await?;
        drop(to);
        let mut all = Vec::new();
        host.read_to_end(&mut all).await.unwrap();
        Ok(all)
    }

    fn other_hello() -> Vec<u8> {
        made(&[(0, b"\0\x0e\0\0\x0bexample.net")], 9999)
    }

    #[tokio::test]
    async fn a_later_hello_for_another_name_is_cut() {
        let (changed, data) = (record(CHANGE_CIPHER_SPEC, &[1]), record(DATA, b"sealed"));
        let finished = record(HANDSHAKE, &[7; 40]);
        let other = other_hello();
        let pieces = made(&[(0, b"\0\x0e\0\0\x0bexample.net")], 30);
        for (why, said) in [
            ("asked for again", other.clone()),
            ("after the change", [&changed[..], &other].concat()),
            ("after early data", [&data[..], &other].concat()),
            ("in pieces", pieces.clone()),
            ("in pieces, after the change", [&changed[..], &pieces].concat()),
            ("a hidden one", made(&[(0, NAMED), (0xfe0d, b"?")], 9999)),
            ("a new handshake, sealed", [&changed[..], &finished, &data, &finished].concat()),
            ("two sealed messages", [&changed[..], &finished, &finished].concat()),
            ("plain text", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
            ("plain text later", [&data[..], b"GET / HTTP/1.1\r\n\r\n"].concat()),
            ("a heartbeat", record(24, b"x")),
            ("too long", [&[DATA, 3, 3, 0xff, 0xff][..], &[0; 70_000]].concat()),
        ] {
            assert_eq!(passed(said).await, Err(Other), "{why}");
        }
    }

    #[tokio::test]
    async fn ordinary_connections_pass_as_they_are() {
        let (changed, data) = (record(CHANGE_CIPHER_SPEC, &[1]), record(DATA, &[9; 16_000]));
        let again = made(&[(0, NAMED)], 9999);
        let finished = record(HANDSHAKE, &[1; 40]);
        let exchange = record(HANDSHAKE, b"\x10\0\0\x05\x04abcd");
        for said in [
            [&changed[..], &data, &data].concat(),
            [&changed[..], &again, &data].concat(),
            [&again[..], &changed, &data].concat(),
            [&exchange[..], &changed, &finished, &data, &record(ALERT, &[1, 0])].concat(),
            record(ALERT, &[2, 40]),
            Vec::new(),
        ] {
            assert_eq!(passed(said.clone()).await, Ok(said));
        }
    }
}
