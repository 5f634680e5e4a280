//! `agent`: the kill switch from the hub's machine.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use wardkeep_hub::events::Events;
use wardkeep_hub::link::Links;
use wardkeep_hub::orders::Orders;
use wardkeep_hub::serve::open_store;
use wardkeep_hub::store::Caller;
use wardkeep_hub::store::commands::{Command, CommandState, Order};
use wardkeep_hub::store::stir::Stir;
use wardkeep_proto::ids::{AgentName, TenantName};
use wardkeep_proto::whom::Whom;

use super::tenants::{COMMAND_LINE, find};
use super::{Place, say};

#[derive(Debug, Subcommand)]
pub(super) enum Agent {
    /// Let nothing but reads of an agent begin until it is resumed.
    #[command(override_usage = "wardkeep-hub agent pause <TENANT> <AGENT|--all> [OPTIONS]")]
    Pause(One),
    /// End everything of an agent now, and let nothing of it begin until it is resumed.
    #[command(override_usage = "wardkeep-hub agent stop <TENANT> <AGENT|--all> [OPTIONS]")]
    Stop(One),
    /// Let an agent go on. What a person on the server paused or stopped, only a person there resumes.
    #[command(override_usage = "wardkeep-hub agent resume <TENANT> <AGENT|--all> --reason <REASON> [OPTIONS]")]
    #[command(mut_arg("reason", |reason| reason.required(true).default_value(None)))]
    Resume(One),
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// Which tenant.
    tenant: TenantName,
    #[command(flatten)]
    whom: WhomArgs,
    /// Why, for the record.
    #[arg(long, default_value = "")]
    reason: String,
    /// Wait so many seconds for the server's answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Whom it is about.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct WhomArgs {
    /// The agent.
    agent: Option<AgentName>,
    /// Every agent of the server, also later ones.
    #[arg(long)]
    all: bool,
}

impl Agent {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<()> {
        match self {
            Self::Pause(one) => {
                let reason = one.reason.clone();
                give(place, one, |agent| Order::PauseAgent { agent, reason }).await
            }
            Self::Stop(one) => {
                let reason = one.reason.clone();
                give(place, one, |agent| Order::StopAgent { agent, reason }).await
            }
            Self::Resume(one) => {
                let reason = one.reason.clone();
                give(place, one, |agent| Order::ResumeAgent { agent, reason }).await
            }
        }
    }
}

async fn give(place: &Place, one: One, order: impl FnOnce(Whom) -> Order) -> anyhow::Result<()> {
    let One { tenant, whom, wait, json, .. } = one;
    let store = open_store(&place.data_dir, &place.outside)?;
    let (clock, chance) = (place.outside.clock.clone(), place.outside.chance.clone());
    let id = find(&store, &tenant, clock.now()).await?.id;
    let orders = Orders::new(store, (clock, chance), (Events::new(), Links::new()));
    let whom = whom.agent.map_or(Whom::All, Whom::Agent);
    let mut stir = Stir::over(&place.data_dir);
    let given = orders.give(&Caller::Operator, COMMAND_LINE, id, order(whom)).await?;
    let until = tokio::time::Instant::now() + Duration::from_secs(wait.into());
    let answered = orders.ended(&Caller::Operator, (id, given.id), until, &mut stir).await?;
    let answered = answered.context("the order is not in the hub's records any more")?;
    tell(&tenant, &answered, json)
}

fn tell(tenant: &TenantName, command: &Command, as_json: bool) -> anyhow::Result<()> {
    let Command { id, state, output, .. } = command;
    // What a server says must not steer the terminal.
    let output: String = output.chars().map(|c| if c.is_control() { '.' } else { c }).collect();
    if as_json {
        say(&json!({"id": id.to_string(), "tenant": tenant.as_str(), "state": state.as_str(), "output": output})
            .to_string())?;
    }
    match state {
        CommandState::Succeeded if as_json => Ok(()),
        CommandState::Succeeded => say(&format!("{tenant}: {output}")),
        CommandState::Queued | CommandState::Received => {
            bail!("{tenant} has not answered yet; the order stands and counts when the server hears it")
        }
        CommandState::Failed | CommandState::Refused | CommandState::Expired => {
            bail!("{tenant} has not done it ({}): {output}", state.as_str())
        }
    }
}
