//! The policy in force as a watched value, and the closed states that follow from it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use wardkeep_policy::signed::KeyList;
use wardkeep_policy::{Bundle, Closed};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::waypoint::{Waypoint, Waypoints};
use wardkeep_safety::PostureBook;

use crate::bundle_ledger::{BundleLedger, InForce, LedgerError, Seen, Stored};

/// The ledger with its present value.
pub struct BundleBook {
    ledger: Mutex<Result<BundleLedger, LedgerError>>,
    current: watch::Sender<Arc<Bundle>>,
    facts: watch::Sender<BundleFacts>,
    keys: watch::Sender<Option<Arc<KeyList>>>,
    posture: PostureBook,
    clock: Arc<dyn Clock>,
    waypoints: Arc<dyn Waypoints>,
}

/// What people want to know of the bundle in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleFacts {
    /// Number of the desired configuration; 0 when the hub should send one.
    pub generation: u64,
    /// Version; 0 while the strict built-in one counts.
    pub version: u64,
    /// Digest of the signed bytes.
    pub digest: Option<Digest>,
    /// When it stops counting.
    pub expires: Option<Timestamp>,
    /// Why the strict built-in one counts.
    pub why_strict: Option<String>,
}

/// A desired configuration was not applied; what was in force stays.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The ledger refused it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger cannot be used at all.
    #[error("the bundle ledger cannot be used: {0}")]
    NoLedger(String),
    /// The thread that wrote it died.
    #[error("storing the bundle was interrupted")]
    Interrupted,
}

/// What counts, and what follows from it.
struct Standing {
    bundle: Arc<Bundle>,
    facts: BundleFacts,
    closed: Option<Closed>,
}

impl Standing {
    /// What the ledger holds. The strict bundle is made only where it counts: that takes longer than reading a stored one.
    fn of(ledger: &mut Result<BundleLedger, LedgerError>, now: Timestamp) -> Self {
        let in_force = match ledger {
            Ok(ledger) => ledger.take_up(now),
            Err(error) => InForce::Strict { closed: Closed::BundleRefused, why: error.to_string() },
        };
        match in_force {
            InForce::Stored { bundle, seen } => Self::stored(bundle.into(), seen),
            InForce::Strict { closed, why } => {
                // A bundle that no longer verifies counts as not there, so that the hub sends it again; sending an
                // expired one again would not help.
                let seen = ledger.as_ref().ok().and_then(BundleLedger::seen);
                let generation = seen.filter(|_| closed == Closed::BundleExpired).map_or(0, |seen| seen.generation);
                let facts = BundleFacts { generation, why_strict: Some(why), ..BundleFacts::default() };
                Self { bundle: Arc::new(Bundle::strict()), facts, closed: Some(closed) }
            }
        }
    }

    fn stored(bundle: Arc<Bundle>, seen: Seen) -> Self {
        let facts = BundleFacts {
            generation: seen.generation,
            version: seen.version,
            digest: Some(seen.digest),
            expires: Some(bundle.expires),
            why_strict: None,
        };
        Self { bundle, facts, closed: None }
    }
}

const BUNDLE_STATES: [Closed; 3] = [Closed::NoBundle, Closed::BundleExpired, Closed::BundleRefused];

impl BundleBook {
    /// Puts in force what the ledger holds. A ledger that cannot be used means the strict built-in bundle.
    #[must_use]
    pub fn new(
        mut ledger: Result<BundleLedger, LedgerError>,
        posture: PostureBook,
        clock: Arc<dyn Clock>,
        waypoints: Arc<dyn Waypoints>,
    ) -> Self {
        let Standing { bundle, facts, closed } = Standing::of(&mut ledger, clock.now());
        let keys = ledger.as_ref().ok().map(|ledger| Arc::new(ledger.keys().clone()));
        let book = Self {
            keys: watch::Sender::new(keys),
            ledger: Mutex::new(ledger),
            current: watch::Sender::new(bundle),
            facts: watch::Sender::new(facts),
            posture,
            clock,
            waypoints,
        };
        book.only(closed);
        book
    }

