//! `tenant`, and the enrolment token of one.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use wardkeep_hub::enrol;
use wardkeep_hub::events::Events;
use wardkeep_hub::install::Installer;
use wardkeep_hub::link::Links;
use wardkeep_hub::policies::{EXAMPLE, Publisher};
use wardkeep_hub::serve::{Opened, open_store};
use wardkeep_hub::store::tenants::Tenant as Row;
use wardkeep_hub::store::{Caller, Store};
use wardkeep_proto::ids::{OrganisationId, TenantId, TenantName};
use wardkeep_proto::time::Timestamp;

use super::init::DEFAULT_ORGANISATION;
use super::{Place, say};

/// Who acts on the machine itself, as shown to people.
pub(super) const COMMAND_LINE: &str = "the command line";

#[derive(Debug, Subcommand)]
pub(super) enum Tenant {
    /// Add a server and print the one command that installs and enrols it.
    Add {
        /// Its name: 1 to 40 of a-z, 0-9 and inner hyphens.
        name: TenantName,
        /// Whose it is; `default` when absent.
        #[arg(long)]
        organisation: Option<String>,
        /// Its first policy; one supervised agent named `assistant` when absent.
        #[arg(long)]
        policy: Option<std::path::PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Every server.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Tenant {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<()> {
        match self {
            Self::Add { name, organisation, policy, json } => {
                let source = match policy {
                    Some(path) => {
                        std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?
                    }
                    None => EXAMPLE.to_owned(),
                };
                add(place, &name, organisation.as_deref().unwrap_or(DEFAULT_ORGANISATION), &source).await?;
                enrol_token(place, &name, json).await
            }
            Self::List { json } => list(place, json).await,
        }
    }
}

async fn add(place: &Place, name: &TenantName, organisation: &str, policy: &str) -> anyhow::Result<()> {
    let Opened { store, keys } = Opened::open(&place.data_dir, &place.outside).await?;
    // Nothing is added when the command could not be printed.
    place.web()?;
    let (now, chance) = (place.outside.clock.now(), place.outside.chance.as_ref());
    let organisation = store.organisation(OrganisationId::new(now, chance), organisation, now).await?;
    let id = TenantId::new(now, chance);
    store.add_tenant(organisation.id, id, name, now).await??;
    let publisher = Publisher::new(store, Arc::clone(&place.outside.clock), keys.ring, Events::new(), Links::new());
    publisher
        .publish(&Caller::Operator, COMMAND_LINE, id, policy)
        .await
        .context("the tenant was added without a policy")?;
    Ok(())
}

/// Makes a token for an existing tenant and prints how to use it.
pub(super) async fn enrol_token(place: &Place, name: &TenantName, json: bool) -> anyhow::Result<()> {
    let Opened { store, keys } = Opened::open(&place.data_dir, &place.outside).await?;
    let web = Arc::new(place.web()?);
    let (now, chance) = (place.outside.clock.now(), place.outside.chance.as_ref());
    let tenant = find(&store, name, now).await?;
    let token = enrol::new_token(&store, &keys, &web.link_address, tenant.id, now, chance).await?;
    let binary = place.config()?.install.agent_binary.unwrap_or_else(|| place.outside.agent_binary.clone());
    let command = Installer::new(binary, Arc::clone(&web)).command(&token);
    if json {
        let command = command.as_ref().ok().map(|command| command.expose().to_owned());
        let id = tenant.id.to_string();
        return say(
            &json!({"tenant": id, "name": name.as_str(), "token": token.expose(), "command": command}).to_string()
        );
    }
    match command {
        Ok(command) => {
            say("Run this on the server within 30 minutes (Debian 12, Ubuntu 24.04 or newer, as root or with sudo):")?;
            say(command.expose())
        }
        Err(error) => {
            tracing::warn!("no installation command: {:#}", anyhow::Error::from(error));
            say(
                "Give this token to `wardkeep-agent enrol` on the server within 30 minutes (it reads standard input):",
            )?;
            say(token.expose())
        }
    }
}

async fn list(place: &Place, json: bool) -> anyhow::Result<()> {
    let (store, now) = (open_store(&place.data_dir, &place.outside)?, place.outside.clock.now());
    let all = all(&store, now).await?;
    if json {
        let view = |row: &Row| {
            let status = row.status.as_ref();
            json!({
                "id": row.id.to_string(),
                "name": row.name.as_str(),
                "organisation": row.organisation_name,
                "standing": row.standing(now).as_str(),
                "last_seen_ms": status.map(|status| status.last_seen.millis()),
                "generation": status.map(|status| status.generation),
                "desired_generation": row.desired_generation,
                "closed": status.map(|status| status.closed.clone()),
                "waiting": row.waiting,
            })
        };
        return say(&serde_json::Value::from(all.iter().map(view).collect::<Vec<_>>()).to_string());
    }
    all.iter().try_for_each(|row| {
        let seen = row.status.as_ref().map_or_else(|| "never".to_owned(), |status| status.last_seen.to_string());
        say(&format!(
            "{:<8} {:<40} {:<20} last heard {seen}",
            row.standing(now).as_str(),
            row.name,
            row.organisation_name
        ))
    })
}

/// Every tenant, by name.
pub(super) async fn all(store: &Store, now: Timestamp) -> anyhow::Result<Vec<Row>> {
    let mut after: Option<TenantName> = None;
    let mut all: Vec<Row> = Vec::new();
    loop {
        let page = store.tenants(&Caller::Operator, after.as_ref(), 500, now).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.name.clone());
        all.extend(page);
    }
}

/// The tenant of that name.
pub(super) async fn find(store: &Store, name: &TenantName, now: Timestamp) -> anyhow::Result<Row> {
    let found = store.tenant_named(&Caller::Operator, name, now).await?;
    found.with_context(|| format!("no tenant is named {name}; add it with: wardkeep-hub tenant add {name}"))
}
