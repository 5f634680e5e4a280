//! What a name promises about its value: `db_password` anything, `API_KEY` something random, `public_key` nothing.

use super::{Word, judge::words};
use crate::cursor::{Cursor, More};

/// What a value must be to count. In order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Demand {
    /// A person may have chosen it: short and simple values count.
    Chosen,
    /// A machine made it: it must look random.
    Random,
    /// The word is an everyday one: it must look very random.
    Strict,
    /// The word alone, and too common for digests and identifiers to count.
    Bare,
}

/// A name that was read, and what it means.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) text: &'a [u8],
    pub(super) demand: Demand,
    /// What stands before the name, [`crate::cursor::BEHIND`] bytes at most with it.
    pub(super) before: &'a [u8],
    /// `SECRET-1f0c…`: the value is joined to the name by a hyphen and begins so many bytes before the end of the name.
    pub(super) joined: usize,
    /// The name is a verb with its object: `getPassword`.
    pub(super) asks: bool,
    /// `Credential`: made of a user and a password.
    pub(super) pairs: bool,
    /// The name ends with its keyword.
    pub(super) whole: bool,
    /// A word by a blank before it says whose it is: `acme key`.
    pub(super) qualified: bool,
}

/// Bytes of a name after its keyword.
const SUFFIX: usize = 96;

pub(super) const fn in_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'.'
}

/// Bytes that can stand after a name whose value follows.
const fn can_follow(b: u8) -> bool {
    matches!(
        b,
        b'=' | b':'
            | b'"'
            | b'\''
            | b'`'
            | b' '
            | b'\t'
            | b'\n'
            | b'\r'
            | b'\\'
            | b'('
            | b')'
            | b'['
            | b']'
            | b'}'
            | b'>'
            | b'<'
            | b','
            | b'|'
            | b'*'
            | b'?'
            | b'!'
            | b'&'
            | 0xe2
            | 0xef
    )
}

/// Bytes that can stand after a keyword: the rest of its name or what follows that.
pub(super) const fn may_follow(b: u8) -> bool {
    in_name(b) || can_follow(b)
}

impl<'a> Name<'a> {
    /// Reads the name around the keyword that begins at the cursor; leaves the cursor behind it.
    pub(super) fn read(cursor: &mut Cursor<'a>, anchor: usize, keyword: Word) -> Result<Option<Self>, More> {
        let behind = cursor.behind();
        let own = behind.len() - behind.iter().rev().take_while(|b| in_name(**b)).count();
        let (before, stem) = behind.split_at(own);
        let from = cursor.at - stem.len();
        cursor.at += anchor;
        let word = cursor.since(from + stem.len());
        let upper = word.iter().all(|b| !b.is_ascii_lowercase());
        if keyword == Word::Pw && !upper && word[1..].iter().any(u8::is_ascii_uppercase) {
            // `pW`: letters of something drawn.
            return Ok(None);
        }
        let mut rest = cursor.run(16, |b| if upper { b.is_ascii_uppercase() } else { b.is_ascii_lowercase() })?;
        if upper
            && let [kept @ .., _] = rest
            && cursor.peek()?.is_some_and(|b| b.is_ascii_lowercase())
        {
            // `KEYName`: the last capital begins the next word.
            rest = kept;
            cursor.at -= 1;
        }
        let noun = &cursor.since(from)[stem.len()..];
        if !is_noun(keyword, rest) || !may_be_glued(keyword, stem, noun) {
            return Ok(None);
        }
        let suffix = cursor.run(SUFFIX, in_name)?;
        // `Vendor::ApiKey` is a type.
        if !cursor.peek()?.is_none_or(can_follow) || before.ends_with(b"[REDACTED:") || before.ends_with(b"::") {
            return Ok(None);
        }
        let joined = joined_value(suffix);
        if joined > 0 {
            let demand = qualified(keyword, stem, before).max(Some(Demand::Strict));
            let text = cursor.since(from);
            return Ok(demand.map(|demand| Name {
                text,
                demand,
                before,
                joined,
                asks: false,
                pairs: false,
                whole: false,
                qualified: false,
            }));
        }
        let suffix = match suffix {
            // `password.` ends a sentence; `key-` is no name.
            [.., b'.' | b'-'] => return Ok(None),
            all => all,
        };
        if suffix.len() == SUFFIX || holds_keyword(suffix) {
            return Ok(None);
        }
        let text = cursor.since(from);
        let Some(demand) = qualified(keyword, stem, before) else { return Ok(None) };
        let Some(demand) = after(keyword, suffix, demand) else { return Ok(None) };
        Ok(Some(Name {
            text,
            demand,
            before,
            joined: 0,
            asks: asks(stem),
            pairs: keyword == Word::Cred && suffix.is_empty(),
            whole: suffix.is_empty(),
            qualified: !spaced(stem, before).is_empty() && !words::ARTICLES.has(spaced(stem, before)),
        }))
    }

    /// In capitals, as variables of the environment are.
    pub(super) fn is_shouted(&self) -> bool {
        !self.text.iter().any(u8::is_ascii_lowercase)
    }

    /// `--password`, `-Password`.
    pub(super) fn is_flag(&self) -> bool {
        self.text.starts_with(b"-") && self.before.last().is_none_or(|b| b" \t\n\"'`([,|=".contains(b))
    }
}

