//! `policy sign`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use wardkeep_hub::store::Caller;
use wardkeep_proto::ids::TenantName;

use super::super::tenants::find;
use super::super::{Place, say};
use super::{Desk, Text};

#[derive(Debug, Args)]
pub(in super::super) struct Sign {
    /// Which tenant.
    tenant: TenantName,
    #[command(flatten)]
    text: Text,
    /// Where the envelope goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Sign {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<()> {
        let source = self.text.read()?;
        let desk = Desk::open(place).await?;
        let tenant = find(&desk.store, &self.tenant, place.outside.clock.now()).await?.id;
        let draft = desk.publisher.draft(&Caller::Operator, tenant, &source).await?;
        let envelope = desk.publisher.seal(&draft);
        std::fs::write(&self.out, envelope).with_context(|| format!("{} cannot be written", self.out.display()))?;
        say(&format!("version {} of {} is in {}, not published", draft.bundle.version, self.tenant, self.out.display()))
    }
}
