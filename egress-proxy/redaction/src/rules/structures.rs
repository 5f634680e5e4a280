//! Secrets known by their structure: JSON web tokens, private keys, passwords in URLs, Authorization and Cookie headers.

mod key;

use std::ops::Range;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD};

pub(super) use key::{BEGINS, pem};

use super::judge;
use crate::byteset::ByteSet;
use crate::cursor::{Cursor, Decision, More};

/// Longest token, in bytes.
const TOKEN: usize = 8 * 1024;
/// Bytes of a Cookie header that are read.
const COOKIES: usize = 1024;
/// Longest user and password of a URL, in bytes.
const USER_INFO: usize = 512;
/// What it is made of.
pub(super) const IN_USER_INFO: ByteSet =
    ByteSet::NONE.with_range(b'!', b'~').with_range(0x80, 0xff).without(b"\"'`<>/\\,;()[]{}|");

const fn is_base64url(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}

/// Three or five parts of base64url, the first a JSON object.
pub(super) fn jwt(mut cursor: Cursor<'_>) -> Decision {
    let from = cursor.at;
    let boundary = match cursor.behind() {
        [.., last] => !is_base64url(*last) || cursor.at_word_start(),
        [] => true,
    };
    if !boundary {
        return Ok(None);
    }
    let head = cursor.run(TOKEN, is_base64url)?;
    if head.len() < 12 || cursor.take(|b| b == b'.')?.is_none() {
        return Ok(None);
    }
    // Validation: what looks like a header must be one.
    let Some(header) = object(head) else { return Ok(None) };
    // Unsecured (RFC 7519, section 6): anybody can make one, so it opens nothing.
    if header.windows(6).any(|w| w == b":\"none") {
        return Ok(None);
    }
    let claims = cursor.run(TOKEN, is_base64url)?;
    // Claims are an object too, unless they are encrypted; signed text of another kind is no token.
    let encrypted = header.windows(5).any(|w| w == b"\"enc\"");
    if claims.len() < 8 || !encrypted && object(claims).is_none() {
        return Ok(None);
    }
    for _ in 0..3 {
        let before = cursor;
        if cursor.take(|b| b == b'.')?.is_none() || cursor.run(TOKEN, is_base64url)?.is_empty() {
            cursor = before;
            break;
        }
    }
    Ok(Some(from..cursor.at))
}

/// A JSON object in base64url, as far as it is whole.
fn object(part: &[u8]) -> Option<Vec<u8>> {
    let json = BASE64URL_NOPAD.decode(&part[..part.len() / 4 * 4]).ok()?;
    (json.starts_with(b"{") && json.contains(&b'"') && json.contains(&b':')).then_some(json)
}

/// `scheme://user:password@host`, the password; or a token in place of the user.
pub(super) fn user_info(mut cursor: Cursor<'_>, anchor: usize) -> Decision {
    if !cursor.behind().last().is_some_and(u8::is_ascii_alphanumeric) {
        return Ok(None);
    }
    cursor.at += anchor;
    let from = cursor.at;
    let info = cursor.run(USER_INFO, |b| IN_USER_INFO.has(b))?;
    let Some(at_sign) = info.iter().rposition(|&b| b == b'@') else {
        return Ok(None);
    };
    let info = &info[..at_sign];
    if let Some(colon) = info.iter().position(|&b| b == b':') {
        let password = &info[colon + 1..];
        if password.len() < 3 || judge::is_reference(password) {
            return Ok(None);
        }
        return Ok(Some(from + colon + 1..from + at_sign));
    }
    let token = info.len() >= 20 && judge::is_random(info);
    Ok(token.then_some(from..from + at_sign))
}

/// The sign between the name of a header and its value, in HTTP, JSON or code; whether there is one.
fn header_sign(cursor: &mut Cursor<'_>) -> Result<bool, More> {
    cursor.run(4, |b| b"\\\"'`])".contains(&b))?;
    cursor.run(8, |b| b == b' ' || b == b'\t')?;
    if cursor.run(2, |b| b":=,>".contains(&b))?.is_empty() {
        return Ok(false);
    }
    cursor.run(8, |b| b == b' ' || b == b'\t')?;
    cursor.run(4, |b| b"\\\"'`".contains(&b))?;
    Ok(true)
}

