//! Server-sent events in a text: `data: {json}` lines that carry one text in pieces.
//!
//! A provider streams an answer a few letters at a time, each in a JSON document of its own, so that no view of the raw
//! text ever sees a secret in one piece. Here the strings of successive events are joined as a client joins them, the
//! joined texts are searched, and what is found goes back to the pieces: the first keeps the placeholder, the others lose
//! their part. All of it is a function of whole lines, so cutting the input changes nothing.
//!
//! Which strings are one text cannot be known without knowing the protocol; [`paths`] gives each up to three readings, and
//! all are searched. This search is added to the ordinary one over the raw text, which sees every byte, so whatever falls
//! beyond the bounds below has still been searched as plain text.

mod channel;
mod paths;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memchr2;
use memchr::memmem::Finder;

use crate::engine::Engine;
use crate::hits::Hit;
use channel::{Channel, Source};
use paths::Text;

/// Longest event, in bytes; a longer line is plain text.
const EVENT: usize = 1024 * 1024;
/// Texts that are joined at the same time. With more, the one that has waited longest is ended.
const CHANNELS: usize = 256;
/// Events without a text after which it is no longer waited for: what is held back of it goes out. A secret that goes on
/// later still loses the rest of its pieces.
const HORIZON: usize = 64;
/// Bytes of input that wait for one text; beyond it, as for [`HORIZON`].
const HELD: usize = 256 * 1024;
/// White space between the colon and the document.
const SPACE: usize = 8;

const DATA: &[u8] = b"data:";

static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(DATA));

/// The events of one text, read line by line.
pub(crate) struct Events {
    /// Nothing before it is looked at again.
    at: usize,
    /// Where the document of the line under way begins.
    begun: Option<usize>,
    /// Events so far.
    count: usize,
    /// The first line that waits for a text to go on.
    held: Option<usize>,
    /// Lines before it have gone out, or could have.
    floor: usize,
    channels: BTreeMap<u64, Channel>,
    texts: Vec<Text>,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self { at: 0, begun: None, count: 0, held: None, floor: 0, channels: BTreeMap::new(), texts: Vec::new() }
    }

    /// Everything that is cut over events in one whole text.
    pub(crate) fn whole(engine: &Engine, text: &[u8], hits: &mut Vec<Hit>) {
        if text.len() > DATA.len() && FINDER.find(text).is_some() {
            Self::new().push(engine, text, 0, true, hits);
        }
    }

    /// Reads on: `text` is all that is known from offset `base` on. Puts what is certain into `hits`.
    pub(crate) fn push(&mut self, engine: &Engine, text: &[u8], base: usize, ended: bool, hits: &mut Vec<Hit>) {
        while let Some(line) = self.line(text, base, ended) {
            self.event(engine, Source { text, base, line }, hits);
        }
        if ended {
            let line = base + text.len()..base + text.len();
            for channel in self.channels.values_mut() {
                channel.finish(engine, &Source { text, base, line: line.clone() }, self.floor, hits);
            }
        }
    }

    /// The first byte that can still be part of a match to come; `end` is the end of what is known.
    pub(crate) fn live(&self, end: usize) -> usize {
        self.held.unwrap_or(end).min(self.begun.unwrap_or(end))
    }

    /// The document in the next line that has one and is complete.
    fn line(&mut self, text: &[u8], base: usize, ended: bool) -> Option<Range<usize>> {
        let end = base + text.len();
        loop {
            let rest = &text[self.at - base..];
            let Some(begun) = self.begun else {
                let Some(found) = FINDER.find(rest) else {
                    self.at = self.at.max(end.saturating_sub(DATA.len() - 1));
                    return None;
                };
                let (line, after) = (self.at + found, self.at + found + DATA.len());
                let space = text[after - base..].iter().take(SPACE).take_while(|b| matches!(b, b' ' | b'\t')).count();
                let first = text.get(after + space - base);
                if first.is_none() && !ended {
                    self.at = line;
                    return None;
                }
                let alone = line == 0 || text[..line - base].ends_with(b"\n") || text[..line - base].ends_with(b"\r");
                let begins = alone && matches!(first, Some(b'{' | b'[' | b'"'));
                self.begun = begins.then_some(after + space);
                self.at = after;
                continue;
            };
            let line_end = memchr2(b'\n', b'\r', rest).map(|at| self.at + at);
            self.at = line_end.unwrap_or(end);
            let complete = line_end.is_some() || ended;
            let fits = self.at - begun <= EVENT;
            if complete || !fits {
                self.begun = None;
            }
            match (complete, fits) {
                (true, true) => return Some(begun..self.at),
                (false, true) => return None,
                (_, false) => {}
            }
        }
    }

    fn event(&mut self, engine: &Engine, source: Source<'_>, hits: &mut Vec<Hit>) {
        let mut texts = std::mem::take(&mut self.texts);
        // What is no JSON is no event, and has been searched as plain text.
        if paths::read(source.document(), &mut texts) {
            self.count += 1;
            for text in &texts {
                self.feed(engine, &source, text, hits);
            }
            while self.channels.len() > CHANNELS
                && let Some((_, key)) = self.channels.iter().map(|(key, channel)| (channel.fed(), *key)).min()
                && let Some(mut channel) = self.channels.remove(&key)
            {
                channel.finish(engine, &source, self.floor, hits);
            }
        }
        self.texts = texts;
        let end = source.line.end;
        self.held = self
            .channels
            .values()
            .filter_map(|channel| channel.open(self.count, HORIZON, self.floor))
            .filter(|line| end - line <= HELD)
            .min();
        self.floor = self.floor.max(self.held.unwrap_or(end));
    }

    /// Hands one string to the channels that it belongs to. Narrower readings get a channel of their own only where they
    /// differ from the wide one.
    fn feed(&mut self, engine: &Engine, source: &Source<'_>, text: &Text, hits: &mut Vec<Hit>) {
        let wide = self.channels.entry(text.wide).or_insert_with(|| Channel::new(engine, text.narrow));
        let mut keys = vec![text.wide];
        let mut copies = Vec::new();
        for (only, key) in wide.only.iter_mut().zip(text.narrow) {
            match *only {
                Some(same) if same == key => continue,
                Some(other) => copies.push(other),
                None => {}
            }
            *only = None;
            keys.push(key);
        }
        for key in copies {
            let copy = self.channels[&text.wide].copy(engine);
            self.channels.entry(key).or_insert(copy);
        }
        keys.dedup();
        for key in keys {
            let channel = self.channels.entry(key).or_insert_with(|| Channel::new(engine, text.narrow));
            channel.feed(engine, source, text.token, self.count, self.floor, hits);
        }
    }
}

#[cfg(test)]
mod tests;
