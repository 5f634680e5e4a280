//! The walk through JSON: strings and keys are decoded before they are searched, and only changed ones are written anew.
//!
//! Everything else (numbers as they are written, order and repetition of keys, white space, escapes in the unchanged part of
//! a changed string) passes byte by byte.

mod text;

use std::borrow::Cow;

use crate::engine::{Engine, RedactedBytes, Scan};
use crate::hits::{self, Hit, What};

/// Deepest nesting that is scanned.
pub const JSON_DEPTH: usize = 128;
/// Largest document that is scanned, in bytes.
pub const JSON_BYTES: usize = 64 * 1024 * 1024;
/// Shorter numbers cannot hold a value of 8 digits.
const NUMBER: usize = 8;

/// Why a document could not be scanned. What could not be scanned does not leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unscannable {
    /// Not one complete JSON value in UTF-8.
    #[error("the body is not valid JSON (byte {at})")]
    NotJson {
        /// Offset of the first byte that does not fit.
        at: usize,
    },
    /// Nested deeper than [`JSON_DEPTH`].
    #[error("the body is nested deeper than {JSON_DEPTH} levels")]
    TooDeep,
    /// Larger than [`JSON_BYTES`].
    #[error("the body is larger than {JSON_BYTES} bytes")]
    TooLarge,
    /// A secret stands inside a block that its provider has signed.
    #[error("a block of type {kind} holds a secret and is signed; drop that block from the request")]
    Sealed {
        /// The block's `"type"`.
        kind: String,
    },
}

pub(crate) fn redact<'a>(engine: &Engine, body: &'a [u8], sealed: &[&str]) -> Result<RedactedBytes<'a>, Unscannable> {
    if body.len() > JSON_BYTES {
        return Err(Unscannable::TooLarge);
    }
    std::str::from_utf8(body).map_err(|e| Unscannable::NotJson { at: e.valid_up_to() })?;
    let mut walk =
        Walk { engine, body, at: 0, scan: Scan::new(engine), touched: Vec::new(), sealed, scratch: Vec::new() };
    walk.space();
    walk.value(0)?;
    walk.space();
    if walk.at < body.len() {
        return Err(walk.bad());
    }
    Ok(walk.splice())
}

/// A string or number in the body, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    start: usize,
    end: usize,
    escaped: bool,
}

/// A token with hits; their offsets count in the decoded text.
struct Touched {
    token: Token,
    number: bool,
    hits: Vec<Hit>,
}

/// What the value just read offers to the array around it.
enum Read {
    /// Text of a content part: the string itself, or the `"text"` of an object.
    Text(Token),
    Other,
}

struct Walk<'a, 'e> {
    engine: &'e Engine,
    body: &'a [u8],
    at: usize,
    scan: Scan,
    touched: Vec<Touched>,
    sealed: &'e [&'e str],
    scratch: Vec<u8>,
}

