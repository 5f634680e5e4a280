//! What the daemon keeps going beside the secrets themselves: the journal, reminders, when they were used.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::params;
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::time::Timestamp;

use super::{Vault, rows};
use crate::error::VaultError;
use crate::journal::{self, Change, ChangeKind, Note};

/// Between two writes of when secrets were used: a crash loses so much at most.
const USED_EVERY: Duration = Duration::from_secs(60);

/// When secrets were given, not yet written.
#[derive(Default)]
pub(super) struct Used {
    pub(super) pending: BTreeMap<SecretName, Timestamp>,
    written: Option<Timestamp>,
}

impl Vault {
    /// The random name of this vault: numbers of its journal count within it.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn id(&self) -> Result<String, VaultError> {
        Ok(self.lock().query_row("SELECT vault FROM meta", [], |row| row.get(0))?)
    }

    /// The number of the last row of the journal; 0 for none.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn last_change(&self) -> Result<u64, VaultError> {
        let last: i64 = self.lock().query_row("SELECT coalesce(max(number), 0) FROM journal", [], |row| row.get(0))?;
        Ok(last.unsigned_abs())
    }

    /// Gives this vault another name: an older copy was put back, and its journal goes on beside the one that was told.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn rename(&self, id: &str) -> Result<(), VaultError> {
        self.note(|db| Ok(db.execute("UPDATE meta SET vault = ?1", [id]).map(drop)?))
    }

    /// Rows of the journal after `number`, oldest first.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn changes_after(&self, number: u64, limit: u32) -> Result<Vec<Change>, VaultError> {
        journal::after(&self.lock(), number, limit, None)
    }

    /// Notes in the journal which secrets end soon or have ended, each at 14, 3 and 0 days, once.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn remind(&self) -> Result<(), VaultError> {
        let now = self.clock.now();
        let due = rows::due(&self.lock(), now)?;
        if due.is_empty() {
            return Ok(());
        }
        self.note(|db| {
            for (name, days, at) in due {
                db.execute("UPDATE secrets SET reminded_days = ?2 WHERE name = ?1", params![name.as_str(), days])?;
                let text = if at <= now { format!("it expired at {at}") } else { format!("it expires at {at}") };
                let note = Note { kind: ChangeKind::Reminded, name: Some(&name), version: None, note: &text };
                journal::append(db, now, "daemon", &note)?;
            }
            Ok(())
        })
    }

    /// Writes when secrets were last given, once a minute at most; `at_once` for the last time.
    ///
    /// # Errors
    /// SQLite refused; it is tried again then.
    pub fn write_used(&self, at_once: bool) -> Result<(), VaultError> {
        let now = self.clock.now();
        let pending = {
            let used = self.used();
            // A clock that was set back must not silence this for ever.
            let fresh = used.written.is_some_and(|at| now >= at && now.since(at) < USED_EVERY);
            if used.pending.is_empty() || (fresh && !at_once) {
                return Ok(());
            }
            used.pending.clone()
        };
        self.write(|db| {
            let mut update = db.prepare_cached("UPDATE secrets SET used_ms = ?2 WHERE name = ?1")?;
            for (name, at) in &pending {
                update.execute(params![name.as_str(), at.millis()])?;
            }
            Ok(())
        })?;
        let mut used = self.used();
        used.pending.retain(|name, at| pending.get(name) != Some(at));
        used.written = Some(now);
        Ok(())
    }

    /// Notes that all values left in an encrypted file.
    ///
    /// # Errors
    /// SQLite refused.
    pub(crate) fn note_export(&self, note: &str) -> Result<(), VaultError> {
        let now = self.clock.now();
        let note = Note { kind: ChangeKind::Exported, name: None, version: None, note };
        self.note(|db| journal::append(db, now, &self.by, &note))
    }
}
