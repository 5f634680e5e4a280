//! `DB_PASSWORD=…`, `"api_key": "…"`, `<password>…</password>`, `--token …`: a keyword, a sign, a value that looks like one.

use super::{Matcher, Rule, judge};
use crate::cursor::{Cursor, Decision, More};

/// What the keyword promises about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    /// A person may have chosen it: short and simple values count.
    Password,
    /// A machine made it: it must look random.
    Token,
    /// The bare word `key`: it must look very random.
    Key,
}

pub(super) fn rules() -> impl Iterator<Item = Rule> {
    [
        Rule {
            kind: "password",
            anchors: &["passw", "passphrase", "pwd", "pass", "kennwort", "contraseña", "mot_de_passe"],
            matcher: Matcher::Assignment(Keyword::Password),
        },
        Rule {
            kind: "token",
            anchors: &[
                "token",
                "secret",
                "api_key",
                "apikey",
                "api-key",
                "api key",
                "access_key",
                "accesskey",
                "access-key",
                "access key",
                "private_key",
                "privatekey",
                "auth_key",
                "authkey",
                "auth-key",
                "encryption_key",
                "encryptionkey",
                "signing_key",
                "master_key",
                "masterkey",
                "account_key",
                "accountkey",
                "license_key",
                "credential",
                "_auth",
                "webhook",
                "signature_key",
                "client_key",
                "app_key",
                "appkey",
                "secretkey",
            ],
            matcher: Matcher::Assignment(Keyword::Token),
        },
        Rule { kind: "key", anchors: &["key"], matcher: Matcher::Assignment(Keyword::Key) },
    ]
    .into_iter()
}

/// Bytes of a name after its keyword.
const SUFFIX: usize = 40;
/// Longest value, in bytes.
const VALUE: usize = 1024;

const fn in_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'.'
}

/// How the value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Equals,
    EqualsSpaced,
    Colon,
    Tag,
    Comma,
    Call,
    Space,
}

pub(super) fn decide(mut cursor: Cursor<'_>, anchor: usize, keyword: Keyword) -> Decision {
    let before = cursor.behind();
    let name_before = &before[before.len() - before.iter().rev().take_while(|b| in_name(**b)).count()..];
    if before[..before.len() - name_before.len()].ends_with(b"[REDACTED:") {
        return Ok(None);
    }
    cursor.at += anchor;
    let suffix = cursor.run(SUFFIX, in_name)?;
    let (suffix, yaml) = match suffix {
        // `password.` ends a sentence; `key-` is no name.
        [rest @ .., b'.' | b'-'] => (rest, false),
        all => (all, true),
    };
    if !yaml || suffix.len() == SUFFIX || says_no(name_before, suffix, keyword) {
        return Ok(None);
    }
    let closed = cursor.run(4, |b| b"\\\"'`])".contains(&b))?;
    let Some(sign) = sign(&mut cursor, closed, before, name_before)? else { return Ok(None) };
    let Some(value) = value(&mut cursor, sign)? else { return Ok(None) };
    let good = accepts(&value, keyword, sign, name_before);
    Ok(good.then_some(value.from..value.from + value.text.len()))
}

