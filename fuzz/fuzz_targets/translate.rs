#![no_main]
#![allow(dead_code, reason = "what only the gateway calls")]

//! The translation is private to the gateway's crate, which brings a database with it; so its files stand here by their path.

extern crate self as wardkeep_policy;

#[path = "../../egress-proxy/src"]
mod egress {
    pub(crate) mod sse;
    pub(crate) mod translate;
}
#[path = "../../egress-proxy/src/translate/tests/fuzzed.rs"]
mod fuzzed;

use egress::{sse, translate};

/// As in the policy's crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Anthropic,
    OpenAi,
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::translated(data));
