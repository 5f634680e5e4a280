//! What a name promises about its value: `db_password` anything, `API_KEY` something random, `public_key` nothing.

use super::Word;
use super::judge::words;
use super::name::Name;

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

/// What the value of `name` must be; `None` if it is none of a secret.
pub(super) fn demand(name: &Name<'_>) -> Option<Demand> {
    let demand = qualified(name.word, name.stem, name.before)?;
    if name.joined > 0 { Some(demand.max(Demand::Strict)) } else { after(name.word, name.suffix, demand) }
}

/// `acme key`: a word by a blank before the name says whose it is.
pub(super) fn is_owned(name: &Name<'_>) -> bool {
    let owner = spaced(name.stem, name.before);
    !owner.is_empty() && !words::ARTICLES.has(owner)
}

/// A verb that asks for something: `get`, `config.get`, `getPassword`.
pub(super) fn asks(name: &[u8]) -> bool {
    parts(name).any(|word| words::ASKS.has(word))
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

fn ends(word: &[u8], with: &[u8]) -> bool {
    word.len() >= with.len() && word[word.len() - with.len()..].eq_ignore_ascii_case(with)
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
pub(super) fn parts(name: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    name.chunk_by(|a, b| {
        a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
    })
    .filter(|word| word[0].is_ascii_alphabetic())
}
