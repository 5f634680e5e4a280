//! What is known of the body before: most of a session's body is the body before it.
//!
//! A walk leaves marks behind values: where the reader was, what was open, which texts wait for others to go on, and how much
//! had been found. All of that follows from the bytes before the mark alone. So a body that begins with the same bytes is
//! walked from the last mark in them; and once the walk stands between two members of the outermost object, with the rest
//! of the body as it was and in the same state as then, what was found in that rest is found again, in other places.
//!
//! The result is that of a walk through all of it, byte by byte.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::{Zeroize as _, Zeroizing};

use super::across::{Row, Text};
use super::kit::Lent;
use super::read::{Place, read_on};
use super::{JSON_BYTES, Level, Name, Token, Unscannable, Walk};
use crate::engine::{Engine, RedactedBytes};
use crate::hits::{Hit, What};

/// Levels with marks: of a body, its list of messages, a message, its list of parts.
const DEPTH: usize = 4;
/// The last marks stay all, since the next body differs somewhere at the end of this one.
const RECENT: usize = 8;
/// Bytes between marks, farther back at least; a body has no more than some 256 of those.
const SPACING: usize = 16 * 1024;
/// Bytes between marks inside of elements, everywhere.
const STEP: usize = 512;
/// Marks of one body.
const MARKS: usize = 2048;
/// Bytes of short texts that wait for the end of a value; with more of them no mark is made.
const WAITING: usize = 64 * 1024;
/// No text.
const NONE: u32 = u32::MAX;

/// The last body of a session and what was found in it. It holds secrets: wiped when dropped, silent in logs.
#[derive(Default)]
pub struct JsonMemo {
    /// Of the engine.
    generation: u64,
    /// Changes with the body.
    stamp: u64,
    sealed: Vec<String>,
    raw: Zeroizing<Vec<u8>>,
    walked: Walked,
    /// Hits that have a tag, in order.
    tags: Vec<(Hit, [u8; 2])>,
    searched: usize,
}

/// A body beside the one that a memo knows.
#[derive(Clone, Copy)]
pub struct Compared<'a> {
    body: &'a [u8],
    stamp: u64,
    prefix: usize,
    suffix: usize,
}

impl Compared<'_> {
    /// Bytes at the beginning and the end that both bodies have.
    #[must_use]
    pub fn shared(&self) -> usize {
        self.prefix + self.suffix
    }
}

impl fmt::Debug for Compared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Compared({} + {} of {} bytes)", self.prefix, self.suffix, self.body.len())
    }
}

/// What a walk leaves.
#[derive(Default)]
struct Walked {
    marks: Vec<Mark>,
    /// Texts with the number of the one before them in their row, as far as marks need them.
    nodes: Vec<(Text, u32)>,
    hits: Vec<Hit>,
    outer: Vec<Hit>,
    numbers: Vec<usize>,
    blocks: Vec<(usize, usize, usize)>,
}

/// The state of a walk behind a value.
#[derive(Clone)]
struct Mark {
    place: Place,
    levels: Vec<Level>,
    rows: [Row; 2],
    /// Texts that wait, and the node of the last.
    run: usize,
    head: u32,
    /// How many there were of each.
    nodes: usize,
    hits: usize,
    outer: usize,
    numbers: usize,
    blocks: usize,
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.rows.iter_mut().for_each(|row| row.joined.zeroize());
    }
}

/// What a walk with a memo keeps beside what it finds.
pub(super) struct Trace {
    marks: Vec<Mark>,
    /// The first of the marks that stay only while they are among the last.
    recent: usize,
    spacing: usize,
    nodes: Vec<(Text, u32)>,
    /// Nodes of the texts that wait.
    run: Vec<u32>,
    rest: Option<Rest>,
    /// Bytes of the rest that was known.
    skipped: usize,
}

/// What was found in the end of the body before, which this one shares: from the first of these marks to the last.
struct Rest {
    /// Between members of the outermost level.
    marks: Vec<Mark>,
    texts: Vec<Text>,
    hits: Vec<Hit>,
    numbers: Vec<usize>,
    blocks: Vec<(usize, usize, usize)>,
    shift: Shift,
}

