//! What holds for any bytes; the fuzzer calls it, too (fuzz/fuzz_targets/translate.rs).

use bytes::Bytes;
use wardkeep_policy::Dialect;

use crate::translate::{End, Stamp, Stream, Wants, answer, error, request};

/// The first byte chooses, the others are sent.
pub(crate) fn translated(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let (one, other) = match choice & 1 {
        0 => (Dialect::OpenAi, Dialect::Anthropic),
        _ => (Dialect::Anthropic, Dialect::OpenAi),
    };
    let stamp = Stamp { id: "wk-1".to_owned(), model: "m".to_owned(), created: 1, usage: choice & 2 == 0 };
    let body = Bytes::copy_from_slice(bytes);
    for out in [request(one, other, &body, Wants::default()), answer(one, other, &body, &stamp)].into_iter().flatten() {
        assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&out).is_ok(), "{out:?}");
    }
    let (_, document) = error(one, other, 400 + u16::from(*choice), &body, &stamp);
    assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&document).is_ok(), "{document:?}");
    let whole = streamed(one, other, &stamp, &[bytes]);
    assert_eq!(streamed(one, other, &stamp, &bytes.chunks(1).collect::<Vec<_>>()), whole, "byte by byte");
    let (out, end) = whole;
    let ends = |mark: &[u8]| memchr::memmem::find_iter(&out, mark).count();
    // Data is on one line, so a client's text never looks like one of these.
    let marks = ends(b"\ndata: {\"type\":\"message_stop\"") + ends(b"\ndata: [DONE]\n");
    assert_eq!(marks, usize::from(end == End::Whole), "one end, and only of what is whole");
    assert!(out.ends_with(b"\n\n"));
}

fn streamed(provider: Dialect, caller: Dialect, stamp: &Stamp, pieces: &[&[u8]]) -> (Vec<u8>, End) {
    let mut stream = Stream::new(provider, caller, stamp.clone()).expect("the two are translated");
    let mut out = Vec::new();
    pieces.iter().for_each(|piece| out.extend_from_slice(&stream.push(piece)));
    out.extend_from_slice(&stream.finish());
    let end = stream.end().cloned().expect("a stream that was finished has ended");
    (out, end)
}

#[cfg(test)]
#[test]
fn holds_for_the_corpus() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/translate");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty(), "{folder} is empty");
    for file in files {
        translated(&std::fs::read(&file).unwrap());
    }
}
