//! What runs of base64, base32 and hex digits in a text stand for, where that is text itself.
//!
//! A run is read from every bit at which a byte of it can begin, since what stands before it may be no part of it. What
//! comes out of random bytes is no text, so ordinary identifiers and keys are refused without making bytes of them.

mod code;
mod plain;
mod runs;

use std::ops::Range;

use super::Layers;
use super::block::places;
use code::{BASE32, BASE64, Code, HEX};
use plain::{Character, Reader};
use runs::{is_sign, line_end, next_run};
pub(crate) use runs::{run_before, run_behind, signs};

/// Signs of a run that is read. A shorter one holds no value that is written in a longer form than its own.
pub(crate) const LEAST_SIGNS: usize = 16;
/// Bytes of text in a run that are searched.
const LEAST_BYTES: usize = 8;
/// Bytes of the longest character.
const CHARACTER: usize = 4;
/// Stands between two texts, longer than anything that is bridged and no part of an escape.
const APART: [u8; 72] = {
    let mut apart = [1; 72];
    apart[0] = b'\n';
    apart[71] = b'\n';
    apart
};

/// A run of signs in a view.
#[derive(Clone, Debug)]
struct Run {
    level: usize,
    /// Its lines among all.
    lines: Range<usize>,
    /// The range of the text that it comes from.
    place: Range<usize>,
    /// Its texts among all.
    ended: Range<usize>,
    open: Range<usize>,
}

/// A line of a run.
#[derive(Clone, Debug)]
struct Line {
    /// Its first sign among those of the run.
    sign: usize,
    place: Range<usize>,
}

/// A text that a run stands for.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    bytes: Range<usize>,
    /// It is long enough to be searched; until then nothing in it is decided.
    pub(crate) enough: bool,
    run: usize,
    /// The bit of the run that its byte 0 begins with,
    bit: usize,
    /// and those of a sign.
    width: usize,
}

/// A run that is read from one of its bits on.
struct Reading<'a, const BITS: usize> {
    bytes: Reader<'a, BITS>,
    enough: bool,
    /// The bit among all of the run that byte 0 begins with.
    first: usize,
    /// More bytes may follow.
    open: bool,
}

/// The texts that the runs of a text stand for. The buffers are kept from one text to the next.
#[derive(Default)]
pub(crate) struct Decoded {
    /// The run that is read.
    signs: Vec<u8>,
    runs: Vec<Run>,
    lines: Vec<Line>,
    /// All texts that have ended, apart from each other, then those that may go on.
    bytes: Vec<u8>,
    /// Which byte after the first bit of its text each is.
    numbers: Vec<u32>,
    ended: Vec<Text>,
    open: Vec<Text>,
    /// The open texts, before they come behind the others.
    waiting: Vec<u8>,
    waiting_numbers: Vec<u32>,
    /// Where a byte of a run may begin that is cut off.
    cut: Option<usize>,
}

impl Decoded {
    pub(crate) fn clear(&mut self) {
        self.runs.clear();
        self.lines.clear();
        self.bytes.clear();
        self.numbers.clear();
        self.ended.clear();
        self.open.clear();
        self.waiting.clear();
        self.waiting_numbers.clear();
        self.cut = None;
    }

    /// Reads a view of a text. Above the text itself, what comes from as many bytes was read before.
    pub(crate) fn read(&mut self, layers: &Layers, text: &[u8], level: usize, ended: bool) {
        let view = layers.view(text, level);
        let mut at = 0;
        while let Some((start, end)) = next_run(view, at) {
            at = self.run(layers, view, level, start..end, ended);
        }
        if !ended {
            let tail = view[at..].iter().rev().take_while(|b| is_sign(**b)).count();
            if tail > 0 {
                self.run(layers, view, level, view.len() - tail..view.len(), ended);
            }
        }
    }

    /// Puts the texts that may go on behind the others.
    pub(crate) fn seal(&mut self) {
        let before = self.bytes.len();
        self.bytes.append(&mut self.waiting);
        self.numbers.append(&mut self.waiting_numbers);
        for text in &mut self.open {
            text.bytes = text.bytes.start + before..text.bytes.end + before;
        }
    }

