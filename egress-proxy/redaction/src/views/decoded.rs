//! What runs of base64, base32 and hex digits in a text stand for, where that is text itself.
//!
//! A run is read from every bit at which a byte of it can begin, since what stands before it may be no part of it. What
//! comes out of random bytes is no text, so ordinary identifiers and keys cost a few look-ups each.

use std::ops::Range;

/// Signs of a run that is read. A shorter one holds no value that is written in a longer form than its own.
const LEAST_SIGNS: usize = 16;
/// Bytes of text in a run that are searched.
const LEAST_BYTES: usize = 8;
/// Blanks at the beginning of a line that goes on with a run.
const INDENT: usize = 16;
/// Every so-manieth byte of a run is asked whether it begins so much text; any [`LEAST_BYTES`] hold one that does.
const SAMPLE: usize = 4;
/// Stands between two texts, longer than anything that is bridged and no part of an escape.
const APART: [u8; 72] = {
    let mut apart = [1; 72];
    apart[0] = b'\n';
    apart[71] = b'\n';
    apart
};
/// Not a sign of a code.
const NONE: u8 = 0xff;

/// A code whose signs stand for `BITS` bits each.
struct Code<const BITS: usize> {
    values: [u8; 256],
}

static BASE64: Code<6> = {
    let mut values = [NONE; 256];
    let mut n = 0;
    while n < 26 {
        values[b'A' as usize + n] = n as u8;
        values[b'a' as usize + n] = 26 + n as u8;
        if n < 10 {
            values[b'0' as usize + n] = 52 + n as u8;
        }
        n += 1;
    }
    // Both alphabets: nobody mixes them, and whoever does hides nothing.
    values[b'+' as usize] = 62;
    values[b'-' as usize] = 62;
    values[b'/' as usize] = 63;
    values[b'_' as usize] = 63;
    Code { values }
};

static BASE32: Code<5> = {
    let mut values = [NONE; 256];
    let mut n = 0;
    while n < 26 {
        values[b'A' as usize + n] = n as u8;
        if n < 6 {
            values[b'2' as usize + n] = 26 + n as u8;
        }
        n += 1;
    }
    Code { values }
};

static HEX: Code<4> = {
    let mut values = [NONE; 256];
    let mut n = 0;
    while n < 16 {
        values[b"0123456789abcdef"[n] as usize] = n as u8;
        values[b"0123456789ABCDEF"[n] as usize] = n as u8;
        n += 1;
    }
    Code { values }
};

/// The range of the text that a range of a view comes from.
type Place<'a> = dyn Fn(Range<usize>) -> Range<usize> + 'a;

/// A text that a run stands for.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    bytes: Range<usize>,
    /// It is long enough to be searched; until then nothing in it is decided.
    pub(crate) enough: bool,
}

/// The texts that the runs of a text stand for. The buffers are kept from one text to the next.
#[derive(Default)]
pub(crate) struct Decoded {
    /// The run that is read.
    signs: Vec<u8>,
    /// Its lines: the first sign, and where they stand in the view.
    lines: Vec<(usize, Range<usize>)>,
    /// All texts that have ended, apart from each other, then those that may go on.
    bytes: Vec<u8>,
    /// For each byte the range of the text that it comes from.
    from: Vec<Range<u32>>,
    ended: Vec<Text>,
    open: Vec<Text>,
    /// The open texts, before they come behind the others.
    waiting: Vec<u8>,
    waiting_from: Vec<Range<u32>>,
    /// Where a byte of a run may begin that is cut off.
    cut: Option<usize>,
}

