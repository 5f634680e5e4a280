//! Heads of messages.

use wardkeep_policy::bundle::egress::same_name;

/// A head that is not one, or could be read in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidHead {
    #[error("the head is too large")]
    TooLarge,
    #[error("the connection ended within the head")]
    Cut,
    #[error("a line does not end with CR LF")]
    LineEnd,
    #[error("the first line is not one of HTTP/1.1")]
    FirstLine,
    #[error("a header is folded over two lines, or has no name")]
    Folded,
    #[error("a header's name holds a character that no name may have")]
    Name,
    #[error("a header's value holds a control character")]
    Value,
    #[error("there are more than 128 headers")]
    Many,
}

impl InvalidHead {
    /// The same in a text that lives for ever.
    pub(crate) const fn why(self) -> &'static str {
        match self {
            Self::TooLarge => "the head is too large",
            Self::Cut => "the connection ended within the head",
            Self::LineEnd => "a line does not end with CR LF",
            Self::FirstLine => "the first line is not one of HTTP/1.1",
            Self::Folded => "a header is folded over two lines, or has no name",
            Self::Name => "a header's name holds a character that no name may have",
            Self::Value => "a header's value holds a control character",
            Self::Many => "there are more than 128 headers",
        }
    }
}

/// Headers of one message.
const FIELDS: usize = 128;

/// One header as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// Without white space around it.
    pub(crate) value: Vec<u8>,
}

/// All headers, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(pub(crate) Vec<Field>);

impl Fields {
    /// Every value of `name`, also where it is spelled with other signs than `-`.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |field| same_name(&field.name, name)).map(|field| &*field.value)
    }

    /// The only value of `name`; `None` for none or several.
    pub(crate) fn one<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        let mut all = self.all(name);
        let first = all.next()?;
        all.next().is_none().then_some(first)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Whether the list in `name` holds `word`.
    pub(crate) fn lists(&self, name: &str, word: &str) -> bool {
        self.words(name).any(|other| other.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// The members of the list in `name`.
    pub(crate) fn words<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.all(name).flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
    }
}

/// The first line of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestLine<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    /// HTTP/1.0 where false.
    pub(crate) is_1_1: bool,
}