    /// Reads the run whose first line is `line`, with its further lines. Returns its end.
    fn run(&mut self, layers: &Layers, view: &[u8], level: usize, mut line: Range<usize>, ended: bool) -> usize {
        let (first, lines) = (line.start, self.lines.len());
        self.signs.clear();
        let open = loop {
            self.lines.push(Line { sign: self.signs.len(), place: line.clone() });
            self.signs.extend_from_slice(&view[line.clone()]);
            if line.end == view.len() {
                break !ended;
            }
            let Some(skip) = line_end(&view[line.end..]).filter(|_| line.len() >= LEAST_SIGNS) else { break false };
            let from = line.end + skip;
            let next = signs(&view[from..]);
            if next == 0 {
                break from == view.len() && !ended;
            }
            line = from..from + next;
        };
        let end = line.end;
        let place = layers.range(level, first..end);
        if level > 0 && place.len() == end - first {
            self.lines.truncate(lines);
            return end;
        }
        let (before_ended, before_open) = (self.ended.len(), self.open.len());
        let signs = std::mem::take(&mut self.signs);
        let lines = lines..self.lines.len();
        self.runs.push(Run { level, lines, place, ended: before_ended..before_ended, open: before_open..before_open });
        self.code(&BASE64, &signs, open, layers);
        self.code(&BASE32, &signs, open, layers);
        self.code(&HEX, &signs, open, layers);
        if open {
            self.cut(signs.len().saturating_sub(2), layers);
        }
        self.signs = signs;
        if let Some(run) = self.runs.last_mut() {
            (run.ended.end, run.open.end) = (self.ended.len(), self.open.len());
        }
        end
    }

    fn code<const BITS: usize>(&mut self, code: &'static Code<BITS>, signs: &[u8], open: bool, layers: &Layers) {
        let mut at = 0;
        while let Some(range) = code.next(signs, at, open) {
            at = range.end;
            let open = open && range.end == signs.len();
            let reading = |bit| Reading {
                bytes: Reader { code, run: &signs[range.clone()], bit },
                enough: range.len() >= LEAST_SIGNS,
                first: range.start * BITS + bit,
                open,
            };
            // By the bit of a byte that the run begins with: the first bit that was not read.
            let mut done = [0; 8];
            for (block, begins) in code.begins(&signs[range.clone()]) {
                for (bit, begins) in begins.into_iter().enumerate() {
                    for at in places(begins).map(|sign| (block + sign) * BITS + bit) {
                        if at >= done[at % 8] {
                            done[at % 8] = at % 8 + 8 * self.text(&reading(at % 8), at / 8, layers);
                        }
                    }
                }
            }
            if open {
                for bit in (0..8).step_by(Code::<BITS>::STEP) {
                    self.end(&reading(bit), done[bit] / 8, layers);
                }
            }
        }
    }

    /// The text from byte `at` of a run on. Returns the first byte that no other begins before.
    fn text<const BITS: usize>(&mut self, reading: &Reading<'_, BITS>, start: usize, layers: &Layers) -> usize {
        let mut at = start;
        loop {
            match reading.bytes.character(at) {
                Character::Text(len) => at += len,
                Character::Cut if reading.open => {
                    self.add(reading, start..at, true);
                    if at < reading.bytes.count() {
                        // A character that is cut off begins here.
                        self.cut((reading.first + 8 * at) / BITS, layers);
                    }
                    return reading.bytes.count();
                }
                Character::Cut | Character::Other => break,
            }
        }
        self.add(reading, start..at, false);
        at + 1
    }

    /// The text that a run which may go on ends with, from byte `at` on, where it is too short to be met otherwise.
    fn end<const BITS: usize>(&mut self, reading: &Reading<'_, BITS>, at: usize, layers: &Layers) {
        let count = reading.bytes.count();
        let mut at = at.max(count.saturating_sub(LEAST_BYTES + CHARACTER));
        while at < count {
            at = self.text(reading, at, layers);
        }
    }

