//! Reading forward from an anchor without ever guessing what has not come yet.

use std::ops::Range;

/// More bytes are needed to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct More;

/// A decision about an anchor: the range to redact, nothing, or not yet.
pub(crate) type Decision = Result<Option<Range<usize>>, More>;

/// Bytes before an anchor that a rule may look at. Streams keep this many.
pub(crate) const BEHIND: usize = 96;

/// The bytes of a secret that may stand before its keyword. A stream holds them back: the keyword may follow.
pub(crate) const fn in_before(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'~' | b'+' | b'/')
}

/// As many of them stand before a keyword at most.
pub(crate) const BEFORE: usize = 80;

/// A place in the text so far. A decision made through it is the same for every longer text that begins so, because reading
/// past the end answers [`More`] unless the text has ended.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    text: &'a [u8],
    pub(crate) at: usize,
    ended: bool,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a [u8], at: usize, ended: bool) -> Self {
        Self { text, at, ended }
    }

    /// The next byte; `None` at the end of the text.
    pub(crate) fn peek(&self) -> Result<Option<u8>, More> {
        #[cfg(test)]
        READS.with(|reads| reads.set(reads.get() + 1));
        match self.text.get(self.at) {
            Some(&byte) => Ok(Some(byte)),
            None if self.ended => Ok(None),
            None => Err(More),
        }
    }

    /// Takes the next byte if it is `wanted`.
    pub(crate) fn take(&mut self, wanted: impl Fn(u8) -> bool) -> Result<Option<u8>, More> {
        let byte = self.peek()?.filter(|&b| wanted(b));
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }

    /// Takes bytes while they are `wanted`, `most` at most.
    pub(crate) fn run(&mut self, most: usize, wanted: impl Fn(u8) -> bool) -> Result<&'a [u8], More> {
        let from = self.at;
        let ahead = &self.text[from..];
        let known = &ahead[..ahead.len().min(most)];
        let taken = known.iter().position(|b| !wanted(*b)).unwrap_or(known.len());
        #[cfg(test)]
        READS.with(|reads| reads.set(reads.get() + taken as u64 + 1));
        self.at += taken;
        // Whether it goes on is not known yet.
        if taken == ahead.len() && taken < most && !self.ended { Err(More) } else { Ok(&known[..taken]) }
    }

    /// Takes exactly `text`, or nothing.
    pub(crate) fn word(&mut self, text: &[u8]) -> Result<bool, More> {
        // Almost always the first byte tells.
        if self.text.get(self.at).is_some_and(|b| text.first().is_some_and(|first| b != first)) {
            return Ok(false);
        }
        let mut ahead = *self;
        for &wanted in text {
            if ahead.take(|b| b == wanted)?.is_none() {
                return Ok(false);
            }
        }
        *self = ahead;
        Ok(true)
    }

    /// What stands before `at`, [`BEHIND`] bytes at most.
    pub(crate) fn behind(&self) -> &'a [u8] {
        &self.text[self.at.saturating_sub(BEHIND)..self.at]
    }

    /// Where the word goes on backwards that may belong to a secret with its keyword here.
    pub(crate) fn word_before(&self) -> usize {
        self.at - self.behind().iter().rev().take(BEFORE).take_while(|b| in_before(**b)).count()
    }

    /// What is known from here on. Only for saving work: a decision must not depend on its end.
    pub(crate) fn ahead(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    /// Whether nothing follows what is known.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// From `from` to `to`, which must be known.
    pub(crate) fn text_between(&self, from: usize, to: usize) -> &'a [u8] {
        &self.text[from..to]
    }

    /// From `from` to here.
    pub(crate) fn since(&self, from: usize) -> &'a [u8] {
        &self.text[from..self.at]
    }

    /// Whether a word can begin here: nothing that belongs to it stands before, escapes aside.
    pub(crate) fn at_word_start(&self) -> bool {
        let Some(last) = self.at.checked_sub(1).and_then(|at| self.text.get(at)) else { return true };
        if !(last.is_ascii_alphanumeric() || *last == b'_' || *last == b'-') {
            return true;
        }
        match *self.behind() {
            [.., b'\\', b'n' | b'r' | b't'] => true,
            [.., b'%', a, b] => a.is_ascii_hexdigit() && b.is_ascii_hexdigit(),
            [.., b'\\', b'u', a, b, c, d] => [a, b, c, d].iter().all(u8::is_ascii_hexdigit),
            _ => false,
        }
    }
}

#[cfg(test)]
thread_local! {
    static READS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Bytes that rules have read in this thread: the measure of their work.
#[cfg(test)]
pub(crate) fn reads() -> u64 {
    READS.with(std::cell::Cell::get)
}
