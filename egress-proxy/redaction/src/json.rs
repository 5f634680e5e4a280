//! The walk through JSON: strings and keys are decoded before they are searched, and only changed ones are written anew.
//!
//! Everything else (numbers as they are written, order and repetition of keys, white space, escapes in the unchanged part of
//! a changed string) passes byte by byte.

mod across;
mod group;
mod kit;
mod known;
mod memo;
mod read;
mod short;
pub(crate) mod text;

use std::borrow::Cow;

use crate::engine::{Engine, RedactedBytes};
use crate::hits::{self, Hit, What};
use crate::rules;

use across::{Row, Text};
use group::Group;
pub(crate) use kit::Kits;
use kit::Lent;
use known::{Asked, Key};
use memo::Trace;
pub use memo::{Compared, JsonMemo};
pub(crate) use read::{Fault, read};
pub use read::{JSON_DEPTH, Place, Token, Visit};

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
    #[error("the body is nested deeper than {JSON_DEPTH} levels; send such data as text")]
    TooDeep,
    /// Larger than [`JSON_BYTES`].
    #[error("the body is larger than {JSON_BYTES} bytes")]
    TooLarge,
    /// A secret stands inside a block that its provider has signed.
    #[error("a block ({kind}) holds a secret and is signed; drop that block from the request")]
    Sealed {
        /// The block's `"type"`, or the member that makes it a signed one.
        kind: String,
    },
}

impl From<Fault> for Unscannable {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::At(at) => Self::NotJson { at },
            Fault::TooDeep => Self::TooDeep,
        }
    }
}

/// Reads one whole document without building it, exactly as redaction does.
///
/// # Errors
/// All of [`Unscannable`] but a sealed block; what comes before a fault was told.
pub fn read_json(document: &[u8], visit: &mut impl Visit) -> Result<(), Unscannable> {
    std::str::from_utf8(document).map_err(|e| Unscannable::NotJson { at: e.valid_up_to() })?;
    Ok(read(document, visit)?)
}

/// As [`read_json`], from a place of an earlier document on that began with the same bytes up to there; `ended` hears of the
/// place behind each value, and behind the bracket of a list or object without any, and may send the reader on to a later one:
/// what stands between must be known, and leave open what is.
///
/// # Errors
/// As above.
pub fn read_json_on<V: Visit>(
    document: &[u8],
    from: Option<Place>,
    visit: &mut V,
    ended: impl Fn(&mut V, Place) -> Option<Place>,
) -> Result<(), Unscannable> {
    let at = from.map_or(0, Place::at);
    let rest = document.get(at..).unwrap_or_default();
    std::str::from_utf8(rest).map_err(|e| Unscannable::NotJson { at: at + e.valid_up_to() })?;
    Ok(read::read_on(document, visit, from, ended)?)
}

pub(crate) fn redact<'a>(engine: &Engine, body: &'a [u8], sealed: &[&str]) -> Result<RedactedBytes<'a>, Unscannable> {
    Walk::over(engine, body, sealed)?.finish()
}

/// As [`redact`], of a document that stands by itself: what gave it is not known, so a value may also begin in one member and
/// end in the next, whatever they are called.
pub(crate) fn redact_alone<'a>(engine: &Engine, body: &'a [u8]) -> Result<RedactedBytes<'a>, Unscannable> {
    let mut walk = Walk::over(engine, body, &[])?;
    let mut deep = Walk::new(engine, body, &[]);
    deep.deep = true;
    read(body, &mut deep)?;
    walk.hits.append(&mut deep.hits);
    walk.hits.append(&mut deep.outer);
    let mut outer = std::mem::take(&mut walk.outer);
    walk.hits.append(&mut outer);
    // Rules that read what stands around a value: names in other members, words before it.
    let mut around = walk.kit.scan.whole(engine, body);
    around.retain(|hit| {
        let next = deep.texts.partition_point(|text| text.end < hit.end);
        deep.texts.get(next).is_some_and(|text| text.start <= hit.start)
    });
    let known = Walk { hits: walk.hits.clone(), numbers: walk.numbers.clone(), ..Walk::new(engine, body, &[]) };
    walk.hits.append(&mut around);
    let whole = walk.finish()?;
    // A hit in the text as it is written can end within an escape.
    if read(&whole.bytes, &mut Nothing).is_ok() { Ok(whole) } else { known.finish() }
}

/// Reads without a thought.
struct Nothing;

