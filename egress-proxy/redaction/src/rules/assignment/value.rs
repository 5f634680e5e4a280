//! The value behind a sign: quoted, bare, wrapped in a call, a list, an array of bytes.

use std::ops::Range;

use super::judge;
use super::quoted::quoted;
use super::sign::Sign;
use crate::byteset::ByteSet;
use crate::cursor::{Cursor, More};

/// Longest value, in bytes.
pub(super) const VALUE: usize = 160;
/// Most `=` in it.
const SIGNS: usize = 4;
/// Longest value that looks drawn so far.
const DRAWN: usize = 512;
/// Longest value in an encoding: a private key of 16,384 bits.
const ENCODED: usize = 18 * 1024;
/// So many letters beside a name may be a value.
pub(super) const PLAIN: usize = 20;
/// Longest type or function around a value, in bytes.
const WRAPPER: usize = 56;
/// What that is made of.
const IN_WRAPPER: ByteSet = ByteSet::ALNUM.with(b" _.:<>&[];*!?-");
/// What a value without quotes is made of, and one that ends with a parameter of a query.
const BARE: ByteSet = ByteSet::NONE.with_range(b'!', b'~').with_range(0x80, 0xff).without(b"\"'`,;<>(){}[]|\\");
const OF_QUERY: ByteSet = BARE.without(b"&");

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

/// Takes what is `inside` a value that began at `from`: so much of anything, and all of it if it is one drawn text in an
/// encoding. False if it is longer.
pub(super) fn body(cursor: &mut Cursor<'_>, from: usize, inside: impl Fn(u8) -> bool) -> Result<bool, More> {
    // Few `=`, so that no value goes on into many other assignments.
    let encoded = |b: u8| b.is_ascii_alphanumeric() || b"+/_-.".contains(&b);
    cursor.run(VALUE, &inside)?;
    let text = cursor.since(from);
    if text.len() < VALUE {
        return Ok(true);
    }
    if names_on(text, b"=:") || !judge::is_random(text) {
        return Ok(false);
    }
    if !text.iter().all(|b| encoded(*b)) {
        cursor.run(DRAWN, inside)?;
        return Ok(cursor.since(from).len() < DRAWN);
    }
    for _ in 0..SIGNS {
        cursor.run(ENCODED, encoded)?;
        if cursor.take(|b| b == b'=')?.is_none() {
            break;
        }
    }
    Ok(cursor.since(from).len() < ENCODED)
}

/// `a=b=c`: the value is the name of another. A sign at the end is that of an encoding.
fn names_on(text: &[u8], signs: &[u8]) -> bool {
    text.iter().position(|b| signs.contains(b)).is_some_and(|at| {
        text[at..].iter().any(|b| !signs.contains(b))
            && text[..at].iter().all(|b| b.is_ascii_alphabetic() || *b == b'_')
    })
}

/// One value, or several of a list.
pub(super) struct Values<'a> {
    pub(super) first: Value<'a>,
    pub(super) more: Vec<Value<'a>>,
}

impl<'a> Values<'a> {
    fn list(mut values: Vec<Value<'a>>) -> Option<Self> {
        let more = values.split_off(values.len().min(1));
        values.pop().map(|first| Self { first, more })
    }

    /// From the first to the last.
    pub(super) fn range(&self) -> Range<usize> {
        self.first.range().start..self.more.last().unwrap_or(&self.first).range().end
    }
}

impl<'a> From<Value<'a>> for Values<'a> {
    fn from(first: Value<'a>) -> Self {
        Self { first, more: Vec::new() }
    }
}

