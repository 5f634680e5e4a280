//! The main loop: once a second it looks after what changes by itself, and tells systemd that it went round.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use wardkeep_policy::Closed;
use wardkeep_proto::chance::Chance;
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_safety::{Gate, PostureBook};

use crate::bundle_book::BundleBook;
use crate::link::LinkState;
use crate::notify;
use crate::secrets::VaultBook;
use crate::spool::Spool;
use crate::tokens::TokenBook;
use crate::vault_audit::Told;

const EVERY: Duration = Duration::from_secs(1);
/// Between two writes of the moment at which the hub was last heard.
const HEARD_EVERY: Duration = Duration::from_secs(15);
/// A database that does not answer for so long is no health.
const ANSWER: Duration = Duration::from_secs(10);

/// What the keeper looks after.
pub struct Keeper {
    /// The vault and with it the redaction index.
    pub vault: Arc<VaultBook>,
    /// Agents' tokens.
    pub tokens: Arc<TokenBook>,
    /// The policy's expiry.
    pub bundles: Arc<BundleBook>,
    /// The closed states.
    pub posture: PostureBook,
    /// Asked whether its database still answers.
    pub gate: Arc<Gate>,
    /// Keeps the moment at which the hub was last heard.
    pub spool: Arc<Spool>,
    /// Whether the hub is there.
    pub link: watch::Receiver<LinkState>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
    /// Without the hub for longer than this is away.
    pub away_after: Duration,
    /// Where room must stay, and how much.
    pub disk: (PathBuf, u64),
    /// Look now.
    pub nudge: Arc<Notify>,
}

/// What the keeper remembers from one round to the next.
#[derive(Debug, Default)]
struct Memory {
    heard_at: Option<Timestamp>,
    heard_written: Option<Timestamp>,
    disk_closed_by_us: bool,
    tokens_failed: bool,
    told: Told,
    telling_failed: bool,
}

/// What one look at files and databases showed.
struct Looked {
    tokens_failed: bool,
    room: bool,
    /// All changes of the vault are in the audit log.
    all_told: bool,
    /// The gate's database answers.
    answers: bool,
}

impl Keeper {
    /// Goes round until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watchdog = notify::watchdog_interval();
        let mut last_alive = tokio::time::Instant::now();
        let mut memory = Memory { heard_at: self.spool.heard_at(), ..Memory::default() };
        let mut link = self.link.clone();
        let mut bundle = self.bundles.watch();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = every.tick() => {}
                () = self.nudge.notified() => {}
                // A hub that is back counts at once. The sender lives as long as the daemon.
                Ok(()) = link.changed() => {}
                // New redaction rules count for the next request.
                Ok(()) = bundle.changed() => {}
            }
            let healthy = self.round(&mut memory).await;
            if healthy && watchdog.is_some_and(|every| last_alive.elapsed() + EVERY >= every) {
                notify::alive();
                last_alive = tokio::time::Instant::now();
            }
        }
        self.write_heard(&mut memory).await;
        let keeper = self.clone();
        let last = move || {
            keeper.vault.write_used();
            keeper.spool.write_marks();
        };
        let _ = tokio::task::spawn_blocking(last).await;
    }

    /// One round; the first is made before anything is served. False when the gate's database does not answer.
    async fn round(self: &Arc<Self>, memory: &mut Memory) -> bool {
        let (keeper, told, failed_before) = (self.clone(), memory.told.clone(), memory.tokens_failed);
        // All that may wait for the disk in one go: at rest this is what a round costs.
        let blocking = tokio::task::spawn_blocking(move || {
            // The policy first: the index is built by its rules.
            keeper.bundles.tick();
            keeper.vault.refresh();
            let reloaded = keeper.tokens.reload();
            if let Err(error) = &reloaded
                && !failed_before
            {
                tracing::error!(error = crate::channel::chain(error), "agents' tokens were not read again");
            }
            keeper.spool.write_marks();
            Looked {
                tokens_failed: reloaded.is_err(),
                room: keeper.disk_has_room(),
                all_told: told.is_all_of(&keeper.vault),
                answers: keeper.gate.answers(),
            }
        });
        let Ok(Ok(looked)) = tokio::time::timeout(ANSWER, blocking).await else {
            tracing::error!("the main loop waits for the disk");
            return false;
        };
        memory.tokens_failed = looked.tokens_failed;
        self.keep_disk(looked.room, memory);
        if !looked.all_told {
            self.keep_audit(memory).await;
        }
        self.keep_hub(memory).await;
        looked.answers
    }

    fn disk_has_room(&self) -> bool {
        let (path, floor) = &self.disk;
        // A file system that does not answer has no room.
        rustix::fs::statvfs(path).is_ok_and(|stat| stat.f_bavail.saturating_mul(stat.f_frsize) >= *floor)
    }

    fn keep_disk(&self, room: bool, memory: &mut Memory) {
        if !room {
            if self.posture.close(Closed::DiskFull) {
                memory.disk_closed_by_us = true;
                tracing::error!("the disk is nearly full: only reads are allowed");
            }
        } else if std::mem::take(&mut memory.disk_closed_by_us) {
            self.posture.reopen(Closed::DiskFull);
            tracing::info!("the disk has room again");
        }
    }

    /// The vault's changes belong into the audit log, whoever made them.
    async fn keep_audit(&self, memory: &mut Memory) {
        let told = memory.told.catch_up(&self.vault, &self.gate, &*self.chance).await;
        if let Err(error) = &told
            && !memory.telling_failed
        {
            tracing::error!(error = crate::channel::chain(error), "changes of the vault are not in the audit log yet");
        }
        memory.telling_failed = told.is_err();
    }

    async fn keep_hub(self: &Arc<Self>, memory: &mut Memory) {
        let now = self.clock.now();
        let (online, heard) = {
            let link = self.link.borrow();
            (link.online, link.heard_at)
        };
        memory.heard_at = if online { Some(now) } else { heard.max(memory.heard_at) };
        let away = is_away(memory.heard_at, now, self.away_after);
        let changed = if away { self.posture.close(Closed::HubAway) } else { self.posture.reopen(Closed::HubAway) };
        if changed {
            tracing::warn!(away, "the hub's presence changed");
            notify::status(if away { "serving; the hub is away" } else { "serving; connected to the hub" });
        }
        if memory.heard_written.is_none_or(|at| now.since(at) >= HEARD_EVERY) && online {
            self.write_heard(memory).await;
        }
    }

    async fn write_heard(&self, memory: &mut Memory) {
        if let Some(at) = memory.heard_at {
            memory.heard_written = Some(self.clock.now());
            self.spool.heard(at).await;
        }
    }
}

/// Never heard is away: the first connection opens it. So is a moment in the future, from a clock that was set back.
fn is_away(heard_at: Option<Timestamp>, now: Timestamp, after: Duration) -> bool {
    heard_at.is_none_or(|at| now.since(at) > after || at > now.plus(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hub_is_away_until_it_was_heard_within_the_time() {
        let (now, after) = (Timestamp(100_000), Duration::from_secs(60));
        for (heard, away) in [
            (None, true),
            (Some(39_999), true),
            (Some(40_000), false),
            (Some(100_000), false),
            (Some(160_000), false),
            (Some(160_001), true),
        ] {
            assert_eq!(is_away(heard.map(Timestamp), now, after), away, "{heard:?}");
        }
    }
}
