//! The forward proxy's records on their way into the audit log: many in one transaction, and the same refusal over and over
//! as one row a minute, so that an agent that loops fills no disk.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;
use wardkeep_egress::{EgressLedger, EgressOutcome, EgressRecord, NotRecorded, Recording};
use wardkeep_proto::ids::AgentName;
use wardkeep_safety::{EgressNote, Gate};

/// Records that may wait; who asks beyond that waits, too.
const WAITING: usize = 256;
/// Between two rows about the same refusal.
const AGAIN: Duration = Duration::from_secs(60);
/// Refusals that are told apart within [`AGAIN`]; all beyond are one row.
const APART: usize = 256;

type Waiting = (EgressRecord, oneshot::Sender<Result<(), NotRecorded>>);

/// The end that the proxy holds.
#[derive(Debug)]
pub struct EgressAudit(mpsc::Sender<Waiting>);

/// The end that writes; see [`Writer::run`].
pub struct Writer {
    waiting: mpsc::Receiver<Waiting>,
    gate: Arc<Gate>,
    told: Told,
}

/// Both ends.
#[must_use]
pub fn open(gate: Arc<Gate>) -> (Arc<EgressAudit>, Writer) {
    let (sender, waiting) = mpsc::channel(WAITING);
    (Arc::new(EgressAudit(sender)), Writer { waiting, gate, told: Told::default() })
}

impl EgressLedger for EgressAudit {
    fn record(&self, record: EgressRecord) -> Recording<'_> {
        Box::pin(async move {
            let (done, written) = oneshot::channel();
            self.0.send((record, done)).await.map_err(|_| NotRecorded)?;
            written.await.unwrap_or(Err(NotRecorded))
        })
    }
}

impl Writer {
    /// Writes until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut minute = interval(AGAIN);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                count = self.waiting.recv_many(&mut batch, WAITING) => {
                    if count == 0 {
                        break;
                    }
                    self.write(&mut batch).await;
                }
                _ = minute.tick() => {
                    let again = self.told.repeated(Instant::now());
                    self.tell(again).await;
                }
                () = stop.cancelled() => break,
            }
        }
        self.waiting.close();
        while self.waiting.recv_many(&mut batch, WAITING).await > 0 {
            self.write(&mut batch).await;
        }
        let rest = self.told.everything();
        self.tell(rest).await;
    }

    /// Everything that waits is one transaction: under load each request pays for a part of it only.
    async fn write(&mut self, batch: &mut Vec<Waiting>) {
        let now = Instant::now();
        let notes: Vec<EgressNote> = batch.iter().filter_map(|(record, _)| self.told.note(record, now)).collect();
        let outcome = if notes.is_empty() {
            Ok(())
        } else {
            self.gate.tell_egress(notes).await.map_err(|error| {
                tracing::error!(error = crate::channel::chain(&error), "the forward proxy's records are not written");
                NotRecorded
            })
        };
        for (_, done) in batch.drain(..) {
            // Whoever no longer waits has left its connection.
            let _ = done.send(outcome);
        }
    }

    async fn tell(&self, notes: Vec<EgressNote>) {
        if !notes.is_empty()
            && let Err(error) = self.gate.tell_egress(notes).await
        {
            tracing::error!(
                error = crate::channel::chain(&error),
                "repeated refusals of the forward proxy are not told"
            );
        }
    }
}

/// Who was refused what, since when.
#[derive(Debug, Default)]
struct Told(HashMap<Key, Refusals>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    agent: Option<AgentName>,
    /// `many`: all that were too many to tell apart.
    destination: String,
    reason: &'static str,
}

#[derive(Debug)]
struct Refusals {
    told: Instant,
    since: u32,
}

