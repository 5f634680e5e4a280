//! `DB_PASSWORD=…`, `"api_key": "…"`, `<password>…</password>`, `--token …`: a name, a sign, a value that looks like one.

mod command;
mod meaning;
mod name;
mod quoted;
mod sign;
mod value;
mod verdict;

use super::{Matcher, Rule, judge};
use crate::byteset::ByteSet;
use crate::cursor::{Cursor, Decision};
use name::Name;
use sign::Sign;

/// Which rule looks: the kind of secret that its words name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    Password,
    Token,
    Key,
}

/// The word that makes us look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// `pass` with what goes on from it.
    Pass,
    /// `pw`, `pwd`.
    Pw,
    /// A password's name in another language.
    Foreign,
    Secret,
    Token,
    Key,
    Auth,
    /// `creds`, `credential`.
    Cred,
    Access,
    Private,
    /// `IDENTIFIED BY '…'` of SQL.
    IdentifiedBy,
    /// `-u name:…` and `--user name:…` of programs that speak HTTP.
    UserFlag,
    /// `-p …` and the like of programs that take a password so.
    PasswordFlag,
}

const PASSWORDS: [(&str, Word); 19] = [
    ("pass", Word::Pass),
    ("pw", Word::Pw),
    ("identified", Word::IdentifiedBy),
    ("-u ", Word::UserFlag),
    ("-u\"", Word::UserFlag),
    ("-user", Word::UserFlag),
    (" -p", Word::PasswordFlag),
    (" -a ", Word::PasswordFlag),
    (" -w ", Word::PasswordFlag),
    ("kennwort", Word::Foreign),
    ("contraseña", Word::Foreign),
    ("contrasena", Word::Foreign),
    ("contrasenya", Word::Foreign),
    ("senha", Word::Foreign),
    ("wachtwoord", Word::Foreign),
    ("пароль", Word::Foreign),
    ("Пароль", Word::Foreign),
    ("密码", Word::Foreign),
    ("口令", Word::Foreign),
];
const TOKENS: [(&str, Word); 6] = [
    ("secret", Word::Secret),
    ("token", Word::Token),
    ("auth", Word::Auth),
    ("cred", Word::Cred),
    ("access", Word::Access),
    ("private", Word::Private),
];
const KEYS: [(&str, Word); 1] = [("key", Word::Key)];

const fn texts<const N: usize>(words: &[(&'static str, Word); N]) -> [&'static str; N] {
    let mut texts = [""; N];
    let mut n = 0;
    while n < N {
        texts[n] = words[n].0;
        n += 1;
    }
    texts
}

pub(super) fn rules() -> impl Iterator<Item = Rule> {
    [
        ("password", &const { texts(&PASSWORDS) } as &[_], Keyword::Password),
        ("token", &const { texts(&TOKENS) }, Keyword::Token),
        ("key", &const { texts(&KEYS) }, Keyword::Key),
    ]
    .into_iter()
    .map(|(kind, anchors, keyword)| Rule { kind, anchors, matcher: Matcher::Assignment(keyword) })
}

pub(super) fn decide(mut cursor: Cursor<'_>, anchor: usize, keyword: Keyword) -> Decision {
    let Some(word) = word(cursor.text_between(cursor.at, cursor.at + anchor), keyword) else { return Ok(None) };
    match word {
        Word::IdentifiedBy => return command::identified_by(cursor, anchor),
        Word::UserFlag => return command::user(cursor, anchor),
        Word::PasswordFlag => return command::password(cursor, anchor),
        _ => {}
    }
    let Some(name) = Name::read(&mut cursor, anchor, word)? else { return Ok(None) };
    if name.joined > 0 {
        let from = cursor.at - name.joined;
        let good = judge::is_random(cursor.since(from)) && meaning::demand(&name).is_some();
        return Ok(good.then_some(from..cursor.at));
    }
    // `arn:aws:secretsmanager:…:secret:name`: the name of a secret.
    let word = name.before.rsplit(|b| b.is_ascii_whitespace() || b"\"'`(=".contains(b)).next().unwrap_or_default();
    if word.starts_with(b"arn:") {
        return Ok(None);
    }
    let Some(sign) = Sign::read(&mut cursor, &name)? else { return Ok(None) };
    let Some(values) = value::read(&mut cursor, sign)? else { return Ok(None) };
    if !verdict::may_be(sign, &values.first) || verdict::is_of_a_test(&name, sign, &values.first) {
        return Ok(None);
    }
    let Some(demand) = meaning::demand(&name) else { return Ok(None) };
    let accepts = |value| verdict::accepts(&name, demand, sign, value);
    Ok((accepts(&values.first) && values.more.iter().all(accepts)).then(|| values.range()))
}

/// The bytes that can follow a keyword: more of its name, or what stands between that and its value.
pub(super) fn after(anchor: &[u8]) -> ByteSet {
    let named = |(text, word): &(&str, Word)| {
        text.as_bytes() == anchor && !matches!(word, Word::IdentifiedBy | Word::UserFlag | Word::PasswordFlag)
    };
    let is_name = PASSWORDS.iter().chain(&TOKENS).chain(&KEYS).any(named);
    if is_name { name::MAY_FOLLOW } else { ByteSet::ALL }
}

/// The bytes that can follow `text`, which is a keyword or begins with one.
pub(super) fn follows(text: &[u8]) -> ByteSet {
    let after = after(text);
    (0..=u8::MAX).filter(|byte| after.has(*byte) && may_begin(&[text, &[*byte]].concat())).collect()
}

/// Whether a keyword that goes on as `text` does can lead to a find: most words that only begin as one of ours end here.
pub(super) fn may_begin(text: &[u8]) -> bool {
    let follows = |next: Option<&u8>, letters: &[u8]| {
        next.is_none_or(|b| {
            letters.contains(&b.to_ascii_lowercase()) || !b.is_ascii_lowercase() && name::MAY_FOLLOW.has(*b)
        })
    };
    match text {
        [b'-' | b' ', ..] => text.iter().all(|b| b.is_ascii_graphic() || *b == b' '),
        [b'p' | b'P', b'w' | b'W', b'd' | b'D', rest @ ..] => follows(rest.first(), b"s"),
        [b'p' | b'P', b'w' | b'W', b'=' | b':', rest @ ..] => rest.iter().all(|b| b.is_ascii_graphic() || *b == b' '),
        [b'p' | b'P', b'w' | b'W', b'"' | b'\'' | b' ', rest @ ..] => rest.iter().all(|b| b" =:,])i".contains(b)),
        [b'p' | b'P', b'w' | b'W', rest @ ..] => rest.first().is_none_or(|b| b"dD".contains(b)),
        [b'k' | b'K', b'e' | b'E', b'y' | b'Y', rest @ ..] => follows(rest.first(), b"s"),
        _ => true,
    }
}

/// Whether a name holds one of the words that make us look.
pub(super) fn may_name_a_secret(name: &[u8]) -> bool {
    let all = PASSWORDS.iter().chain(&TOKENS).chain(&KEYS);
    all.filter(|(text, _)| text.as_bytes()[0].is_ascii_lowercase())
        .any(|(text, _)| name.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes())))
}

/// Which of the rule's words stands here.
fn word(anchor: &[u8], keyword: Keyword) -> Option<Word> {
    let words: &[(&str, Word)] = match keyword {
        Keyword::Password => &PASSWORDS,
        Keyword::Token => &TOKENS,
        Keyword::Key => &KEYS,
    };
    words.iter().find(|(text, _)| text.as_bytes().eq_ignore_ascii_case(anchor)).map(|(_, word)| *word)
}

#[cfg(test)]
mod tests;