/// From places in the body before to places in this one.
#[derive(Clone, Copy)]
struct Shift {
    old: usize,
    new: usize,
}

impl Shift {
    fn of(self, at: usize) -> usize {
        at + self.new - self.old
    }

    fn back(self, at: usize) -> Option<usize> {
        (at + self.old).checked_sub(self.new)
    }

    fn token(self, token: Token) -> Token {
        Token { start: self.of(token.start), end: self.of(token.end), escaped: token.escaped }
    }

    fn hit(self, hit: Hit) -> Hit {
        Hit { start: self.of(hit.start), end: self.of(hit.end), what: hit.what }
    }
}

impl JsonMemo {
    /// Compares a body with the last one.
    #[must_use]
    pub fn compare<'a>(&self, body: &'a [u8]) -> Compared<'a> {
        let prefix = common(&self.raw, body);
        let most = self.raw.len().min(body.len()) - prefix;
        let suffix = common_end(&self.raw[self.raw.len() - most..], &body[body.len() - most..]);
        Compared { body, stamp: self.stamp, prefix, suffix }
    }

    /// The length of the last body.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.raw.len()
    }

    /// Whether this engine can use it.
    #[must_use]
    pub fn is_of(&self, engine: &Engine) -> bool {
        self.generation == engine.generation()
    }

    /// Bytes of the last body that were searched.
    #[must_use]
    pub fn searched(&self) -> usize {
        self.searched
    }

    /// Memory that it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let Walked { marks, nodes, hits, outer, numbers, blocks } = &self.walked;
        let each_mark = size_of::<Mark>() + DEPTH * size_of::<Level>();
        let waiting: usize = marks.iter().flat_map(|mark| &mark.rows).map(|row| row.joined.capacity() * 2).sum();
        self.raw.capacity()
            + marks.capacity() * each_mark
            + waiting
            + nodes.capacity() * size_of::<(Text, u32)>()
            + (hits.capacity() + outer.capacity() + self.tags.capacity()) * size_of::<(Hit, [u8; 2])>()
            + numbers.capacity() * size_of::<usize>()
            + blocks.capacity() * size_of::<(usize, usize, usize)>()
    }

    pub(crate) fn redact<'a>(
        &mut self,
        engine: &Engine,
        compared: Compared<'a>,
        sealed: &[&str],
    ) -> Result<RedactedBytes<'a>, Unscannable> {
        // Whatever goes wrong: nothing is known then.
        let mut known = std::mem::take(self);
        let Compared { body, mut prefix, mut suffix, stamp } = compared;
        if body.len() > JSON_BYTES {
            return Err(Unscannable::TooLarge);
        }
        if stamp != known.stamp || !known.is_of(engine) || known.sealed != sealed {
            known = Self { generation: engine.generation(), ..Self::default() };
            known.sealed = sealed.iter().map(|&kind| kind.to_owned()).collect();
            (prefix, suffix) = (0, 0);
        }
        let shift = Shift { old: known.raw.len(), new: body.len() };
        let from = known.walked.marks.iter().rposition(|mark| mark.place.at <= prefix);
        let begin = from.map_or(0, |from| known.walked.marks[from].place.at);
        check_text(body, begin, body.len() - suffix)?;
        // A turn searches little of a long session, as a small document does.
        let kit = Lent::of(engine, sealed, (body.len() - suffix).saturating_sub(begin));
        let mut walk = Walk::with_kit(engine, body, sealed, kit);
        let place = walk.go_on(&mut known.walked, from, known.raw.len() - suffix, shift);
        let read = read_on(body, &mut walk, place, Walk::mark);
        let searched = body.len() - place.map_or(0, |place| place.at) - walk.skipped();
        walk.kit.was_used_for(searched);
        read?;
        let mut hits = walk.merged()?;
        known.tag(engine, body, &mut hits, (prefix, suffix, shift));
        let redacted = walk.splice(&hits);
        known.searched = searched;
        known.walked = walk.leave();
        remember(&mut known.raw, prefix, body);
        known.stamp = stamp_of_a_body();
        *self = known;
        Ok(redacted)
    }

    /// Gives hits the tags that they have in their placeholders; most had them before.
    fn tag(&mut self, engine: &Engine, body: &[u8], hits: &mut [Hit], (prefix, suffix, shift): (usize, usize, Shift)) {
        let mut tags = Vec::new();
        for hit in hits {
            let What::Rule(rule) = hit.what else { continue };
            let was = if hit.end <= prefix {
                Some(*hit)
            } else if hit.start >= body.len() - suffix {
                shift.back(hit.start).zip(shift.back(hit.end)).map(|(start, end)| Hit { start, end, what: hit.what })
            } else {
                None
            };
            let known = was.and_then(|was| {
                let at = self.tags.binary_search_by_key(&was.start, |(hit, _)| hit.start).ok()?;
                Some(self.tags[at]).filter(|(hit, _)| *hit == was)
            });
            let tag = known.map_or_else(|| engine.tag(&super::text::decode(&body[hit.start..hit.end])), |(_, tag)| tag);
            tags.push((*hit, tag));
            hit.what = What::Tagged(rule, tag);
        }
        self.tags = tags;
    }
}

