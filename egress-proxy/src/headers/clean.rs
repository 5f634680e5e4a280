//! Which values of headers hold no secret: most are the same in every request.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use wardkeep_redaction::Engine;

/// Values that are known; a client that sends more begins anew.
const KNOWN: usize = 512;
/// A longer one is searched each time.
const BYTES: usize = 256;

/// What one engine found clean, as keyed hashes: no text is kept, and nobody can choose a value with the hash of another.
#[derive(Default)]
pub(crate) struct Clean(Mutex<Known>);

#[derive(Default)]
struct Known {
    engine: u64,
    values: HashSet<Value, BuildHasherDefault<Hashed>>,
}

/// A value, as the engine's key has it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Value {
    piece: u128,
    len: usize,
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The low bits of a sum of products are no fair choice, the high ones of one more are.
        let folded = (self.piece as u64 ^ (self.piece >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state.write_u64(folded ^ (folded >> 32));
    }
}

/// What is a hash already is not hashed again.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Clean {
    /// Whether `engine` finds nothing in `value`.
    pub(super) fn holds(&self, engine: &Engine, value: &[u8]) -> bool {
        let search = || engine.redact_bytes(value).findings.is_empty();
        if value.len() > BYTES {
            return search();
        }
        let hash = Value { piece: engine.piece(value), len: value.len() };
        if self.known(engine).values.contains(&hash) {
            return true;
        }
        let clean = search();
        if clean {
            let mut known = self.known(engine);
            if known.values.len() == KNOWN {
                known.values.clear();
            }
            known.values.insert(hash);
        }
        clean
    }

    /// What this engine found; what another one found is forgotten.
    fn known(&self, engine: &Engine) -> std::sync::MutexGuard<'_, Known> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.engine != engine.generation() {
            *known = Known { engine: engine.generation(), ..Known::default() };
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use wardkeep_redaction::{RuleSet, Secret};

    use super::*;

    const TOKEN: &str = "tok-8Jq2xN4vRk7Lm0Zs";

    #[test]
    fn a_value_is_judged_by_the_engine_of_the_moment() {
        let of = |secrets: &[Secret<'_>]| Engine::build(secrets.iter().copied(), &RuleSet::none(), [7; 32]).unwrap();
        let (knows_nothing, knows_it) = (of(&[]), of(&[Secret::new("token", TOKEN)]));
        let clean = Clean::default();
        for _ in 0..2 {
            assert!(clean.holds(&knows_nothing, TOKEN.as_bytes()));
            assert!(clean.holds(&knows_nothing, TOKEN.as_bytes()), "as before");
            assert!(!clean.holds(&knows_it, TOKEN.as_bytes()), "found clean by another engine");
            assert!(clean.holds(&knows_it, b"application/json"));
            assert!(!clean.holds(&knows_it, TOKEN.as_bytes()), "and again");
        }
        for n in 0..3 * KNOWN {
            assert!(clean.holds(&knows_it, n.to_string().as_bytes()));
            assert!(clean.known(&knows_it).values.len() <= KNOWN);
        }
    }
}