impl Decoded {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.from.clear();
        self.ended.clear();
        self.open.clear();
        self.waiting.clear();
        self.waiting_from.clear();
        self.cut = None;
    }

    /// Reads a view. `place`: the range of the text that a range of it comes from. `copies`: those that come from as many
    /// bytes were read before.
    pub(crate) fn read(&mut self, view: &[u8], ended: bool, copies: bool, place: &Place<'_>) {
        let mut at = 0;
        while let Some((start, end)) = next_run(view, at) {
            at = self.run(view, start..end, ended, copies, place);
        }
        if !ended {
            let tail = view[at..].iter().rev().take_while(|b| is_sign(**b)).count();
            if tail > 0 {
                self.run(view, view.len() - tail..view.len(), ended, copies, place);
            }
        }
    }

    /// Puts the texts that may go on behind the others.
    pub(crate) fn seal(&mut self) {
        let before = self.bytes.len();
        self.bytes.append(&mut self.waiting);
        self.from.append(&mut self.waiting_from);
        for text in &mut self.open {
            text.bytes = text.bytes.start + before..text.bytes.end + before;
        }
    }

    /// Reads the run whose first line is `line`, with its further lines. Returns its end.
    fn run(&mut self, view: &[u8], mut line: Range<usize>, ended: bool, copies: bool, place: &Place<'_>) -> usize {
        let first = line.start;
        self.signs.clear();
        self.lines.clear();
        let open = loop {
            self.lines.push((self.signs.len(), line.clone()));
            self.signs.extend_from_slice(&view[line.clone()]);
            if line.end == view.len() {
                break !ended;
            }
            let Some(skip) = line_end(&view[line.end..]).filter(|_| line.len() >= LEAST_SIGNS) else { break false };
            let from = line.end + skip;
            let next = view[from..].iter().take_while(|b| is_sign(**b)).count();
            if next == 0 {
                break from == view.len() && !ended;
            }
            line = from..from + next;
        };
        let end = line.end;
        if copies && place(first..end).len() == end - first {
            return end;
        }
        let signs = std::mem::take(&mut self.signs);
        self.code(&BASE64, &signs, open, place);
        self.code(&BASE32, &signs, open, place);
        self.code(&HEX, &signs, open, place);
        if open {
            self.cut(signs.len().saturating_sub(2), place);
        }
        self.signs = signs;
        end
    }

    fn code<const BITS: usize>(&mut self, code: &Code<BITS>, signs: &[u8], open: bool, place: &Place<'_>) {
        let mut at = 0;
        while let Some(run) = code.next(signs, at, open) {
            let open = open && run.end == signs.len();
            for bit in (0..8).step_by(Code::<BITS>::STEP) {
                self.texts(code, &signs[run.clone()], (run.start, bit), open, place);
            }
            at = run.end;
        }
    }

    /// The texts in a run whose first sign is the one at `sign`, read from `bit` on.
    fn texts<const BITS: usize>(
        &mut self,
        code: &Code<BITS>,
        run: &[u8],
        (sign, bit): (usize, usize),
        open: bool,
        place: &Place<'_>,
    ) {
        let count = (run.len() * BITS).saturating_sub(bit) / 8;
        let byte = |n: usize| code.byte(run, bit + 8 * n);
        let (mut sample, mut done) = (0, 0);
        while sample < count {
            let last = open && sample + LEAST_BYTES + SAMPLE > count;
            let read = last || (sample + SAMPLE <= count && is_sample(|n| byte(sample + n)));
            if !read {
                sample += SAMPLE;
                continue;
            }
            let mut at = sample.saturating_sub(SAMPLE).max(done);
            let mut start = at;
            while at < count {
                match character(|n| (at + n < count).then(|| byte(at + n))) {
                    Character::Text(len) => at += len,
                    Character::Cut if open => break,
                    Character::Cut | Character::Other if at < sample + SAMPLE => {
                        self.text(code, run, (sign, bit), start..at, false, place);
                        at += 1;
                        start = at;
                    }
                    Character::Cut | Character::Other => break,
                }
            }
            let cut = open
                && (at == count || matches!(character(|n| (at + n < count).then(|| byte(at + n))), Character::Cut));
            self.text(code, run, (sign, bit), start..at, cut, place);
            if cut {
                if at < count {
                    // A character that is cut off begins here.
                    self.cut(sign + (bit + 8 * at) / BITS, place);
                }
                return;
            }
            done = at + 1;
            sample = done.next_multiple_of(SAMPLE);
        }
    }

    /// One text in a run, in bytes of it.
    fn text<const BITS: usize>(
        &mut self,
        code: &Code<BITS>,
        run: &[u8],
        (sign, bit): (usize, usize),
        range: Range<usize>,
        open: bool,
        place: &Place<'_>,
    ) {
        let enough = run.len() >= LEAST_SIGNS && range.len() >= LEAST_BYTES;
        if range.is_empty() || !(enough || open) {
            return;
        }
        let before = if open { self.waiting.len() } else { self.bytes.len() };
        for at in range.map(|n| bit + 8 * n) {
            // Every other byte of wide characters.
            let value = code.byte(run, at);
            if value == 0 {
                continue;
            }
            let from =
                self.place(sign + at / BITS, place).start as u32..self.place(sign + (at + 7) / BITS, place).end as u32;
            let (bytes, places) = match open {
                true => (&mut self.waiting, &mut self.waiting_from),
                false => (&mut self.bytes, &mut self.from),
            };
            bytes.push(value);
            places.push(from);
        }
        if open {
            self.open.push(Text { bytes: before..self.waiting.len(), enough });
        } else {
            self.ended.push(Text { bytes: before..self.bytes.len(), enough });
            let end = self.from.last().map_or(0, |last| last.end);
            self.bytes.extend_from_slice(&APART);
            self.from.resize(self.bytes.len(), end..end);
        }
    }

    /// The range of the text that a sign of the run comes from.
    fn place(&self, sign: usize, place: &Place<'_>) -> Range<usize> {
        let line = self.lines.partition_point(|(first, _)| *first <= sign) - 1;
        let (first, line) = &self.lines[line];
        let at = line.start + (sign - first);
        place(at..at + 1)
    }

    /// A byte that is cut off may begin at a sign of the run.
    fn cut(&mut self, sign: usize, place: &Place<'_>) {
        let at = self.place(sign, place).start;
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
    pub(crate) fn range(&self, bytes: Range<usize>) -> Range<usize> {
        self.start(bytes.start)..self.from[bytes.end - 1].end as usize
    }

    pub(crate) fn start(&self, at: usize) -> usize {
        self.from[at].start as usize
    }

    pub(crate) fn cut_off(&self) -> Option<usize> {
        self.cut
    }

    /// The texts that `at` lies within, each with its first byte that comes from there or later.
    pub(crate) fn around(&self, at: usize) -> impl Iterator<Item = (&Text, usize)> {
        self.ended.iter().chain(&self.open).filter_map(move |text| {
            let from = &self.from[text.bytes.clone()];
            let n = from.partition_point(|range| (range.start as usize) < at);
            (n > 0 && n < from.len()).then_some((text, n))
        })
    }
}

