//! The spool: what the hub has not confirmed yet, as a view over the rows of gate and meter. It stores only two marks.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;
use wardkeep_egress::Meter;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::Timestamp;
use wardkeep_safety::{
    ActivityRow, ApprovalState, Gate, GateError, News, Origin, PasskeyOffer, Ruling, RulingError, Verdict,
};

use crate::link::decision;
use crate::state::{read, write_private};

/// Activity rows in one message.
const ACTIVITY_ROWS: u32 = 200;

/// The marks on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Marks {
    /// Activity rows up to this number are on the hub's disk.
    activity_acked: u64,
    /// Last moment at which the hub was certainly there.
    heard_at: Option<Timestamp>,
}

/// Both, to be compared.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    now: Marks,
    on_disk: Marks,
}

/// Everything on its way to the hub.
pub struct Spool {
    gate: Arc<Gate>,
    meter: Meter,
    path: PathBuf,
    marks: Mutex<Kept>,
    /// Held while the marks are written: an older state never follows a newer one.
    writing: Mutex<()>,
}

/// How much waits for the hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Approval requests without a receipt.
    pub approvals: usize,
    /// Ends of approvals without a receipt.
    pub progress: usize,
    /// Activity rows without a receipt.
    pub activity: u64,
    /// Usage buckets whose total the hub does not know; at most 1000 are counted.
    pub usage: usize,
}

/// Whether a decision of the hub counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is on disk.
    Yes,
    /// It does not count, for this reason.
    No(String),
}

impl Spool {
    /// The spool over `gate` and `meter`; `path` keeps the marks. Marks that are lost or damaged only cause repeats.
    #[must_use]
    pub fn open(gate: Arc<Gate>, meter: Meter, path: PathBuf) -> Self {
        let marks =
            read(&path).ok().flatten().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { gate, meter, path, marks: Mutex::new(Kept { now: marks, on_disk: marks }), writing: Mutex::new(()) }
    }

    /// Wakes when there may be something new to send.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.gate.changes()
    }

    /// The usage side of the spool.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The gate side of the spool.
    #[must_use]
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    pub(crate) async fn news(&self, number: u64) -> Result<News, GateError> {
        self.gate.news(number, ACTIVITY_ROWS).await
    }

    pub(crate) async fn activity_after(&self, number: u64) -> Result<Vec<ActivityRow>, GateError> {
        self.gate.activity_after(number, ACTIVITY_ROWS).await
    }

    /// Activity rows up to this number are on the hub's disk.
    #[must_use]
    pub fn activity_acked(&self) -> u64 {
        self.marks().activity_acked
    }

    /// Last moment, as stored, at which the hub was certainly there.
    #[must_use]
    pub fn heard_at(&self) -> Option<Timestamp> {
        self.marks().heard_at
    }

    pub(crate) async fn approval_received(&self, digest: Digest) -> Result<(), GateError> {
        self.gate.approval_sent(digest).await
    }

    pub(crate) async fn progress_received(&self, digest: Digest, state: ApprovalState) -> Result<(), GateError> {
        self.gate.progress_sent(digest, state).await
    }

    /// Known from here on and written down by the next [`write_marks`](Self::write_marks): an agent that works fast has receipts all
    /// the time, and each write waits for the disk.
    pub(crate) fn activity_received(&self, number: u64) {
        let now = &mut self.kept().now;
        now.activity_acked = now.activity_acked.max(number);
    }

    /// Stores the moment at which the hub was last heard.
    pub async fn heard(self: &Arc<Self>, at: Timestamp) {
        let spool = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || {
            spool.kept().now.heard_at = Some(at);
            spool.write_marks();
        });
        // What is lost here is only sent again.
        let _ = written.await;
    }

    /// Writes down what is new of the marks. Blocks.
    pub fn write_marks(&self) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // Not while the disk is waited for: receipts come in meanwhile.
        let Kept { now, on_disk } = *self.kept();
        if now == on_disk {
            return;
        }
        let bytes = serde_json::to_vec(&now).map_err(io::Error::other);
        match bytes.and_then(|bytes| write_private(&self.path, &bytes)) {
            Ok(()) => self.kept().on_disk = now,
            Err(error) => tracing::warn!(%error, "the link's marks could not be written"),
        }
    }

    /// Counts what waits.
    ///
    /// # Errors
    /// The gate's records cannot be read.
    pub async fn waiting(&self) -> Result<Waiting, GateError> {
        let head = self.gate.activity_head().await?;
        Ok(Waiting {
            approvals: self.gate.approvals_to_send().await?.len(),
            progress: self.gate.progress_to_send().await?.len(),
            activity: head.saturating_sub(self.activity_acked()),
            usage: self.meter.buckets_to_report(1000).await.map_or(0, |buckets| buckets.len()),
        })
    }

    /// Hands a verified decision to the gate.
    pub(crate) async fn decide(&self, verified: decision::Verified) -> Result<Accepted, GateError> {
        let decision::Verified { digest, verdict, decided_by, decided_at, note, passkey, grant } = verified;
        let verdict = match verdict {
            decision::Verdict::Approved => Verdict::Approved,
            decision::Verdict::Denied => Verdict::Denied,
        };
        let ruling =
            Ruling { verdict, by: decided_by, at: decided_at, origin: Origin::Hub, note, passkey: None, grant };
        match self.gate.decide_with_passkey(digest, ruling, passkey).await {
            Ok(()) => Ok(Accepted::Yes),
            Err(RulingError::Store(error)) => Err(error),
            Err(
                error @ (RulingError::Unknown(_)
                | RulingError::Late(_)
                | RulingError::AlreadyDecided(_)
                | RulingError::NeedsPasskey
                | RulingError::Passkey(_)
                | RulingError::Grant(_)),
            ) => Ok(Accepted::No(error.to_string())),
        }
    }

    /// Hands the hub's list of passkeys to the gate.
    pub(crate) async fn offer_passkeys(&self, offers: Vec<PasskeyOffer>) -> Result<(), GateError> {
        self.gate.offer_passkeys(offers).await
    }

    /// Puts the fate of a desired configuration into the audit log.
    pub(crate) async fn note_generation(&self, generation: u64, error: &str) {
        let (kind, fields) = match error {
            "" => ("generation-applied", json!({ "generation": generation })),
            error => ("generation-refused", json!({ "generation": generation, "error": error })),
        };
        if let Err(error) = self.gate.audit_note(kind, fields).await {
            tracing::error!(error = crate::channel::chain(&error), "the new configuration is not in the audit log");
        }
    }

    /// Puts the fate of a list of keys into the audit log; `version` is the one in force.
    pub(crate) async fn note_keys(&self, version: u64, error: &str) {
        let (kind, fields) = match error {
            "" => ("keys-applied", json!({ "version": version })),
            error => ("keys-refused", json!({ "in_force": version, "error": error })),
        };
        if let Err(error) = self.gate.audit_note(kind, fields).await {
            tracing::error!(error = crate::channel::chain(&error), "the new list of keys is not in the audit log");
        }
    }

    fn marks(&self) -> Marks {
        self.kept().now
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
