//! Which parts of a text are near a run of signs.

use super::filter::BLOCK;
use super::runs::Runs;
use crate::rules::signs::RUN;

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
    pub(super) fn new(text: &'a [u8], from: usize, ended: bool) -> Self {
        let (behind, ahead) = text.split_at(from.min(text.len()));
        let mut zones = Self { ahead, runs: Runs::default(), near: 0, ended };
        // A run may have begun there.
        if let Some(last) = behind.last_chunk() {
            zones.runs.add(last);
        } else {
            let mut last = [0; BLOCK];
            last[BLOCK - behind.len()..].copy_from_slice(behind);
            zones.runs.add(&last);
        }
        (0..AHEAD).for_each(|_| zones.read());
        zones
    }

    /// Whether a run is near keywords in the next block, or may be.
    #[inline(always)]
    pub(super) fn next(&mut self) -> bool {
        self.read();
        self.near & ((1 << (AHEAD + 1)) - 1) != 0
    }

    #[inline(always)]
    fn read(&mut self) {
        let near = match self.ahead.split_first_chunk() {
            Some((block, rest)) => {
                self.ahead = rest;
                self.runs.add(block)
            }
            None => self.read_last(),
        };
        self.near = self.near << 1 | u32::from(near);
    }

    #[cold]
    fn read_last(&mut self) -> bool {
        if !self.ended {
            return true;
        }
        let rest = std::mem::take(&mut self.ahead);
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        self.runs.add(&block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_before_a_run_is_near_it() {
        const RUN_OF: &str = "abcdefghijklmnopqrst";
        for from in [0, 3, 64, 100] {
            for at in from..from + 400 {
                let text = format!("{}{RUN_OF}{}", " ".repeat(at), " ".repeat(300));
                let mut zones = Zones::new(text.as_bytes(), from, true);
                let near: Vec<bool> = (from..text.len()).step_by(BLOCK).map(|_| zones.next()).collect();
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
            let near = |ended| {
                let mut zones = Zones::new(text.as_bytes(), 0, ended);
                (0..len.div_ceil(BLOCK)).map(|_| zones.next()).collect::<Vec<_>>()
            };
            assert!(near(true).iter().all(|near| !near), "{len}");
            let open = (0..len.div_ceil(BLOCK)).map(|n| (n + AHEAD + 1) * BLOCK > len).collect::<Vec<_>>();
            assert_eq!(near(false), open, "{len}");
        }
    }
}
