//! `audit`: what the hub knows of a tenant's audit log.

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;
use wardkeep_hub::audit::judge;
use wardkeep_hub::serve::open_store;
use wardkeep_hub::store::Caller;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantName;

use super::tenants::find;
use super::{Place, say};

/// The newest checkpoints that are looked at; each covers all rows before it.
const CHECKPOINTS: u32 = 1_000_000;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Check everything that a tenant has signed of its audit log; exit code 1 when it contradicts itself.
    ///
    /// This finds a log that went back or forked. Which row was changed is found on the server, by
    /// `wardkeep-agent audit verify --against-hub`.
    Verify {
        /// Which tenant.
        tenant: TenantName,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Audit {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let Self::Verify { tenant: name, json: as_json } = self;
        let store = open_store(&place.data_dir, &place.outside)?;
        let tenant = find(&store, &name, place.outside.clock.now()).await?;
        let key = store.known_audit_key(&Caller::Operator, tenant.id).await?;
        let key = key.with_context(|| format!("{name} has never sent a checkpoint of its audit log"))?;
        let digest = Digest::plain(&key);
        let mut checkpoints = store.checkpoints(&Caller::Operator, tenant.id, CHECKPOINTS).await?;
        checkpoints.retain(|one| one.key == digest);
        let newest = checkpoints.iter().filter(|one| !one.signature.is_empty()).max_by_key(|one| one.received).cloned();
        let count = checkpoints.len();
        let findings = judge(tenant.id, &key, checkpoints, tenant.status.map(|status| status.audit_length));
        if as_json {
            let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
            say(&json!({
                "ok": findings.is_empty(),
                "checkpoints": count,
                "length": newest.as_ref().map(|one| one.length),
                "head": newest.as_ref().map(|one| one.head),
                "received_ms": newest.as_ref().map(|one| one.received),
                "findings": found,
            })
            .to_string())?;
        } else if let Some(newest) = newest {
            let (length, head, received) = (newest.length, newest.head, newest.received);
            say(&format!("{name}: {count} checkpoints, the newest of {received} at row {length}, head {head}"))?;
        }
        if findings.is_empty() {
            return Ok(());
        }
        if !as_json {
            findings.iter().try_for_each(|finding| say(&format!("{name}: {finding}")))?;
        }
        bail!("the audit log of {name} was changed; keep the server as it is and find out who had access")
    }
}