impl<'a> RequestLine<'a> {
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, InvalidHead> {
        let line = std::str::from_utf8(line).map_err(|_| InvalidHead::FirstLine)?;
        let mut words = line.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(InvalidHead::FirstLine);
        };
        let is_token = !method.is_empty() && method.bytes().all(is_token);
        if !is_token || target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidHead::FirstLine);
        }
        Ok(Self { method, target, is_1_1: version_of(version.as_bytes())? })
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestHead {
    pub(crate) method: String,
    pub(crate) target: String,
    /// HTTP/1.0 where false.
    pub(crate) is_1_1: bool,
    pub(crate) fields: Fields,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnswerHead {
    pub(crate) status: u16,
    pub(crate) reason: Vec<u8>,
    pub(crate) is_1_1: bool,
    pub(crate) fields: Fields,
}

impl RequestHead {
    pub(crate) fn parse(head: &[u8]) -> Result<Self, InvalidHead> {
        let (first, fields) = lines(head)?;
        let RequestLine { method, target, is_1_1 } = RequestLine::parse(first)?;
        Ok(Self { method: method.to_owned(), target: target.to_owned(), is_1_1, fields })
    }

    /// Whether the connection may carry another request after this one.
    pub(crate) fn keeps_alive(&self) -> bool {
        keeps_alive(self.is_1_1, &self.fields)
    }
}

impl AnswerHead {
    pub(crate) fn parse(head: &[u8]) -> Result<Self, InvalidHead> {
        let (first, fields) = lines(head)?;
        let mut words = first.splitn(3, |byte| *byte == b' ');
        let is_1_1 = version_of(words.next().unwrap_or_default())?;
        let code = words.next().unwrap_or_default();
        let status = match code {
            [b'1'..=b'9', _, _] => std::str::from_utf8(code).ok().and_then(|code| code.parse().ok()),
            _ => None,
        };
        let reason = words.next().unwrap_or_default().to_vec();
        if reason.iter().any(|byte| !is_text(*byte)) {
            return Err(InvalidHead::FirstLine);
        }
        Ok(Self { status: status.ok_or(InvalidHead::FirstLine)?, reason, is_1_1, fields })
    }

    pub(crate) fn keeps_alive(&self) -> bool {
        keeps_alive(self.is_1_1, &self.fields)
    }
}

fn keeps_alive(is_1_1: bool, fields: &Fields) -> bool {
    if is_1_1 { !fields.lists("connection", "close") } else { fields.lists("connection", "keep-alive") }
}

fn version_of(text: &[u8]) -> Result<bool, InvalidHead> {
    match text {
        b"HTTP/1.1" => Ok(true),
        b"HTTP/1.0" => Ok(false),
        _ => Err(InvalidHead::FirstLine),
    }
}

/// The first line, and the headers of a head that ends with an empty line.
fn lines(head: &[u8]) -> Result<(&[u8], Fields), InvalidHead> {
    let mut fields = Vec::new();
    let first = each_field(head, |name, value| {
        if fields.len() == FIELDS {
            return Err(InvalidHead::Many);
        }
        fields.push(Field { name: String::from_utf8_lossy(name).into_owned(), value: value.to_vec() });
        Ok(())
    })?;
    Ok((first, Fields(fields)))
}

/// What can be said of a head whose end has not come: every line ends with CR LF, and the first one names HTTP (the requests of
/// HTTP/0.9 did not, and had no other line). The bytes before `seen` were looked at already.
pub(super) fn begun(bytes: &[u8], seen: usize) -> Result<(), InvalidHead> {
    if memchr::memchr_iter(b'\n', &bytes[seen..]).any(|at| seen + at == 0 || bytes[seen + at - 1] != b'\r') {
        return Err(InvalidHead::LineEnd);
    }
    match memchr::memmem::find(bytes, b"\r\n") {
        Some(end) if memchr::memmem::find(&bytes[..end], b"HTTP/").is_none() => Err(InvalidHead::FirstLine),
        _ => Ok(()),
    }
}

/// Shows the name and the value of each header, without white space around them; gives the first line.
pub(crate) fn each_field<'a>(
    head: &'a [u8],
    mut see: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), InvalidHead>,
) -> Result<&'a [u8], InvalidHead> {
    let mut rest = head.strip_suffix(b"\r\n\r\n").ok_or(InvalidHead::Cut)?;
    let first = next_line(&mut rest)?.ok_or(InvalidHead::FirstLine)?;
    while let Some(line) = next_line(&mut rest)? {
        let (name, value) = field(line)?;
        see(name, value)?;
    }
    Ok(first)
}

fn next_line<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, InvalidHead> {
    if rest.is_empty() {
        return Ok(None);
    }
    let end = memchr::memchr2(b'\r', b'\n', rest);
    let (line, after) = match end.map(|end| rest.split_at(end)) {
        None => (*rest, &rest[rest.len()..]),
        Some((line, [b'\r', b'\n', after @ ..])) => (line, after),
        Some(_) => return Err(InvalidHead::LineEnd),
    };
    *rest = after;
    Ok(Some(line))
}

fn field(line: &[u8]) -> Result<(&[u8], &[u8]), InvalidHead> {
    let colon = memchr::memchr(b':', line).ok_or(InvalidHead::Folded)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || matches!(line[0], b' ' | b'\t') {
        return Err(InvalidHead::Folded);
    }
    // White space before the colon is a way to smuggle a header past one of two readers.
    if !name.iter().all(|byte| is_token(*byte)) {
        return Err(InvalidHead::Name);
    }
    // Without an early end, which many bytes at once would not have.
    if value.iter().fold(false, |bad, byte| bad | !is_text(*byte)) {
        return Err(InvalidHead::Value);
    }
    // No other white space than space and tab is left to trim.
    Ok((name, value.trim_ascii()))
}

pub(crate) fn is_token(byte: u8) -> bool {
    const TABLE: [bool; 256] = tokens();
    TABLE[usize::from(byte)]
}

const fn tokens() -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 128 {
        table[at] = (at as u8).is_ascii_alphanumeric();
        at += 1;
    }
    let mut signs: &[u8] = b"!#$%&'*+-.^_`|~";
    while let [sign, rest @ ..] = signs {
        table[*sign as usize] = true;
        signs = rest;
    }
    table
}

/// Visible, space, tab, or beyond ASCII.
pub(super) fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7f)
}
