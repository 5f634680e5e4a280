//! Options and operands of one command, read as that program reads them.

use std::borrow::Cow;

use super::words::Word;
use crate::rules::Lent;

/// How a program reads its arguments, as far as the rules say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading<'a> {
    /// Options that take the next word, with their dashes: `-o`, `--output`.
    pub values: Lent<'a>,
    /// Options that take the next two words, of which the second is the value: `--rawfile name path`.
    pub pairs: Lent<'a>,
    /// Whether `-name` is one option and not the letters n, a, m, e.
    pub single_dash: bool,
}

/// Arguments taken apart; what stands there as a whole is not copied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed<'a> {
    /// Options with their dashes, clusters taken apart, the value if one is given.
    pub options: Vec<(Cow<'a, str>, Option<Cow<'a, Word>>)>,
    /// The rest, in order.
    pub operands: Vec<&'a Word>,
    /// Whether some word might turn out to be an option.
    pub opaque: bool,
    /// Which of the first operands may be values of options that nobody described, one bit each; filled in by who knows the program.
    pub unsure: u32,
}

impl<'a> Parsed<'a> {
    /// Reads `args`.
    #[must_use]
    pub fn read(args: &'a [Word], reading: Reading<'_>) -> Self {
        let mut out = Self::default();
        let takes = |option: &str| reading.values.iter().any(|v| is_option(option, v));
        let mut at = 0;
        let mut options = true;
        while let Some(word) = args.get(at) {
            at += 1;
            let text = word.text.as_str();
            if options && text == "--" {
                options = false;
            } else if !options || text.len() < 2 || !text.starts_with('-') {
                out.opaque |= options && word.may_be_option();
                out.operands.push(word);
            } else if text.starts_with("--") || reading.single_dash {
                let (name, mut value) = match text.split_once('=') {
                    Some((name, value)) => (name, Some(Cow::Owned(word.with(value)))),
                    None => (text, None),
                };
                if value.is_none() && reading.pairs.iter().any(|pair| pair == name) {
                    value = args.get(at + 1).map(Cow::Borrowed);
                    at += 2;
                } else if value.is_none() && takes(name) {
                    value = args.get(at).map(Cow::Borrowed);
                    at += 1;
                }
                out.options.push((name.into(), value));
            } else {
                at += out.cluster(text, args.get(at), &takes);
            }
        }
        out
    }

    /// Takes `-abc` apart; how many further words it used.
    fn cluster(&mut self, text: &'a str, next: Option<&'a Word>, takes: &dyn Fn(&str) -> bool) -> usize {
        for (i, c) in text.char_indices().skip(1) {
            let behind = i + c.len_utf8();
            // The first letter stands behind its dash already.
            let option = if i == 1 { Cow::from(&text[..behind]) } else { String::from_iter(['-', c]).into() };
            let rest = &text[behind..];
            if takes(&option) {
                let attached = (!rest.is_empty()).then(|| Cow::Owned(Word::literal(rest)));
                let used = usize::from(attached.is_none());
                self.options.push((option, attached.or_else(|| next.map(Cow::Borrowed))));
                return used;
            }
            self.options.push((option, None));
        }
        // Also as a whole, for programs with single-dash words that nobody listed.
        if text.chars().count() > 2 {
            let (name, value) =
                text.split_once('=').map_or((text, None), |(n, v)| (n, Some(Cow::Owned(Word::literal(v)))));
            self.options.push((name.into(), value));
        }
        0
    }

    /// Whether an option is given: itself, with `=value`, or shortened as GNU programs allow.
    #[must_use]
    pub fn has(&self, wanted: &str) -> bool {
        self.options.iter().any(|(name, _)| is_option(name, wanted))
    }

    /// The values of an option, however often it is given.
    pub fn values<'p>(&'p self, wanted: &'p str) -> impl Iterator<Item = &'p Word> + 'p {
        self.options.iter().filter(move |(name, _)| is_option(name, wanted)).filter_map(|(_, value)| value.as_deref())
    }

    /// The value of an option.
    #[must_use]
    pub fn value(&self, wanted: &str) -> Option<&Word> {
        self.options.iter().find(|(name, _)| is_option(name, wanted)).and_then(|(_, value)| value.as_deref())
    }
}

/// Whether an option as it is given is the one of that name.
pub(crate) fn is_option(given: &str, wanted: &str) -> bool {
    // Most are as long as `-x`, and then the last letter tells.
    given.as_bytes().last() == wanted.as_bytes().last() && given == wanted
        || (given.len() >= 3 && given.starts_with("--") && wanted.starts_with(given))
}