impl<const BITS: usize> Code<BITS> {
    /// Bits of a run between two at which a byte can begin.
    const STEP: usize = match BITS {
        4 => 4,
        5 => 1,
        _ => 2,
    };

    /// The next signs in a row that are this code's and enough, from `at` on; any at the end of an `open` run.
    fn next(&self, signs: &[u8], mut at: usize, open: bool) -> Option<Range<usize>> {
        let is = |b: &u8| self.values[usize::from(*b)] != NONE;
        // From the end of what would be enough: mostly the first sign that is looked at says no.
        while let Some(window) = signs.get(at..at + LEAST_SIGNS) {
            match window.iter().rposition(|b| !is(b)) {
                Some(other) => at += other + 1,
                None => {
                    let end = signs[at..].iter().position(|b| !is(b)).map_or(signs.len(), |len| at + len);
                    return Some(at..end);
                }
            }
        }
        let tail = if open { signs[at..].iter().rev().take_while(|b| is(b)).count() } else { 0 };
        (tail > 0).then(|| signs.len() - tail..signs.len())
    }

    /// The byte of a run that begins with a bit of it.
    #[inline(always)]
    fn byte(&self, run: &[u8], bit: usize) -> u8 {
        let (sign, skip) = (bit / BITS, bit % BITS);
        if let Some(&[first, second, third]) = run[sign..].first_chunk() {
            let value = |b: u8| u32::from(self.values[usize::from(b)]);
            return ((value(first) << (2 * BITS) | value(second) << BITS | value(third)) >> (3 * BITS - 8 - skip))
                as u8;
        }
        let value = |n: usize| run.get(sign + n).map_or(0, |&b| u32::from(self.values[usize::from(b)]));
        let three = value(0) << (2 * BITS) | value(1) << BITS | value(2);
        (three >> (3 * BITS - 8 - skip)) as u8
    }
}

