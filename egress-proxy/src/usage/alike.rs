//! Events of one stream that differ in their text alone: a stream is mostly that, and the second one need not be read.
//!
//! What an event tells is a function of everything around its text, and of the text's length. So an event that begins and ends
//! as one that was read, with nothing between that could end a text, tells the same but for the length.

use std::ops::Range;

/// A longer event is not remembered.
const BYTES: usize = 4096;

/// The last event that told one text and nothing else.
#[derive(Default)]
pub(super) struct Alike {
    event: Vec<u8>,
    text: Range<usize>,
}

impl Alike {
    /// The text of `event`, if all else in it is as in the one that was read.
    pub(super) fn text<'a>(&self, event: &'a [u8]) -> Option<&'a [u8]> {
        let (front, back) = (&self.event[..self.text.start], &self.event[self.text.end..]);
        // Without a text there is no front.
        let text = event.strip_prefix(front).filter(|_| !front.is_empty())?.strip_suffix(back)?;
        let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        let is_plain = text.iter().fold(true, |all, byte| all & plain(*byte));
        (is_plain && (text.is_ascii() || std::str::from_utf8(text).is_ok())).then_some(text)
    }

    /// Remembers `event`, whose only text lies at the address `at`.
    pub(super) fn learn(&mut self, event: &[u8], at: usize, bytes: u64) {
        let start = at.wrapping_sub(event.as_ptr().addr());
        let end = usize::try_from(bytes).map_or(usize::MAX, |bytes| start.saturating_add(bytes));
        let quotes = [start.checked_sub(1), Some(end)].map(|at| at.and_then(|at| event.get(at)));
        if event.len() <= BYTES && quotes == [Some(&b'"'); 2] {
            self.event.clear();
            self.event.extend_from_slice(event);
            self.text = start..end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(event: &str, text: &str) -> Alike {
        let mut alike = Alike::default();
        alike.learn(event.as_bytes(), event.as_ptr().addr() + event.find(text).unwrap(), text.len() as u64);
        alike
    }

    #[test]
    fn only_another_text_is_alike() {
        let alike = learned(r#"{"a":"x","text":"one","b":2}"#, "one");
        for (event, text) in [
            (r#"{"a":"x","text":"one","b":2}"#, Some("one")),
            (r#"{"a":"x","text":"","b":2}"#, Some("")),
            (r#"{"a":"x","text":" ünd, {b:3}","b":2}"#, Some(" ünd, {b:3}")),
            (r#"{"a":"x","text":"on\u0065","b":2}"#, None),
            (r#"{"a":"x","text":"one","text":"two","b":2}"#, None),
            (r#"{"a":"x","text":"one","b":3}"#, None),
            (r#"{"a":"y","text":"one","b":2}"#, None),
            (r#"{"a":"x","text":"one","b":2} "#, None),
            ("{\"a\":\"x\",\"text\":\"o\ne\",\"b\":2}", None),
            (r#"{"a":"x","text":"#, None),
            (r#"{"a":"x","text":"b":2}"#, None),
            ("", None),
        ] {
            assert_eq!(alike.text(event.as_bytes()), text.map(str::as_bytes), "{event}");
        }
        assert_eq!(alike.text(b"{\"a\":\"x\",\"text\":\"\xff\",\"b\":2}"), None);
        assert_eq!(Alike::default().text(b""), None);
    }

    #[test]
    fn a_text_that_is_not_within_quotes_there_is_not_learned() {
        let event = r#"{"text":"one"}"#;
        for at in [0, event.as_ptr().addr(), event.as_ptr().addr() + 8, event.as_ptr().addr() + 99, usize::MAX] {
            let mut alike = Alike::default();
            alike.learn(event.as_bytes(), at, 3);
            assert_eq!(alike.text(event.as_bytes()), None);
        }
        assert!(learned(&format!(r#"{{"text":"{}"}}"#, "x".repeat(BYTES)), "x").event.is_empty());
    }
}
