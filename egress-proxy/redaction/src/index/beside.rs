//! Short and common values, which are secrets only beside a keyword.

use zeroize::Zeroizing;

use super::filter::{Filter, Keys};
use super::window;
use crate::searchable::MIN_BESIDE;

/// Bytes of the text before a value in which its keyword stands.
pub(crate) const BEFORE: usize = 40;

/// All such values.
pub(crate) struct Beside {
    keys: Keys,
    values: Vec<Value>,
    filter: Filter<1>,
}

struct Value {
    bytes: Zeroizing<Box<[u8]>>,
    owner: u32,
    keywords: Vec<Box<[u8]>>,
}

/// What stands at a place of a text.
pub(crate) enum Beginning {
    Nothing,
    /// It takes more bytes to say.
    Open,
    /// A value of so many bytes, of this owner.
    Value(usize, u32),
}

/// Keywords of a list that is separated by commas.
pub(crate) fn keywords(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|word| word.len() >= MIN_BESIDE)
}

impl Beside {
    /// Of `(value, owner, keywords)`.
    pub(crate) fn new<'a>(keys: Keys, values: &[(&'a str, u32, &'a str)]) -> Self {
        let mut filter = Filter::new(values.len(), 0);
        for (value, ..) in values {
            filter.insert(keys.hash::<MIN_BESIDE>(window::<8>(value.as_bytes())));
        }
        let of = |(value, owner, list): &(&str, u32, &str)| Value {
            bytes: Zeroizing::new(value.as_bytes().into()),
            owner: *owner,
            keywords: keywords(list).map(|word| word.to_ascii_lowercase().into_bytes().into()).collect(),
        };
        Self { keys, values: values.iter().map(of).collect(), filter }
    }

    /// Bytes of the shortest value.
    pub(super) fn shortest(&self) -> Option<usize> {
        self.values.iter().map(|value| value.bytes.len()).min()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether one of the values may begin at the beginning of `text`.
    #[inline(always)]
    pub(crate) fn may_begin(&self, text: &[u8]) -> bool {
        text.len() < MIN_BESIDE || self.filter.test(self.keys.hash::<MIN_BESIDE>(window::<8>(text)))
    }

    /// What begins at byte `at` of `view`, after the text `before` it. `ended`: nothing follows `view`.
    pub(crate) fn begins(&self, view: &[u8], at: usize, before: &[u8], ended: bool) -> Beginning {
        if at.checked_sub(1).is_some_and(|last| is_word(view[last])) {
            return Beginning::Nothing;
        }
        let rest = &view[at..];
        let mut longest: Option<&Value> = None;
        for value in &self.values {
            let whole = rest.starts_with(&value.bytes);
            let begun = !ended && value.bytes.starts_with(rest);
            if !(whole || begun) || !value.keywords.iter().any(|word| holds(before, word)) {
                continue;
            }
            match rest.get(value.bytes.len()) {
                None if !ended => return Beginning::Open,
                Some(&next) if is_word(next) => {}
                _ if longest.is_none_or(|other| other.bytes.len() < value.bytes.len()) => longest = Some(value),
                _ => {}
            }
        }
        longest.map_or(Beginning::Nothing, |value| Beginning::Value(value.bytes.len(), value.owner))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn holds(text: &[u8], word: &[u8]) -> bool {
    text[text.len().saturating_sub(BEFORE)..].windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}
