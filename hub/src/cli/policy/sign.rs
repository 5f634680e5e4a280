//! `policy sign`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Deserialize;
use wardkeep_hub::keys::BundleSeed;
use wardkeep_hub::policies::{Draft, draft};
use wardkeep_hub::store::Caller;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{TenantId, TenantName};
use zeroize::Zeroizing;

use super::super::tenants::find;
use super::super::{Place, say};
use super::Desk;

#[derive(Debug, Args)]
pub(in super::super) struct Sign {
    /// Which tenant; elsewhere than on its hub, say `--key` and `--after`.
    #[arg(required_unless_present = "key")]
    tenant: Option<TenantName>,
    /// The TOML; see `policy example`.
    #[arg(value_name = "FILE", required_unless_present = "file")]
    text: Option<PathBuf>,
    /// The same.
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// A key file of `keys new`: no hub is needed then.
    #[arg(long, value_name = "FILE", requires = "after", conflicts_with = "tenant")]
    key: Option<PathBuf>,
    /// With `--key`: what `policy show TENANT --json` printed on the hub; the envelope is the version after it.
    #[arg(long, value_name = "FILE", requires = "key")]
    after: Option<PathBuf>,
    /// Where the envelope goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What is needed of `policy show --json`.
#[derive(Deserialize)]
struct Shown {
    tenant: TenantId,
    version: u64,
    digest: Digest,
}

impl Sign {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let file = self.text.or(self.file).context("name a file")?;
        let source = String::from_utf8(read(&file)?).with_context(|| format!("{} is no text", file.display()))?;
        let (draft, envelope) = match (self.tenant, self.key, self.after) {
            (Some(tenant), None, None) => here(place, &tenant, &source).await?,
            (None, Some(key), Some(after)) => {
                let Shown { tenant, version, digest } = serde_json::from_slice(&read(&after)?)
                    .with_context(|| format!("{} is not what `policy show --json` prints", after.display()))?;
                let draft = draft(tenant, &source, Some((version, digest)), place.outside.clock.now())?;
                let text = Zeroizing::new(String::from_utf8(read(&key)?).context("a key file is text")?);
                let key =
                    BundleSeed::from_text(&text).with_context(|| format!("{} is no key", key.display()))?.key()?;
                let envelope = key.seal(&draft.json);
                (draft, envelope)
            }
            _ => bail!("name the tenant, or say --key and --after"),
        };
        std::fs::write(&self.out, envelope).with_context(|| format!("{} cannot be written", self.out.display()))?;
        let (version, out) = (draft.bundle.version, self.out.display());
        if self.json {
            let tenant = draft.bundle.tenant;
            return say(&serde_json::json!({"tenant": tenant, "version": version, "digest": draft.digest}).to_string());
        }
        say(&format!("version {version} is signed in {out}, not published"))
    }
}

async fn here(place: &Place, name: &TenantName, source: &str) -> anyhow::Result<(Draft, Vec<u8>)> {
    let desk = Desk::open(place).await?;
    let tenant = find(&desk.store, name, place.outside.clock.now()).await?.id;
    let draft = desk.publisher.draft(&Caller::Operator, tenant, source).await?;
    let envelope = desk.publisher.key().await?.seal(&draft.json);
    Ok((draft, envelope))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}