impl<'a> Walk<'a, '_> {
    fn bad(&self) -> Unscannable {
        Unscannable::NotJson { at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Unscannable> {
        if self.peek() != Some(byte) {
            return Err(self.bad());
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Read, Unscannable> {
        if depth > JSON_DEPTH {
            return Err(Unscannable::TooDeep);
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => {
                let token = self.string()?;
                self.search(token, false);
                Ok(Read::Text(token))
            }
            Some(b'-' | b'0'..=b'9') => {
                let token = self.number()?;
                if token.end - token.start >= NUMBER {
                    self.search(token, true);
                }
                Ok(Read::Other)
            }
            _ => {
                let word = [&b"true"[..], b"false", b"null"].into_iter().find(|w| self.body[self.at..].starts_with(w));
                self.at += word.ok_or_else(|| self.bad())?.len();
                Ok(Read::Other)
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Read, Unscannable> {
        let touched_before = self.touched.len();
        let (mut kind, mut part) = (None, None);
        self.at += 1;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Read::Other);
        }
        loop {
            let key = self.string()?;
            self.search(key, false);
            self.space();
            self.expect(b':')?;
            self.space();
            let name = text::decode(self.raw(key));
            if let Read::Text(token) = self.value(depth + 1)? {
                match name.as_ref() {
                    b"type" => kind = Some(token),
                    b"text" => part = Some(token),
                    _ => {}
                }
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.bad()),
            }
            self.space();
        }
        self.at += 1;
        if let Some(kind) = kind
            && self.touched.len() > touched_before
        {
            let kind = text::decode(self.raw(kind));
            if let Some(kind) = self.sealed.iter().find(|sealed| sealed.as_bytes() == kind.as_ref()) {
                return Err(Unscannable::Sealed { kind: (*kind).to_owned() });
            }
        }
        Ok(part.map_or(Read::Other, Read::Text))
    }

    fn array(&mut self, depth: usize) -> Result<Read, Unscannable> {
        self.at += 1;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Read::Other);
        }
        let mut parts = Vec::new();
        loop {
            match self.value(depth + 1)? {
                Read::Text(token) => parts.push(token),
                Read::Other => self.search_across(&std::mem::take(&mut parts)),
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.bad()),
            }
            self.space();
        }
        self.at += 1;
        self.search_across(&parts);
        Ok(Read::Other)
    }

    fn string(&mut self) -> Result<Token, Unscannable> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += text::escape_len(&self.body[self.at..]).ok_or_else(|| self.bad())?;
                }
                Some(0x20..) => self.at += 1,
                _ => return Err(self.bad()),
            }
        }
        self.at += 1;
        Ok(Token { start, end: self.at - 1, escaped })
    }

    fn number(&mut self) -> Result<Token, Unscannable> {
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

    fn digits(&mut self) -> Result<(), Unscannable> {
        let from = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == from { Err(self.bad()) } else { Ok(()) }
    }

    fn raw(&self, token: Token) -> &'a [u8] {
        &self.body[token.start..token.end]
    }

    fn search(&mut self, token: Token, number: bool) {
        let raw = self.raw(token);
        let found = if token.escaped {
            self.scratch.clear();
            text::decode_into(raw, &mut self.scratch);
            self.scan.whole(self.engine, &self.scratch)
        } else {
            self.scan.whole(self.engine, raw)
        };
        if !found.is_empty() {
            self.touched.push(Touched { token, number, hits: found });
        }
    }

    /// Vault values that begin in one text part and end in a later one. The first part keeps the placeholder.
    fn search_across(&mut self, parts: &[Token]) {
        if parts.len() < 2 {
            return;
        }
        let texts: Vec<Cow<'_, [u8]>> = parts.iter().map(|&part| text::decode(self.raw(part))).collect();
        let found = self.scan.vault_values(self.engine, texts.iter().map(AsRef::as_ref));
        let mut from = 0;
        for (&token, text) in parts.iter().zip(&texts) {
            let (start, end) = (from, from + text.len());
            from = end;
            let mut inside: Vec<Hit> = found
                .iter()
                .filter(|hit| hit.start < end && hit.end > start && (hit.start < start || hit.end > end))
                .map(|hit| Hit {
                    start: hit.start.max(start) - start,
                    end: hit.end.min(end) - start,
                    what: if hit.start < start { What::Rest } else { hit.what },
                })
                .collect();
            if inside.is_empty() {
                continue;
            }
            match self.touched.iter_mut().find(|touched| touched.token == token) {
                Some(touched) => touched.hits.append(&mut inside),
                None => self.touched.push(Touched { token, number: false, hits: inside }),
            }
        }
    }

    fn splice(mut self) -> RedactedBytes<'a> {
        if self.touched.is_empty() {
            return RedactedBytes { bytes: Cow::Borrowed(self.body), findings: Vec::new() };
        }
        self.touched.sort_by_key(|touched| touched.token.start);
        let mut out = Vec::with_capacity(self.body.len());
        let mut findings = Vec::new();
        let mut done = 0;
        for touched in &mut self.touched {
            hits::merge(&mut touched.hits);
            let Token { start, end, .. } = touched.token;
            out.extend_from_slice(&self.body[done..start]);
            // A number with a secret in it becomes a string: nothing else can hold the placeholder.
            out.extend_from_slice(if touched.number { b"\"" } else { b"" });
            let raw = &self.body[start..end];
            let mut written = 0;
            for hit in &touched.hits {
                let (from, to) = (text::raw_offset(raw, hit.start), text::raw_offset(raw, hit.end));
                out.extend_from_slice(&raw[written..from]);
                let plain = text::decode(&raw[from..to]);
                out.extend_from_slice(self.engine.placeholder(hit.what, &plain).as_bytes());
                findings.push(self.engine.finding(Hit { start: start + from, end: start + to, what: hit.what }));
                written = to;
            }
            out.extend_from_slice(&raw[written..]);
            out.extend_from_slice(if touched.number { b"\"" } else { b"" });
            done = end;
        }
        out.extend_from_slice(&self.body[done..]);
        RedactedBytes { bytes: Cow::Owned(out), findings }
    }
}

#[cfg(test)]
mod tests;