/// Bytes of a text: ASCII that prints, and what characters beyond it are made of.
static TEXT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8, b' '..=b'~' | b'\t' | b'\n' | b'\r' | 0 | 0x1b | 0x80..=0xbf | 0xc2..=0xf4);
        byte += 1;
    }
    table
};

/// Whether some bytes may be within a text.
#[inline(always)]
fn is_sample(byte: impl Fn(usize) -> u8) -> bool {
    // Most are refused by this.
    let [first, second, third, fourth] = [byte(0), byte(1), byte(2), byte(3)];
    let continues = |a: u8, b: u8| (b & 0xc0 == 0x80) == (a >= 0xc2) || a & b & 0xc0 == 0x80 || a & 0xc0 == 0x80;
    let may_be = TEXT[usize::from(first)]
        & TEXT[usize::from(second)]
        & TEXT[usize::from(third)]
        & TEXT[usize::from(fourth)]
        & continues(first, second)
        & continues(second, third)
        & continues(third, fourth);
    if !may_be {
        return false;
    }
    // What is left of a character that begins before.
    let mut at = (0..SAMPLE - 1).take_while(|&n| byte(n) & 0xc0 == 0x80).count();
    while at < SAMPLE {
        match character(|n| (at + n < SAMPLE).then(|| byte(at + n))) {
            Character::Text(len) => at += len,
            Character::Cut => return true,
            Character::Other => return false,
        }
    }
    true
}

enum Character {
    /// Of so many bytes.
    Text(usize),
    /// It takes more bytes.
    Cut,
    Other,
}

/// What a text begins with. A zero is a half of a wide character.
#[inline(always)]
fn character(byte: impl Fn(usize) -> Option<u8>) -> Character {
    let Some(first) = byte(0) else { return Character::Cut };
    let len = match first {
        b' '..=b'~' | b'\t' | b'\n' | b'\r' | 0 | 0x1b => return Character::Text(1),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Character::Other,
    };
    for n in 1..len {
        match byte(n) {
            Some(next) if next & 0xc0 == 0x80 => {}
            Some(_) => return Character::Other,
            None => return Character::Cut,
        }
    }
    Character::Text(len)
}

fn is_sign(byte: u8) -> bool {
    BASE64.values[usize::from(byte)] != NONE
}

/// Bytes of the end of a line and the blanks that the next one begins with.
fn line_end(text: &[u8]) -> Option<usize> {
    let end = match text {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        [b'\r'] => return Some(1),
        _ => return None,
    };
    let blanks = text[end..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    (blanks <= INDENT).then_some(end + blanks)
}

/// The next line of a run that is long enough to be one, from `at` on.
fn next_run(view: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut from = at;
    loop {
        // Any run that is long enough holds eight bytes at a place that eight divides.
        let first = from.next_multiple_of(8);
        let (eights, _) = view.get(first..)?.as_chunks::<8>();
        let n = eights.iter().position(|eight| may_be_signs(u64::from_le_bytes(*eight)))?;
        let block = first + n * 8;
        let left = view[at..block].iter().rev().take_while(|b| is_sign(**b)).count();
        let right = view[block..].iter().take_while(|b| is_sign(**b)).count();
        // No code writes a text in small letters alone, as people write words and names.
        if left + right >= LEAST_SIGNS && is_mixed(&view[block - left..block + right]) {
            return Some((block - left, block + right));
        }
        from = block + right.max(1);
    }
}

fn is_mixed(signs: &[u8]) -> bool {
    signs.iter().fold(false, |any, b| any | b.is_ascii_uppercase() | b.is_ascii_digit())
}

/// Signs of `text` at its beginning.
pub(crate) fn signs(text: &[u8]) -> usize {
    text.iter().take_while(|b| is_sign(**b)).count()
}

/// Whether all eight bytes may be signs: ASCII and none below `+`.
#[inline(always)]
fn may_be_signs(eight: u64) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const FIRST: u64 = u64::from_le_bytes([b'+'; 8]);
    ((eight | HIGH) - FIRST) & !eight & HIGH == HIGH
}