impl Visit for Nothing {
    fn begin(&mut self, _: bool, _: usize) {}
    fn end(&mut self, _: usize) {}
    fn key(&mut self, _: Token) {}
    fn string(&mut self, _: Token) {}
    fn number(&mut self, _: Token) {}
}

/// An object or array that is open.
#[derive(Clone, Copy)]
struct Level {
    /// Its first byte.
    start: usize,
    /// Where its text begins in the run.
    run: usize,
    /// The name of the member that comes next goes on with the text around it.
    flows: bool,
    /// So do all members: these are arguments of a call, or what it gave.
    deep: bool,
    /// So do all members of the object that comes next.
    deepens: bool,
    /// The name of the member that comes next is `"type"`.
    typed: bool,
    /// The number of its `"type"`, or of a member of it, among the sealed.
    sealed: Option<usize>,
    /// The same of the member that comes next, which seals if it has a text.
    seals: Option<usize>,
    /// The name of the member that comes next, or of the list; what its `"name"` says, for its `"value"`.
    name: Option<Name>,
    called: Option<Name>,
}

/// The name of a member.
#[derive(Clone, Copy)]
struct Name {
    token: Token,
    says: Says,
}

/// What a name says of its member.
#[derive(Clone, Copy, Default)]
struct Says {
    /// Its text goes on with the text around it.
    flows: bool,
    /// It is the arguments of a call, or what it gave.
    deepens: bool,
    /// `"type"`
    typed: bool,
    /// `"value"`
    value: bool,
    /// `"name"` or `"key"`
    calls: bool,
    /// It can be a secret because of it.
    secret: bool,
    /// Its number among the sealed.
    seals: Option<usize>,
}

impl Says {
    fn of(name: &[u8], sealed: &[&str]) -> Self {
        Self {
            flows: FLOWS.contains(&name),
            deepens: DEEP.contains(&name),
            typed: name == b"type",
            value: name.eq_ignore_ascii_case(b"value"),
            calls: name.eq_ignore_ascii_case(b"name") || name.eq_ignore_ascii_case(b"key"),
            secret: rules::may_name_a_secret(name),
            seals: sealed
                .iter()
                .position(|sealed| sealed.strip_suffix(':').is_some_and(|member| member.as_bytes() == name)),
        }
    }
}

struct Walk<'a, 'e> {
    engine: &'e Engine,
    body: &'a [u8],
    kit: Lent<'e>,
    sealed: &'e [&'e str],
    /// All members of the document go on with each other.
    deep: bool,
    /// Its strings, where that is so.
    texts: Vec<Token>,
    levels: Vec<Level>,
    /// Texts that a reader would read one after the other.
    run: Vec<Text>,
    /// The last of them, which wait to be searched.
    group: Group,
    /// The texts of the outermost level, of one in it, of any other that begins a row of its own.
    rows: [Row; 3],
    /// In bytes of the body.
    hits: Vec<Hit>,
    /// The same, across the texts of the outermost level.
    outer: Vec<Hit>,
    /// First bytes of the numbers with hits.
    numbers: Vec<usize>,
    /// Blocks that nobody may change, by their number among the sealed.
    blocks: Vec<(usize, usize, usize)>,
    /// The text of the last string with escapes.
    undone: Vec<u8>,
    /// Places from where a later walk may go on.
    trace: Option<Trace>,
}

/// Members whose objects are text in all their members: arguments and results of calls.
const DEEP: [&[u8]; 6] = [b"input", b"arguments", b"args", b"output", b"result", b"response"];
/// Members whose text goes on with the text around them: content parts, messages, results.
const FLOWS: [&[u8]; 8] = [b"text", b"content", b"parts", b"input", b"output", b"message", b"arguments", b"thinking"];

impl Visit for Walk<'_, '_> {
    fn begin(&mut self, object: bool, start: usize) {
        let run = self.run.len();
        let name = self.levels.last().and_then(|around| around.name).filter(|_| !object);
        let deep = self.levels.last().map_or(self.deep, |around| around.deep || (around.deepens && object));
        let (flows, deepens, typed) = (!object, false, false);
        self.levels.push(Level {
            start,
            run,
            flows,
            deep,
            deepens,
            typed,
            sealed: None,
            seals: None,
            name,
            called: None,
        });
    }

