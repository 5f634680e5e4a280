//! What stands between a name and its value.

use super::name::Name;
use crate::cursor::{Cursor, More};

/// How the value is given to the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// `name=value`, without spaces.
    Tight,
    /// `name = value`, `name := value`, `name => value`.
    Spaced,
    /// `name: value`
    Colon,
    /// `name == "value"`, `name != "value"`
    Compared,
    /// `name || "value"`, `name ?? "value"`, `name or "value"`
    Otherwise,
    /// `"name", "value"`
    Comma,
    /// `name("value")`
    Call,
    /// `Credential("user", "value")`
    Pairing,
    /// `<name>value</name>`, `<x name="name">value</x>`, `<key>name</key><string>value</string>`
    Tag,
    /// `"name": "name", "value": "value"`, `name="name" value="value"`: the value stands in a field of its own.
    Pair,
    /// `--name value`, `set name value`
    Given,
    /// `#define name value`
    Defined,
    /// `name is value`
    Said,
    /// `name value`
    Beside,
}

/// Blanks between the parts of an assignment.
const BLANKS: usize = 32;

fn blanks(cursor: &mut Cursor<'_>) -> Result<usize, More> {
    Ok(cursor.run(BLANKS, |b| b == b' ' || b == b'\t')?.len())
}

impl Sign {
    /// Reads the sign after `name`; leaves the cursor before the value.
    pub(super) fn read(cursor: &mut Cursor<'_>, name: &Name<'_>) -> Result<Option<Self>, More> {
        let closed = close(cursor)?;
        let spaces = blanks(cursor)?;
        let Some(next) = cursor.peek()? else { return Ok(None) };
        let sign = match next {
            b'|' if spaces > 0 && name.before.trim_ascii_end().ends_with(b"|") => cell(cursor)?,
            // `${NAME:-value}`
            b':' if name.before.ends_with(b"${") && (cursor.word(b":-")? || cursor.word(b":=")?) => Some(Self::Tight),
            b'=' | b':' | b'!' | b'?' | b'|' | b'-' => operator(cursor, closed, spaces)?,
            0xef => cursor.word("：".as_bytes())?.then_some(Self::Colon),
            b',' if closed.quote || name.is_shouted() => after_comma(cursor, name)?,
            b'(' if !closed.any && spaces == 0 => {
                cursor.at += 1;
                Some(if name.is_pair() { Self::Pairing } else { Self::Call })
            }
            b'>' if closed.quote || opens_tag(name.before) => {
                cursor.at += 1;
                Some(Self::Tag)
            }
            b'<' if !closed.any && name.before.ends_with(b">") => between_tags(cursor)?,
            b'\n' | b'\r' => on_next_line(cursor, name)?,
            _ if spaces == 0 => None,
            _ if closed.quote => attribute(cursor)?,
            _ if opens_tag(name.before) => opening_tag(cursor)?,
            _ => spoken(cursor, name)?,
        };
        if sign.is_some() {
            blanks(cursor)?;
        }
        Ok(sign)
    }
}

/// `<`, `<ns:`
fn opens_tag(before: &[u8]) -> bool {
    let space = before.strip_suffix(b":").unwrap_or(before);
    let name = space.iter().rev().take_while(|b| b.is_ascii_alphanumeric()).count();
    before.ends_with(b"<") || space.len() < before.len() && space[..space.len() - name].ends_with(b"<")
}

/// What closes the name.
#[derive(Clone, Copy, Default)]
struct Closed {
    any: bool,
    quote: bool,
}

/// `"`, `']`, `**`, `&quot;`, `[32]`
fn close(cursor: &mut Cursor<'_>) -> Result<Closed, More> {
    let mut closed = Closed::default();
    for _ in 0..6 {
        match cursor.peek()? {
            Some(b'"' | b'\'' | b'`') => closed.quote = true,
            Some(b']' | b')' | b'}' | b'*' | b'\\') => {}
            Some(b'&') => {
                if !entity(cursor)? {
                    break;
                }
                closed = Closed { any: true, quote: true };
                continue;
            }
            Some(b'[') => {
                cursor.at += 1;
                cursor.run(4, |b| b.is_ascii_digit())?;
                if cursor.peek()? != Some(b']') {
                    break;
                }
            }
            _ => break,
        }
        closed.any = true;
        cursor.at += 1;
    }
    Ok(closed)
}

