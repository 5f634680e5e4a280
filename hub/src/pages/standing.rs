//! The kill switch on a tenant's page: its forms, and what became of orders.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::whom::Whom;

use super::Failed;
use super::links::Link;
use super::parts::{Badge, Icon, Tone};
use super::visit::Visit;
use super::words::When;
use crate::api::error::Refusal;
use crate::app::SharedClock;
use crate::orders::{OrderError, Orders};
use crate::store::Store;
use crate::store::commands::{Command, CommandState, Order};

/// Buttons for one agent, or for all.
#[derive(Template)]
#[template(path = "tenant/standing.html")]
pub struct Switch {
    tenant: String,
    csrf: String,
    /// An agent's name or `*`.
    whom: String,
    /// For labels: the name, or "all agents".
    words: String,
    can_pause: bool,
    can_stop: bool,
    can_resume: bool,
    /// Why this hub cannot let it go.
    barred: Option<String>,
}

/// The template escapes its parts.
impl HtmlSafe for Switch {}

/// How an agent is let, as its server reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Let {
    Free,
    Paused,
    Stopped,
}

impl Let {
    /// Older daemons say only that it is paused.
    pub(super) fn of(standing: &str, paused: bool) -> Self {
        match standing {
            "stopped" => Self::Stopped,
            "paused" => Self::Paused,
            _ if paused => Self::Paused,
            _ => Self::Free,
        }
    }
}

impl Switch {
    pub(super) fn new(tenant: &str, csrf: &str, whom: &str, now: Let, held_here: bool) -> Self {
        let (words, named) = if whom == Whom::All.as_str() { ("all agents", "--all") } else { (whom, whom) };
        let words = words.to_owned();
        let barred = held_here.then(|| {
            format!("A person on the server holds it. Only a person there resumes it: wardkeep-agent resume {named} --reason WHY")
        });
        Self {
            tenant: tenant.to_owned(),
            csrf: csrf.to_owned(),
            whom: whom.to_owned(),
            words,
            can_pause: now == Let::Free,
            can_stop: now != Let::Stopped,
            can_resume: now != Let::Free && !held_here,
            barred,
        }
    }
}

/// One order and what became of it.
pub(super) struct OrderRow {
    pub(super) what: String,
    pub(super) by: String,
    pub(super) at: When,
    pub(super) state: Badge,
    pub(super) output: String,
}

impl OrderRow {
    pub(super) fn of(command: &Command, now: Timestamp) -> Self {
        let about = |verb: &str, agent: &Whom, reason: &str| {
            let whom = if *agent == Whom::All { "all agents" } else { agent.as_str() };
            if reason.is_empty() { format!("{verb} {whom}") } else { format!("{verb} {whom}: {reason}") }
        };
        let what = match &command.order {
            Order::PauseAgent { agent, reason } => about("Pause", agent, reason),
            Order::StopAgent { agent, reason } => about("Stop", agent, reason),
            Order::ResumeAgent { agent, reason } => about("Resume", agent, reason),
            Order::RevokeGrant { grant } => format!("Take back the permission {}", grant.short()),
            Order::RunDoctor => "Say what is wrong".to_owned(),
            Order::JudgeDraft { last, .. } => format!("Judge the last {last} calls by a draft"),
        };
        let state = match command.standing(now) {
            CommandState::Queued => Badge::new(Tone::Warn, "clock", "On its way"),
            CommandState::Received => Badge::new(Tone::Info, "play", "Under way"),
            CommandState::Succeeded => Badge::new(Tone::Ok, "check", "Done"),
            CommandState::Failed => Badge::new(Tone::Bad, "warning", "Failed"),
            CommandState::Refused => Badge::new(Tone::Bad, "stop", "Refused"),
            CommandState::Expired => Badge::new(Tone::Mute, "clock", "Expired"),
        };
        // An answer that is JSON is for machines.
        let is_json = matches!(command.order, Order::RunDoctor | Order::JudgeDraft { .. })
            && command.state == CommandState::Succeeded;
        let output = if is_json { String::new() } else { command.output.clone() };
        Self { what, by: command.ordered_by.clone(), at: When::new(command.created, now), state, output }
    }
}

/// The form of the buttons.
#[derive(serde::Deserialize)]
pub(super) struct Wish {
    whom: String,
    to: To,
    #[serde(default)]
    reason: String,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum To {
    Pause,
    Stop,
    Resume,
}

/// `POST /tenants/{name}/standing`.
pub(super) async fn order(
    visit: Visit,
    State(store): State<Store>,
    State(orders): State<Orders>,
    State(clock): State<SharedClock>,
    Path(name): Path<String>,
    Form(wish): Form<Wish>,
) -> Result<Response, Failed> {
    let name = name.parse().map_err(|_| Refusal::NotFound)?;
    let tenant = store.tenant_named(&visit.caller(), &name, clock.now()).await?.ok_or(Refusal::NotFound)?;
    let agent: Whom = wish.whom.parse().map_err(|_| Refusal::Invalid("name an agent, or * for all".to_owned()))?;
    let reason = wish.reason.trim().to_owned();
    let order = match wish.to {
        To::Pause => Order::PauseAgent { agent, reason },
        To::Stop => Order::StopAgent { agent, reason },
        To::Resume => Order::ResumeAgent { agent, reason },
    };
    let back = Link::Tenant(name.as_str()).to_string();
    match orders.give(&visit.caller(), &visit.session().user().name, tenant.id, order).await {
        Ok(_) => Ok(Redirect::to(&format!("{back}#orders")).into_response()),
        Err(OrderError::Store(error)) => Err(error.into()),
        Err(OrderError::Unknown) => Err(Refusal::NotFound.into()),
        Err(error @ (OrderError::NoReason | OrderError::Reason | OrderError::Calls)) => {
            Err(Refusal::Invalid(error.to_string()).into())
        }
    }
}
