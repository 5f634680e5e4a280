//! The first message of a TLS client, read and left as it is: which name it asks for. Source: RFC 8446 4.1.2, RFC 6066 3.

use super::wire::Reader;

/// Largest first message; post-quantum ones have about 2 KiB.
const HELLO_BYTES: usize = 64 * 1024;
pub(crate) const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const ENCRYPTED_HELLO: u16 = 0xfe0d;
/// Fatal alert "unrecognized name", as a record of its own.
pub(crate) const WRONG_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// What the client says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// Lower case.
    pub(crate) name: Option<String>,
    /// It carries a second hello that nobody on the way can read.
    pub(crate) hides: bool,
    /// Bytes of its records.
    pub(crate) length: usize,
}

/// What the first bytes are instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoHello {
    /// Not TLS.
    Other,
    /// TLS, but no hello that can be read.
    Invalid,
    /// Nothing, or not all of it.
    Cut,
}

/// Waits for the whole message; it stays unread.
pub(crate) async fn peek(reader: &mut Reader) -> Result<Hello, NoHello> {
    loop {
        match parse(reader.ahead()) {
            Ok(Some(hello)) => return Ok(hello),
            Ok(None) if reader.ahead().len() > HELLO_BYTES => return Err(NoHello::Invalid),
            Ok(None) => {}
            Err(error) => return Err(error),
        }
        if !matches!(reader.fill().await, Ok(1..)) {
            return Err(NoHello::Cut);
        }
    }
}

/// `None`: more is needed.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Hello>, NoHello> {
    let mut message = Vec::new();
    let mut rest = bytes;
    loop {
        let [kind, major, _, high, low, after @ ..] = rest else {
            return if matches!(rest.first(), None | Some(&HANDSHAKE)) { Ok(None) } else { Err(NoHello::Other) };
        };
        if (*kind, *major) != (HANDSHAKE, 3) {
            return Err(if message.is_empty() { NoHello::Other } else { NoHello::Invalid });
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length == 0 || length > 1 << 14 {
            return Err(NoHello::Invalid);
        }
        message.extend_from_slice(after.get(..length).unwrap_or(after));
        if let [kind, a, b, c, body @ ..] = &message[..] {
            let whole = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap_or(usize::MAX);
            if *kind != CLIENT_HELLO || whole > HELLO_BYTES {
                return Err(NoHello::Invalid);
            }
            if let Some(body) = body.get(..whole) {
                let hello = client_hello(body).ok_or(NoHello::Invalid)?;
                let records = bytes.len() - after.len() + length;
                return if records <= bytes.len() { Ok(Some(Hello { length: records, ..hello })) } else { Ok(None) };
            }
        }
        match after.get(length..) {
            Some(next) => rest = next,
            None => return Ok(None),
        }
    }
}

fn client_hello(mut body: &[u8]) -> Option<Hello> {
    take(&mut body, 2 + 32)?;
    vector8(&mut body)?;
    vector16(&mut body)?;
    vector8(&mut body)?;
    let mut hello = Hello { name: None, hides: false, length: 0 };
    if body.is_empty() {
        return Some(hello);
    }
    let mut extensions = vector16(&mut body)?;
    let mut named = false;
    while !extensions.is_empty() {
        let kind = u16::from_be_bytes(take(&mut extensions, 2)?.try_into().ok()?);
        let content = vector16(&mut extensions)?;
        match kind {
            // Twice: readers differ in which one counts.
            SERVER_NAME if named => return None,
            SERVER_NAME => {
                named = true;
                hello.name = Some(server_name(content)?);
            }
            ENCRYPTED_HELLO => hello.hides = true,
            _ => {}
        }
    }
    body.is_empty().then_some(hello)
}

/// Exactly one host name.
fn server_name(mut content: &[u8]) -> Option<String> {
    let mut list = vector16(&mut content)?;
    let [0] = take(&mut list, 1)? else { return None };
    let name = std::str::from_utf8(vector16(&mut list)?).ok()?;
    let is_whole = content.is_empty() && list.is_empty() && name.is_ascii() && !name.is_empty();
    is_whole.then(|| name.to_ascii_lowercase())
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(head)
}

