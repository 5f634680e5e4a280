//! Texts of some length in which nothing was found: the instructions, tools and earlier messages of a small request come
//! again with the next one.
//!
//! What one document told of a text holds for all that the same engine reads, since the answer follows from the text and the
//! engine alone. Texts are told apart by keyed hashes, as bodies are by [`crate::print`]; none is kept.

use crate::engine::Engine;
use crate::print::PIECE;

use super::short;

/// Pieces of the longest text.
const PIECES: usize = 4;
/// Rows of texts that are kept, and texts of a row: two that come again and again must not drive each other out.
const ROWS: usize = 32;
const EACH: usize = 4;

/// A text, and what was asked of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    prints: [u128; PIECES],
    len: usize,
    asked: Asked,
}

/// What is not found in a text that is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Anything, in the text by itself.
    All,
    /// A value of the vault, in a text that others may follow. What is known is where its tail begins.
    Row,
    /// What the rules find.
    Rules,
}

/// Some texts in which nothing is; the first of a row came last.
pub(super) struct Known(Vec<[Option<(Key, usize)>; EACH]>);

impl Default for Known {
    fn default() -> Self {
        Self(vec![[None; EACH]; ROWS])
    }
}

impl Key {
    /// `None`: a shorter text is kept as it is, and a longer one is not kept.
    pub(super) fn of(engine: &Engine, text: &[u8], asked: Asked) -> Option<Self> {
        if !(short::MOST + 1..=PIECES * PIECE).contains(&text.len()) {
            return None;
        }
        let mut prints = [0; PIECES];
        for (print, piece) in prints.iter_mut().zip(text.chunks(PIECE)) {
            *print = engine.piece(piece);
        }
        Some(Self { prints, len: text.len(), asked })
    }

    fn row(&self) -> usize {
        let sum = self.prints.iter().fold(self.asked as u128, |sum, print| sum.wrapping_add(*print));
        let hash = (sum as u64 ^ (sum >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash >> 32) as usize % ROWS
    }
}

impl Known {
    /// What was put in with the key.
    pub(super) fn get(&self, key: Option<&Key>) -> Option<usize> {
        let key = key?;
        self.0.get(key.row())?.iter().flatten().find(|(kept, _)| kept == key).map(|(_, tail)| *tail)
    }

    /// Keeps that nothing was found, in place of the oldest text of the row.
    pub(super) fn put(&mut self, key: Option<Key>, tail: usize) {
        if let Some(key) = key
            && let Some(row) = self.0.get_mut(key.row())
        {
            row.rotate_right(1);
            row[0] = Some((key, tail));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Engine, RuleSet, Secret};

    const TOKEN: &str = "q9x2mn7pk4rt8wy1cv5b";

    fn engine(value: &str) -> Engine {
        Engine::build([Secret::new("token", value)], &RuleSet::builtin(), [7; 32]).unwrap()
    }

    /// Messages one after the other, each a text by itself and part of a row.
    fn body(texts: &[&str]) -> String {
        let messages: Vec<String> =
            texts.iter().map(|text| format!(r#"{{"role":"user","content":"{text}"}}"#)).collect();
        format!(r#"{{"note":"{}","messages":[{}]}}"#, texts.first().unwrap_or(&""), messages.join(","))
    }

    #[test]
    fn what_was_found_in_no_text_is_found_where_texts_meet_and_where_they_change() {
        let (long, words) = ("no secret in sight, ".repeat(60), "a text of more than fifteen bytes ");
        let (head, tail) = TOKEN.split_at(9);
        let with_head = format!("{words}{head}");
        let with_tail = format!("{tail} {words}");
        let github = format!("{words} ghp_16C7e42F292c6912E7710c838347Ae178B4a");
        let whole = format!("{words}{TOKEN}");
        let bodies: Vec<Vec<&str>> = vec![
            vec![words],
            vec![&long, words],
            // Clean each, and in another order; then with the value across both.
            vec![&with_tail, &with_head],
            vec![&with_head, words, &with_tail],
            vec![&with_head, &with_tail],
            vec![words, &whole],
            vec![&whole],
            vec![&github, words],
            vec![&long, &with_head, &with_tail, &long],
            vec![words],
        ];
        // What finds the rules is shared, what is known of texts is not.
        let kept = engine(TOKEN);
        let mut found = 0;
        for _ in 0..3 {
            for texts in &bodies {
                let body = body(texts);
                let fresh = kept.with_secrets([Secret::new("token", TOKEN)]).unwrap();
                let fresh = fresh.redact_json(body.as_bytes()).unwrap();
                found += fresh.findings.len();
                assert_eq!(kept.redact_json(body.as_bytes()).unwrap(), fresh, "{texts:?}");
            }
        }
        assert!(found > 20, "{found}");
    }

    #[test]
    fn a_text_that_one_engine_found_clean_is_searched_by_the_next() {
        let text = format!("a text with {TOKEN} in it");
        let (before, body) = (engine("another value 5kd83hs"), body(&[&text]));
        for _ in 0..2 {
            assert!(before.redact_json(body.as_bytes()).unwrap().findings.is_empty());
        }
        let after = before.with_secrets([Secret::new("token", TOKEN)]).unwrap();
        let rules = before.with_rules(&RuleSet::none());
        for _ in 0..2 {
            assert_eq!(after.redact_json(body.as_bytes()).unwrap().findings.len(), 2);
            assert!(rules.redact_json(body.as_bytes()).unwrap().findings.is_empty());
        }
    }

    #[test]
    fn texts_of_every_length_are_told_apart() {
        let kept = engine(TOKEN);
        for len in [15, 16, 17, 1023, 1024, 1025, 4095, 4096, 4097, 5000] {
            let clean = format!("{}{}", "x ".repeat(len), TOKEN.replace('q', "w"));
            let clean = &clean[clean.len() - len.max(TOKEN.len())..];
            let dirty = clean.replace(&TOKEN.replace('q', "w"), TOKEN);
            for (text, count) in [(clean, 0), (clean, 0), (&*dirty, 2), (clean, 0), (&*dirty, 2)] {
                assert_eq!(kept.redact_json(body(&[text]).as_bytes()).unwrap().findings.len(), count, "{len}");
            }
        }
    }
}
