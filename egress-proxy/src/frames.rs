//! AWS's binary event stream, unpacked into the server-sent events that are inside.
//!
//! A frame is: total length, length of its headers, CRC of these eight bytes, headers, payload, CRC of all before. The payload
//! of a chunk is JSON with the provider's own event in base64. Source: AWS, "Event stream encoding" (Smithy) and the answers
//! of `InvokeModelWithResponseStream`.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;

/// Largest frame; AWS's own limit is 16 MiB for the payload.
const FRAME_BYTES: usize = 16 * 1024 * 1024;
/// Lengths and CRC before the headers, CRC behind the payload.
const PRELUDE: usize = 12;
const TRAILER: usize = 4;

/// Something that is no frame; what follows cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbled;

/// Takes frames apart; holds at most one unfinished frame.
#[derive(Default)]
pub(crate) struct Frames {
    held: BytesMut,
}

#[derive(Deserialize)]
struct Chunk {
    bytes: String,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(default, alias = "Message", alias = "originalMessage")]
    message: String,
}

impl Frames {
    /// Takes a piece, gives the events that are whole by now.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Bytes, Garbled> {
        self.held.extend_from_slice(piece);
        let mut out = Vec::new();
        while let Some(length) = self.length()? {
            if self.held.len() < length {
                break;
            }
            event(&self.held.split_to(length), &mut out)?;
        }
        Ok(Bytes::from(out))
    }

    /// Whether the stream may end here.
    pub(crate) fn at_boundary(&self) -> bool {
        self.held.is_empty()
    }

    /// The length of the frame that begins here, once its prelude is there.
    fn length(&self) -> Result<Option<usize>, Garbled> {
        let Some(prelude) = self.held.first_chunk::<PRELUDE>() else { return Ok(None) };
        let [total, headers, crc] = [0, 4, 8].map(|at| number(&prelude[at..]));
        let (total, headers) = (total as usize, headers as usize);
        let sound =
            total <= FRAME_BYTES && headers <= total.saturating_sub(PRELUDE + TRAILER) && total >= PRELUDE + TRAILER;
        if sound && crc32(&prelude[..8]) == crc { Ok(Some(total)) } else { Err(Garbled) }
    }
}

/// Writes what one frame says.
fn event(frame: &[u8], out: &mut Vec<u8>) -> Result<(), Garbled> {
    let (before, trailer) = frame.split_at(frame.len() - TRAILER);
    if crc32(before) != number(trailer) {
        return Err(Garbled);
    }
    let headers_end = PRELUDE + number(&frame[4..]) as usize;
    let (headers, payload) = (&before[PRELUDE..headers_end], &before[headers_end..]);
    let mut exception = None;
    for (name, value) in Headers(headers) {
        match name {
            b":exception-type" => exception = Some(value),
            b":error-code" => exception = exception.or(Some(value)),
            _ => {}
        }
    }
    let data = match exception {
        Some(kind) => failure(kind, payload),
        None => {
            let Chunk { bytes } = serde_json::from_slice(payload).map_err(|_| Garbled)?;
            data_encoding::BASE64.decode(bytes.as_bytes()).map_err(|_| Garbled)?
        }
    };
    // JSON on one line: a line end inside would begin another field of the event.
    let kind = serde_json::from_slice::<Kind>(&data).map_err(|_| Garbled)?.kind;
    if data.iter().any(|byte| matches!(byte, b'\n' | b'\r')) || kind.contains(['\n', '\r']) {
        return Err(Garbled);
    }
    for part in [b"event: ", kind.as_bytes(), b"\ndata: ", &data, b"\n\n"] {
        out.extend_from_slice(part);
    }
    Ok(())
}

/// An exception of AWS as an event of the provider's API.
fn failure(kind: &[u8], payload: &[u8]) -> Vec<u8> {
    let Exception { message } = serde_json::from_slice(payload).unwrap_or(Exception { message: String::new() });
    let kind = match kind {
        b"throttlingException" | b"serviceQuotaExceededException" => "rate_limit_error",
        b"validationException" => "invalid_request_error",
        b"modelTimeoutException" => "timeout_error",
        b"serviceUnavailableException" => "overloaded_error",
        _ => "api_error",
    };
    serde_json::json!({"type": "error", "error": {"type": kind, "message": message}}).to_string().into_bytes()
}