    fn end(&mut self, at: usize) {
        let Some(level) = self.levels.pop() else { return };
        if let Some(kind) = level.sealed {
            self.blocks.push((level.start, at, kind));
        }
        if !self.levels.last().is_some_and(|around| around.flows) {
            self.close();
            let depth = self.levels.len();
            let found = if depth == 0 { &mut self.outer } else { &mut self.hits };
            self.rows[depth.min(2)].search(self.engine, &mut self.kit.scan, self.body, &self.run[level.run..], found);
            self.run.truncate(level.run);
            if let Some(trace) = &mut self.trace {
                trace.forget_texts(level.run);
            }
        }
    }

    fn key(&mut self, token: Token) {
        self.search(token);
        let name = self.name(token);
        if let Some(level) = self.levels.last_mut() {
            let Says { flows, deepens, typed, value, seals, .. } = name.says;
            level.flows = level.deep || flows;
            (level.deepens, level.typed, level.seals) = (deepens, typed, seals);
            level.name = level.called.filter(|_| value).or(Some(name));
        }
    }

    fn undone(&mut self) -> Option<&mut Vec<u8>> {
        Some(&mut self.undone)
    }

    fn string(&mut self, token: Token) {
        if self.deep {
            self.texts.push(token);
        }
        let flows = self.levels.last().is_some_and(|level| level.flows);
        if flows {
            self.flow(token);
        } else {
            self.search(token);
        }
        let Some(name) = self.levels.last().map(|level| level.name) else { return };
        if let Some(name) = name.filter(|name| name.says.secret) {
            self.search_named(name.token, token);
        }
        let called = name.filter(|name| name.says.calls).map(|_| self.name(token));
        let Some(level) = self.levels.last_mut() else { return };
        level.called = called.or(level.called);
        if level.seals.is_some() && token.end > token.start {
            level.sealed = level.seals;
        }
        if !flows && level.typed && !self.sealed.is_empty() {
            let kind = if token.escaped { &self.undone } else { token.raw(self.body) };
            let sealed = self.sealed.iter().position(|sealed| sealed.as_bytes() == kind);
            level.sealed = sealed.or(level.sealed);
        }
    }

    fn number(&mut self, token: Token) {
        let before = self.hits.len();
        if token.end - token.start < NUMBER || !self.search(token) {
            return;
        }
        // Digits around a secret are no number any more: all of it goes.
        let what = self.hits[before].what;
        self.hits.truncate(before);
        self.hits.push(Hit { start: token.start, end: token.end, what });
        self.numbers.push(token.start);
    }
}

