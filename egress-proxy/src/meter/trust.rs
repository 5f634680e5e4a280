//! Whether a disk may be waited for on the spot, by what its writes took.

use std::time::Duration;

/// What a write may take where other work waits for its end.
const QUICK: Duration = Duration::from_millis(1);

/// Quick writes in a row after which a disk that was slow is waited for again, the first time and at most.
const FIRST: u32 = 64;
const MOST: u32 = 65_536;

/// What is known of a disk. Each time that it stalls though it was trusted, it must be quick for twice as long: one that stalls
/// now and then, however rarely, is soon not waited for any more.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// Quick writes since the last slow one.
    quick: u32,
    /// So many are wanted; none before a slow one was seen.
    wanted: u32,
}

impl Trust {
    /// Takes note of a write.
    pub(super) fn saw(&mut self, took: Duration) {
        if took <= QUICK {
            self.quick = self.quick.saturating_add(1);
            return;
        }
        if self.holds() {
            self.wanted = (self.wanted * 2).clamp(FIRST, MOST);
        }
        self.quick = 0;
    }

    /// Whether the next write may be waited for.
    pub(super) fn holds(&self) -> bool {
        self.quick >= self.wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Duration = Duration::from_millis(400);

    /// Quick writes until it is trusted.
    fn until_trusted(trust: &mut Trust) -> u32 {
        let mut writes = 0;
        while !trust.holds() {
            trust.saw(QUICK);
            writes += 1;
        }
        writes
    }

    #[test]
    fn a_slow_write_costs_trust_for_64_quick_ones() {
        let mut trust = Trust::default();
        assert!(trust.holds(), "nothing speaks against it");
        trust.saw(QUICK);
        assert!(trust.holds());
        trust.saw(QUICK + Duration::from_nanos(1));
        assert_eq!(until_trusted(&mut trust), 64);
    }

    #[test]
    fn a_disk_that_is_slow_for_a_while_stalled_once() {
        let mut trust = Trust::default();
        for _ in 0..1_000 {
            trust.saw(SLOW);
        }
        assert_eq!(until_trusted(&mut trust), 64);
    }

    #[test]
    fn who_stalls_now_and_then_is_soon_not_waited_for() {
        let mut trust = Trust::default();
        let waited_for = (0..100_000).filter(|n| {
            let stalls = n % 1_000 == 999;
            let waited_for = trust.holds() && stalls;
            trust.saw(if stalls { SLOW } else { QUICK });
            waited_for
        });
        assert_eq!(
            waited_for.count(),
            5,
            "at first, and after 64, 128, 256 and 512 quick writes; 1,024 in a row never come"
        );
    }

    #[test]
    fn trust_comes_back_in_the_end() {
        let mut trust = Trust::default();
        for _ in 0..40 {
            until_trusted(&mut trust);
            trust.saw(SLOW);
        }
        assert_eq!(until_trusted(&mut trust), MOST);
    }
}
