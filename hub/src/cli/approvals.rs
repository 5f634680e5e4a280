//! `approvals`.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;
use wardkeep_hub::decisions::Decisions;
use wardkeep_hub::events::Events;
use wardkeep_hub::link::Links;
use wardkeep_hub::serve::{Opened, open_store};
use wardkeep_hub::store::Caller;
use wardkeep_hub::store::approvals::{Approval, StateKind, Verdict};
use wardkeep_proto::digest::Digest;

use super::tenants::COMMAND_LINE;
use super::{Place, say};

#[derive(Debug, Subcommand)]
pub(super) enum Approvals {
    /// Requests, newest first.
    List {
        /// Only those in this state, e.g. `pending`.
        #[arg(long, value_parser = state)]
        state: Option<StateKind>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let the call run.
    Approve(One),
    /// Refuse the call.
    Deny(One),
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The digest, 64 hex digits.
    digest: Digest,
    /// Why, for people.
    #[arg(long, default_value = "")]
    note: String,
}

fn state(text: &str) -> Result<StateKind, String> {
    let names = || StateKind::ALL.map(StateKind::as_str).join(", ");
    StateKind::named(text).ok_or_else(|| format!("one of {}", names()))
}

impl Approvals {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<()> {
        match self {
            Self::List { state, json } => list(place, state, json).await,
            Self::Approve(one) => decide(place, one, Verdict::Approved).await,
            Self::Deny(one) => decide(place, one, Verdict::Denied).await,
        }
    }
}

async fn list(place: &Place, state: Option<StateKind>, json: bool) -> anyhow::Result<()> {
    let (store, now) = (open_store(&place.data_dir, &place.outside)?, place.outside.clock.now());
    let (approvals, damaged) = store.approvals_and_damaged(&Caller::Operator, None, state, None, 200).await?;
    if !damaged.is_empty() {
        // Beside the list, so that programs that read it go on.
        let mut error = std::io::stderr().lock();
        let rows: String = damaged.join(", ").chars().map(|c| if c.is_control() { '.' } else { c }).collect();
        writeln!(error, "the hub cannot read {} of its own records, left out here: {rows}", damaged.len())?;
    }
    if json {
        let view = |approval: &Approval| {
            json!({
                "digest": approval.digest,
                "tenant": approval.tenant_name,
                "state": approval.standing(now).as_str(),
                "created_ms": approval.created,
                "approve_by_ms": approval.approve_by,
                "document": approval.json(),
            })
        };
        return say(&serde_json::Value::from(approvals.iter().map(view).collect::<Vec<_>>()).to_string());
    }
    approvals.iter().try_for_each(|approval| {
        let title = approval.json()["title"].as_str().unwrap_or_default().chars().take(80).collect::<String>();
        // What an agent wrote must not steer the terminal.
        let title: String = title.chars().map(|c| if c.is_control() { '.' } else { c }).collect();
        let state = approval.standing(now).as_str();
        say(&format!("{} {state:<11} {:<20} {title}", approval.digest, approval.tenant_name))
    })
}

async fn decide(place: &Place, one: One, verdict: Verdict) -> anyhow::Result<()> {
    let Opened { store, keys } = Opened::open(&place.data_dir, &place.outside).await?;
    let (clock, waypoints) = (Arc::clone(&place.outside.clock), Arc::clone(&place.outside.waypoints));
    let decisions = Decisions::new(store, clock, keys.ring, (Events::new(), Links::new()), waypoints);
    let approval = decisions.decide_as(&Caller::Operator, COMMAND_LINE, one.digest, verdict, &one.note).await;
    let approval = approval.context("nothing was decided")?;
    say(&format!("{} {}", approval.digest, approval.state.kind().as_str()))
}
