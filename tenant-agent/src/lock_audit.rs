//! The lock's journal, taken into the audit log: who locked and unlocked, what was mended, and each attempt with its
//! destination. The helper writes the one, with or without a daemon; each event is taken once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wardkeep_lock::journal::{Event, What};
use wardkeep_lock::listing::{Tried, protocol_name};
use wardkeep_lock::{Answer, ClientError, Request, UidRange, ask};
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_safety::{Gate, LockEvent};

use crate::channel::chain;

const EVERY: Duration = Duration::from_secs(5);
/// People on the hub hear of attempts no more often; the audit log has them all.
const NOTICE_EVERY: Duration = Duration::from_secs(600);

/// Takes over what is new.
pub struct LockAudit {
    gate: Arc<Gate>,
    socket: PathBuf,
    clock: Arc<dyn Clock>,
    told: Option<(String, u64)>,
    noticed: Option<Timestamp>,
    failed: bool,
}

impl LockAudit {
    /// Of the helper at `socket`.
    #[must_use]
    pub fn new(gate: Arc<Gate>, socket: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { gate, socket, clock, told: None, noticed: None, failed: false }
    }

    /// Goes on until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            let looked = self.catch_up().await;
            if let Err(error) = &looked
                && !self.failed
            {
                tracing::error!(error, "what the network lock noticed is not in the audit log yet");
            }
            self.failed = looked.is_err();
        }
    }

    /// Everything that is new. Nothing while there is no helper: then there is no lock of ours either.
    ///
    /// # Errors
    /// What went wrong, for the log; it is tried again.
    pub async fn catch_up(&mut self) -> Result<(), String> {
        loop {
            let after = self.told.as_ref().map_or(0, |(_, number)| *number);
            let (journal, events) = match ask(&self.socket, Request::EgressEvents { after }).await {
                Ok(Answer::Events { journal, events }) => (journal, events),
                Ok(_) => return Err("the helper answers something else; is it of another version?".to_owned()),
                Err(ClientError::NotRunning { .. }) => return Ok(()),
                Err(error) => return Err(chain(&error)),
            };
            if self.told.as_ref().is_none_or(|(name, _)| *name != journal) {
                let number = self.gate.lock_events_told(&journal).await.map_err(|error| chain(&error))?;
                self.told = Some((journal, number));
                continue;
            }
            if events.is_empty() {
                return Ok(());
            }
            let rows = events.into_iter().map(|event| self.row(event)).collect();
            let number = self.gate.tell_lock_events(&journal, rows).await.map_err(|error| chain(&error))?;
            if number <= after {
                return Err("the helper repeats itself".to_owned());
            }
            self.told = Some((journal, number));
        }
    }

    fn row(&mut self, event: Event) -> LockEvent {
        let Event { number, at, what } = event;
        let (kind, fields) = kind_and_fields(&what);
        let notice = match what {
            What::Applied { uids, .. } => Some(format!("user ids {} were taken off the network", ranges(&uids))),
            What::Removed { by } => Some(format!("user id {by} took the network lock away")),
            What::Mended { drift } => Some(format!("the network lock was put back: {}", drift.words())),
            What::Attempt(tried) => self
                .is_time()
                .then(|| format!("{} was kept from {}; the audit log has all of it", who(&tried), place(&tried))),
            What::Flood { .. } => None,
        };
        LockEvent { number, at, kind, fields, notice }
    }

    fn is_time(&mut self) -> bool {
        let now = self.clock.now();
        let is_time = self.noticed.is_none_or(|at| now.since(at) >= NOTICE_EVERY || at > now);
        if is_time {
            self.noticed = Some(now);
        }
        is_time
    }
}

fn kind_and_fields(what: &What) -> (&'static str, Value) {
    match what {
        What::Applied { by, uids, doors } => {
            ("lock-applied", json!({ "by": format!("uid-{by}"), "uids": ranges(uids), "doors": doors }))
        }
        What::Removed { by } => ("lock-removed", json!({ "by": format!("uid-{by}") })),
        What::Mended { drift } => ("lock-mended", json!({ "drift": drift })),
        What::Attempt(Tried { destination: to, count }) => (
            "lock-attempt",
            json!({
                "uid": to.uid,
                "address": to.address,
                "port": to.port,
                "protocol": protocol_name(to.protocol),
                "packets": count.packets,
                "bytes": count.bytes,
            }),
        ),
        What::Flood { destinations } => ("lock-flood", json!({ "destinations": destinations })),
    }
}

/// Users for people.
#[must_use]
pub fn ranges(uids: &[UidRange]) -> String {
    let words = uids.iter().map(|range| match range.first == range.last {
        true => range.first.to_string(),
        false => format!("{}-{}", range.first, range.last),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Whose attempt it was, for people.
#[must_use]
pub fn who(tried: &Tried) -> String {
    tried.destination.uid.map_or_else(|| "what was left of a closed socket".to_owned(), |uid| format!("user id {uid}"))
}

/// A destination for people.
#[must_use]
pub fn place(tried: &Tried) -> String {
    let to = &tried.destination;
    let address = match to.port {
        Some(port) => std::net::SocketAddr::new(to.address, port).to_string(),
        None => to.address.to_string(),
    };
    format!("{} {address}", protocol_name(to.protocol))
}

#[cfg(test)]
mod tests;
