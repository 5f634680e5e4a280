#![no_main]
#![allow(dead_code, reason = "the other targets use the rest")]

#[path = "../../egress-proxy/redaction/tests/properties/mod.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::checks(data));
