//! What leaves: text and bodies without secrets, and with the values of bound ones where the request named them.

use wardkeep_redaction::{Engine, Stream, Unscannable};
use zeroize::{Zeroize as _, Zeroizing};

use super::bound::{Bound, Writing};
use super::depth::Depth;
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
    depth: Depth,
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
        Self { depth: Depth::new(), found, stream: engine.stream(), placed, writing, taken: 0, given: 0 }
    }

    /// Takes a piece, gives what may go.
    pub(crate) fn push(&mut self, piece: &[u8], bound: &mut Bound<'_>) -> Result<Zeroizing<Vec<u8>>, Refused> {
        self.taken += piece.len() as u64;
        self.depth.push(piece)?;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wardkeep_proto::ids::SecretName;
    use wardkeep_proto::secret::{self, KnownValue, NotGiven, SecretSource, SecretValue};
    use wardkeep_redaction::{RuleSet, Secret};

    use super::super::destination::Destination;
    use super::*;

    struct Source(BTreeMap<&'static str, &'static str>);

    impl SecretSource for Source {
        fn resolve(&self, name: &SecretName, _: secret::Destination<'_>) -> Result<SecretValue, NotGiven> {
            let value = self.0.get(name.as_str()).ok_or_else(|| NotGiven::Unknown(name.clone()))?;
            Ok(SecretValue::new((*value).to_owned()))
        }

        fn every_value(&self) -> Result<Vec<KnownValue>, NotGiven> {
            Err(NotGiven::Unreadable)
        }
    }

    const HELD: &str = "correct-Horse7battery-Staple";
    const GIVEN: &str = "kZ8w/q+Always&9%4=x";
    const TEXT: &str = "a SECRET_REF(given) b correct-Horse7battery-Staple c SECRET_REF%28given%29SECRET_REF-given-END SECRET_REF( d \
        ghp_16C7e42F292c6912E7710c838347Ae178B4a SECRET_RE";

    fn engine() -> Engine {
        let secrets = [Secret::new("held", HELD), Secret::new("given", GIVEN)];
        Engine::build(secrets, &RuleSet::builtin(), [7; 32]).unwrap()
    }

    #[test]
    fn pieces_and_the_whole_agree_however_it_is_cut() {
        let (engine, source) = (engine(), Source(BTreeMap::from([("given", GIVEN)])));
        let to = Destination { host: "bound.example".to_owned(), port: 443 };
        let bound = || Bound::new(&source, &to, false);
        let whole = body(TEXT.as_bytes(), &engine, &mut bound(), Writing::Raw).unwrap();
        let shown = String::from_utf8(whole.to_vec()).unwrap();
        assert!(shown.starts_with(&format!("a {GIVEN} b SECRET_REF(held) c {GIVEN}{GIVEN} SECRET_REF( d [REDACTED:")));
        assert!(shown.ends_with(" SECRET_RE") && !shown.contains("ghp_"));
        for cut in 0..=TEXT.len() {
            let (mut pieces, mut bound) = (Piecewise::new(&engine, Writing::Raw), bound());
            let mut out = pieces.push(&TEXT.as_bytes()[..cut], &mut bound).unwrap();
            out.extend_from_slice(&pieces.push(&TEXT.as_bytes()[cut..], &mut bound).unwrap());
            out.extend_from_slice(&pieces.finish(&bound).unwrap());
            assert_eq!(out, whole, "{cut}");
            assert_eq!(pieces.growth(), out.len() as i128 - TEXT.len() as i128);
        }
    }

    #[test]
    fn a_reference_that_nobody_gives_stops_it_and_a_mask_is_never_given_back() {
        let (engine, source) = (engine(), Source(BTreeMap::from([("held", HELD)])));
        let to = Destination { host: "bound.example".to_owned(), port: 443 };
        let mut bound = Bound::new(&source, &to, false);
        assert!(body(TEXT.as_bytes(), &engine, &mut bound, Writing::Raw).is_err());
        // `held` would be given, but the text did not ask for it.
        let cleaned = body(format!("it is {HELD}").as_bytes(), &engine, &mut bound, Writing::Raw).unwrap();
        assert_eq!(&cleaned[..], b"it is SECRET_REF(held)");
        let cleaned =
            body(format!(r#"{{"a":"{HELD}","b":[1.0,"\u0041"]}}"#).as_bytes(), &engine, &mut bound, Writing::Json);
        assert_eq!(&cleaned.unwrap()[..], br#"{"a":"SECRET_REF(held)","b":[1.0,"\u0041"]}"#);
    }
}