impl<'a, 'e> Walk<'a, 'e> {
    /// All that is found in the document.
    fn over(engine: &'e Engine, body: &'a [u8], sealed: &'e [&'e str]) -> Result<Self, Unscannable> {
        if body.len() > JSON_BYTES {
            return Err(Unscannable::TooLarge);
        }
        std::str::from_utf8(body).map_err(|e| Unscannable::NotJson { at: e.valid_up_to() })?;
        let mut walk = Self::new(engine, body, sealed);
        read(body, &mut walk)?;
        Ok(walk)
    }

    fn new(engine: &'e Engine, body: &'a [u8], sealed: &'e [&'e str]) -> Self {
        Self::with_kit(engine, body, sealed, Lent::of(engine, sealed, body.len()))
    }

    fn with_kit(engine: &'e Engine, body: &'a [u8], sealed: &'e [&'e str], kit: Lent<'e>) -> Self {
        Self {
            engine,
            body,
            kit,
            sealed,
            deep: false,
            texts: Vec::new(),
            levels: Vec::new(),
            run: Vec::new(),
            group: Group::default(),
            rows: Default::default(),
            hits: Vec::new(),
            outer: Vec::new(),
            numbers: Vec::new(),
            blocks: Vec::new(),
            undone: Vec::new(),
            trace: None,
        }
    }

    /// The last string that was read, as a name.
    fn name(&mut self, token: Token) -> Name {
        let text = if token.escaped { &self.undone } else { token.raw(self.body) };
        let sealed = self.sealed;
        Name { token, says: self.kit.names.get_or(text, || Says::of(text, sealed)) }
    }

    /// Whether there is something in the token, which was read last.
    fn search(&mut self, token: Token) -> bool {
        let text = if token.escaped { &self.undone } else { token.raw(self.body) };
        if self.kit.clean.get(text).is_some() || self.kit.seen.has(self.body, token) {
            return false;
        }
        let key = Key::of(self.engine, text, Asked::All);
        if self.kit.known.get(key.as_ref()).is_some() {
            return false;
        }
        let found = self.kit.scan.whole(self.engine, text);
        if found.is_empty() {
            self.kit.clean.put(text, ());
            self.kit.seen.put(self.body, token);
            self.kit.known.put(key, 0);
            return false;
        }
        self.put(token, &found);
        true
    }

    fn put(&mut self, token: Token, found: &[Hit]) {
        let mut places = text::Places::new(token.raw(self.body));
        self.hits.extend(found.iter().map(|hit| {
            let (start, end) = (places.of(hit.start), places.of(hit.end));
            Hit { start: token.start + start, end: token.start + end, what: hit.what }
        }));
    }

    /// What is a secret only because its member has a name that says so.
    fn search_named(&mut self, name: Token, token: Token) {
        let name = text::decode(name.raw(self.body));
        let raw = token.raw(self.body);
        let value = text::decode(raw);
        // In quotes that the value has none of.
        let quote = [b'"', b'\'', b'`'].into_iter().find(|quote| !value.contains(quote)).unwrap_or(b'"');
        let parts: [&[u8]; 7] = [&[quote], &name, &[quote], b": ", &[quote], &value, &[quote]];
        let from = name.len() + 5;
        let found = self.kit.scan.whole(self.engine, &parts.concat());
        let mut places = text::Places::new(raw);
        let inside = found.iter().filter(|hit| hit.start >= from && hit.end <= from + value.len());
        self.hits.extend(inside.map(|hit| {
            let (start, end) = (places.of(hit.start - from), places.of(hit.end - from));
            Hit { start: token.start + start, end: token.start + end, what: hit.what }
        }));
    }

    fn finish(self) -> Result<RedactedBytes<'a>, Unscannable> {
        Ok(self.splice(&self.merged()?))
    }

    /// All hits in order and disjoint, unless one stands in a block that nobody may change.
    fn merged(&self) -> Result<Vec<Hit>, Unscannable> {
        let mut hits: Vec<Hit> = self.hits.iter().chain(&self.outer).copied().collect();
        hits::merge(&mut hits);
        for (start, end, kind) in self.blocks.iter().filter(|_| !hits.is_empty()) {
            let next = hits.partition_point(|hit| hit.end <= *start);
            if hits.get(next).is_some_and(|hit| hit.start < *end) {
                return Err(Unscannable::Sealed { kind: self.sealed[*kind].to_owned() });
            }
        }
        Ok(hits)
    }

    /// The body with placeholders for `hits`.
    fn splice(&self, hits: &[Hit]) -> RedactedBytes<'a> {
        if hits.is_empty() {
            return RedactedBytes { bytes: Cow::Borrowed(self.body), findings: Vec::new() };
        }
        let mut out = Vec::with_capacity(self.body.len() + 64 * hits.len());
        let mut findings = Vec::with_capacity(hits.len());
        let mut done = 0;
        let mut numbers = self.numbers.iter().peekable();
        for &hit in hits {
            // Only a string can hold the placeholder.
            let quote: &[u8] = if numbers.next_if_eq(&&hit.start).is_some() { b"\"" } else { b"" };
            let plain = text::decode(&self.body[hit.start..hit.end]);
            out.extend_from_slice(&self.body[done..hit.start]);
            out.extend_from_slice(quote);
            if hit.what == What::Rest && is_all(self.body, hit) {
                out.extend_from_slice(ALL_OF_REST.as_bytes());
            } else {
                out.extend_from_slice(self.engine.placeholder(hit.what, &plain).as_bytes());
            }
            out.extend_from_slice(quote);
            done = hit.end;
            findings.push(self.engine.finding(hit));
        }
        out.extend_from_slice(&self.body[done..]);
        RedactedBytes { bytes: Cow::Owned(out), findings }
    }
}

/// Stands for the rest of a secret where that was all of a text: providers take none that is empty.
pub const ALL_OF_REST: &str = "[REDACTED:rest]";

/// Whether nothing but blanks and ends of lines stands beside a hit in its string.
fn is_all(body: &[u8], hit: Hit) -> bool {
    const BLANKS: [&[u8]; 4] = [b" ", br"\n", br"\r", br"\t"];
    let (mut before, mut behind) = (&body[..hit.start], &body[hit.end..]);
    while let Some(rest) = BLANKS.iter().find_map(|blank| before.strip_suffix(*blank)) {
        before = rest;
    }
    while let Some(rest) = BLANKS.iter().find_map(|blank| behind.strip_prefix(*blank)) {
        behind = rest;
    }
    before.ends_with(b"\"") && !before.ends_with(br#"\""#) && behind.starts_with(b"\"")
}

#[cfg(test)]
mod tests;