/// A verb that asks for something: `get`, `config.get`, `getPassword`.
pub(super) fn asks(name: &[u8]) -> bool {
    parts(name).any(|word| words::ASKS.has(word))
}

/// The keyword with the letters that go on from it.
fn is_noun(keyword: Word, rest: &[u8]) -> bool {
    let any = |of: &[&str]| of.iter().any(|word| rest.eq_ignore_ascii_case(word.as_bytes()));
    match keyword {
        Word::Pass => {
            any(&["", "word", "words", "wd", "wds", "phrase", "phrases", "code", "codes", "wort", "e", "wrd", "w"])
        }
        Word::Pw => any(&["", "d", "ds"]),
        Word::Foreign => true,
        Word::Secret | Word::Token | Word::Key => any(&["", "s"]),
        Word::Auth | Word::Access | Word::Private => rest.is_empty(),
        Word::Cred => any(&["", "s", "ential", "entials"]),
        Word::IdentifiedBy | Word::UserFlag | Word::PasswordFlag => false,
    }
}

/// A later keyword decides about the name.
fn holds_keyword(suffix: &[u8]) -> bool {
    const KEYWORDS: [&[u8]; 7] = [b"pass", b"pw", b"secret", b"token", b"key", b"cred", b"auth"];
    KEYWORDS.iter().any(|keyword| suffix.windows(keyword.len()).any(|w| w.eq_ignore_ascii_case(keyword)))
}

/// Length of the value in `-1f0c…`: long and mixed, or a UUID.
fn joined_value(suffix: &[u8]) -> usize {
    let [b'-' | b'_' | b'.', value @ ..] = suffix else { return 0 };
    let run = value.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    let digits = value[..run].iter().filter(|b| b.is_ascii_digit()).count();
    let letters = run - digits;
    let uuid = value.len() >= 32 && value.iter().filter(|b| **b == b'-').count() == 4 && (8..=12).contains(&run);
    if suffix[0] == b'-' && (run >= 20 && digits >= 4 && letters >= 4 || uuid && digits > 0) { value.len() } else { 0 }
}

/// What the words before the keyword make of it; `None` if it then names no secret.
fn qualified(keyword: Word, stem: &[u8], before: &[u8]) -> Option<Demand> {
    let last = parts(stem).last().unwrap_or_default();
    let spaced = spaced(stem, before);
    let mut all = parts(stem).chain(std::iter::once(spaced));
    match keyword {
        Word::Pass | Word::Pw | Word::Foreign => {
            (!parts(stem).any(|word| words::NO_PASSWORDS.has(word))).then_some(Demand::Chosen)
        }
        Word::Secret | Word::Token | Word::Cred => {
            (!all.any(|word| words::NO_CREDENTIALS.has(word))).then_some(Demand::Random)
        }
        Word::Key => {
            if all.any(|word| words::NO_CREDENTIALS.has(word)) {
                return None;
            }
            let credential = |word: &[u8]| words::CREDENTIAL_KEYS.has(word);
            Some(
                if credential(last)
                    || credential(spaced)
                    || words::CREDENTIAL_KEYS.iter().any(|k| k.len() > 2 && ends(last, k))
                {
                    Demand::Random
                } else if last.is_empty() {
                    Demand::Bare
                } else {
                    Demand::Strict
                },
            )
        }
        Word::Auth | Word::Access | Word::Private => Some(Demand::Strict),
        Word::IdentifiedBy | Word::UserFlag | Word::PasswordFlag => None,
    }
}

/// The word before the name, by a blank: `public key`.
fn spaced<'a>(stem: &[u8], before: &'a [u8]) -> &'a [u8] {
    match before {
        [kept @ .., b' '] if stem.is_empty() => {
            &kept[kept.len() - kept.iter().rev().take_while(|b| b.is_ascii_alphanumeric()).count()..]
        }
        _ => &[],
    }
}

fn ends(word: &[u8], with: &str) -> bool {
    word.len() >= with.len() && word[word.len() - with.len()..].eq_ignore_ascii_case(with.as_bytes())
}

/// Whether the keyword may follow what stands before it; short ones also end other words: `bypass`.
fn may_be_glued(keyword: Word, stem: &[u8], noun: &[u8]) -> bool {
    let short =
        matches!(keyword, Word::Pass | Word::Pw) && noun.len() <= 4 || matches!(keyword, Word::Auth | Word::Cred);
    let divided =
        stem.last().is_none_or(|b| !b.is_ascii_alphabetic() || b.is_ascii_uppercase() != noun[0].is_ascii_uppercase());
    !short || divided || parts(stem).last().is_some_and(|word| words::STEMS.has(word))
}

/// What the words after the keyword make of its demand.
fn after(keyword: Word, suffix: &[u8], demand: Demand) -> Option<Demand> {
    let mut demand = demand;
    for word in parts(suffix) {
        let same = word.len() == 1 || words::SAME.has(word);
        match keyword {
            Word::Access | Word::Private if !same => return None,
            Word::Auth if !same && !words::AUTH_VALUES.has(word) => return None,
            _ if words::OTHERS.has(word) => return None,
            _ if !same => demand = demand.max(Demand::Random),
            _ => {}
        }
    }
    Some(demand)
}

/// Words of a name: letters only, divided by case and by anything else.
fn parts(name: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    name.chunk_by(|a, b| {
        a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
    })
    .filter(|word| word[0].is_ascii_alphabetic())
}
