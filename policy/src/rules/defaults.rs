//! The rules we ship.

use std::sync::LazyLock;

use wardkeep_redaction::unpacked;

use super::{Document, RuleSet, parse_toml};

/// Every file of `policy/default/` that says rules, as `build.rs` packed it.
const PACKED: &[&[u8]] = &[
    include_bytes!(concat!(env!("OUT_DIR"), "/paths.toml")),
    include_bytes!(concat!(env!("OUT_DIR"), "/reading.toml")),
    include_bytes!(concat!(env!("OUT_DIR"), "/files.toml")),
    include_bytes!(concat!(env!("OUT_DIR"), "/options.toml")),
    include_bytes!(concat!(env!("OUT_DIR"), "/orders.toml")),
    include_bytes!(concat!(env!("OUT_DIR"), "/work.toml")),
    include_bytes!(concat!(env!("OUT_DIR"), "/git.toml")),
    include_bytes!(concat!(env!("OUT_DIR"), "/system.toml")),
    include_bytes!(concat!(env!("OUT_DIR"), "/network.toml")),
    include_bytes!(concat!(env!("OUT_DIR"), "/cloud.toml")),
    include_bytes!(concat!(env!("OUT_DIR"), "/code.toml")),
    include_bytes!(concat!(env!("OUT_DIR"), "/escapes.toml")),
    include_bytes!(concat!(env!("OUT_DIR"), "/tools.toml")),
    include_bytes!(concat!(env!("OUT_DIR"), "/guard.toml")),
];

/// What they say.
pub(super) fn document() -> Document {
    parse_toml(PACKED.iter().map(|packed| unpacked(packed))).expect("the shipped rules are read by a test")
}

/// The shipped rules, `policy/default/*.toml`, read once per process.
///
/// Their examples are checked by this crate's tests, not at each start.
#[must_use]
pub fn default_rules() -> RuleSet {
    static RULES: LazyLock<RuleSet> =
        LazyLock::new(|| RuleSet::unchecked(document()).expect("the shipped rules are checked by a test"));
    RULES.clone()
}