impl fmt::Debug for JsonMemo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsonMemo(..)")
    }
}

fn stamp_of_a_body() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// What stands before and behind is text, since it was: only a character can be cut.
fn check_text(body: &[u8], from: usize, to: usize) -> Result<(), Unscannable> {
    let cut = body[to..].iter().take_while(|byte| **byte & 0xC0 == 0x80).count();
    let new = &body[from..to + cut];
    std::str::from_utf8(new).map(|_| ()).map_err(|e| Unscannable::NotJson { at: from + e.valid_up_to() })
}

/// Puts a body in place of the one that begins with the same bytes.
fn remember(raw: &mut Zeroizing<Vec<u8>>, prefix: usize, body: &[u8]) {
    if body.len() > raw.capacity() {
        // Growing in place would leave a copy behind.
        let mut larger = Zeroizing::new(Vec::with_capacity(body.len() + body.len() / 4));
        larger.extend_from_slice(body);
        *raw = larger;
    } else {
        raw.truncate(prefix);
        raw.extend_from_slice(&body[prefix..]);
    }
}

/// Bytes that both begin with.
fn common(a: &[u8], b: &[u8]) -> usize {
    const CHUNK: usize = 1024;
    let len = a.len().min(b.len());
    let (a, b) = (&a[..len], &b[..len]);
    let same = a.chunks(CHUNK).zip(b.chunks(CHUNK)).take_while(|(a, b)| a == b).count();
    let from = (same * CHUNK).min(len);
    from + a[from..].iter().zip(&b[from..]).take_while(|(a, b)| a == b).count()
}

/// Bytes that both end with; they are of one length.
fn common_end(a: &[u8], b: &[u8]) -> usize {
    const CHUNK: usize = 1024;
    let same = a.rchunks(CHUNK).zip(b.rchunks(CHUNK)).take_while(|(a, b)| a == b).count();
    let done = (same * CHUNK).min(a.len());
    let (a, b) = (&a[..a.len() - done], &b[..b.len() - done]);
    done + a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count()
}

impl Walk<'_, '_> {
    /// Takes up a walk at one of its marks, or at the beginning. What it found behind `end` stays at hand.
    fn go_on(&mut self, walked: &mut Walked, from: Option<usize>, end: usize, shift: Shift) -> Option<Place> {
        let first = from.map_or(0, |from| from + 1);
        let behind = |mark: &Mark| mark.place.depth == 1 && mark.place.at >= end;
        let next = walked.marks[first..].iter().position(behind).map(|next| first + next);
        let rest = next.map(|next| Rest::cut(walked, next, shift));
        let Walked { mut marks, mut nodes, hits, outer, numbers, blocks } = std::mem::take(walked);
        marks.truncate(first);
        (self.hits, self.outer, self.numbers, self.blocks) = (hits, outer, numbers, blocks);
        let mut run = Vec::new();
        let place = marks.last().map(|mark| {
            nodes.truncate(mark.nodes);
            self.levels.clone_from(&mark.levels);
            let [outermost, inner] = &mark.rows;
            (self.rows[0], self.rows[1]) = (outermost.clone(), inner.clone());
            let mut head = mark.head;
            while let Some(&(text, before)) = nodes.get(head as usize) {
                self.run.push(text);
                run.push(head);
                head = before;
            }
            self.run.reverse();
            run.reverse();
            mark.place
        });
        let count = |of: fn(&Mark) -> usize| marks.last().map_or(0, of);
        self.hits.truncate(count(|mark| mark.hits));
        self.outer.truncate(count(|mark| mark.outer));
        self.numbers.truncate(count(|mark| mark.numbers));
        self.blocks.truncate(count(|mark| mark.blocks));
        nodes.truncate(count(|mark| mark.nodes));
        let inner = marks.iter().rev().take(RECENT).take_while(|mark| mark.place.depth > 1).count();
        let (recent, spacing) = (marks.len() - inner, SPACING.max(self.body.len() / 256));
        self.trace = Some(Trace { marks, recent, spacing, nodes, run, rest, skipped: 0 });
        place
    }