impl Told {
    /// What goes into the log for `record`; `None` when it only counts.
    fn note(&mut self, record: &EgressRecord, now: Instant) -> Option<EgressNote> {
        let reason = match &record.outcome {
            EgressOutcome::Refused(reason) => *reason,
            EgressOutcome::Tunnelled => return Some(note(record, "egress-tunnelled", Vec::new())),
            EgressOutcome::Inspected(secrets) => return Some(note(record, "egress-inspected", secrets.clone())),
        };
        let mut key = Key { agent: record.agent.clone(), destination: record.destination.clone(), reason };
        if self.0.len() >= APART && !self.0.contains_key(&key) {
            key.destination = "many".to_owned();
            key.reason = "many";
        }
        match self.0.entry(key.clone()) {
            Entry::Occupied(mut known) => {
                known.get_mut().since += 1;
                None
            }
            Entry::Vacant(new) => {
                new.insert(Refusals { told: now, since: 0 });
                Some(refused(&key, &record.request, 1))
            }
        }
    }

    /// What came again since a minute ago or more; what did not is forgotten.
    fn repeated(&mut self, now: Instant) -> Vec<EgressNote> {
        let mut notes = Vec::new();
        self.0.retain(|key, refusals| {
            if now.duration_since(refusals.told) < AGAIN {
                return true;
            }
            if refusals.since == 0 {
                return false;
            }
            notes.push(refused(key, "", refusals.since));
            *refusals = Refusals { told: now, since: 0 };
            true
        });
        notes
    }

    fn everything(&mut self) -> Vec<EgressNote> {
        let all = self.0.drain().filter(|(_, refusals)| refusals.since > 0);
        all.map(|(key, refusals)| refused(&key, "", refusals.since)).collect()
    }
}

fn note(record: &EgressRecord, kind: &'static str, secrets: Vec<String>) -> EgressNote {
    EgressNote {
        kind,
        agent: record.agent.clone(),
        destination: record.destination.clone(),
        request: record.request.clone(),
        reason: String::new(),
        secrets,
        times: 1,
        is_notice: false,
    }
}

fn refused(key: &Key, request: &str, times: u32) -> EgressNote {
    EgressNote {
        kind: "egress-refused",
        agent: key.agent.clone(),
        destination: key.destination.clone(),
        request: request.to_owned(),
        reason: key.reason.to_owned(),
        secrets: Vec::new(),
        times,
        is_notice: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(destination: &str, outcome: EgressOutcome) -> EgressRecord {
        let agent = Some("office".parse().expect("valid"));
        EgressRecord { agent, destination: destination.to_owned(), request: "CONNECT".to_owned(), outcome }
    }

    #[tokio::test]
    async fn the_same_refusal_is_one_row_a_minute() {
        let (mut told, start) = (Told::default(), Instant::now());
        let evil = record("evil.example:443", EgressOutcome::Refused("unlisted-host"));
        assert_eq!(told.note(&evil, start).map(|note| note.times), Some(1));
        for _ in 0..1000 {
            assert_eq!(told.note(&evil, start), None);
        }
        assert_eq!(told.repeated(start + AGAIN / 2), []);
        let later = told.repeated(start + AGAIN);
        assert_eq!(later.iter().map(|note| note.times).collect::<Vec<_>>(), [1000]);
        assert_eq!(told.repeated(start + 2 * AGAIN), [], "nothing came again");
        assert!(told.note(&evil, start + 2 * AGAIN).is_some(), "and so it is new");
    }

    #[tokio::test]
    async fn an_agent_that_tries_every_host_fills_no_disk() {
        let (mut told, now) = (Told::default(), Instant::now());
        let refused = |n: usize| record(&format!("h{n}.example:443"), EgressOutcome::Refused("unlisted-host"));
        let rows = (0..10_000).filter_map(|n| told.note(&refused(n), now)).count();
        assert_eq!(rows, APART + 1);
        let all = told.everything();
        assert_eq!((all.len(), all[0].destination.as_str()), (1, "many"));
        assert_eq!(all[0].times as usize, 10_000 - APART - 1);
    }

    #[tokio::test]
    async fn what_goes_out_is_told_each_time() {
        let mut told = Told::default();
        let sent = record("api.example:443", EgressOutcome::Inspected(vec!["api_key".to_owned()]));
        for _ in 0..3 {
            let note = told.note(&sent, Instant::now()).expect("told");
            assert_eq!(
                (note.kind, note.is_notice, &*note.secrets),
                ("egress-inspected", false, &["api_key".to_owned()][..])
            );
        }
    }
}