    /// One text among the bytes of a run.
    fn add<const BITS: usize>(&mut self, reading: &Reading<'_, BITS>, range: Range<usize>, open: bool) {
        let enough = reading.enough && range.len() >= LEAST_BYTES;
        if range.is_empty() || !(enough || open) {
            return;
        }
        let (all, numbers) = match open {
            true => (&mut self.waiting, &mut self.waiting_numbers),
            false => (&mut self.bytes, &mut self.numbers),
        };
        let before = all.len();
        for (byte, number) in reading.bytes.bytes(range.clone()).zip(range.start as u32..) {
            // Every other byte of wide characters is none.
            if byte != 0 {
                all.push(byte);
                numbers.push(number);
            }
        }
        let bytes = before..all.len();
        let found = Text { bytes, enough, run: self.runs.len() - 1, bit: reading.first, width: BITS };
        if open {
            self.open.push(found);
        } else {
            let last = self.numbers.last().copied().unwrap_or(0);
            self.bytes.extend_from_slice(&APART);
            self.numbers.resize(self.bytes.len(), last);
            self.ended.push(found);
        }
    }

    /// The range of the text that a sign of a run comes from.
    fn place(&self, run: &Run, sign: usize, layers: &Layers) -> Range<usize> {
        let lines = &self.lines[run.lines.clone()];
        let line = &lines[lines.partition_point(|line| line.sign <= sign) - 1];
        let at = line.place.start + (sign - line.sign);
        layers.range(run.level, at..at + 1)
    }

    /// A byte that is cut off may begin at a sign of the run that is read.
    fn cut(&mut self, sign: usize, layers: &Layers) {
        let Some(run) = self.runs.last() else { return };
        let at = self.place(run, sign, layers).start;
        self.cut = Some(self.cut.map_or(at, |before| before.min(at)));
    }

    /// All texts that have ended, with what keeps them apart.
    pub(crate) fn ended(&self) -> &[u8] {
        &self.bytes[..self.ended.last().map_or(0, |last| last.bytes.end)]
    }

    pub(crate) fn open(&self) -> &[Text] {
        &self.open
    }

    /// The bytes of a text, and the first of them among all.
    pub(crate) fn bytes(&self, text: &Text) -> (&[u8], usize) {
        (&self.bytes[text.bytes.clone()], text.bytes.start)
    }

    /// The range of the text that a range of all bytes comes from.
    pub(crate) fn range(&self, bytes: Range<usize>, layers: &Layers) -> Range<usize> {
        let last = bytes.end - 1;
        let Some(text) = self.holding(last) else { return 0..0 };
        let sign = (text.bit + 8 * self.numbers[last] as usize + 7) / text.width;
        self.start(bytes.start, layers)..self.place(&self.runs[text.run], sign, layers).end
    }

    /// Where the byte at `at` among all begins in the text.
    pub(crate) fn start(&self, at: usize, layers: &Layers) -> usize {
        self.holding(at).map_or(0, |text| self.begins(text, at, layers))
    }

    fn begins(&self, text: &Text, at: usize, layers: &Layers) -> usize {
        let sign = (text.bit + 8 * self.numbers[at] as usize) / text.width;
        self.place(&self.runs[text.run], sign, layers).start
    }

    /// The text that holds the byte at `at`, or the one before it.
    fn holding(&self, at: usize) -> Option<&Text> {
        let texts = if at < self.ended().len() { &self.ended } else { &self.open };
        texts[..texts.partition_point(|text| text.bytes.start <= at)].last()
    }

    pub(crate) fn cut_off(&self) -> Option<usize> {
        self.cut
    }

    /// The texts that `at` lies within, each with its first byte that comes from there or later.
    pub(crate) fn around(&self, at: usize, layers: &Layers) -> impl Iterator<Item = (&Text, usize)> {
        let runs = self.runs.iter().filter(move |run| run.place.start < at && at < run.place.end);
        let texts = runs.flat_map(|run| self.ended[run.ended.clone()].iter().chain(&self.open[run.open.clone()]));
        texts.filter_map(move |text| {
            let n = partition(text.bytes.clone(), |n| self.begins(text, n, layers) < at) - text.bytes.start;
            (n > 0 && n < text.bytes.len()).then_some((text, n))
        })
    }
}

/// The first of some numbers that is not `before`, as none behind it is.
fn partition(mut range: Range<usize>, before: impl Fn(usize) -> bool) -> usize {
    while !range.is_empty() {
        let middle = range.start + range.len() / 2;
        if before(middle) {
            range.start = middle + 1;
        } else {
            range.end = middle;
        }
    }
    range.start
}
