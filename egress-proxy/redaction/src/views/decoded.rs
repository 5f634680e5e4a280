//! What runs of base64, base32 and hex digits in a text stand for, where that is text itself.
//!
//! A run is read from every bit at which a byte of it can begin, since what stands before it may be no part of it. What
//! comes out of random bytes is no text, so ordinary identifiers and keys are refused without making bytes of them.

mod code;
mod plain;
mod runs;

use std::ops::Range;

use super::Layers;
use super::block::{dispatch, places, widest};
use code::{BASE32, BASE64, Code, HEX};
use plain::{Character, Reader};
use runs::{around, is_sign, line_end, next_run};
pub(crate) use runs::{run_before, run_behind, signs};

/// Signs of a run that is read. A shorter one holds no value that is written in a longer form than its own.
pub(crate) const LEAST_SIGNS: usize = 16;
/// Bytes of text in a run that are searched.
const LEAST_BYTES: usize = 8;
/// Bytes of the longest character.
const CHARACTER: usize = 4;
/// Bytes between two places where a view differs from the text, from which on looking around each costs less than at all.
const SPARSE: usize = 128;
/// Stands between two texts, longer than anything that is bridged and no part of an escape.
pub(crate) const APART: [u8; 72] = {
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
    /// Where the view that is read differs from the text.
    marks: Vec<usize>,
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
        let marks = (1..=level).map(|level| layers.layer(level).marks().len()).sum::<usize>();
        if level > 0 && marks < view.len() / SPARSE {
            // Other runs come from as many bytes.
            let mut marks = std::mem::take(&mut self.marks);
            layers.marks(level, &mut marks);
            let mut read = 0;
            for &mark in marks.iter().filter(|mark| **mark < view.len()) {
                if mark >= read {
                    let stretch = around(view, read, mark);
                    read = stretch.end;
                    at = self.runs(layers, view, level, stretch, ended).unwrap_or(at);
                }
            }
            self.marks = marks;
        } else {
            at = self.runs(layers, view, level, 0..view.len(), ended).unwrap_or(at);
        }
        if !ended {
            let tail = view[at..].iter().rev().take_while(|b| is_sign(**b)).count();
            if tail > 0 {
                self.run(layers, view, level, view.len() - tail..view.len(), ended);
            }
        }
    }

    /// Reads the runs of a stretch of a view that holds them whole. Returns the end of the last.
    fn runs(
        &mut self,
        layers: &Layers,
        view: &[u8],
        level: usize,
        stretch: Range<usize>,
        ended: bool,
    ) -> Option<usize> {
        dispatch!(widest(), simd => {
            let mut last = None;
            while let Some((start, end)) = next_run(simd, &view[..stretch.end], last.unwrap_or(stretch.start)) {
                last = Some(self.run(layers, view, level, start..end, ended));
            }
            last
        })
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
        let (first, before) = (line.start, self.lines.len());
        self.signs.clear();
        let open = loop {
            self.lines.push(Line { sign: self.signs.len(), place: line.clone() });
            if line.end == view.len() {
                break !ended;
            }
            let Some(skip) = line_end(&view[line.end..]).filter(|_| line.len() >= LEAST_SIGNS) else { break false };
            let from = line.end + skip;
            let next = signs(&view[from..]);
            if next == 0 {
                break from == view.len() && !ended;
            }
            self.signs.extend_from_slice(&view[line.clone()]);
            line = from..from + next;
        };
        let end = line.end;
        let place = layers.range(level, first..end);
        if level > 0 && place.len() == end - first {
            self.lines.truncate(before);
            return end;
        }
        let mut signs = std::mem::take(&mut self.signs);
        let (ended, may_go_on) = (self.ended.len(), self.open.len());
        let lines = before..self.lines.len();
        self.runs.push(Run { level, lines, place, ended: ended..ended, open: may_go_on..may_go_on });
        if signs.is_empty() {
            self.codes(&view[line], open, layers);
        } else {
            signs.extend_from_slice(&view[line]);
            self.codes(&signs, open, layers);
        }
        self.signs = signs;
        if self.ended.len() == ended && self.open.len() == may_go_on {
            self.runs.pop();
            self.lines.truncate(before);
        } else if let Some(run) = self.runs.last_mut() {
            (run.ended.end, run.open.end) = (self.ended.len(), self.open.len());
        }
        end
    }

    /// Reads the last run, which may go on if it is `open`, in all codes.
    fn codes(&mut self, signs: &[u8], open: bool, layers: &Layers) {
        self.texts(&BASE64, signs, 0..signs.len(), open, layers);
        self.code(&BASE32, signs, open, layers);
        self.code(&HEX, signs, open, layers);
        if open {
            self.cut(signs.len().saturating_sub(2), layers);
        }
    }

    fn code<const BITS: usize>(&mut self, code: &'static Code<BITS>, signs: &[u8], open: bool, layers: &Layers) {
        let mut at = 0;
        while let Some(range) = code.next(signs, at, open) {
            at = range.end;
            self.texts(code, signs, range, open, layers);
        }
    }

    /// The texts that a range of a run's signs stands for.
    fn texts<const BITS: usize>(
        &mut self,
        code: &'static Code<BITS>,
        signs: &[u8],
        range: Range<usize>,
        open: bool,
        layers: &Layers,
    ) {
        let open = open && range.end == signs.len();
        let run = &signs[range.clone()];
        let reading = |bit| Reading {
            bytes: Reader { code, run, bit },
            enough: run.len() >= LEAST_SIGNS,
            first: range.start * BITS + bit,
            open,
        };
        // By the bit of a byte that the run begins with: the first bit that was not read.
        let mut done = [0; 8];
        for (block, begins) in code.begins(run) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(decoded: &Decoded) -> Vec<(Vec<u8>, bool, usize)> {
        let all = decoded.ended.iter().chain(&decoded.open);
        all.map(|text| (decoded.bytes(text).0.to_vec(), text.enough, decoded.runs[text.run].place.start)).collect()
    }

    #[test]
    fn runs_that_differ_are_met_around_the_marks() {
        let encoded = data_encoding::BASE64.encode(&b"a text that is long enough ".repeat(4));
        let (first, second) = encoded.split_at(60);
        let prose = "Words, and (more) words. ".repeat(40);
        let parts = [
            "\\\\n",
            "%5Cn",
            "%255C/",
            "\\\\u0041",
            "\\n",
            "\\/",
            "\\u0041",
            "\\\\",
            "\u{200b}",
            "\\u00e9",
            "%41",
            "&amp;",
            " ",
            ".",
            "\n",
            "\r\n",
            "=",
            &encoded,
            first,
            second,
            &prose,
            "short",
            "\\n   ",
            "aGVsbG8gd29ybGQgYWdhaW4",
        ];
        let mut state = 7_u64;
        let mut below = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % most
        };
        let (mut differ, mut sparse, mut deep) = (0, 0, 0);
        for _ in 0..3000 {
            let mut text = String::new();
            for _ in 0..1 + below(12) {
                text += parts[below(parts.len())];
            }
            for ended in [true, false] {
                let mut layers = Layers::default();
                layers.undo(text.as_bytes(), ended);
                let level = layers.count();
                if level == 0 {
                    continue;
                }
                let view = layers.view(text.as_bytes(), level);
                let [mut around, mut all] = [Decoded::default(), Decoded::default()];
                around.read(&layers, text.as_bytes(), level, ended);
                let at = all.runs(&layers, view, level, 0..view.len(), ended).unwrap_or(0);
                let tail = view[at..].iter().rev().take_while(|b| is_sign(**b)).count();
                if !ended && tail > 0 {
                    all.run(&layers, view, level, view.len() - tail..view.len(), ended);
                }
                around.seal();
                all.seal();
                assert_eq!(texts(&around), texts(&all), "{text:?}");
                assert_eq!(around.cut, all.cut, "{text:?}");
                differ += usize::from(!texts(&all).is_empty());
                sparse += usize::from(!around.marks.is_empty());
                deep += usize::from(!around.marks.is_empty() && level > 1);
            }
        }
        assert!(differ > 500 && sparse > 500 && deep > 100, "{differ} {sparse} {deep}");
    }
}
