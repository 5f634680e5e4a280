//! What the network lock's helper tells, taken into the audit log each once, as the vault's changes are: the log itself
//! says how far it has come.

use rusqlite::{Connection, params};
use serde::Deserialize;
use serde_json::{Value, json};
use wardkeep_proto::time::Timestamp;

use super::{Gate, GateError};
use crate::audit;
use crate::store::{StoreError, activity};

/// One event of the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockEvent {
    /// Its number in the helper's journal, from 1.
    pub number: u64,
    /// When it was noticed.
    pub at: Timestamp,
    /// `lock-applied`, `lock-attempt`, ...: begins with `lock-`.
    pub kind: &'static str,
    /// More fields of the row: an object.
    pub fields: Value,
    /// Also a line for people on the hub.
    pub notice: Option<String>,
}

#[derive(Deserialize)]
struct Told {
    journal: String,
    number: u64,
}

impl Gate {
    /// How far the audit log has taken `journal`; 0 for not at all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lock_events_told(&self, journal: &str) -> Result<u64, GateError> {
        let journal = journal.to_owned();
        self.read(move |conn| told(conn, &journal)).await
    }

    /// Takes events into the audit log, those that are there already excepted; gives how far it has come.
    ///
    /// # Errors
    /// When it cannot be recorded; then none is.
    pub async fn tell_lock_events(&self, journal: &str, events: Vec<LockEvent>) -> Result<u64, GateError> {
        let journal = journal.to_owned();
        self.write(move |tx| {
            let mut last = told(tx, &journal)?;
            for event in events {
                if event.number <= last {
                    continue;
                }
                let mut fields = event.fields;
                fields["journal"] = json!(journal);
                fields["number"] = json!(event.number);
                // The helper keeps the newest thousand only; a daemon that was away longer says what it missed.
                if event.number > last + 1 {
                    fields["missed"] = json!(event.number - last - 1);
                }
                last = event.number;
                audit::append(tx, event.at, event.kind, None, &fields)?;
                if let Some(summary) = event.notice {
                    activity::notice(tx, event.at, "lock", &summary)?;
                }
            }
            Ok(last)
        })
        .await
    }
}

fn told(conn: &Connection, journal: &str) -> Result<u64, StoreError> {
    let mut rows =
        conn.prepare_cached("SELECT fields FROM audit WHERE kind >= 'lock-' AND kind < 'lock.' ORDER BY number DESC")?;
    let mut rows = rows.query(params![])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        if let Ok(found) = serde_json::from_str::<Told>(&text)
            && found.journal == journal
        {
            return Ok(found.number);
        }
    }
    Ok(0)
}
