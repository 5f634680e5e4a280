//! Changes of the vault, taken into the audit log each once. The log itself says how far it has come: there is no second
//! mark that a crash could leave behind.

use rusqlite::{Connection, params};
use serde::Deserialize;
use serde_json::{Value, json};
use wardkeep_proto::time::Timestamp;

use super::{Gate, GateError};
use crate::audit;
use crate::store::{StoreError, activity};

/// One change, as the vault's journal has it. Names, versions and who; never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultChange {
    /// Its number in the journal, from 1.
    pub number: u64,
    /// When it happened.
    pub at: Timestamp,
    /// `vault-set`, `vault-rotated`, ...: begins with `vault-`.
    pub kind: &'static str,
    /// The secret.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<u64>,
    /// Who, as the kernel says.
    pub by: String,
    /// More, for people.
    pub note: String,
    /// Also a line for people on the hub.
    pub is_notice: bool,
}

#[derive(Deserialize)]
struct Told {
    vault: String,
    number: u64,
}

impl Gate {
    /// How far the audit log has taken the journal of `vault`; 0 for not at all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn vault_changes_told(&self, vault: &str) -> Result<u64, GateError> {
        let vault = vault.to_owned();
        self.read(move |conn| told(conn, &vault)).await
    }

    /// Takes changes into the audit log, those that are there already excepted; gives how far it has come.
    ///
    /// # Errors
    /// When it cannot be recorded; then none is.
    pub async fn tell_vault_changes(&self, vault: &str, changes: Vec<VaultChange>) -> Result<u64, GateError> {
        let vault = vault.to_owned();
        self.write(move |tx| {
            let mut last = told(tx, &vault)?;
            for change in changes {
                if change.number <= last {
                    continue;
                }
                last = change.number;
                audit::append(tx, change.at, change.kind, None, &fields(&vault, &change))?;
                if change.is_notice {
                    let what = change.name.map_or_else(|| "the vault".to_owned(), |name| format!("secret {name}"));
                    let summary = format!("{what}: {}", change.note);
                    activity::notice(tx, change.at, "vault", &summary)?;
                }
            }
            Ok(last)
        })
        .await
    }
}

fn fields(vault: &str, change: &VaultChange) -> Value {
    let mut fields = json!({ "vault": vault, "number": change.number, "by": change.by });
    if let Some(name) = &change.name {
        fields["name"] = json!(name);
    }
    if let Some(version) = change.version {
        fields["version"] = json!(version);
    }
    if !change.note.is_empty() {
        fields["note"] = json!(change.note);
    }
    fields
}

fn told(conn: &Connection, vault: &str) -> Result<u64, StoreError> {
    // From the end: the newest change is near it. Kinds without a number (`vault-locked`) are passed over.
    let mut rows = conn
        .prepare_cached("SELECT fields FROM audit WHERE kind >= 'vault-' AND kind < 'vault.' ORDER BY number DESC")?;
    let mut rows = rows.query(params![])?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        if let Ok(found) = serde_json::from_str::<Told>(&text)
            && found.vault == vault
        {
            return Ok(found.number);
        }
    }
    Ok(0)
}
