//! What others take from the gate: approvals, progress, activity, audit.

use std::time::Duration;

use wardkeep_proto::digest::Digest;

use super::{Gate, GateError};
use crate::approval::{Approval, ApprovalFilter, ApprovalState, Progress};
use crate::audit::{self, Checkpoint, Head, Row};
use crate::store::activity::{self, ActivityRow};
use crate::store::approvals;

/// What the hub is to be told.
#[derive(Clone, Debug)]
pub struct News {
    /// As [`Gate::approvals_to_send`].
    pub approvals: Vec<Approval>,
    /// As [`Gate::progress_to_send`].
    pub progress: Vec<Progress>,
    /// As [`Gate::activity_after`].
    pub activity: Vec<ActivityRow>,
}

impl Gate {
    /// Approvals, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn approvals(&self, filter: ApprovalFilter) -> Result<Vec<Approval>, GateError> {
        self.read(move |conn| match filter {
            ApprovalFilter::Pending => approvals::pending(conn),
            ApprovalFilter::Newest(limit) => approvals::newest(conn, limit),
        })
        .await
    }

    /// One approval.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn approval(&self, digest: Digest) -> Result<Option<Approval>, GateError> {
        self.read(move |conn| approvals::get(conn, digest)).await
    }

    /// How many approvals wait for a person.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn open_approvals(&self) -> Result<u32, GateError> {
        self.read(approvals::count_pending).await
    }

    /// Approvals that the hub has no receipt for, oldest first, whatever became of them meanwhile.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn approvals_to_send(&self) -> Result<Vec<Approval>, GateError> {
        self.read(approvals::unsent).await
    }

    /// The hub has this approval on disk.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn approval_sent(&self, digest: Digest) -> Result<(), GateError> {
        self.write(move |tx| approvals::sent(tx, digest)).await
    }

    /// Steps that the hub has not heard of, of approvals that it has; oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn progress_to_send(&self) -> Result<Vec<Progress>, GateError> {
        self.read(approvals::untold).await
    }

    /// The hub has heard of this step.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn progress_sent(&self, digest: Digest, state: ApprovalState) -> Result<(), GateError> {
        self.write(move |tx| approvals::told(tx, digest, state)).await
    }

    /// Activity rows after `number`, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn activity_after(&self, number: u64, limit: u32) -> Result<Vec<ActivityRow>, GateError> {
        self.read(move |conn| activity::after(conn, number, limit)).await
    }

    /// All of these in one look: approvals and steps that the hub has not heard of, and activity after `number`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn news(&self, number: u64, limit: u32) -> Result<News, GateError> {
        self.read(move |conn| {
            let (approvals, progress) = (approvals::unsent(conn)?, approvals::untold(conn)?);
            Ok(News { approvals, progress, activity: activity::after(conn, number, limit)? })
        })
        .await
    }

    /// The highest activity number given so far; 0 for none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn activity_head(&self) -> Result<u64, GateError> {
        self.read(activity::head).await
    }

    /// The end of the audit chain.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_head(&self) -> Result<Head, GateError> {
        self.read(audit::head).await
    }

    /// Audit rows after `number`, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_after(&self, number: u64, limit: u32) -> Result<Vec<Row>, GateError> {
        self.read(move |conn| audit::rows_after(conn, number, limit)).await
    }

    /// As [`audit_after`](Self::audit_after), without what became a secret after it was written: such a row no longer fits its hash.
    /// Waits `within` for the first row.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_to_show(&self, number: u64, limit: u32, within: Duration) -> Result<Vec<Row>, GateError> {
        let until = tokio::time::Instant::now() + within;
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let rows = self.audit_after(number, limit).await?;
            if !rows.is_empty() || tokio::time::timeout_at(until, changed.changed()).await.is_err() {
                self.parts.secrets.catch_up();
                let clean = |row: Row| Row { fields: self.clean(&row.fields), call: self.clean(&row.call), ..row };
                return Ok(rows.into_iter().map(clean).collect());
            }
        }
    }

    /// What the log now holds at the length of a checkpoint that was signed before: the same, unless it was rewritten.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_hash_at(&self, length: u64) -> Result<Option<Digest>, GateError> {
        self.read(move |conn| audit::hash_at(conn, length)).await
    }

    /// Signs the end of the audit chain as it is now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn checkpoint(&self) -> Result<Checkpoint, GateError> {
        let head = self.audit_head().await?;
        Ok(Checkpoint::sign(head, self.parts.tenant, self.now(), &self.key)?)
    }

    /// Keeps a checkpoint that the hub has confirmed beside the log, so that a cut end shows on this server too.
    ///
    /// # Errors
    /// When it cannot be written; the one before stays.
    pub async fn keep_checkpoint(&self, checkpoint: &Checkpoint) -> std::io::Result<()> {
        let (path, bytes) = (self.state_dir.join(audit::KEPT), serde_json::to_vec(checkpoint)?);
        let written = tokio::task::spawn_blocking(move || {
            let beside = path.with_extension("new");
            std::fs::write(&beside, bytes)?;
            std::fs::File::open(&beside)?.sync_all()?;
            std::fs::rename(&beside, &path)
        });
        written.await.map_err(std::io::Error::other)?
    }

    /// The public key of checkpoints, 32 bytes.
    #[must_use]
    pub fn audit_key(&self) -> &[u8] {
        self.key.public()
    }
}
