//! The value behind a sign: quoted, bare, wrapped in a call, a list, an array of bytes.

use std::ops::Range;

use super::sign::{Sign, entity};
use crate::cursor::{Cursor, More};

/// Longest value, in bytes.
const VALUE: usize = 1024;
/// Longest type or function around a value, in bytes.
const WRAPPER: usize = 56;

/// How the value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Quoted,
    /// In quotes, as the argument of a call.
    Wrapped,
    Bare,
    /// The content of an element.
    Content,
    /// Numbers of bytes, divided by commas.
    Bytes,
}

/// A value that was read.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) text: &'a [u8],
    pub(super) from: usize,
    pub(super) form: Form,
    /// What stands after a bare value.
    pub(super) next: Option<u8>,
}

impl Value<'_> {
    pub(super) fn range(&self) -> Range<usize> {
        self.from..self.from + self.text.len()
    }
}

/// Reads the value; several when it is a list.
pub(super) fn read<'a>(cursor: &mut Cursor<'a>, sign: Sign) -> Result<Vec<Value<'a>>, More> {
    if sign == Sign::Pairing {
        return Ok(list(cursor)?.pop().into_iter().collect());
    }
    if sign == Sign::Tag {
        return Ok(content(cursor)?.into_iter().collect());
    }
    if matches!(sign, Sign::Spaced | Sign::Colon | Sign::Comma | Sign::Call | Sign::Otherwise) {
        next_line(cursor)?;
    }
    let here = *cursor;
    if let Some(value) = quoted(cursor, Form::Quoted)? {
        // `"name", "other": …`: the next key.
        cursor.run(4, |b| b == b' ')?;
        let key = sign == Sign::Comma && cursor.peek()? == Some(b':');
        return Ok(if key { Vec::new() } else { vec![value] });
    }
    *cursor = here;
    if cursor.peek()? == Some(b'[') && !matches!(sign, Sign::Said | Sign::Beside) {
        cursor.at += 1;
        let list = list(cursor)?;
        if !list.is_empty() {
            return Ok(list);
        }
        *cursor = here;
    }
    if let Some(value) = wrapped(cursor, sign)? {
        return Ok(vec![value]);
    }
    *cursor = here;
    if matches!(sign, Sign::Comma | Sign::Call | Sign::Compared | Sign::Otherwise) {
        return Ok(Vec::new());
    }
    Ok(bare(cursor, sign)?.into_iter().collect())
}

/// A value may stand on the line after its sign, if it is in quotes, in a bracket or a block of YAML.
fn next_line(cursor: &mut Cursor<'_>) -> Result<(), More> {
    let here = *cursor;
    let block = cursor.take(|b| b == b'|' || b == b'>')?.is_some();
    if block {
        cursor.take(|b| b == b'-' || b == b'+')?;
    } else {
        cursor.take(|b| b == b'(')?;
    }
    let ended = cursor.run(2, |b| b == b'\r' || b == b'\n')?;
    let indented = cursor.run(64, |b| b == b' ' || b == b'\t')?;
    let starts = matches!(cursor.peek()?, Some(b'"' | b'\'' | b'`'));
    if ended.is_empty() || indented.is_empty() || !(block || starts) {
        *cursor = here;
    }
    Ok(())
}

/// What stands between two tags.
fn content<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Value<'a>>, More> {
    cursor.run(64, |b| b.is_ascii_whitespace())?;
    // `<setting name="password"><value>…</value></setting>`
    if cursor.word(b"<value>")? {
        cursor.run(64, |b| b.is_ascii_whitespace())?;
    }
    let literal = cursor.word(b"<![CDATA[")?;
    let from = cursor.at;
    let text = cursor.run(VALUE, |b| b != b'\n' && b != if literal { b']' } else { b'<' })?.trim_ascii_end();
    cursor.run(64, |b| b.is_ascii_whitespace())?;
    // Not `<T>(x)` of a program.
    let closed = cursor.word(b"</")? || cursor.word(b"]]>")?;
    Ok((closed && !text.is_empty()).then_some(Value { text, from, form: Form::Content, next: None }))
}