/// Names that hold a keyword and mean something else.
fn says_no(before: &[u8], suffix: &[u8], keyword: Keyword) -> bool {
    const SUFFIXES: [&[u8]; 46] = [
        b"_file",
        b"file",
        b"_path",
        b"path",
        b"_url",
        b"url",
        b"_uri",
        b"_name",
        b"name",
        b"_length",
        b"length",
        b"_len",
        b"_size",
        b"_count",
        b"_type",
        b"type",
        b"_field",
        b"field",
        b"_label",
        b"_hash",
        b"_policy",
        b"_expiry",
        b"_expires",
        b"expires",
        b"_ttl",
        b"_regex",
        b"_prefix",
        b"_hint",
        b"_reset",
        b"_id",
        b"id",
        b"izer",
        b"ize",
        b"ization",
        b"_index",
        b"board",
        b"word_field",
        b"_header",
        b"_column",
        b"_limit",
        b"_ref",
        b"_arn",
        b"_format",
        b"_min",
        b"_max",
        b"_version",
    ];
    const BEFORE: [&[u8]; 22] = [
        b"public",
        b"foreign",
        b"primary",
        b"cache",
        b"sort",
        b"partition",
        b"max",
        b"min",
        b"next",
        b"page",
        b"cursor",
        b"host",
        b"mon",
        b"tur",
        b"don",
        b"hot",
        b"whis",
        b"jockey",
        b"com",
        b"by",
        b"sur",
        b"tres",
    ];
    let suffix = suffix.to_ascii_lowercase();
    let before = before.to_ascii_lowercase();
    let before = before.strip_suffix(b"_").or_else(|| before.strip_suffix(b"-")).unwrap_or(&before);
    let ends = BEFORE.iter().any(|b| before.ends_with(b));
    if SUFFIXES.iter().any(|s| suffix.ends_with(s)) || (keyword != Keyword::Password && ends) {
        return true;
    }
    // "bypass", "compass", "passenger", "passed": only the word itself or a name built on it.
    keyword == Keyword::Password
        && (ends
            || suffix.starts_with(b"ed")
            || suffix.starts_with(b"enger")
            || suffix.starts_with(b"ive")
            || suffix.starts_with(b"ing")
            || suffix.starts_with(b"es"))
}

fn sign(cursor: &mut Cursor<'_>, closed: &[u8], before: &[u8], name: &[u8]) -> Result<Option<Sign>, More> {
    let spaces = cursor.run(24, |b| b == b' ' || b == b'\t')?.len();
    let quoted = closed.iter().any(|b| b"\"'`".contains(b));
    let opened_by = before.len().checked_sub(name.len() + 1).map(|at| before[at]);
    let found = match cursor.peek()? {
        Some(b'=') => {
            cursor.at += 1;
            match cursor.peek()? {
                Some(b'=' | b'~') => return Ok(None),
                Some(b'>') => {
                    cursor.at += 1;
                    Sign::EqualsSpaced
                }
                Some(b' ' | b'\t') => Sign::EqualsSpaced,
                _ if spaces > 0 => Sign::EqualsSpaced,
                _ => Sign::Equals,
            }
        }
        Some(b':') => {
            cursor.at += 1;
            if cursor.take(|b| b == b'=')?.is_some() { Sign::EqualsSpaced } else { Sign::Colon }
        }
        Some(b'>') if closed.is_empty() && spaces == 0 && opened_by == Some(b'<') => {
            cursor.at += 1;
            return Ok(Some(Sign::Tag));
        }
        Some(b',') if quoted => {
            cursor.at += 1;
            Sign::Comma
        }
        Some(b'(') if closed.is_empty() && spaces == 0 => {
            cursor.at += 1;
            Sign::Call
        }
        Some(_) if spaces > 0 && !quoted && (name.starts_with(b"--") || before.ends_with(b"--")) => Sign::Space,
        _ => return Ok(None),
    };
    cursor.run(24, |b| b == b' ' || b == b'\t')?;
    Ok(Some(found))
}

struct Value<'a> {
    text: &'a [u8],
    from: usize,
    quoted: bool,
}

