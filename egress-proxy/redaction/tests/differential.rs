//! The engine against the slow reading of [`properties::naive`], over texts made of arbitrary bytes, and over the corpus
//! that the fuzzer has kept.

mod properties;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// The same bytes on every run: finding new ones is the fuzzer's part.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(20_261_121),
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..60)
}

macro_rules! target {
    ($name:ident, $cases:expr) => {
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(config($cases))]

                #[test]
                fn holds_for_made_up_bytes(data in bytes()) {
                    properties::$name(&data);
                }
            }

            #[test]
            fn holds_for_the_corpus() {
                let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/", stringify!($name));
                let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
                files.sort();
                assert!(!files.is_empty(), "{folder} is empty");
                for file in files {
                    let data = std::fs::read(&file).unwrap();
                    if let Err(panic) = std::panic::catch_unwind(|| properties::$name(&data)) {
                        eprintln!("{}", file.display());
                        std::panic::resume_unwind(panic);
                    }
                }
            }
        }
    };
}

target!(engine, 2000);
target!(json, 1000);
target!(sse, 100);
target!(unescape, 1000);
target!(patterns, 500);
target!(pack, 100);
target!(checks, 500);