    fn skipped(&self) -> usize {
        self.trace.as_ref().map_or(0, |trace| trace.skipped)
    }

    /// What the next walk may go on from.
    fn leave(self) -> Walked {
        let Self { hits, outer, numbers, blocks, trace, .. } = self;
        let (marks, nodes) = trace.map(|trace| (trace.marks, trace.nodes)).unwrap_or_default();
        Walked { marks, nodes, hits, outer, numbers, blocks }
    }

    /// Leaves a mark behind a value, or finds that the rest is known.
    fn mark(&mut self, place: Place) -> Option<Place> {
        let trace = self.trace.as_ref()?;
        let Place { at, depth, .. } = place;
        // A number may go on, and an empty list has no value that could have ended.
        if depth == 0 || depth > DEPTH || !matches!(self.body[at - 1], b'"' | b'}' | b']' | b'e' | b'l') {
            return None;
        }
        if depth > 2 && trace.marks.last().is_some_and(|mark| at < mark.place.at + STEP) {
            return None;
        }
        let owner = self.row();
        if owner > 1 {
            return None;
        }
        self.close();
        let Self { trace: Some(trace), levels, .. } = self else { return None };
        let found = if owner == 0 { &mut self.outer } else { &mut self.hits };
        let texts = &self.run[levels[owner].run..];
        self.rows[owner].advance(self.engine, &mut self.kit.scan, self.body, texts, found);
        if depth == 1
            && let Some(rest) = trace.rest.take_if(|rest| rest.goes_on_from(place, &levels[0]))
        {
            return Some(self.skip(rest, at));
        }
        if self.rows[0].joined.len() + self.rows[1].joined.len() <= WAITING {
            self.leave_mark(place);
        }
        None
    }

    fn leave_mark(&mut self, place: Place) {
        let Some(trace) = &mut self.trace else { return };
        trace.know_texts(&self.run);
        trace.put(Mark {
            place,
            levels: self.levels.clone(),
            rows: [self.rows[0].clone(), self.rows[1].clone()],
            run: self.run.len(),
            head: trace.run.last().copied().unwrap_or(NONE),
            nodes: trace.nodes.len(),
            hits: self.hits.len(),
            outer: self.outer.len(),
            numbers: self.numbers.len(),
            blocks: self.blocks.len(),
        });
    }

