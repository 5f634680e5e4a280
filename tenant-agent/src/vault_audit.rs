//! The vault's journal, taken into the audit log. The command line writes the one, with or without a daemon; the daemon
//! takes it over when it looks, each change once.

use std::sync::Arc;

use wardkeep_safety::{Gate, GateError, VaultChange};
use wardkeep_vault::{Change, ChangeKind};

use crate::secrets::VaultBook;

/// Changes taken at once.
const ROWS: u32 = 200;

/// How far the audit log has come: the vault's name and the number of its last change there.
#[derive(Debug, Default)]
pub struct Told(Option<(String, u64)>);

impl Told {
    /// Takes over what is new. Nothing while the vault is closed.
    ///
    /// # Errors
    /// The gate cannot record; it is tried again.
    pub async fn catch_up(&mut self, vault: &Arc<VaultBook>, gate: &Gate) -> Result<(), GateError> {
        loop {
            let (book, told) = (vault.clone(), self.0.clone());
            let found = tokio::task::spawn_blocking(move || book.changes_after(told.as_ref(), ROWS)).await;
            let Ok(Some((id, rows))) = found else { return Ok(()) };
            if self.0.as_ref().is_none_or(|(of, _)| *of != id) {
                let number = gate.vault_changes_told(&id).await?;
                self.0 = Some((id, number));
                continue;
            }
            if rows.is_empty() {
                return Ok(());
            }
            let number = gate.tell_vault_changes(&id, rows.into_iter().map(change).collect()).await?;
            self.0 = Some((id, number));
        }
    }
}

fn change(row: Change) -> VaultChange {
    let Change { number, at, kind, name, version, by, note } = row;
    let name = name.map(String::from);
    VaultChange { number, at, kind: kind.as_str(), name, version, by, note, is_notice: kind == ChangeKind::Reminded }
}
