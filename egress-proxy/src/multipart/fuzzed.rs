//! What holds for any bytes of an upload; the fuzzer calls it, too (fuzz/fuzz_targets/multipart.rs).

use std::cell::LazyCell;

use wardkeep_redaction::{Engine, RuleSet, Secret};

use crate::multipart::redact;

/// As an upload of a test would hold it.
pub(crate) const TOKEN: &str = "tok-8Jq2xN4vRk7L";
const BOUNDARY: &str = "b";

thread_local! {
    static ENGINE: LazyCell<Engine> = LazyCell::new(|| {
        Engine::build([Secret::new("token", TOKEN)], &RuleSet::builtin(), [7; 32]).expect("an engine")
    });
}

/// What leaves holds no secret, has as many parts as came, and is still an upload.
pub(crate) fn uploaded(data: &[u8]) {
    ENGINE.with(|engine| {
        let Ok(sent) = redact(data, BOUNDARY, engine, &[]) else { return };
        assert!(memchr::memmem::find(&sent, TOKEN.as_bytes()).is_none(), "{}", String::from_utf8_lossy(&sent));
        assert_eq!(parts(&sent), parts(data), "{}", String::from_utf8_lossy(&sent));
        assert!(redact(&sent, BOUNDARY, engine, &[]).is_ok(), "it is no upload any more");
    });
}

/// How many parts it has.
fn parts(body: &[u8]) -> usize {
    memchr::memmem::find_iter(body, b"\r\n--b").count()
}

#[cfg(test)]
#[test]
fn holds_for_the_corpus() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/multipart");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty(), "{folder} is empty");
    for file in files {
        uploaded(&std::fs::read(&file).unwrap());
    }
}
