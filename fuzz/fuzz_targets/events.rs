#![no_main]
#![allow(dead_code, reason = "what only the gateway calls")]

//! What providers stream, as events and in AWS's frames; see translate.rs for why the files stand here by their path.

#[path = "../../egress-proxy/src"]
mod egress {
    pub(crate) mod frames;
    pub(crate) mod sse;
}
#[path = "../../egress-proxy/src/sse/fuzzed.rs"]
mod fuzzed;

use egress::{frames, sse};

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::streamed(data));
