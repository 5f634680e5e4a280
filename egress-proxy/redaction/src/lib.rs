//! The pure redaction engine: text in, text without secrets out.
//!
//! * **Owns**: the index of vault values in all the forms they take ([`Engine`]), the rules for secrets of known formats
//!   ([`RuleSet`]), placeholders, streams ([`Stream`]) and the walk through JSON that splices instead of re-serialising.
//! * **Flows through it**: bytes of requests, tool output and messages. A vault value becomes `SECRET_REF(name)`, any other
//!   secret `[REDACTED:kind:xxxx]`; all other bytes pass unchanged. The result is a function of text and engine only.
//! * **Never hears of**: HTTP, vault files, clocks, providers.

mod anchors;
mod byteset;
mod cursor;
mod engine;
mod forms;
mod hits;
mod index;
mod json;
mod normal;
mod packed;
mod patterns;
mod placeholder;
mod print;
mod rarity;
mod rules;
mod search;
mod searchable;
mod shared;
mod sse;
mod stream;
mod unescape;
mod views;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use engine::{BuildError, Engine, Finding, Redacted, RedactedBytes, Secret};
pub use json::{
    ALL_OF_REST, Compared, JSON_BYTES, JSON_DEPTH, JsonMemo, Place, Token, Unscannable, Visit, read_json, read_json_on,
};
pub use packed::unpacked;
pub use print::PIECE;
pub use rules::check::Check;
pub use rules::pack::{Additions, Allow, Disable, PackError, PackRule, Problem, Profile, Side};
pub use rules::{RuleInfo, RuleSet};
pub use searchable::{Unsearchable, searchable};
pub use shared::Shared;
pub use stream::Stream;
