#![no_main]
#![allow(dead_code, unused_imports, reason = "what only the gateway calls")]

//! Frames of WebSockets to inspected hosts; see translate.rs for why the files stand here by their path.

extern crate self as wardkeep_proto;

#[path = "../../egress-proxy/src"]
mod egress {
    pub(crate) mod forward {
        pub(crate) mod pulse;
        pub(crate) mod websocket {
            pub(crate) mod frame;
            pub(crate) mod fuzzed;
        }
        pub(crate) mod wire;
    }
}

/// As in the crate of shared words.
pub mod chance {
    pub trait Chance: Send + Sync + 'static {
        fn fill(&self, out: &mut [u8]);
    }

    pub fn bytes<const N: usize>(chance: &dyn Chance) -> [u8; N] {
        let mut out = [0; N];
        chance.fill(&mut out);
        out
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| egress::forward::websocket::fuzzed::framed(data));
