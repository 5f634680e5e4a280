//! Reading JSON without building it: one pass, told to a visitor token by token.

use std::borrow::Cow;

use super::text;

/// Deepest nesting that is scanned.
pub const JSON_DEPTH: usize = 128;

/// A string or number in the document, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its first byte.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// Whether something in it is written with an escape.
    pub escaped: bool,
}

impl Token {
    /// Its bytes in the document.
    #[must_use]
    pub fn raw(self, document: &[u8]) -> &[u8] {
        &document[self.start..self.end]
    }

    /// What it says.
    #[must_use]
    pub fn text(self, document: &[u8]) -> Cow<'_, [u8]> {
        if self.escaped { text::decode(self.raw(document)) } else { Cow::Borrowed(self.raw(document)) }
    }
}

/// Who is told what stands in a document, in its order. Whatever comes before a fault is told.
pub trait Visit {
    /// An object or array begins with the byte at `at`.
    fn begin(&mut self, object: bool, at: usize);
    /// It ends before the byte at `at`.
    fn end(&mut self, at: usize);
    /// The name of the member whose value comes next.
    fn key(&mut self, token: Token);
    /// A string that is a value.
    fn string(&mut self, token: Token);
    /// A number, as it is written.
    fn number(&mut self, token: Token);
    /// `true`, `false` or `null`.
    fn word(&mut self) {}
    /// Where the text of each string with escapes is put before it is told of, in place of the last one; if anywhere.
    fn undone(&mut self) -> Option<&mut Vec<u8>> {
        None
    }
}

/// Why a document cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The byte here does not fit.
    At(usize),
    /// Deeper than [`JSON_DEPTH`].
    TooDeep,
}

/// A place behind a value, and what is open there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub(crate) at: usize,
    /// One bit for each level that is open: is it an object?
    pub(crate) open: u128,
    pub(crate) depth: usize,
}

impl Place {
    /// Bytes before it.
    #[must_use]
    pub fn at(self) -> usize {
        self.at
    }

    /// Objects and lists that are open.
    #[must_use]
    pub fn depth(self) -> usize {
        self.depth
    }

    /// With the same open, so many bytes farther on.
    #[must_use]
    pub fn after(self, bytes: usize) -> Self {
        Self { at: self.at + bytes, ..self }
    }
}

/// Reads one whole value, with nothing but white space around it. UTF-8 is not checked.
pub(crate) fn read(document: &[u8], visit: &mut impl Visit) -> Result<(), Fault> {
    read_on(document, visit, None, |_, _| None)
}

/// As [`read`], from a place in the document on. After each value `ended` may send the reader on to another place.
pub(crate) fn read_on<V: Visit>(
    document: &[u8],
    visit: &mut V,
    from: Option<Place>,
    ended: impl Fn(&mut V, Place) -> Option<Place>,
) -> Result<(), Fault> {
    let Place { at, mut open, mut depth } = from.unwrap_or(Place { at: 0, open: 0, depth: 0 });
    let mut reader = Reader { document, at, specials: text::Specials::of(document) };
    reader.space();
    let mut inside = from.is_some();
    loop {
        match reader.peek() {
            _ if std::mem::take(&mut inside) => {}
            Some(bracket @ (b'{' | b'[')) => {
                if depth == JSON_DEPTH {
                    return Err(Fault::TooDeep);
                }
                let object = bracket == b'{';
                visit.begin(object, reader.at);
                (open, depth) = (open << 1 | u128::from(object), depth + 1);
                reader.at += 1;
                reader.space();
                if reader.peek() != Some(if object { b'}' } else { b']' }) {
                    if object {
                        reader.key(visit)?;
                    }
                    continue;
                }
            }
            Some(b'"') => {
                let token = reader.string(visit)?;
                visit.string(token);
            }
            Some(b'-' | b'0'..=b'9') => visit.number(reader.number()?),
            _ => {
                reader.word()?;
                visit.word();
            }
        }
        // A value has ended, and with it perhaps what it stands in.
        loop {
            if let Some(to) = ended(visit, Place { at: reader.at, open, depth }) {
                (reader.at, open, depth) = (to.at, to.open, to.depth);
            }
            reader.space();
            if depth == 0 {
                return if reader.at == document.len() { Ok(()) } else { Err(reader.fault()) };
            }
            match (reader.peek(), open & 1 == 1) {
                (Some(b','), object) => {
                    reader.at += 1;
                    reader.space();
                    if object {
                        reader.key(visit)?;
                    }
                    break;
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    reader.at += 1;
                    visit.end(reader.at);
                    (open, depth) = (open >> 1, depth - 1);
                }
                _ => return Err(reader.fault()),
            }
        }
    }
}

struct Reader<'a> {
    document: &'a [u8],
    at: usize,
    specials: text::Specials<'a>,
}

impl Reader<'_> {
    fn fault(&self) -> Fault {
        Fault::At(self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.document.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek() != Some(byte) {
            return Err(self.fault());
        }
        self.at += 1;
        Ok(())
    }

    fn key(&mut self, visit: &mut impl Visit) -> Result<(), Fault> {
        let key = self.string(visit)?;
        visit.key(key);
        self.space();
        self.expect(b':')?;
        self.space();
        Ok(())
    }

    fn string(&mut self, visit: &mut impl Visit) -> Result<Token, Fault> {
        self.expect(b'"')?;
        let start = self.at;
        self.at = self.specials.next(start);
        let escaped = self.peek() == Some(b'\\');
        if escaped && let Some(out) = visit.undone() {
            out.clear();
            out.extend_from_slice(&self.document[start..self.at]);
            let end = text::undo(&mut self.specials, self.at, out).map_err(Fault::At)?;
            self.at = end + 1;
            return Ok(Token { start, end, escaped });
        }
        loop {
            self.at = self.specials.next(self.at);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += text::escape_len(&self.document[self.at..]).ok_or_else(|| self.fault())?;
                }
                _ => return Err(self.fault()),
            }
        }
        self.at += 1;
        Ok(Token { start, end: self.at - 1, escaped })
    }

    fn number(&mut self) -> Result<Token, Fault> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(Token { start, end: self.at, escaped: false })
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let from = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == from { Err(self.fault()) } else { Ok(()) }
    }

    fn word(&mut self) -> Result<(), Fault> {
        let rest = &self.document[self.at..];
        let word = [&b"true"[..], b"false", b"null"].into_iter().find(|word| rest.starts_with(word));
        self.at += word.ok_or_else(|| self.fault())?.len();
        Ok(())
    }
}
