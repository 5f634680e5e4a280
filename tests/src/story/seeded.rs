//! Chance that can be had again by naming where it began.

use std::sync::atomic::{AtomicU64, Ordering};

use wardkeep_proto::chance::{Chance, SystemChance, bytes};

/// Splitmix64. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
pub struct Seeded(AtomicU64);

impl Seeded {
    /// The same for every seed that is the same.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Chance for Seeded {
    fn fill(&self, out: &mut [u8]) {
        for part in out.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed).wrapping_add(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            part.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..part.len()]);
        }
    }
}

/// The seed that an environment variable names.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a seed that failed is tried again by naming it")]
pub fn named(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Where the values of a stage begin: where [`VALUES`] says, or else where no run began before.
pub(super) fn of_values() -> u64 {
    named(VALUES).unwrap_or_else(|| u64::from_le_bytes(bytes(&SystemChance::new())))
}

/// Names the seed of a run whose values are wanted again.
pub const VALUES: &str = "WARDKEEP_VALUES";
