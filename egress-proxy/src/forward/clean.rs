//! What leaves: text and bodies without secrets, and with the values of bound ones where the request named them.

use wardkeep_redaction::{Engine, Stream, Unscannable};
use zeroize::{Zeroize as _, Zeroizing};

use super::bound::{Bound, Writing};
use super::refs::{self, Finder, Part};
use super::refused::Refused;

/// One text in two forms.
pub(crate) struct Cleaned {
    /// With values.
    pub(crate) sent: Zeroizing<Vec<u8>>,
    /// Without any.
    pub(crate) shown: Vec<u8>,
    /// Whether anything was masked.
    pub(crate) is_masked: bool,
}

/// Cleans one whole text that is no document of its own.
pub(crate) fn text(text: &[u8], engine: &Engine, bound: &mut Bound<'_>, writing: Writing) -> Result<Cleaned, Refused> {
    let canonical = canonical(text, bound)?;
    let scanned = engine.redact_bytes(&canonical);
    let is_masked = !scanned.findings.is_empty();
    let sent = inject(&scanned.bytes, bound, writing)?;
    Ok(Cleaned { sent, shown: scanned.bytes.into_owned(), is_masked })
}

/// Cleans one whole body.
pub(crate) fn body(
    body: &[u8],
    engine: &Engine,
    bound: &mut Bound<'_>,
    writing: Writing,
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let canonical = canonical(body, bound)?;
    let is_document =
        canonical.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"{[".contains(byte));
    let scanned = match is_document.then(|| engine.redact_json(&canonical)) {
        None | Some(Err(Unscannable::NotJson { .. })) => engine.redact_bytes(&canonical),
        Some(scanned) => scanned?,
    };
    inject(&scanned.bytes, bound, writing)
}

/// `text` with every reference in one spelling and every secret that it names resolved.
fn canonical(text: &[u8], bound: &mut Bound<'_>) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut finder = Finder::default();
    finder.push(text, |part| note(part, bound, &mut out))?;
    out.extend_from_slice(&finder.finish());
    Ok(out)
}

fn note(part: Part<'_>, bound: &mut Bound<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
    match part {
        Part::Text(text) => out.extend_from_slice(text),
        Part::Ref(name) => {
            bound.resolve(&name)?;
            refs::write_canonical(&name, out);
        }
    }
    Ok(())
}

/// `text` with values in place of the references that the request brought. Others are masks, and stay.
fn inject(text: &[u8], bound: &Bound<'_>, writing: Writing) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut finder = Finder::default();
    finder.push(text, |part| put(part, bound, writing, &mut out))?;
    out.extend_from_slice(&finder.finish());
    Ok(out)
}

fn put(part: Part<'_>, bound: &Bound<'_>, writing: Writing, out: &mut Vec<u8>) -> Result<(), Refused> {
    match part {
        Part::Text(text) => out.extend_from_slice(text),
        Part::Ref(name) if bound.has(&name) => bound.write(&name, writing, out)?,
        Part::Ref(name) => refs::write_canonical(&name, out),
    }
    Ok(())
}

/// A body that is cleaned piece by piece, in memory that does not grow with it.
pub(crate) struct Piecewise {
    found: Finder,
    stream: Stream,
    placed: Finder,
    writing: Writing,
    taken: u64,
    given: u64,
}

impl Piecewise {
    pub(crate) fn new(engine: &Engine, writing: Writing) -> Self {
        let (found, placed) = (Finder::default(), Finder::default());
        Self { found, stream: engine.stream(), placed, writing, taken: 0, given: 0 }
    }

    /// Takes a piece, gives what may go.
    pub(crate) fn push(&mut self, piece: &[u8], bound: &mut Bound<'_>) -> Result<Zeroizing<Vec<u8>>, Refused> {
        self.taken += piece.len() as u64;
        let mut canonical = Zeroizing::new(Vec::with_capacity(piece.len()));
        self.found.push(piece, |part| note(part, bound, &mut canonical))?;
        let masked = Zeroizing::new(self.stream.push(&canonical));
        self.place(&masked, bound)
    }

    /// The rest, after the last piece.
    pub(crate) fn finish(&mut self, bound: &Bound<'_>) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let mut masked = Zeroizing::new(self.stream.push(&self.found.finish()));
        self.stream.finish_into(&mut masked);
        let mut out = self.place(&masked, bound)?;
        let rest = self.placed.finish();
        self.given += rest.len() as u64;
        out.extend_from_slice(&rest);
        Ok(out)
    }

    fn place(&mut self, masked: &[u8], bound: &Bound<'_>) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let mut out = Zeroizing::new(Vec::with_capacity(masked.len()));
        let writing = self.writing;
        if let Err(why) = self.placed.push(masked, |part| put(part, bound, writing, &mut out)) {
            out.zeroize();
            return Err(why);
        }
        self.given += out.len() as u64;
        Ok(out)
    }

    /// How much longer the output is than the input, as far as it is known.
    pub(crate) fn growth(&self) -> i128 {
        let held = self.found.held() + self.stream.held_back() + self.placed.held();
        i128::from(self.given) + held as i128 - i128::from(self.taken)
    }
}

/// What comes back, with the vault's values masked.
pub(crate) struct Masking(Stream);

impl Masking {
    /// `engine` knows the values and no rules.
    pub(crate) fn new(engine: &Engine) -> Self {
        Self(engine.stream())
    }

    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.0.push(piece)
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.finish()
    }
}
