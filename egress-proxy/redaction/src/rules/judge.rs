//! Whether a text looks like a secret or like something that only stands where one could.

mod language;
mod shapes;
pub(super) mod words;

pub(super) use language::is_word;
pub(super) use shapes::{is_place, is_public_shape, is_reference};
pub(super) use words::{calls_itself_fake, is_common, is_example, names_a_secret};

/// Shannon entropy in bits per byte.
pub(super) fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    text.iter().for_each(|&b| counts[usize::from(b)] += 1);
    let len = text.len() as f64;
    counts.iter().filter(|&&n| n > 0).map(|&n| f64::from(n) / len).map(|p| -p * p.log2()).sum()
}

/// `xxxx`, `****`, `0000`: the place of a secret in documentation.
pub(super) fn is_filler(text: &[u8]) -> bool {
    let mut different = [false; 256];
    text.iter().for_each(|b| different[usize::from(b.to_ascii_lowercase())] = true);
    different.iter().filter(|&&d| d).count() <= 2
        || words::contains_any(text, &["xxxx", "****", "....", "____", "----", "\u{2022}\u{2022}"])
}

/// What the characters of a text are.
pub(super) struct Traits {
    pub(super) len: usize,
    pub(super) digits: usize,
    pub(super) upper: usize,
    pub(super) lower: usize,
    /// Blanks and other signs of sentences.
    pub(super) space: usize,
    /// Neither letter, digit, space nor one of `_-.`, in ASCII.
    pub(super) marks: usize,
    /// Letters that read as words.
    pub(super) worded: usize,
    /// Characters that go on from the one before: `abcd`, `4321`, `aaaa`.
    pub(super) sequence: usize,
}

impl Traits {
    pub(super) fn of(text: &[u8]) -> Self {
        let count = |wanted: fn(&u8) -> bool| text.iter().filter(|b| wanted(b)).count();
        // Dashes and curly quotes are those of sentences.
        let dashes = text.windows(2).filter(|pair| *pair == b"\xe2\x80").count();
        Self {
            len: text.len(),
            digits: count(u8::is_ascii_digit),
            upper: count(u8::is_ascii_uppercase),
            lower: count(u8::is_ascii_lowercase),
            space: count(u8::is_ascii_whitespace) + dashes,
            marks: count(|b| b.is_ascii_punctuation() && !b"_-.".contains(b)),
            worded: language::runs(text).filter(|run| reads_as_word(run)).map(<[u8]>::len).sum(),
            sequence: sequence(text),
        }
    }

    pub(super) fn letters(&self) -> usize {
        self.upper + self.lower
    }

    /// Words take at least `percent` of its letters and digits.
    pub(super) fn is_worded(&self, percent: usize) -> bool {
        self.worded * 100 >= (self.letters() + self.digits) * percent
    }
}

/// Characters that go on from the one before.
fn sequence(text: &[u8]) -> usize {
    let steps = |pair: &[u8]| pair.iter().all(u8::is_ascii_alphanumeric) && pair[0].abs_diff(pair[1]) <= 1;
    text.windows(2).filter(|pair| steps(pair)).count()
}

/// Four letters and more that are a word, and no piece of the alphabet; or three that are spoken.
fn reads_as_word(run: &[u8]) -> bool {
    run.len() == 3 && words::SPOKEN.has(run) || run.len() >= 4 && sequence(run) * 2 < run.len() && is_word(run)
}

/// Letters and digits mixed as a generator does.
pub(super) fn is_random(text: &[u8]) -> bool {
    let traits = Traits::of(text);
    if traits.len < 8 || traits.space > 0 || entropy(text) < if traits.len < 16 { 2.5 } else { 2.9 } {
        return false;
    }
    match (traits.digits, traits.letters()) {
        (_, 0) => false,
        // Without digits only letters that no word has, or a case that changes within, tell it from words.
        (0, letters) => letters >= 12 && !traits.is_worded(34),
        (1, _) => !traits.is_worded(if traits.len < 16 { 60 } else { 40 }),
        _ => !traits.is_worded(60),
    }
}

/// `ABC…XYZabc…xyz`: the characters of an encoding.
pub(super) fn is_alphabet(text: &[u8]) -> bool {
    text.len() >= 52
        && ["abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
            .iter()
            .all(|all| text.windows(all.len()).any(|w| w == all.as_bytes()))
}

/// Every character once: an alphabet in another order. Of as many that are drawn some are the same.
pub(super) fn is_permutation(text: &[u8]) -> bool {
    let mut seen = [false; 256];
    (52..=256).contains(&text.len()) && !text.iter().any(|b| std::mem::replace(&mut seen[usize::from(*b)], true))
}

/// How many words it has, as its case and its signs divide it.
pub(super) fn runs(text: &[u8]) -> usize {
    language::runs(text).count()
}

/// Letters of one run that no word has.
pub(super) fn is_drawn(text: &[u8]) -> bool {
    let mut runs = 0;
    let mut odds = 0;
    for run in language::runs(text) {
        runs += 1;
        odds += language::odds(run);
    }
    runs > 0 && odds < -2
}

/// Digits alone, too many for a count or a time.
pub(super) fn is_drawn_number(text: &[u8]) -> bool {
    let mut digits = [false; 10];
    text.iter().filter(|b| b.is_ascii_digit()).for_each(|b| digits[usize::from(b - b'0')] = true);
    text.len() >= 16 && text.iter().all(u8::is_ascii_digit) && digits.iter().filter(|d| **d).count() >= 5
}
