#![no_main]
#![allow(dead_code, reason = "what only the gateway calls")]

//! Uploads; see translate.rs for why the files stand here by their path.

extern crate self as wardkeep_policy;

#[path = "../../egress-proxy/src"]
mod egress {
    pub(crate) mod attachments;
    pub(crate) mod multipart;
}
#[path = "../../egress-proxy/src/multipart/fuzzed.rs"]
mod fuzzed;

use egress::{attachments, multipart};

/// As in the policy's crate.
pub mod bundle {
    pub mod llm {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Unscanned {
            Pdf,
            Any,
        }
    }
}

/// Stand for the gateway's own.
mod refusal {
    pub(crate) struct Refusal;

    impl From<super::attachments::Held> for Refusal {
        fn from(_: super::attachments::Held) -> Self {
            Self
        }
    }

    impl From<wardkeep_redaction::Unscannable> for Refusal {
        fn from(_: wardkeep_redaction::Unscannable) -> Self {
            Self
        }
    }
}
mod request {
    pub(crate) struct Splice {
        pub(crate) at: std::ops::Range<usize>,
        pub(crate) with: String,
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::uploaded(data));
