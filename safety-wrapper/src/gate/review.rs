//! What a draft of the policy would change for the calls that are on record here.

use std::sync::Arc;

use serde_json::json;
use wardkeep_policy::review::Reviewer;
use wardkeep_policy::signed::{Refused, examine};
use wardkeep_policy::{Action, Bundle, Closed, Decision, Posture, Review, decide_for, render};
use wardkeep_proto::time::Timestamp;

use super::{Gate, GateError};
use crate::approval::document::redact_action;
use crate::store::calls::{self, CallRow};

/// Calls read at a time: nobody else waits long for the file.
const PAGE: u32 = 64;

/// Why a draft was not judged.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The draft itself.
    #[error("this server would refuse the draft: {0}")]
    Draft(#[source] Refused),
    /// What calls were could not be redacted, or the records could not be read.
    #[error(transparent)]
    Gate(#[from] GateError),
}

impl Gate {
    /// Judges the newest `last` calls by the bundle in force and by `draft` (JSON that nobody signed), as if nothing was
    /// closed. The draft is not kept and counts for nothing else; that it was asked for is in the audit log.
    ///
    /// What is told of a call is its title, as in the live view.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub async fn review(
        self: &Arc<Self>,
        draft: Vec<u8>,
        last: u32,
        by: &str,
        agent_version: &'static str,
    ) -> Result<Review, ReviewError> {
        self.parts.secrets.catch_up();
        if self.posture().read().has(Closed::VaultUnread) {
            return Err(GateError::Closed(Closed::VaultUnread).into());
        }
        let (tenant, now) = (self.parts.tenant, self.now());
        let in_force = self.parts.bundle.borrow().clone();
        // Every example of the draft is tried, every call judged twice: not on a thread that serves others.
        let read = tokio::task::spawn_blocking(move || examine(&draft, tenant, now, agent_version).map(Arc::new));
        let draft = read.await.map_err(|_| GateError::Worker)?.map_err(ReviewError::Draft)?;
        let mut reviewer = Reviewer::against(in_force.version);
        let mut below = i64::MAX;
        loop {
            let limit = reviewer.wanting(last).min(PAGE);
            let page = self.read(move |conn| calls::before(conn, below, limit)).await?;
            let Some(lowest) = page.last().map(|row| row.id) else { break };
            below = lowest;
            let (gate, bundles) = (Arc::clone(self), (Arc::clone(&in_force), Arc::clone(&draft)));
            let judging = tokio::task::spawn_blocking(move || {
                for row in page {
                    gate.judge_again(row, (&bundles.0, &bundles.1), now, &mut reviewer);
                }
                reviewer
            });
            reviewer = judging.await.map_err(|_| GateError::Worker)?;
        }
        let review = reviewer.finish();
        let (judged, loosened) = (review.judged, review.loosened());
        let by = by.to_owned();
        self.audit_note("draft-judged", json!({"by": by, "judged": judged, "loosened": loosened})).await?;
        Ok(review)
    }

    fn judge_again(&self, row: CallRow, (in_force, draft): (&Bundle, &Bundle), now: Timestamp, to: &mut Reviewer) {
        let action = row.action.as_deref().and_then(|bytes| serde_json::from_slice::<Action>(bytes).ok());
        let Some(action) = action else { return to.not_kept() };
        let judged = |bundle: &Bundle| -> Decision { decide_for(&action, bundle, &Posture::open(), now) };
        to.call(row.created, &action.agent, (&judged(in_force), &judged(draft)), || {
            // Redacted anew: what became a secret since is masked, too.
            match redact_action(&self.parts.redaction.load(), &action) {
                Ok((shown, _)) => self.title(&render(&shown).title),
                Err(_) => "a call that cannot be scanned for secrets".to_owned(),
            }
        });
    }
}
