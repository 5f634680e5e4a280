//! What one side of an HTTP/2 connection said: bodies put together per stream, header texts decoded.
//!
//! Source: RFC 9113, sections 4 and 6; RFC 7541, sections 5 and 6 and appendix B.

use std::collections::BTreeMap;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// The text of all streams and all header texts, each on a line of its own. What is no HTTP/2 comes back as it is.
#[must_use]
pub fn said(connection: &[u8]) -> Vec<u8> {
    let Some(mut rest) = connection.strip_prefix(PREFACE) else { return connection.to_vec() };
    let mut bodies: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    let mut headers: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    while let Some((frame, after)) = Frame::first(rest) {
        rest = after;
        match frame.kind {
            DATA => bodies.entry(frame.stream).or_default().extend_from_slice(frame.payload),
            HEADERS | CONTINUATION => headers.entry(frame.stream).or_default().extend_from_slice(frame.payload),
            // The rest has no text of ours, but nothing is left out: it is searched as it is.
            _ => bodies.entry(0).or_default().extend_from_slice(frame.payload),
        }
    }
    let texts = headers.values().flat_map(|block| texts(block));
    bodies.values().cloned().chain(texts).collect::<Vec<_>>().join(&b"\n\x01\n"[..])
}

struct Frame<'a> {
    kind: u8,
    stream: u32,
    /// Without padding and priority.
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, rest) = bytes.split_at_checked(9)?;
        let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).ok()?;
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5] & 0x7F, head[6], head[7], head[8]]);
        // A frame that is cut off is searched as far as it came.
        let (mut payload, after) = rest.split_at(length.min(rest.len()));
        if (kind == DATA || kind == HEADERS) && flags & PADDED != 0 {
            let (padding, inner) = payload.split_first()?;
            payload = &inner[..inner.len().saturating_sub((*padding).into())];
        }
        if kind == HEADERS && flags & PRIORITY != 0 {
            payload = payload.get(5..)?;
        }
        Some((Self { kind, stream, payload }, after))
    }
}

/// Names and values that a header block spells out.
fn texts(mut block: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some(first) = block.first() {
        let read = match first {
            // Indexed, or a new size of the table: a number and no text.
            0x80.. => number(block, 7).map(|(_, rest)| rest),
            0x20..=0x3F => number(block, 5).map(|(_, rest)| rest),
            _ => {
                let bits = if *first >= 0x40 { 6 } else { 4 };
                (|| {
                    let (index, mut rest) = number(block, bits)?;
                    for _ in 0..if index == 0 { 2 } else { 1 } {
                        let (text, after) = string(rest)?;
                        found.push(text);
                        rest = after;
                    }
                    Some(rest)
                })()
            }
        };
        match read {
            Some(rest) => block = rest,
            None => {
                found.push(block.to_vec());
                break;
            }
        }
    }
    found
}

fn number(bytes: &[u8], bits: u32) -> Option<(usize, &[u8])> {
    let most = (1_usize << bits) - 1;
    let (first, mut rest) = bytes.split_first()?;
    let mut value = usize::from(*first) & most;
    if value == most {
        for shift in (0..28).step_by(7) {
            let (next, after) = rest.split_first()?;
            rest = after;
            value += usize::from(next & 0x7F) << shift;
            if next & 0x80 == 0 {
                break;
            }
        }
    }
    Some((value, rest))
}

fn string(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let coded = bytes.first()? & 0x80 != 0;
    let (length, rest) = number(bytes, 7)?;
    let (text, rest) = rest.split_at_checked(length)?;
    Some((if coded { unpack(text) } else { text.to_vec() }, rest))
}

/// Undoes the Huffman code. Bytes beyond ASCII, which no header of ours has, end the text.
fn unpack(coded: &[u8]) -> Vec<u8> {
    let codes = codes();
    let mut out = Vec::new();
    let (mut code, mut length) = (0_u32, 0_u32);
    for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
        code = code << 1 | u32::from(bit);
        length += 1;
        if let Some(letter) = codes.get(&(length, code)) {
            out.push(*letter);
            (code, length) = (0, 0);
        } else if length > 19 {
            break;
        }
    }
    out
}

/// The code is canonical: shorter codes first, letters of one length in their order.
fn codes() -> BTreeMap<(u32, u32), u8> {
    let mut letters: Vec<(u32, u8)> =
        LENGTHS.iter().flat_map(|(length, letters)| letters.bytes().map(|letter| (*length, letter))).collect();
    letters.sort_unstable();
    let (mut code, mut before) = (0_u32, letters[0].0);
    letters
        .into_iter()
        .map(|(length, letter)| {
            code <<= length - before;
            before = length;
            let entry = ((length, code), letter);
            code += 1;
            entry
        })
        .collect()
}

/// Bits of the code of each letter.
const LENGTHS: &[(u32, &str)] = &[
    (5, "012aceiost"),
    (6, " %-./3456789=A_bdfghlmnpru"),
    (7, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, "&*,;XZ"),
    (10, "!\"()?"),
    (11, "'+|"),
    (12, "#>"),
    (13, "\0$@[]~"),
    (14, "^}"),
    (15, "<`{"),
    (19, "\\"),
];

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// Source: RFC 7541, appendix C.4 and C.6.
    #[test]
    fn the_code_is_that_of_the_standard() {
        for (coded, text) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
            ("9d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com"),
            (
                "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
                "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            ),
        ] {
            let coded = HEXLOWER.decode(coded.as_bytes()).expect("hex");
            assert_eq!(String::from_utf8_lossy(&unpack(&coded)), text);
        }
    }

    #[test]
    fn a_text_that_frames_cut_is_whole_again() {
        let frame = |kind: u8, stream: u8, payload: &[u8]| {
            let mut frame = vec![0, 0, u8::try_from(payload.len()).expect("short"), kind, 0, 0, 0, 0, stream];
            frame.extend_from_slice(payload);
            frame
        };
        let mut block = vec![0x82, 0x40, 0x0A];
        block.extend_from_slice(b"custom-key\x0Ccustom-value");
        let connection = [
            PREFACE.to_vec(),
            frame(HEADERS, 1, &block),
            frame(DATA, 1, b"cut he"),
            frame(DATA, 3, b"other"),
            frame(DATA, 1, b"re"),
        ]
        .concat();
        let said = String::from_utf8_lossy(&said(&connection)).into_owned();
        for part in ["cut here", "other", "custom-key", "custom-value"] {
            assert!(said.contains(part), "{part}: {said:?}");
        }
    }
}
