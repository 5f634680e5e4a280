//! The floor: one automaton over the same bytes, with the vault's values as they are and the keywords of the rules.
//!
//! It finds less than the engine (no encodings, no decision about a keyword) and replaces nothing.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// Bytes of values above which the full table would not be reasonable (about 100 MiB).
const DFA_BYTES: usize = 200_000;

/// Words of the built-in rules that stand in no file.
const WORDS: [&str; 24] = [
    "://",
    "-----begin ",
    "eyj",
    "authorization",
    "bearer ",
    "basic ",
    "cookie",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "private_key",
    "credential",
    "client_id",
    "auth",
    "pass",
    "key",
    "signature",
];

/// A built automaton.
pub(crate) struct Floor {
    machine: AhoCorasick,
}

impl Floor {
    /// # Panics
    /// Never: a few megabytes of literals are within the limits of the builder.
    pub(crate) fn new(values: &[(String, String)], keywords: &[String]) -> Self {
        let total: usize = values.iter().map(|(_, value)| value.len()).sum();
        let kind = if total > DFA_BYTES { AhoCorasickKind::ContiguousNFA } else { AhoCorasickKind::DFA };
        let literals = values.iter().map(|(_, value)| value.as_str());
        let machine = AhoCorasick::builder()
            .kind(Some(kind))
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(literals.chain(keywords.iter().map(String::as_str)))
            .expect("literals within the limits");
        Self { machine }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self.machine.kind() {
            AhoCorasickKind::DFA => "DFA",
            _ => "NFA",
        }
    }

    pub(crate) fn count(&self, text: &str) -> usize {
        self.machine.find_iter(text).count()
    }
}

/// The keywords of the rules that are shipped.
pub(crate) fn keywords() -> anyhow::Result<Vec<String>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../egress-proxy/redaction/rules");
    let mut words: Vec<String> = WORDS.iter().map(|&word| word.to_owned()).collect();
    for file in std::fs::read_dir(folder).into_iter().flatten() {
        let path = file?.path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let table: toml::Table = std::fs::read_to_string(&path)?.parse()?;
        let rules = table.get("rule").and_then(toml::Value::as_array).into_iter().flatten();
        let listed = rules.filter_map(|rule| rule.get("keywords")?.as_array()).flatten();
        words.extend(listed.filter_map(|word| Some(word.as_str()?.to_ascii_lowercase())));
    }
    words.sort_unstable();
    words.dedup();
    Ok(words)
}
