//! `policy`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use wardkeep_hub::events::Events;
use wardkeep_hub::link::Links;
use wardkeep_hub::policies::{EXAMPLE, Publisher};
use wardkeep_hub::serve::{Opened, open_store};
use wardkeep_hub::store::Caller;
use wardkeep_proto::ids::TenantName;

use super::tenants::{COMMAND_LINE, find};
use super::{Place, say};

#[derive(Debug, Subcommand)]
pub(super) enum Policy {
    /// The newest policy of a tenant.
    Show {
        /// Which tenant.
        tenant: TenantName,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Sign a policy and make it the one that the tenant should run.
    Publish {
        /// Which tenant.
        tenant: TenantName,
        /// The TOML; see `policy example`.
        #[arg(long)]
        file: PathBuf,
        /// Only check it and print the bundle that would be signed.
        #[arg(long)]
        dry_run: bool,
    },
    /// A commented policy to begin with.
    Example,
}

impl Policy {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<()> {
        match self {
            Self::Show { tenant, json } => show(place, &tenant, json).await,
            Self::Publish { tenant, file, dry_run } => publish(place, &tenant, file, dry_run).await,
            Self::Example => say(EXAMPLE.trim_end()),
        }
    }
}

async fn show(place: &Place, name: &TenantName, json: bool) -> anyhow::Result<()> {
    let store = open_store(&place.data_dir, &place.outside)?;
    let tenant = find(&store, name, place.outside.clock.now()).await?;
    let policy = store.policy(&Caller::Operator, tenant.id).await?;
    let policy = policy.with_context(|| {
        format!("{name} has no policy; publish one with: wardkeep-hub policy publish {name} --file F")
    })?;
    if json {
        return say(&json!({
            "version": policy.version,
            "digest": policy.digest,
            "issued_ms": policy.issued,
            "expires_ms": policy.expires,
            "published_by": policy.published_by,
            "source": policy.source,
        })
        .to_string());
    }
    say(&format!(
        "# version {} of {}, by {}, until {}",
        policy.version, policy.issued, policy.published_by, policy.expires
    ))?;
    say(policy.source.trim_end())
}

async fn publish(place: &Place, name: &TenantName, file: PathBuf, dry_run: bool) -> anyhow::Result<()> {
    let source = std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let Opened { store, keys } = Opened::open(&place.data_dir, &place.outside).await?;
    let tenant = find(&store, name, place.outside.clock.now()).await?.id;
    let publisher = Publisher::new(store, Arc::clone(&place.outside.clock), keys.bundle, Events::new(), Links::new());
    if dry_run {
        let draft = publisher.draft(&Caller::Operator, tenant, &source).await?;
        return say(&String::from_utf8(draft.json)?);
    }
    let policy = publisher.publish(&Caller::Operator, COMMAND_LINE, tenant, &source).await?;
    say(&format!("version {} of {name} is signed until {}", policy.version, policy.expires))
}
