//! `DB_PASSWORD=…`, `"api_key": "…"`, `<password>…</password>`, `--token …`: a name, a sign, a value that looks like one.

mod command;
mod name;
mod sign;
mod value;

use super::{Matcher, Rule, judge};
use crate::cursor::{Cursor, Decision};
use judge::Traits;
use name::{Demand, Name};
use sign::Sign;
use value::{Form, Value};

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
        return Ok(judge::is_random(cursor.since(from)).then_some(from..cursor.at));
    }
    let Some(sign) = Sign::read(&mut cursor, &name)? else { return Ok(None) };
    let values = value::read(&mut cursor, sign)?;
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return Ok(None) };
    let good = values.iter().all(|value| accepts(value, &name, sign));
    Ok(good.then_some(first.range().start..last.range().end))
}

/// Whether a keyword that goes on as `text` does can lead to a find: most words that only begin as one of ours end here.
pub(super) fn may_begin(text: &[u8]) -> bool {
    let follows = |next: Option<&u8>, letters: &[u8]| {
        next.is_none_or(|b| {
            letters.contains(&b.to_ascii_lowercase()) || !b.is_ascii_lowercase() && name::may_follow(*b)
        })
    };
    match text {
        [b'-' | b' ', ..] => text.iter().all(|b| b.is_ascii_graphic() || *b == b' '),
        [b'p' | b'P', b'w' | b'W', b'd' | b'D', rest @ ..] => follows(rest.first(), b"s"),
        [b'p' | b'P', b'w' | b'W', rest @ ..] => rest.first().is_none_or(|b| b"dD=:\"' ".contains(b)),
        [b'k' | b'K', b'e' | b'E', b'y' | b'Y', rest @ ..] => follows(rest.first(), b"s"),
        _ => true,
    }
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

fn accepts(value: &Value<'_>, name: &Name<'_>, sign: Sign) -> bool {
    let text = value.text;
    if text.len() < 4 || judge::is_reference(text) || sign == Sign::Call && name.asks {
        return false;
    }
    if value.form == Form::Bytes {
        return name.demand <= Demand::Strict && is_drawn_bytes(text);
    }
    if value.form == Form::Bare && is_expression(text, sign, value.next) {
        return false;
    }
    // A blank, a comparison or a call tells less than an assignment does.
    let demand = match (name.demand, sign) {
        (Demand::Random, Sign::Said) if value.form == Form::Bare => Demand::Strict,
        (demand, _) => demand,
    };
    match demand {
        Demand::Chosen => is_chosen(value, name, sign),
        Demand::Random => is_random(text),
        Demand::Strict => is_strict(text),
        Demand::Bare => is_strict(text) && !is_digest(text) && !is_uuid(text) && sign != Sign::Said,
    }
}

/// Random as what a machine makes.
fn is_random(text: &[u8]) -> bool {
    if !judge::is_random(text) || judge::is_public_shape(text) {
        return judge::is_drawn_number(text);
    }
    let traits = Traits::of(text);
    if judge::is_example(text) && traits.is_worded(34) {
        return false;
    }
    text.len() >= 10 && (text.len() >= 16 || traits.sequence * 2 < text.len())
}

/// Random beyond what everyday words come with.
fn is_strict(text: &[u8]) -> bool {
    let traits = Traits::of(text);
    is_random(text)
        && (text.len() >= 14 && traits.digits >= 2 && traits.letters() >= 2
            || text.len() >= 20 && traits.upper >= 3 && traits.lower >= 3)
        && !traits.is_worded(if traits.digits >= 2 { 40 } else { 25 })
        && text.iter().all(|b| b.is_ascii_alphanumeric() || b"+/=_-.~:%".contains(b))
}

/// As long as a digest in hex.
fn is_digest(text: &[u8]) -> bool {
    matches!(text.len(), 32 | 40 | 56 | 64 | 96 | 128) && text.iter().all(u8::is_ascii_hexdigit)
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text
            .iter()
            .enumerate()
            .all(|(n, b)| if matches!(n, 8 | 13 | 18 | 23) { *b == b'-' } else { b.is_ascii_hexdigit() })
}

/// Numbers of bytes that no table or counter has.
fn is_drawn_bytes(text: &[u8]) -> bool {
    let mut numbers: Vec<&[u8]> = text.split(|b| *b == b',').map(<[u8]>::trim_ascii).collect();
    let all = numbers.len();
    let rising = numbers.windows(2).filter(|pair| (pair[0].len(), pair[0]) < (pair[1].len(), pair[1])).count();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len() * 2 > all && rising * 4 < all * 3
}

/// `user.password`, `args.token`, `getToken`: code that names another value.
fn is_expression(text: &[u8], sign: Sign, next: Option<u8>) -> bool {
    let identifier = |b: &u8| b.is_ascii_alphanumeric() || b"_.:->?!*@$".contains(b);
    let digits = text.iter().filter(|b| b.is_ascii_digit()).count();
    let argument = next.is_some_and(|b| b == b',' || b == b')');
    let code = matches!(sign, Sign::Spaced | Sign::Colon | Sign::Otherwise) || argument;
    code && text.iter().all(identifier)
        && (text.contains(&b'.') && digits <= 1 || text.iter().all(|b| !b.is_ascii_digit()) && argument)
}

/// What a person may choose.
fn is_chosen(value: &Value<'_>, name: &Name<'_>, sign: Sign) -> bool {
    let text = value.text;
    let traits = Traits::of(text);
    if traits.space > 0
        || text.len() > 128
        || judge::is_place(text)
        || judge::is_example(text)
        || judge::names_a_secret(text)
    {
        return false;
    }
    let line_ends = value.next.is_none_or(|b| matches!(b, b'\n' | b'\r' | b'\\'));
    if value.form == Form::Bare
        && sign == Sign::Said
        && (traits.digits == 0 || traits.letters() == 0 || text.contains(&b'/'))
    {
        return false;
    }
    // `openssl … -passin pass:…`
    let given = name.before.trim_ascii_end();
    let openssl = given.ends_with(b"-passin") || given.ends_with(b"-passout") || given.ends_with(b"-password");
    let loose = match value.form {
        Form::Bare => {
            let tight = openssl
                || sign == Sign::Tight
                    && (name.is_shouted() || name.is_flag() || !value.next.is_some_and(|b| b",)".contains(&b)));
            !tight && sign != Sign::Given && sign != Sign::Pair
        }
        Form::Wrapped => true,
        Form::Quoted => matches!(sign, Sign::Said | Sign::Compared | Sign::Call | Sign::Otherwise),
        Form::Content | Form::Bytes => false,
    };
    if traits.letters() == 0 {
        return traits.digits >= 5
            && name.text.len() > 4
            && (!loose || traits.digits >= 6 && line_ends && sign == Sign::Colon);
    }
    if traits.digits > 0 || traits.marks > 0 {
        return !loose || !traits.is_worded(75) || traits.digits >= 3 || traits.marks > 0 && traits.digits > 0;
    }
    let capitalised = text[0].is_ascii_uppercase() && text[1..].iter().all(u8::is_ascii_lowercase);
    if loose {
        return judge::is_drawn(text) && text.len() >= 6 || line_ends && judge::is_chosen(text) && sign != Sign::Said;
    }
    judge::is_chosen(text) || judge::is_drawn(text) || text.len() >= 6 && !capitalised
}