fn value<'a>(cursor: &mut Cursor<'a>, sign: Sign) -> Result<Option<Value<'a>>, More> {
    if sign == Sign::Tag {
        let from = cursor.at;
        let text = cursor.run(VALUE, |b| b != b'<' && b != b'\n')?;
        let closed = cursor.peek()? == Some(b'<');
        return Ok(closed.then_some(Value { text, from, quoted: true }));
    }
    let escapes = cursor.run(3, |b| b == b'\\')?.len();
    let quote = cursor.take(|b| b"\"'`".contains(&b))?;
    let from = cursor.at;
    let Some(quote) = quote else {
        if escapes > 0 || matches!(sign, Sign::Comma | Sign::Call) {
            return Ok(None);
        }
        let text = cursor.run(VALUE, |b| (b.is_ascii_graphic() || b >= 0x80) && !b"\"'`,;<>(){}[]|&\\".contains(&b))?;
        let code = cursor.peek()?.is_some_and(|b| b"([{".contains(&b));
        // More than one word without quotes is a sentence, unless the line ends with the value.
        return Ok((!code && text.len() < VALUE).then_some(Value { text, from, quoted: false }));
    };
    loop {
        cursor.run(VALUE, |b| b != quote && b != b'\\' && b != b'\n')?;
        let text = cursor.since(from);
        if text.len() >= VALUE {
            return Ok(None);
        }
        match cursor.peek()? {
            Some(b'\\') => {
                let mark = cursor.at;
                let slashes = cursor.run(4, |b| b == b'\\')?.len();
                if slashes == escapes && escapes > 0 && cursor.peek()? == Some(quote) {
                    cursor.at = mark;
                    return Ok(Some(Value { text, from, quoted: true }));
                }
                if cursor.take(|b| b != b'\n')?.is_none() {
                    return Ok(None);
                }
            }
            Some(b) if b == quote => return Ok(Some(Value { text, from, quoted: true })),
            _ => return Ok(None),
        }
    }
}

fn accepts(value: &Value<'_>, keyword: Keyword, sign: Sign, name: &[u8]) -> bool {
    let text = value.text;
    if text.len() < 4 || judge::is_reference(text) {
        return false;
    }
    let code = !value.quoted && matches!(sign, Sign::EqualsSpaced | Sign::Colon | Sign::Space) && is_expression(text);
    if code {
        return false;
    }
    match keyword {
        Keyword::Token => text.len() >= 8 && judge::is_random(text) && !judge::is_public_shape(text),
        Keyword::Key => {
            text.len() >= 20
                && judge::is_random(text)
                && judge::entropy(text) >= 3.3
                && !judge::is_public_shape(text)
                && value_is_one_token(text)
        }
        Keyword::Password => is_password(value, sign, name),
    }
}

fn value_is_one_token(text: &[u8]) -> bool {
    text.iter().all(|b| b.is_ascii_alphanumeric() || b"+/=_-".contains(b))
}

/// `user.password`, `args.token`, `getToken`: code that names another value.
fn is_expression(text: &[u8]) -> bool {
    text.iter().all(|b| {
        b.is_ascii_alphabetic() || b == &b'_' || b == &b'.' || b == &b':' || b == &b'-' || b == &b'>' || b == &b'?'
    }) || (text.contains(&b'.')
        && text.iter().filter(|b| b.is_ascii_digit()).count() <= 1
        && text.iter().all(|b| in_name(*b)))
}

fn is_password(value: &Value<'_>, sign: Sign, name: &[u8]) -> bool {
    let text = value.text;
    let digits = text.iter().any(u8::is_ascii_digit);
    let upper = text.iter().any(u8::is_ascii_uppercase);
    let lower = text.iter().any(u8::is_ascii_lowercase);
    let other = text.iter().any(|b| !b.is_ascii_alphanumeric() && !b"_-. ".contains(b));
    if text.contains(&b' ') || text.starts_with(b"/") || judge::is_public_shape(text) && !digits {
        return false;
    }
    let kinds = [digits, upper, lower, other].iter().filter(|k| **k).count();
    if !lower && !upper {
        // Digits alone are a port, a count or a time as often as a password.
        return value.quoted && text.len() >= 6;
    }
    if value.quoted {
        let capitalised = text[0].is_ascii_uppercase() && text[1..].iter().all(u8::is_ascii_lowercase);
        return kinds >= 2 && !capitalised
            || (text.len() >= 6
                && matches!(sign, Sign::Equals | Sign::EqualsSpaced | Sign::Colon | Sign::Comma)
                && !capitalised);
    }
    let shouted = !name.is_empty() && name.iter().all(|b| !b.is_ascii_lowercase());
    match sign {
        Sign::Equals => kinds >= 2 || shouted || text.len() >= 6,
        _ => (digits && (lower || upper)) || other && kinds >= 2,
    }
}
