//! Names that some readers take for one: letters of either case (Go, with two beyond ASCII), underscores or none (`ProtoJSON`).

use super::server_tools::MEMBERS;
use super::{Head, InvalidBody, TIERS};
use crate::api::Api;
use crate::budget::ask::KEPT;

/// Members by which a request chooses what is judged here, beside [`MEMBERS`], [`TIERS`] and [`KEPT`].
const JUDGED: [&str; 17] = [
    "background",
    "contents",
    "extra_body",
    "fallbacks",
    "input",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "messages",
    "model",
    "models",
    "n",
    "route",
    "stream",
    "stream_options",
    "system",
    "tools",
];

fn judged() -> impl Iterator<Item = &'static str> {
    JUDGED.into_iter().chain(MEMBERS).chain(TIERS.into_iter().map(|(name, _)| name)).chain(KEPT)
}

/// The letters that count for the widest reader.
pub(super) fn folded(name: &str) -> impl Iterator<Item = char> {
    let plain = name.chars().filter(|letter| *letter != '_');
    plain.map(|letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    })
}

/// Whether any reader takes them for the same.
pub(super) fn same(one: &str, other: &str) -> bool {
    folded(one).eq(folded(other))
}

/// Refuses a member that a reader of either case would take for one that is judged here by its right name.
pub(crate) fn right(api: Api, head: &Head) -> Result<(), InvalidBody> {
    if matches!(api, Api::Gemini(_)) {
        // It has two spellings itself, and where it matters both are read.
        return Ok(());
    }
    // In these APIs no name has capitals.
    let is_odd = |name: &str| name.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii());
    let odd = head.members().map(|(name, _)| name).find(|name| is_odd(name) && judged().any(|one| same(one, name)));
    odd.map_or(Ok(()), |name| Err(InvalidBody::Spelling(name.to_owned())))
}