/// `"value"`, `\"value\"`, `'''value'''`, `b"value"`, `&quot;value&quot;`, `“value”`.
fn quoted<'a>(cursor: &mut Cursor<'a>, form: Form) -> Result<Option<Value<'a>>, More> {
    let here = *cursor;
    // `b"…"`, `r'…'`, `@"…"`
    cursor.run(2, |b| b"bBrRuUfFL@".contains(&b))?;
    if !matches!(cursor.peek()?, Some(b'"' | b'\'' | b'`' | b'\\')) {
        *cursor = here;
    }
    if cursor.peek()? == Some(b'&') {
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
    for (open, close) in [("\u{201c}", "\u{201d}"), ("\u{2018}", "\u{2019}"), ("\u{201e}", "\u{201c}")] {
        if cursor.word(open.as_bytes())? {
            let from = cursor.at;
            let text = cursor.run(VALUE, |b| b != close.as_bytes()[0] && b != b'\n')?;
            return Ok(cursor.word(close.as_bytes())?.then_some(Value { text, from, form, next: None }));
        }
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
        many = more == 2;
    }
    let from = cursor.at;
    loop {
        cursor.run(VALUE, |b| b != quote && b != b'\\' && b != b'\n')?;
        let text = cursor.since(from);
        if text.len() >= VALUE {
            return Ok(None);
        }
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
                return Ok(Some(Value { text, from, form, next: None }));
            }
            // Cut off, or a string of several lines: the first counts if it is one word.
            next => {
                let open = text.len() >= 12
                    && !text.iter().any(u8::is_ascii_whitespace)
                    && (many || next.is_none() || quote == b'\'');
                return Ok(open.then_some(Value { text, from, form, next: None }));
            }
        }
    }
}

/// `"a", "b"]`
fn list<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<Value<'a>>, More> {
    let mut values = Vec::new();
    for _ in 0..16 {
        cursor.run(64, |b| b.is_ascii_whitespace())?;
        let Some(value) = quoted(cursor, Form::Quoted)? else { break };
        values.push(value);
        cursor.run(64, |b| b.is_ascii_whitespace())?;
        if cursor.take(|b| b == b',')?.is_none() {
            break;
        }
    }
    Ok(values)
}

/// `String = "value"`, `Some("value")`, `[]byte("value")`, `new Credential("user", "value")`, `{ 1, 2, 3, … }`.
fn wrapped<'a>(cursor: &mut Cursor<'a>, sign: Sign) -> Result<Option<Value<'a>>, More> {
    for _ in 0..3 {
        let run = cursor.run(WRAPPER, |b| b.is_ascii_alphanumeric() || b" _.:<>&[];*!?-".contains(&b))?;
        if run.len() == WRAPPER {
            return Ok(None);
        }
        let declared = run.last().is_some_and(|b| b" >]?".contains(b)) || run.iter().all(u8::is_ascii_alphabetic);
        let mut form = Form::Wrapped;
        match cursor.peek()? {
            // `settings.get("…")`
            Some(b'(') if super::name::asks(run) => return Ok(None),
            Some(b'(') => {}
            Some(b'=')
                if declared
                    && !run.is_empty()
                    && !run.contains(&b'-')
                    && matches!(sign, Sign::Colon | Sign::Beside) =>
            {
                form = Form::Quoted;
            }
            Some(b'{') => {
                cursor.at += 1;
                return bytes(cursor);
            }
            _ if run.ends_with(b"[") || run.first() == Some(&b'[') => {
                return match run.iter().position(|b| *b == b'[') {
                    Some(at) => {
                        cursor.at -= run.len() - at - 1;
                        bytes(cursor)
                    }
                    None => Ok(None),
                };
            }
            _ => return Ok(None),
        }
        cursor.at += 1;
        cursor.run(4, |b| b == b' ')?;
        let here = *cursor;
        if let Some(value) = quoted(cursor, form)? {
            return Ok(Some(value));
        }
        *cursor = here;
    }
    Ok(None)
}

/// Sixteen numbers of bytes and more.
fn bytes<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Value<'a>>, More> {
    cursor.run(64, |b| b.is_ascii_whitespace())?;
    let from = cursor.at;
    let text = cursor.run(VALUE * 4, |b| b.is_ascii_hexdigit() || b"xX, \t\r\n".contains(&b))?;
    let text = text.trim_ascii_end();
    let numbers = text.split(|b| *b == b',').filter(|n| !n.trim_ascii().is_empty());
    let good = numbers.clone().count() >= 12 && numbers.clone().all(|n| n.trim_ascii().len() <= 4);
    Ok(good.then_some(Value { text, from, form: Form::Bytes, next: None }))
}

/// Up to a blank, a quote, a bracket or what else ends a word.
fn bare<'a>(cursor: &mut Cursor<'a>, sign: Sign) -> Result<Option<Value<'a>>, More> {
    let from = cursor.at;
    // `a=1&b=2` is a query, `a = 1&2` is not.
    let query = matches!(sign, Sign::Tight | Sign::Said | Sign::Beside);
    let inside = |b: u8| !b"\"'`,;<>(){}[]|\\".contains(&b) && (b != b'&' || !query);
    let text = cursor.run(VALUE, |b| (b.is_ascii_graphic() || b >= 0x80) && inside(b))?;
    // The end of a sentence.
    let sentence = query && !text.ends_with(b"..");
    let text = if sentence { text.strip_suffix(b".").unwrap_or(text) } else { text };
    let next = cursor.peek()?;
    let code = next.is_some_and(|b| b"([{".contains(&b));
    Ok((!code && !text.is_empty() && text.len() < VALUE).then_some(Value { text, from, form: Form::Bare, next }))
}
