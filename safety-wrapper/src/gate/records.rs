//! What is asked of the records as a whole, again and again.

use std::sync::{Arc, PoisonError};

use wardkeep_proto::digest::Digest;

use super::grants::given;
use super::{Gate, GateError, KnownGrant};
use crate::audit::{self, Head};
use crate::store::{approvals, passkeys};

/// How the records stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Records {
    /// The end of the audit chain.
    pub audit: Head,
    /// Calls that wait for a person.
    pub open_approvals: u32,
    /// Fingerprints of the passkeys that may approve what is critical.
    pub passkeys: Vec<Digest>,
    /// What people gave with approvals and has not ended, as [`Gate::grants_given`].
    pub grants: Vec<KnownGrant>,
}

impl Gate {
    /// How the records stand. From memory while nothing was recorded: it is asked each second, also of a server at rest.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn records(&self) -> Result<Arc<Records>, GateError> {
        let known = || self.records.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the look: what is recorded from here on is another revision.
        let revision = *self.changed.borrow();
        if let Some((of, records)) = &*known()
            && *of == revision
            // What was given ends by itself.
            && records.grants.is_empty()
        {
            return Ok(Arc::clone(records));
        }
        let (granting, now) = (self.parts.bundle.borrow().granting, self.now());
        let records = self
            .read(move |conn| {
                Ok(Records {
                    audit: audit::head(conn)?,
                    open_approvals: approvals::count_pending(conn)?,
                    passkeys: passkeys::pinned(conn)?,
                    grants: given(conn, granting, now)?,
                })
            })
            .await?;
        let records = Arc::new(Records { grants: self.as_told(records.grants), ..records });
        *known() = Some((revision, Arc::clone(&records)));
        Ok(records)
    }

    /// Whether the database answers. Blocks.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.store.glance(audit::head).is_ok()
    }
}
