//! The name around a keyword: `db_password`, `x-api-key`, `spring.datasource.password`.

use super::judge::words;
use super::{Word, meaning::parts};
use crate::byteset::ByteSet;
use crate::cursor::{Cursor, More};

/// A name that was read.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) text: &'a [u8],
    /// What stands before the name, [`crate::cursor::BEHIND`] bytes at most with it.
    pub(super) before: &'a [u8],
    /// The name before its keyword, the keyword, the name after it.
    pub(super) stem: &'a [u8],
    pub(super) word: Word,
    pub(super) suffix: &'a [u8],
    /// `SECRET-1f0c…`: the value is joined to the name by a hyphen and begins so many bytes before the end of the name.
    pub(super) joined: usize,
}

/// Bytes of a name after its keyword.
const SUFFIX: usize = 96;

/// What names are made of.
const IN_NAME: ByteSet = ByteSet::ALNUM.with(b"_-.");

/// Bytes that can stand after a name whose value follows.
const CAN_FOLLOW: ByteSet = ByteSet::NONE.with(b"=:\"'` \t\n\r\\()[]}><,|*?!&\xe2\xef");

/// Bytes that can stand after a keyword: the rest of its name or what follows that.
pub(super) const MAY_FOLLOW: ByteSet = IN_NAME.and(CAN_FOLLOW);

impl<'a> Name<'a> {
    /// Reads the name around the keyword that begins at the cursor; leaves the cursor behind it.
    pub(super) fn read(cursor: &mut Cursor<'a>, anchor: usize, keyword: Word) -> Result<Option<Self>, More> {
        let behind = cursor.behind();
        let own = behind.iter().rposition(|b| !IN_NAME.has(*b)).map_or(0, |at| at + 1);
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
        let suffix = cursor.run(SUFFIX, |b| IN_NAME.has(b))?;
        // `Vendor::ApiKey` is a type.
        if !cursor.peek()?.is_none_or(|b| CAN_FOLLOW.has(b))
            || before.ends_with(b"[REDACTED:")
            || before.ends_with(b"::")
        {
            return Ok(None);
        }
        let joined = joined_value(suffix);
        // `password.` ends a sentence; `key-` is no name.
        let ended = matches!(suffix, [.., b'.' | b'-']);
        if joined == 0 && (ended || suffix.len() == SUFFIX || holds_keyword(suffix)) {
            return Ok(None);
        }
        Ok(Some(Name { text: cursor.since(from), before, stem, word: keyword, suffix, joined }))
    }

    /// Whether the name ends with its keyword.
    pub(super) fn is_whole(&self) -> bool {
        self.suffix.is_empty()
    }

    /// `Credential`: made of a user and a password.
    pub(super) fn is_pair(&self) -> bool {
        self.word == Word::Cred && self.is_whole()
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
    // Mostly there is none.
    suffix.len() > 1
        && KEYWORDS.iter().any(|keyword| suffix.windows(keyword.len()).any(|w| w.eq_ignore_ascii_case(keyword)))
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

/// Whether the keyword may follow what stands before it; short ones also end other words: `bypass`.
fn may_be_glued(keyword: Word, stem: &[u8], noun: &[u8]) -> bool {
    let short =
        matches!(keyword, Word::Pass | Word::Pw) && noun.len() <= 4 || matches!(keyword, Word::Auth | Word::Cred);
    let divided =
        stem.last().is_none_or(|b| !b.is_ascii_alphabetic() || b.is_ascii_uppercase() != noun[0].is_ascii_uppercase());
    !short || divided || parts(stem).last().is_some_and(|word| words::STEMS.has(word))
}
