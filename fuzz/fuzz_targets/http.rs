#![no_main]
#![allow(dead_code, unused_imports, reason = "what only the gateway calls")]

//! How requests are framed, by both readers of the gateway's crate; see translate.rs for why its files stand here by their path.

extern crate self as wardkeep_policy;

#[path = "../../egress-proxy/src"]
mod egress {
    pub(crate) mod forward {
        pub(crate) mod pulse;
        pub(crate) mod wire;
    }
    pub(crate) mod strict;
}
#[path = "../../egress-proxy/src/strict/fuzzed.rs"]
mod fuzzed;

use egress::{forward, strict};

/// As in the policy's crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Anthropic,
    OpenAi,
    Gemini,
}

/// Stands for the gateway's own: who is answered in which words changes no framing.
mod api {
    pub(crate) fn dialect_of(_: &http::Uri, _: &http::HeaderMap) -> super::Dialect {
        super::Dialect::OpenAi
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::framed(data));
