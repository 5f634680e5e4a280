//! Values in quotes, whatever the quotes are.

use super::sign::entity;
use super::value::{Form, VALUE, Value, body};
use crate::cursor::{Cursor, More};

/// `"value"`, `\"value\"`, `'''value'''`, `b"value"`, `&quot;value&quot;`, `“value”`.
pub(super) fn quoted<'a>(cursor: &mut Cursor<'a>, form: Form) -> Result<Option<Value<'a>>, More> {
    let here = *cursor;
    // `b"…"`, `r'…'`, `@"…"`
    cursor.run(2, |b| b"bBrRuUfFL@".contains(&b))?;
    if !matches!(cursor.peek()?, Some(b'"' | b'\'' | b'`' | b'\\')) {
        *cursor = here;
    }
    if cursor.peek()? == Some(b'&') {
        return in_entities(cursor, form);
    }
    if cursor.peek()? == Some(0xe2) {
        return in_curls(cursor, form);
    }
    let escapes = cursor.run(4, |b| b == b'\\')?.len();
    let Some(quote) = cursor.take(|b| b"\"'`".contains(&b))? else { return Ok(None) };
    let mut many = false;
    if escapes == 0 {
        // Two more of the same: the value of three quotes, or of two backticks.
        let more = cursor.run(2, |b| b == quote)?.len();
        if more == 1 && quote != b'`' {
            return Ok(None);
        }
        many = more > 0;
    }
    let from = cursor.at;
    let mut doubled = false;
    loop {
        if !body(cursor, from, |b| b != quote && b != b'\\' && b != b'\n')? {
            return Ok(None);
        }
        let text = cursor.since(from);
        match cursor.peek()? {
            Some(b'\\') => {
                let slashes = cursor.run(4, |b| b == b'\\')?.len();
                if slashes == escapes && escapes > 0 && cursor.peek()? == Some(quote) {
                    cursor.at += 1;
                    return Ok(Some(Value { text, from, form, next: None }));
                }
                if slashes % 2 == 1 && cursor.take(|b| b != b'\n')?.is_none() {
                    return Ok(None);
                }
            }
            Some(b) if b == quote => {
                cursor.at += 1;
                // `'it''s'`: twice is once, and the value goes on.
                if many || cursor.take(|b| b == quote)?.is_none() {
                    return Ok(Some(Value { text, from, form, next: None }));
                }
                doubled = true;
            }
            // Cut off, or a string of several lines: the first counts if it is one word.
            next => {
                let open = text.len() >= 12
                    && !doubled
                    && !text.iter().any(u8::is_ascii_whitespace)
                    && (many || next.is_none() || quote == b'\'');
                return Ok(open.then_some(Value { text, from, form, next: None }));
            }
        }
    }
}

/// `&quot;value&quot;`
fn in_entities<'a>(cursor: &mut Cursor<'a>, form: Form) -> Result<Option<Value<'a>>, More> {
    if !entity(cursor)? {
        return Ok(None);
    }
    let from = cursor.at;
    loop {
        cursor.run(VALUE, |b| b != b'&' && b != b'\n' && b != b'<')?;
        let text = cursor.since(from);
        if text.len() >= VALUE || cursor.peek()? != Some(b'&') {
            return Ok(None);
        }
        if entity(cursor)? {
            return Ok(Some(Value { text, from, form, next: None }));
        }
        cursor.at += 1;
    }
}

/// `“value”`
fn in_curls<'a>(cursor: &mut Cursor<'a>, form: Form) -> Result<Option<Value<'a>>, More> {
    for (open, close) in [("\u{201c}", "\u{201d}"), ("\u{2018}", "\u{2019}"), ("\u{201e}", "\u{201c}")] {
        if cursor.word(open.as_bytes())? {
            let from = cursor.at;
            let text = cursor.run(VALUE, |b| b != close.as_bytes()[0] && b != b'\n')?;
            return Ok(cursor.word(close.as_bytes())?.then_some(Value { text, from, form, next: None }));
        }
    }
    Ok(None)
}
