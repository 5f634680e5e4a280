//! Which parts of a text are near a run of signs.

use super::filter::BLOCK;
use super::runs::Runs;
use crate::rules::signs::RUN;
use crate::views::block::Simd;

/// Blocks behind a block in which a run has its [`RUN`]th sign that begins near a keyword in the block.
const AHEAD: usize = 2;
/// Bytes from the beginning of a keyword to a run that is near.
pub(super) const BEFORE_RUN: usize = AHEAD * BLOCK - RUN;

/// The blocks of a text in order, from some place on.
pub(super) struct Zones<'a> {
    /// What was not asked yet.
    ahead: &'a [u8],
    runs: Runs,
    /// One bit for each of the last blocks, the last one lowest.
    near: u32,
    ended: bool,
}

impl<'a> Zones<'a> {
    #[inline(always)]
    pub(super) fn new<S: Simd>(simd: S, text: &'a [u8], from: usize, ended: bool) -> Self {
        let (behind, ahead) = text.split_at(from.min(text.len()));
        let mut zones = Self { ahead, runs: Runs::default(), near: 0, ended };
        if !ended && ahead.len() < (AHEAD + 1) * BLOCK {
            // A run may be near all of it.
            return Self { ahead: &[], near: u32::MAX, ..zones };
        }
        if !behind.is_empty() {
            // A run may have begun there.
            let mut last = [0; BLOCK];
            let behind = &behind[behind.len().saturating_sub(BLOCK)..];
            last[BLOCK - behind.len()..].copy_from_slice(behind);
            zones.runs.add(simd, &last);
        }
        for _ in 0..AHEAD {
            zones.read(simd);
        }
        zones
    }

    /// Whether a run is near keywords in the next block, or may be.
    #[inline(always)]
    pub(super) fn next<S: Simd>(&mut self, simd: S) -> bool {
        self.read(simd);
        self.near & ((1 << (AHEAD + 1)) - 1) != 0
    }

    #[inline(always)]
    fn read<S: Simd>(&mut self, simd: S) {
        let near = match self.ahead.split_first_chunk() {
            Some((block, rest)) => {
                self.ahead = rest;
                self.runs.add(simd, block)
            }
            None if self.ended && !self.ahead.is_empty() => {
                let last = self.last();
                self.runs.add(simd, &last)
            }
            None => !self.ended,
        };
        self.near = self.near << 1 | u32::from(near);
    }

    /// What is left.
    #[cold]
    fn last(&mut self) -> [u8; BLOCK] {
        let rest = std::mem::take(&mut self.ahead);
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::block::{Level, dispatch};

    /// Whether each of so many blocks is near a run.
    fn near(text: &str, from: usize, ended: bool, count: usize) -> Vec<bool> {
        dispatch!(Level::new(), simd => {
            let mut zones = Zones::new(simd, text.as_bytes(), from, ended);
            (0..count).map(|_| zones.next(simd)).collect()
        })
    }

    #[test]
    fn every_place_before_a_run_is_near_it() {
        const RUN_OF: &str = "abcdefghijklmnopqrst";
        for from in [0, 3, 64, 100] {
            for at in from..from + 400 {
                let text = format!("{}{RUN_OF}{}", " ".repeat(at), " ".repeat(300));
                let near = near(&text, from, true, (text.len() - from).div_ceil(BLOCK));
                for place in from.max(at.saturating_sub(BEFORE_RUN))..=at {
                    assert!(near[(place - from) / BLOCK], "{at} {place}");
                }
                let far = (from..text.len()).filter(|place| *place + 4 * BLOCK < at || *place > at + 2 * BLOCK);
                assert!(far.into_iter().all(|place| !near[(place - from) / BLOCK]), "{at}");
            }
        }
    }

    #[test]
    fn what_may_follow_is_near_until_the_text_ends() {
        for len in [0, 5, 64, 100, 400] {
            let text = " ".repeat(len);
            let near = |ended| near(&text, 0, ended, len.div_ceil(BLOCK));
            assert!(near(true).iter().all(|near| !near), "{len}");
            let open = (0..len.div_ceil(BLOCK)).map(|n| (n + AHEAD + 1) * BLOCK > len).collect::<Vec<_>>();
            assert_eq!(near(false), open, "{len}");
        }
    }
}
