//! Options of `sed` and `awk` as GNU's getopt reads them: what is no option that is known here makes the whole call unclear.

use super::super::words::Word;

/// Whether an option takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// None.
    Nothing,
    /// The rest of its word, or the next one.
    Value,
    /// The rest of its word, if there is one.
    Rest,
}

/// What a program's options are: letters and long names.
pub(super) struct Known {
    pub(super) letters: &'static [(char, Takes)],
    /// Each with the letter that means the same, or one that stands for it here.
    pub(super) long: &'static [(&'static str, char, Takes)],
    /// Whether options may follow operands.
    pub(super) permutes: bool,
}

/// One argument.
#[derive(Debug)]
pub(super) enum Part {
    /// The letter and its value.
    Option(char, Option<Word>),
    Operand(Word),
}

/// The arguments taken apart; `None` where one is no known option.
pub(super) fn read(args: &[Word], known: &Known) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut words = args.iter();
    let mut options = true;
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        if !options || text.len() < 2 || !text.starts_with('-') {
            options &= known.permutes;
            parts.push(Part::Operand(word.clone()));
        } else if text == "--" {
            options = false;
        } else if let Some(long) = text.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(n, v)| (n, Some(Word::literal(v))));
            let (letter, takes) = find(name, known)?;
            let value = match (value, takes) {
                (None, Takes::Value) => Some(words.next()?.clone()),
                (value, _) => value,
            };
            parts.push(Part::Option(letter, value));
        } else {
            for (at, letter) in text.char_indices().skip(1) {
                let (_, takes) = known.letters.iter().find(|(known, _)| *known == letter)?;
                let rest = &text[at + letter.len_utf8()..];
                let value = match takes {
                    Takes::Nothing => None,
                    Takes::Value if rest.is_empty() => Some(words.next()?.clone()),
                    Takes::Rest | Takes::Value => Some(Word::literal(rest)),
                };
                parts.push(Part::Option(letter, value));
                if *takes != Takes::Nothing {
                    break;
                }
            }
        }
    }
    Some(parts)
}

/// The option of that name, or the only one that begins so.
fn find(name: &str, known: &Known) -> Option<(char, Takes)> {
    let begun = || known.long.iter().filter(|(long, ..)| long.starts_with(name));
    let exact = known.long.iter().find(|(long, ..)| *long == name);
    let (_, letter, takes) = exact.or_else(|| begun().next().filter(|_| begun().count() == 1))?;
    Some((*letter, *takes))
}