    /// The bundle in force, watched.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<Bundle>> {
        self.current.subscribe()
    }

    /// What is in force, in numbers.
    #[must_use]
    pub fn facts(&self) -> BundleFacts {
        self.facts.borrow().clone()
    }

    /// Verifies, stores, then activates what the hub desires.
    ///
    /// # Errors
    /// All of [`ApplyError`].
    pub async fn apply(self: Arc<Self>, generation: u64, bundle: Vec<u8>, keys: Vec<u8>) -> Result<(), ApplyError> {
        tokio::task::spawn_blocking(move || self.apply_blocking(generation, &bundle, &keys))
            .await
            .map_err(|_| ApplyError::Interrupted)?
    }

    fn apply_blocking(&self, generation: u64, bundle: &[u8], keys: &[u8]) -> Result<(), ApplyError> {
        // A list of keys counts by itself: what is in force may end by it, whatever comes of the bundle beside it.
        let is_rekeyed = !keys.is_empty() && self.rekey(keys)?;
        let stored = match &mut *self.ledger() {
            Ok(ledger) => ledger.accept(generation, bundle, self.clock.now()),
            Err(error) => return Err(ApplyError::NoLedger(error.to_string())),
        };
        let stored = match stored {
            Ok(stored) => stored,
            Err(refused) => {
                if is_rekeyed {
                    self.read_ledger();
                }
                return Err(refused.into());
            }
        };
        self.waypoints.pass(Waypoint::GenerationStored);
        let Stored { bundle, seen } = stored;
        tracing::info!(generation, version = seen.version, "a policy bundle is in force");
        self.activate(Standing::stored(Arc::new(bundle), seen));
        Ok(())
    }

    /// Verifies, stores, then goes by a newer list of keys. What a key signed that is not on it counts no more.
    ///
    /// # Errors
    /// All of [`ApplyError`]; the list that was stays.
    pub async fn take_keys(self: Arc<Self>, envelope: Vec<u8>) -> Result<bool, ApplyError> {
        let taken = tokio::task::spawn_blocking(move || {
            let is_rekeyed = self.rekey(&envelope)?;
            if is_rekeyed {
                self.read_ledger();
            }
            Ok(is_rekeyed)
        });
        taken.await.map_err(|_| ApplyError::Interrupted)?
    }

    fn rekey(&self, envelope: &[u8]) -> Result<bool, ApplyError> {
        match &mut *self.ledger() {
            Ok(ledger) => {
                let is_rekeyed = ledger.accept_keys(envelope)?;
                self.keys.send_replace(Some(Arc::new(ledger.keys().clone())));
                Ok(is_rekeyed)
            }
            Err(error) => Err(ApplyError::NoLedger(error.to_string())),
        }
    }

    /// The list of keys in force; none where it cannot be read, and then nobody's signature counts.
    #[must_use]
    pub fn keys(&self) -> Option<Arc<KeyList>> {
        self.keys.borrow().clone()
    }

    /// Lets an expired bundle give way. Called each second; cheap.
    pub fn tick(&self) {
        let now = self.clock.now();
        if self.facts.borrow().expires.is_some_and(|at| now >= at) {
            tracing::error!("the policy bundle has expired; the strict built-in one counts");
            self.read_ledger();
        }
    }

    fn read_ledger(&self) {
        // Held until it counts: what is stored meanwhile must not be followed by what was there before.
        let mut ledger = self.ledger();
        self.activate(Standing::of(&mut ledger, self.clock.now()));
    }

    fn activate(&self, Standing { bundle, facts, closed }: Standing) {
        self.facts.send_replace(facts);
        // Closed before the bundle changes, opened after it: no moment is more open than both.
        if closed.is_some() {
            self.only(closed);
        }
        self.current.send_replace(bundle);
        self.only(closed);
    }

    fn only(&self, closed: Option<Closed>) {
        if let Some(closed) = closed {
            self.posture.close(closed);
        }
        for other in BUNDLE_STATES.into_iter().filter(|state| Some(*state) != closed) {
            self.posture.reopen(other);
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Result<BundleLedger, LedgerError>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
