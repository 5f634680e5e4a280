//! From raw bytes to redacted text under a cap.

use wardkeep_redaction::Engine;

use super::Raw;

/// A vault value in its longest known form (UTF-16 in percent encoding) is this many times its length.
const LONGEST_FORM: usize = 12;

/// How much more than the cap must be read, so that a value which the cut goes through is not half shown.
pub(super) const fn margin(longest_value: usize) -> usize {
    let wanted = longest_value.saturating_mul(LONGEST_FORM);
    if wanted < 4096 { 4096 } else { wanted }
}

/// Redacted text of at most `cap` bytes, fewer where the tool gives back less, and whether something is missing.
///
/// Where the raw bytes were cut, the last `margin` bytes may hold the beginning of a value and are never shown: so whoever cuts them
/// leaves that much behind what is to be shown.
pub(super) fn finish(engine: &Engine, raw: &Raw, cap: usize, margin: usize) -> (String, bool) {
    let cap = raw.most.map_or(cap, |most| most.min(cap));
    let clean = engine.redact_bytes(&raw.output).bytes;
    let sure = if raw.cut { clean.len().saturating_sub(margin) } else { clean.len() };
    let mut text = String::from_utf8_lossy(&clean[..sure]).into_owned();
    let truncated = raw.cut || raw.left_out || text.len() > cap;
    text.truncate(text.floor_char_boundary(cap));
    (text, truncated)
}

#[cfg(test)]
mod tests {
    use wardkeep_redaction::{RuleSet, Secret};
    use zeroize::Zeroizing;

    use super::*;

    const VALUE: &str = "correct-horse-battery";

    fn engine() -> Engine {
        Engine::build([Secret::new("pw", VALUE)], &RuleSet::none(), [0; 32]).unwrap()
    }

    fn raw(text: &str, cut: bool) -> Raw {
        Raw { ok: true, output: Zeroizing::new(text.as_bytes().to_vec()), cut, ..Raw::default() }
    }

    #[test]
    fn a_value_on_the_cut_is_never_half_shown() {
        let (cap, margin) = (100, margin(VALUE.len()));
        // At every place around the cap, and with redaction making the text shorter before it.
        for at in 60..110 {
            for before in ["", VALUE] {
                let text = format!("{before}{}{VALUE}{}", "x".repeat(at), "y".repeat(margin * 2));
                let read = &text[..cap + margin];
                let (shown, truncated) = finish(&engine(), &raw(read, true), cap, margin);
                assert!(truncated && shown.len() <= cap);
                assert!(!shown.contains("correct") && !shown.contains("horse"), "{at}: {shown}");
            }
        }
    }

    #[test]
    fn a_value_that_the_read_cut_through_is_dropped() {
        let margin = margin(VALUE.len());
        let text = format!("{}{}", "x".repeat(50 + margin - 10), &VALUE[..10]);
        let (shown, truncated) = finish(&engine(), &raw(&text, true), 100 + margin, margin);
        assert!(truncated);
        assert_eq!(shown, "x".repeat(50));
    }

    #[test]
    fn short_output_is_whole() {
        let (shown, truncated) = finish(&engine(), &raw(&format!("a {VALUE} b"), false), 100, margin(8));
        assert_eq!((shown.as_str(), truncated), ("a SECRET_REF(pw) b", false));
    }
}