/// Reads what follows the sign.
pub(super) fn read<'a>(cursor: &mut Cursor<'a>, sign: Sign) -> Result<Option<Values<'a>>, More> {
    match sign {
        Sign::Pairing => return Ok(list(cursor)?.pop().map(Values::from)),
        Sign::Tag => return Ok(content(cursor)?.map(Values::from)),
        Sign::Spaced | Sign::Colon | Sign::Comma | Sign::Call | Sign::Otherwise => next_line(cursor)?,
        _ => {}
    }
    if sign == Sign::Beside && is_of_sentence(cursor.ahead()) {
        return Ok(None);
    }
    let here = *cursor;
    if let Some(value) = quoted(cursor, Form::Quoted)? {
        // `"name", "other": …`: the next key.
        cursor.run(4, |b| b == b' ')?;
        let key = sign == Sign::Comma && cursor.peek()? == Some(b':');
        return Ok((!key).then(|| value.into()));
    }
    *cursor = here;
    if cursor.peek()? == Some(b'[') && !matches!(sign, Sign::Said | Sign::Beside) {
        cursor.at += 1;
        let list = list(cursor)?;
        if !list.is_empty() {
            return Ok(Values::list(list));
        }
        *cursor = here;
    }
    if let Some(value) = wrapped(cursor, sign)? {
        return Ok(Some(value.into()));
    }
    *cursor = here;
    if matches!(sign, Sign::Comma | Sign::Call | Sign::Compared | Sign::Otherwise) {
        return Ok(None);
    }
    Ok(bare(cursor, sign)?.map(Values::from))
}

/// Whether the text goes on with a word of letters, too few for a value, and nothing that could wrap another. Says so for
/// most sentences, and only where reading all the kinds of values would come to nothing; not before it is certain.
fn is_of_sentence(ahead: &[u8]) -> bool {
    let word = ahead.iter().take(PLAIN).take_while(|b| b.is_ascii_alphabetic()).count();
    let run = ahead.iter().take(WRAPPER).take_while(|b| IN_WRAPPER.has(**b)).count();
    let ends = matches!(ahead.get(word), Some(b' ' | b',' | b';' | b')' | b'\n'));
    let wraps = || matches!(ahead.get(run), None | Some(b'(' | b'=' | b'{')) || ahead[..run].ends_with(b"[");
    (1..PLAIN).contains(&word) && ends && (run == WRAPPER || !wraps())
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
    if !body(cursor, from, |b| b != b'\n' && b != if literal { b']' } else { b'<' })? {
        return Ok(None);
    }
    let text = cursor.since(from).trim_ascii_end();
    cursor.run(64, |b| b.is_ascii_whitespace())?;
    // Not `<T>(x)` of a program.
    let closed = cursor.word(b"</")? || cursor.word(b"]]>")?;
    Ok((closed && !text.is_empty()).then_some(Value { text, from, form: Form::Content, next: None }))
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
        let run = cursor.run(WRAPPER, |b| IN_WRAPPER.has(b))?;
        if run.len() == WRAPPER {
            return Ok(None);
        }
        if reads_environment(run) {
            // `process.env.NAME || "value"`, `process.env.NAME ?? "value"`
            let otherwise = run.trim_ascii_end().ends_with(b"??") || cursor.word(b"||")?;
            cursor.run(4, |b| b == b' ')?;
            return if otherwise { quoted(cursor, Form::Wrapped) } else { Ok(None) };
        }
        let declared = run.last().is_some_and(|b| b" >]?".contains(b)) || run.iter().all(u8::is_ascii_alphabetic);
        let mut form = Form::Wrapped;
        match cursor.peek()? {
            // `settings.get("…")`
            Some(b'(') if super::meaning::asks(run) => return Ok(None),
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

/// `process.env.NAME`, `import.meta.env.NAME`: what stands behind it is there when the environment has none.
fn reads_environment(run: &[u8]) -> bool {
    [&b"process.env."[..], b"import.meta.env.", b"Bun.env."].iter().any(|start| run.starts_with(start))
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
    let inside = if query { &OF_QUERY } else { &BARE };
    if !body(cursor, from, |b| inside.has(b))? {
        return Ok(None);
    }
    let text = cursor.since(from);
    if names_on(text, b"=") {
        return Ok(None);
    }
    // The end of a sentence.
    let sentence = query && !text.ends_with(b"..");
    let text = if sentence { text.strip_suffix(b".").unwrap_or(text) } else { text };
    let next = cursor.peek()?;
    let code = next.is_some_and(|b| b"([{".contains(&b));
    Ok((!code && !text.is_empty()).then_some(Value { text, from, form: Form::Bare, next }))
}