fn vector8<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::from(*take(bytes, 1)?.first()?);
    take(bytes, length)
}

fn vector16<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take(bytes, 2)?;
    take(bytes, usize::from(u16::from_be_bytes([length[0], length[1]])))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use super::*;

    /// What rustls says first.
    pub(crate) fn real(name: &'static str) -> Vec<u8> {
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name.try_into().unwrap()).unwrap();
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).unwrap();
        bytes
    }

    /// A hello with these extensions, in records of at most `cut` bytes.
    pub(crate) fn made(extensions: &[(u16, &[u8])], cut: usize) -> Vec<u8> {
        let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_be_bytes();
        let mut list = Vec::new();
        for (kind, content) in extensions {
            list.extend_from_slice(&kind.to_be_bytes());
            list.extend_from_slice(&length(content));
            list.extend_from_slice(content);
        }
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[0, 0, 2, 0x13, 1, 1, 0]);
        body.extend_from_slice(&length(&list));
        body.extend_from_slice(&list);
        let mut message = vec![CLIENT_HELLO, 0];
        message.extend_from_slice(&length(&body));
        message.extend_from_slice(&body);
        let records = message.chunks(cut).map(|piece| [&[HANDSHAKE, 3, 1][..], &length(piece), piece].concat());
        records.collect::<Vec<_>>().concat()
    }

    pub(crate) const NAMED: &[u8] = b"\0\x0e\0\0\x0bexample.com";

    #[test]
    fn a_hello_that_can_be_read_in_two_ways_is_none() {
        for (why, bytes, want) in [
            ("plain HTTP", b"GET / HTTP/1.1\r\n".to_vec(), NoHello::Other),
            ("an alert", WRONG_NAME.to_vec(), NoHello::Other),
            ("SSL 2", vec![HANDSHAKE, 2, 0, 0, 1, 1], NoHello::Other),
            ("two names lists", made(&[(0, NAMED), (0, NAMED)], 9999), NoHello::Invalid),
            ("two names", made(&[(0, b"\0\x08\0\0\x01a\0\0\x01b")], 9999), NoHello::Invalid),
            ("another kind of name", made(&[(0, b"\0\x04\x01\0\x01a")], 9999), NoHello::Invalid),
            ("an empty name", made(&[(0, b"\0\x03\0\0\0")], 9999), NoHello::Invalid),
            ("bytes behind the name", made(&[(0, b"\0\x04\0\0\x01ab")], 9999), NoHello::Invalid),
            ("an empty record", [&[HANDSHAKE, 3, 1, 0, 0][..], &made(&[], 9999)].concat(), NoHello::Invalid),
            ("a server's message", vec![HANDSHAKE, 3, 3, 0, 4, 2, 0, 0, 0], NoHello::Invalid),
            ("too large", vec![HANDSHAKE, 3, 3, 0, 4, 1, 9, 0, 0], NoHello::Invalid),
        ] {
            assert_eq!(parse(&bytes), Err(want), "{why}");
        }
    }

    #[test]
    fn the_name_is_found_however_the_hello_is_cut() {
        let hello = real("Example.com");
        for end in 0..hello.len() {
            assert_eq!(parse(&hello[..end]), Ok(None), "{end}");
        }
        let want = |length| Hello { name: Some("example.com".to_owned()), hides: false, length };
        assert_eq!(parse(&hello), Ok(Some(want(hello.len()))));
        for cut in [1, 2, 5, 40, 9999] {
            let made = made(&[(10, b"x"), (0, NAMED)], cut);
            let more = [&made[..], b"more"].concat();
            assert_eq!(parse(&more), Ok(Some(want(made.len()))), "{cut}");
        }
        assert_eq!(parse(&real("10.0.0.1")).unwrap().unwrap().name, None);
        assert!(parse(&made(&[(0, NAMED), (ENCRYPTED_HELLO, b"?")], 9999)).unwrap().unwrap().hides);
    }
}
