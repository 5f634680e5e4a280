//! The rules we ship.

use std::sync::LazyLock;

use super::{Document, RuleSet, parse_toml};

/// Every file of `policy/default/`.
pub(super) const TEXTS: &[&str] = &[
    include_str!("../../default/paths.toml"),
    include_str!("../../default/reading.toml"),
    include_str!("../../default/files.toml"),
    include_str!("../../default/options.toml"),
    include_str!("../../default/orders.toml"),
    include_str!("../../default/work.toml"),
    include_str!("../../default/git.toml"),
    include_str!("../../default/system.toml"),
    include_str!("../../default/network.toml"),
    include_str!("../../default/cloud.toml"),
    include_str!("../../default/code.toml"),
    include_str!("../../default/escapes.toml"),
    include_str!("../../default/tools.toml"),
    include_str!("../../default/guard.toml"),
];

/// The shipped rules, `policy/default/*.toml`, read once per process.
///
/// Their examples are checked by this crate's tests, not at each start.
#[must_use]
pub fn default_rules() -> RuleSet {
    static RULES: LazyLock<RuleSet> = LazyLock::new(|| {
        let document: Document = parse_toml(TEXTS).expect("the shipped rules are read by a test");
        RuleSet::unchecked(document).expect("the shipped rules are checked by a test")
    });
    RULES.clone()
}