/// `Cookie: a=…; b=…`, `Set-Cookie: a=…; Path=/`: from the first value that a machine made to the last. What a person can
/// read, such as a theme or a language, stays where it stands before or after them.
pub(super) fn cookie(mut cursor: Cursor<'_>, anchor: usize) -> Decision {
    if !cursor.at_word_start() && !cursor.behind().ends_with(b"-") {
        return Ok(None);
    }
    cursor.at += anchor;
    if !header_sign(&mut cursor)? {
        return Ok(None);
    }
    let (mut found, last): (Option<Range<usize>>, _) = (None, cursor.at + COOKIES);
    while cursor.at < last {
        let name = cursor.run(64, |b| b.is_ascii_alphanumeric() || b"!#$%&*+-.^_|~".contains(&b))?;
        if name.is_empty() {
            break;
        }
        if cursor.take(|b| b == b'=')?.is_some() {
            let from = cursor.at;
            let value = cursor.run(COOKIES, |b| b.is_ascii_graphic() && !b"\"',;\\`".contains(&b))?;
            let least = if names_session(name) { 12 } else { 20 };
            let secret = value.len() >= least
                && judge::is_random(value)
                && !judge::is_public_shape(value)
                && !judge::is_reference(value);
            if secret {
                found = Some(found.map_or(from, |found| found.start)..cursor.at);
            }
            // `Expires=Wed, 21 Oct 2026 07:28:00 GMT`
            cursor.run(32, |b| b == b' ' || b == b',' || b == b':' || b == b'-' || b.is_ascii_alphanumeric())?;
        }
        if cursor.take(|b| b == b';')?.is_none() {
            break;
        }
        cursor.run(2, |b| b == b' ')?;
    }
    Ok(found)
}

/// Whether a cookie of this name holds who somebody is.
fn names_session(name: &[u8]) -> bool {
    const WORDS: [&[u8]; 7] = [b"sess", b"sid", b"token", b"auth", b"jwt", b"csrf", b"login"];
    WORDS.iter().any(|word| name.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word)))
}

/// `Authorization: Basic …`, `"authorization": "Bearer …"`, `Bearer …`.
pub(super) fn authorization(mut cursor: Cursor<'_>, anchor: usize) -> Decision {
    if !cursor.at_word_start() && !cursor.behind().ends_with(b"-") {
        return Ok(None);
    }
    let named = cursor.peek()?.is_some_and(|b| b.eq_ignore_ascii_case(&b'a'));
    cursor.at += anchor;
    if named && !header_sign(&mut cursor)? {
        return Ok(None);
    }
    let mut scheme: &[u8] = if named { b"" } else { b"bearer" };
    if named {
        let before = cursor;
        let word = cursor.run(20, |b| b.is_ascii_alphanumeric() || b == b'-')?;
        if !word.is_empty() && !cursor.run(4, |b| b == b' ')?.is_empty() {
            scheme = word;
        } else {
            cursor = before;
        }
    }
    let from = cursor.at;
    let value = cursor.run(TOKEN, |b| b.is_ascii_alphanumeric() || b"+/=_-.~:%".contains(&b))?;
    let basic = scheme.eq_ignore_ascii_case(b"basic")
        && [BASE64.decode(value), BASE64_NOPAD.decode(value)].iter().flatten().any(|plain| plain.contains(&b':'));
    let known = [&b"bearer"[..], b"token", b"apikey", b"key", b"bot", b"digest", b"sso-key", b"basic", b""]
        .iter()
        .any(|s| scheme.eq_ignore_ascii_case(s));
    if judge::is_reference(value) {
        return Ok(None);
    }
    let good = basic || (known && value.len() >= 12 && judge::is_random(value) && !judge::is_public_shape(value));
    Ok(good.then_some(from..cursor.at))
}