/// The headers of a frame that are text; nothing after the first that cannot be read.
struct Headers<'a>(&'a [u8]);

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (length, rest) = self.0.split_first()?;
            let (name, rest) = rest.split_at_checked(usize::from(*length))?;
            let (kind, rest) = rest.split_first()?;
            let (size, rest) = match kind {
                0 | 1 => (0, rest),
                2 => (1, rest),
                3 => (2, rest),
                4 => (4, rest),
                5 | 8 => (8, rest),
                9 => (16, rest),
                6 | 7 => {
                    let (length, rest) = rest.split_first_chunk::<2>()?;
                    (usize::from(u16::from_be_bytes(*length)), rest)
                }
                _ => return None,
            };
            let (value, rest) = rest.split_at_checked(size)?;
            self.0 = rest;
            if *kind == 7 {
                return Some((name, value));
            }
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// CRC-32 as in ISO-HDLC, which is that of zip.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !bytes.iter().fold(u32::MAX, |crc, byte| TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8))
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One frame with these text headers.
    pub(crate) fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
        let mut head = Vec::new();
        for (name, value) in headers {
            head.push(u8::try_from(name.len()).unwrap());
            head.extend_from_slice(name.as_bytes());
            head.push(7);
            head.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
            head.extend_from_slice(value.as_bytes());
        }
        let word = |number: usize| u32::try_from(number).unwrap().to_be_bytes();
        let mut frame = [word(PRELUDE + head.len() + payload.len() + TRAILER), word(head.len())].concat();
        frame.extend_from_slice(&crc32(&frame).to_be_bytes());
        frame.extend_from_slice(&head);
        frame.extend_from_slice(payload);
        frame.extend_from_slice(&crc32(&frame).to_be_bytes());
        frame
    }

    /// A frame as Bedrock sends it around one event of the provider.
    pub(crate) fn chunk(event: &str) -> Vec<u8> {
        let headers = [(":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event")];
        let bytes = data_encoding::BASE64.encode(event.as_bytes());
        frame(&headers, format!("{{\"bytes\":\"{bytes}\",\"p\":\"abcdef\"}}").as_bytes())
    }

    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn every_cut_gives_the_same_events() {
        let stream = [chunk(r#"{"type":"message_start","message":{}}"#), chunk(r#"{"type":"message_stop"}"#)].concat();
        let want = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        for cut in 0..=stream.len() {
            let mut frames = Frames::default();
            let out = [&stream[..cut], &stream[cut..]].map(|piece| frames.push(piece).unwrap()).concat();
            assert_eq!(String::from_utf8(out).unwrap(), want, "cut at {cut}");
            assert!(frames.at_boundary());
        }
        let mut frames = Frames::default();
        frames.push(&stream[..20]).unwrap();
        assert!(!frames.at_boundary());
    }

    #[test]
    fn an_exception_is_an_error_of_the_dialect() {
        let headers = [(":exception-type", "throttlingException"), (":message-type", "exception")];
        let out = Frames::default().push(&frame(&headers, br#"{"message":"Too many tokens"}"#)).unwrap();
        let want = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"Too many tokens\"}}\n\n";
        assert_eq!(String::from_utf8_lossy(&out), want);
    }

    #[test]
    fn what_is_no_frame_is_not_guessed_at() {
        let good = chunk(r#"{"type":"message_stop"}"#);
        for at in [0, 5, 9, 20, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let garbled = Frames::default().push(&bad);
            assert!(garbled == Err(Garbled) || garbled.is_ok_and(|out| out.is_empty()), "byte {at}");
        }
        assert_eq!(Frames::default().push(&chunk("{\"type\":\n\"x\"}")), Err(Garbled));
        assert_eq!(Frames::default().push(&chunk("not json")), Err(Garbled));
        assert_eq!(Frames::default().push(&[0xff; 64]), Err(Garbled));
    }
}
