//! How long to wait before the next attempt: doubling from half a second to a minute, jittered so that a fleet does not
//! come back at once when its hub restarts.

use std::time::Duration;

use wardkeep_proto::chance::{Chance, bytes};

const FIRST_MS: u64 = 500;
const LAST_MS: u64 = 60_000;

/// Counts attempts since the last welcome.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The wait before the next attempt: between half of the step and the whole of it.
    pub fn next(&mut self, chance: &dyn Chance) -> Duration {
        let step = FIRST_MS.checked_shl(self.attempts).map_or(LAST_MS, |ms| ms.min(LAST_MS));
        self.attempts = self.attempts.saturating_add(1).min(32);
        let half = step / 2;
        Duration::from_millis(half + u64::from_be_bytes(bytes(chance)) % (step - half + 1))
    }

    /// The wait that the hub asked for, with up to a quarter more, within the same ceiling times ten.
    pub fn asked(wait_ms: u32, chance: &dyn Chance) -> Duration {
        let wait = u64::from(wait_ms).clamp(FIRST_MS, LAST_MS * 10);
        Duration::from_millis(wait + u64::from_be_bytes(bytes(chance)) % (wait / 4 + 1))
    }

    /// The hub welcomed us.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixed;

    #[test]
    fn it_doubles_to_a_minute_and_starts_again_after_a_welcome() {
        let chance = Fixed(0);
        let mut backoff = Backoff::default();
        let waits: Vec<u128> = (0..9).map(|_| backoff.next(&chance).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.next(&chance).as_millis(), 250);
    }

    #[test]
    fn chance_moves_it_within_half_a_step_and_it_never_overflows() {
        for byte in [1, 77, 128, 254, 255] {
            let mut backoff = Backoff::default();
            for attempt in 0..200_u32 {
                let step = u128::from(FIRST_MS.checked_shl(attempt).map_or(LAST_MS, |ms| ms.min(LAST_MS)));
                let step = if attempt > 32 { u128::from(LAST_MS) } else { step };
                let wait = backoff.next(&Fixed(byte)).as_millis();
                assert!(wait >= step / 2 && wait <= step, "attempt {attempt}: {wait} of {step}");
            }
        }
    }

    #[test]
    fn the_hubs_wish_is_bounded() {
        assert_eq!(Backoff::asked(0, &Fixed(0)).as_millis(), 500);
        assert_eq!(Backoff::asked(u32::MAX, &Fixed(0)).as_millis(), 600_000);
        assert!(Backoff::asked(2000, &Fixed(255)).as_millis() <= 2500);
    }
}