/// A quote as HTML writes it.
pub(super) fn entity(cursor: &mut Cursor<'_>) -> Result<bool, More> {
    for quote in [&b"&quot;"[..], b"&#34;", b"&#39;", b"&#x27;", b"&#x22;", b"&apos;"] {
        if cursor.word(quote)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Everything of punctuation.
fn operator(cursor: &mut Cursor<'_>, closed: Closed, spaces: usize) -> Result<Option<Sign>, More> {
    const OPERATORS: [(&[u8], Option<Sign>); 16] = [
        (b"===", Some(Sign::Compared)),
        (b"!==", Some(Sign::Compared)),
        (b"==", Some(Sign::Compared)),
        (b"!=", Some(Sign::Compared)),
        (b"=>", Some(Sign::Spaced)),
        (b"=~", None),
        (b"?=", Some(Sign::Spaced)),
        (b"||=", Some(Sign::Spaced)),
        (b"||", Some(Sign::Otherwise)),
        (b"??", Some(Sign::Otherwise)),
        (b"?:", Some(Sign::Otherwise)),
        (b":=", Some(Sign::Spaced)),
        (b"::", None),
        (b":-", None),
        (b":?", None),
        (b"->", Some(Sign::Spaced)),
    ];
    for (text, sign) in OPERATORS {
        if cursor.word(text)? {
            return Ok(sign.filter(|_| text != b"->" || closed.quote));
        }
    }
    let next = cursor.peek()?;
    match next {
        Some(b'=') => {
            cursor.at += 1;
            let tight = spaces == 0 && !matches!(cursor.peek()?, Some(b' ' | b'\t'));
            Ok(Some(if tight { Sign::Tight } else { Sign::Spaced }))
        }
        Some(b':') => {
            cursor.at += 1;
            // `**Password:** value`
            cursor.run(2, |b| b == b'*')?;
            Ok(Some(Sign::Colon))
        }
        _ => Ok(None),
    }
}

/// `| name | value |`
fn cell(cursor: &mut Cursor<'_>) -> Result<Option<Sign>, More> {
    cursor.at += 1;
    Ok((cursor.peek()? == Some(b' ')).then_some(Sign::Beside))
}

/// White space with line ends.
fn space(cursor: &mut Cursor<'_>) -> Result<usize, More> {
    Ok(cursor.run(96, |b| b.is_ascii_whitespace())?.len())
}

/// The field that holds the value of a named one.
fn value_field(cursor: &mut Cursor<'_>) -> Result<bool, More> {
    let quotes = cursor.run(2, |b| b"\"'\\".contains(&b))?.len();
    if !(cursor.word(b"value")? || cursor.word(b"Value")? || cursor.word(b"VALUE")?) {
        return Ok(false);
    }
    cursor.run(quotes, |b| b"\"'\\".contains(&b))?;
    blanks(cursor)?;
    Ok(cursor.take(|b| b == b':' || b == b'=')?.is_some())
}

/// `"name", "value"` or `"name": "name", "value": "value"`. In a list of words the name is not the first.
fn after_comma(cursor: &mut Cursor<'_>, name: &Name<'_>) -> Result<Option<Sign>, More> {
    cursor.at += 1;
    space(cursor)?;
    let here = *cursor;
    if value_field(cursor)? {
        return Ok(Some(Sign::Pair));
    }
    *cursor = here;
    let quotes = name.before.iter().rev().take_while(|b| b"\"'`\\bu".contains(b)).count();
    let opener = name.before[..name.before.len() - quotes].trim_ascii_end().last();
    let opened = opener.is_some_and(|b| b"([{".contains(b));
    // `setopt(handle, OPT_PASSWORD, "value")`
    Ok((opened || quotes == 0).then_some(Sign::Comma))
}

/// `name: name`, and `value: value` on the next line.
fn on_next_line(cursor: &mut Cursor<'_>, name: &Name<'_>) -> Result<Option<Sign>, More> {
    let before = name.before.trim_ascii_end();
    if !(before.ends_with(b"name:") || before.ends_with(b"key:")) {
        return Ok(None);
    }
    space(cursor)?;
    Ok(value_field(cursor)?.then_some(Sign::Pair))
}

/// `name="name" value="value"`, perhaps with other attributes between; or the rest of an expression.
fn attribute(cursor: &mut Cursor<'_>) -> Result<Option<Sign>, More> {
    let start = *cursor;
    for _ in 0..3 {
        let here = *cursor;
        if value_field(cursor)? {
            return Ok(Some(Sign::Pair));
        }
        *cursor = here;
        let named = !cursor.run(24, |b| b.is_ascii_alphanumeric() || b == b'-')?.is_empty();
        if !named || cursor.take(|b| b == b'=')?.is_none() {
            break;
        }
        let Some(quote) = cursor.take(|b| b == b'"' || b == b'\'')? else { break };
        cursor.run(64, |b| b != quote && b != b'\n')?;
        if cursor.take(|b| b == quote)?.is_none() {
            break;
        }
        if cursor.take(|b| b == b'>')?.is_some() {
            return Ok(Some(Sign::Tag));
        }
        blanks(cursor)?;
    }
    *cursor = start;
    Ok(cursor.word(b"or ")?.then_some(Sign::Otherwise))
}

/// `<password encoding="x">value`
fn opening_tag(cursor: &mut Cursor<'_>) -> Result<Option<Sign>, More> {
    cursor.run(96, |b| b != b'>' && b != b'<' && b != b'\n')?;
    Ok(cursor.take(|b| b == b'>')?.map(|_| Sign::Tag))
}

/// `<key>name</key><string>value`, `<name>name</name><value>value`
fn between_tags(cursor: &mut Cursor<'_>) -> Result<Option<Sign>, More> {
    if !(cursor.word(b"</key>")? || cursor.word(b"</name>")?) {
        return Ok(None);
    }
    space(cursor)?;
    Ok((cursor.word(b"<string>")? || cursor.word(b"<value>")?).then_some(Sign::Tag))
}

/// Words at the beginning of a line that give a name its value by a blank alone.
const GIVERS: [(&[u8], Sign); 9] = [
    (b"#define", Sign::Defined),
    (b"%define", Sign::Defined),
    (b"%global", Sign::Defined),
    (b"setenv", Sign::Given),
    (b"set", Sign::Given),
    (b"setx", Sign::Given),
    (b"export", Sign::Given),
    (b"ENV", Sign::Given),
    (b"ARG", Sign::Given),
];

/// A blank alone, or the words of a sentence.
fn spoken(cursor: &mut Cursor<'_>, name: &Name<'_>) -> Result<Option<Sign>, More> {
    if name.is_flag() {
        return Ok(Some(Sign::Given));
    }
    if matches!(name.before.trim_ascii_end(), [.., b'e' | b'l' | b'v' | b't' | b'x' | b'V' | b'G']) {
        let line = name.before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
        if let Some((_, sign)) = GIVERS.iter().find(|(giver, _)| line.trim_ascii() == *giver) {
            return Ok(Some(*sign));
        }
    }
    // Most words begin as none of these.
    if cursor.peek()?.is_some_and(|b| !b"oiwleaI".contains(&b)) {
        return Ok(Some(Sign::Beside));
    }
    if cursor.word(b"or ")? {
        return Ok(Some(Sign::Otherwise));
    }
    for word in [&b"is "[..], b"was ", b"ist ", b"lautet ", b"est ", b"es ", b"are ", b"is: ", b"IS "] {
        if cursor.word(word)? {
            return Ok(Some(Sign::Said));
        }
    }
    Ok(Some(Sign::Beside))
}
