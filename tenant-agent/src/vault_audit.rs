//! The vault's journal, taken into the audit log. The command line writes the one, with or without a daemon; the daemon
//! takes it over when it looks, each change once.

use std::sync::Arc;

use wardkeep_proto::chance::{Chance, bytes};
use wardkeep_safety::{Gate, GateError, VaultChange};
use wardkeep_vault::{Change, ChangeKind};

use crate::channel::chain;
use crate::secrets::{Journal, VaultBook};

/// Changes taken at once.
const ROWS: u32 = 200;

/// How far the audit log has come: the vault's name and the number of its last change there.
#[derive(Clone, Debug, Default)]
pub struct Told(Option<(String, u64)>);

impl Told {
    /// Whether there is nothing new. May wait for the file.
    #[must_use]
    pub fn is_all_of(&self, vault: &VaultBook) -> bool {
        self.0.as_ref().is_some_and(|told| vault.journal_ends_with(told))
    }

    /// Takes over what is new. Nothing while the vault is closed.
    ///
    /// # Errors
    /// The gate cannot record; it is tried again.
    pub async fn catch_up(
        &mut self,
        vault: &Arc<VaultBook>,
        gate: &Gate,
        chance: &dyn Chance,
    ) -> Result<(), GateError> {
        loop {
            let (book, told) = (vault.clone(), self.0.as_ref().map_or(u64::MAX, |(_, number)| *number));
            let found = tokio::task::spawn_blocking(move || book.journal_after(told, ROWS)).await;
            let Ok(Some(Journal { id, last, rows })) = found else { return Ok(()) };
            let told = match &self.0 {
                Some((of, number)) if *of == id => *number,
                _ => {
                    let number = gate.vault_changes_told(&id).await?;
                    self.0 = Some((id, number));
                    continue;
                }
            };
            if last < told {
                self.0 = Some(older_copy(vault, gate, chance, (&id, told, last)).await?);
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

/// The log knows changes that the vault does not: an older copy was put back, by a person or by somebody who wants an old
/// value in use again. That is told, and the vault goes on under another name, or its next changes would count as told.
async fn older_copy(
    vault: &Arc<VaultBook>,
    gate: &Gate,
    chance: &dyn Chance,
    (id, told, last): (&str, u64, u64),
) -> Result<(String, u64), GateError> {
    let new = data_encoding::HEXLOWER.encode(&bytes::<16>(chance));
    tracing::error!(told, last, "the vault is an older copy: changes that were made to it are gone");
    let note = format!("an older copy: {last} of {told} changes; before it was {id}");
    let row = VaultChange {
        number: last,
        at: vault.now(),
        kind: "vault-older-copy",
        name: None,
        version: None,
        by: "daemon".to_owned(),
        note,
        is_notice: true,
    };
    // First told, then renamed: a crash between the two tells it once more.
    let told = gate.tell_vault_changes(&new, vec![row]).await?;
    let (book, name) = (vault.clone(), new.clone());
    match tokio::task::spawn_blocking(move || book.rename(&name)).await {
        Ok(Ok(())) => Ok((new, told.max(last))),
        Ok(Err(error)) => {
            tracing::error!(error = chain(&error), "the vault cannot be given another name");
            Err(GateError::Worker)
        }
        Err(_) => Err(GateError::Worker),
    }
}

fn change(row: Change) -> VaultChange {
    let Change { number, at, kind, name, version, by, note } = row;
    let name = name.map(String::from);
    VaultChange { number, at, kind: kind.as_str(), name, version, by, note, is_notice: kind == ChangeKind::Reminded }
}

#[cfg(test)]
mod tests;
