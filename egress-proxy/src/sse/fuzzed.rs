//! What holds for any bytes of a provider's stream; the fuzzer calls it, too (fuzz/fuzz_targets/events.rs).

use crate::frames::{Frames, Garbled};
use crate::sse::Parser;

/// However the bytes arrive, the same events are in them, in AWS's frames, too.
pub(crate) fn streamed(data: &[u8]) {
    let single: Vec<&[u8]> = data.chunks(1).collect();
    assert_eq!(events(&single), events(&[data]), "byte by byte");
    let (whole, again) = (unpacked(&[data]), unpacked(&single));
    assert_eq!(again.is_err(), whole.is_err(), "byte by byte");
    if let (Ok((out, at_boundary)), Ok((again, same))) = (whole, again) {
        assert_eq!((&again, same), (&out, at_boundary), "byte by byte");
        // What comes out of frames is events, each of one line of data.
        let found = events(&[&out]);
        assert!(found.0.iter().all(Option::is_some) && found.1, "{}", String::from_utf8_lossy(&out));
    }
}

/// The data of each event, and whether the last one is whole.
fn events(pieces: &[&[u8]]) -> (Vec<Option<Vec<u8>>>, bool) {
    let (mut parser, mut found) = (Parser::default(), Vec::new());
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let (used, ended) = parser.advance(rest);
            assert!(used > 0, "it goes on");
            rest = &rest[used..];
            if ended {
                found.push(parser.data().map(<[u8]>::to_vec));
            }
        }
    }
    assert!(parser.skipped() == 0, "nothing so short is passed by");
    (found, parser.at_boundary())
}

fn unpacked(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool), Garbled> {
    let (mut frames, mut out) = (Frames::default(), Vec::new());
    for piece in pieces {
        out.extend_from_slice(&frames.push(piece)?);
    }
    Ok((out, frames.at_boundary()))
}

#[cfg(test)]
#[test]
fn holds_for_the_corpus() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/events");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty(), "{folder} is empty");
    for file in files {
        streamed(&std::fs::read(&file).unwrap());
    }
}
