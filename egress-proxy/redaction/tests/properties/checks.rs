//! The validators of rules, each behind a rule that takes anything else.

use std::sync::OnceLock;

use wardkeep_redaction::{Additions, Engine, RuleSet};

use super::same;

/// A validator, what it takes, and whether it notices every change of one character.
const CHECKS: [(&str, &str, bool); 8] = [
    ("luhn", "4111 1111 1111 1111", true),
    ("iban", "DE89 3704 0044 0532 0130 00", true),
    ("crc32-base62", "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", true),
    ("base64-json", "glc_eyJvIjoiMTIzIiwibiI6InQifQ==", false),
    ("base64", "c2VjcmV0cw==", false),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", false),
    ("bech32", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", true),
    ("base58check", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", true),
];

/// Before every text.
const LEAD: &str = "take:";

fn engines() -> &'static [Engine] {
    static ENGINES: OnceLock<Vec<Engine>> = OnceLock::new();
    ENGINES.get_or_init(|| {
        let shipped = RuleSet::builtin();
        let others: String =
            shipped.list().iter().map(|rule| format!("[[disable]]\nid = \"{}\"\n", rule.id)).collect();
        let engine = |(check, example, _): &(&str, &str, bool)| {
            let rule = format!(
                "[[rule]]\nid = \"checked\"\nsource = \"https://example.com\"\nkeywords = [\"{LEAD}\"]\nlead = '{LEAD}'\n\
                 token = '[ -~]{{1,200}}'\nright = \"any\"\ncheck = \"{check}\"\nmatches = [\"{LEAD}{example}\"]\n{others}"
            );
            let additions = Additions::from_toml(&rule).expect("it is written well");
            let rules = RuleSet::builtin_with(&additions).expect("its example holds");
            Engine::build([], &rules, [7; 32]).expect("no values are fit")
        };
        CHECKS.iter().map(engine).collect()
    })
}

/// A validator answers for any bytes, the same in pieces, and notices what it is there to notice.
pub(crate) fn checks(data: &[u8]) {
    let [which, body @ ..] = data else { return };
    let which = usize::from(*which) % CHECKS.len();
    let (engine, (_, _, notices)) = (&engines()[which], CHECKS[which]);
    let text = [LEAD.as_bytes(), body].concat();
    let whole = engine.redact_bytes(&text);
    same("pieces differ from the whole", &super::in_pieces(engine, &text, data), &whole.bytes);
    let [found] = &whole.findings[..] else { return };
    if !notices {
        return;
    }
    let end = found.start + found.len;
    // What stands before it is no part of a checksum that covers one part only.
    let from = text[found.start..end].iter().rposition(|b| *b == b'_').map_or(found.start, |at| found.start + at);
    for at in from..end {
        let mut changed = text.clone();
        changed[at] = match changed[at] {
            // Into another digit, which is another value in each of them.
            b'9' => b'8',
            digit @ b'0'..=b'8' => digit + 1,
            _ => continue,
        };
        let again = engine.redact_bytes(&changed);
        let same = again.findings.iter().any(|other| (other.start, other.len) == (found.start, found.len));
        assert!(!same, "{:?} and {:?}", String::from_utf8_lossy(&text), String::from_utf8_lossy(&changed));
    }
}