    /// Takes over what is known of the rest from `at` on; gives the place of its last mark.
    fn skip(&mut self, rest: Rest, at: usize) -> Place {
        let Rest { marks, texts, hits, numbers, blocks, shift } = rest;
        let base = marks.partition_point(|mark| shift.of(mark.place.at) < at);
        let (first, here) = (&marks[0], &marks[base]);
        let (had_run, had_hits) = (self.run.len(), self.hits.len());
        let (had_numbers, had_blocks) = (self.numbers.len(), self.blocks.len());
        let text = |text: &Text| Text { token: shift.token(text.token), tail: shift.of(text.tail) };
        self.run.extend(texts[here.run - first.run..].iter().map(text));
        self.hits.extend(hits[here.hits - first.hits..].iter().map(|&hit| shift.hit(hit)));
        self.numbers.extend(numbers[here.numbers - first.numbers..].iter().map(|&at| shift.of(at)));
        let block = |&(start, end, kind): &(usize, usize, usize)| (shift.of(start), shift.of(end), kind);
        self.blocks.extend(blocks[here.blocks - first.blocks..].iter().map(block));
        let mut place = Place { at, ..here.place };
        for mark in &marks[base..] {
            place = Place { at: shift.of(mark.place.at), ..mark.place };
            if mark.place.at > here.place.at {
                // Both names stand in the rest.
                let level = &mark.levels[0];
                let moved = |name: Name| Name { token: shift.token(name.token), ..name };
                let (name, called) = (level.name.map(moved), level.called.map(moved));
                self.levels[0] = Level { name, called, ..*level };
            }
            let Some(trace) = &mut self.trace else { continue };
            trace.know_texts(&self.run);
            let run = had_run + mark.run - here.run;
            let head = run.checked_sub(1).map_or(NONE, |last| trace.run[last]);
            trace.put(Mark {
                place,
                levels: self.levels.clone(),
                rows: [self.rows[0].clone(), Row::default()],
                run,
                head,
                nodes: trace.nodes.len(),
                hits: had_hits + mark.hits - here.hits,
                outer: self.outer.len(),
                numbers: had_numbers + mark.numbers - here.numbers,
                blocks: had_blocks + mark.blocks - here.blocks,
            });
        }
        if let Some(trace) = &mut self.trace {
            trace.skipped = place.at - at;
        }
        place
    }
}

impl Trace {
    /// Rows before `run` are done with.
    pub(super) fn forget_texts(&mut self, run: usize) {
        self.run.truncate(run);
    }

    fn know_texts(&mut self, run: &[Text]) {
        for &text in &run[self.run.len()..] {
            let Ok(number) = u32::try_from(self.nodes.len()) else { return };
            self.nodes.push((text, self.run.last().copied().unwrap_or(NONE)));
            self.run.push(number);
        }
    }

    /// Adds a mark. Only some of those stay that are farther back.
    fn put(&mut self, mark: Mark) {
        if self.marks.len() >= MARKS || self.marks.last().is_some_and(|last| last.place == mark.place) {
            return;
        }
        let outermost = mark.place.depth == 1;
        self.marks.push(mark);
        if outermost {
            self.recent = self.marks.len();
        } else if self.marks.len() - self.recent > RECENT {
            let before = self.recent.checked_sub(1).map_or(0, |before| self.marks[before].place.at);
            if self.marks[self.recent + 1].place.at - before < self.spacing {
                self.marks.remove(self.recent);
            } else {
                self.recent += 1;
            }
        }
    }
}

impl Rest {
    /// Takes everything from mark `next` to the last one between members out of what a walk left.
    fn cut(walked: &mut Walked, next: usize, shift: Shift) -> Self {
        let mut marks = walked.marks.split_off(next);
        marks.retain(|mark| mark.place.depth == 1);
        let (first, last) = (&marks[0], &marks[marks.len() - 1]);
        let mut texts = Vec::new();
        let mut head = last.head;
        while head != first.head
            && let Some(&(text, before)) = walked.nodes.get(head as usize)
        {
            texts.push(text);
            head = before;
        }
        texts.reverse();
        let hits = walked.hits[first.hits..last.hits].to_vec();
        let numbers = walked.numbers[first.numbers..last.numbers].to_vec();
        let blocks = walked.blocks[first.blocks..last.blocks].to_vec();
        Self { marks, texts, hits, numbers, blocks, shift }
    }

    /// Whether a walk that stands at `place` in the outermost `level` would find there what was found before.
    fn goes_on_from(&self, place: Place, level: &Level) -> bool {
        let Some(at) = self.shift.back(place.at) else { return false };
        let Ok(mark) = self.marks.binary_search_by_key(&at, |mark| mark.place.at) else { return false };
        let (was, mark) = (&self.marks[mark].levels[0], &self.marks[mark]);
        let unnamed = level.called.is_none() && was.called.is_none();
        mark.place.open == place.open && was.start == level.start && was.sealed == level.sealed && unnamed
    }
}

#[cfg(test)]
mod tests;
