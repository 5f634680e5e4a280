//! A draft of the policy: whom to ask about it, and what was asked lately. For operators.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use wardkeep_proto::ids::CommandId;
use wardkeep_proto::time::Timestamp;

use super::links::Link;
use super::parts::{Icon, Notice, Tone};
use super::shell::{Here, Shell};
use super::visit::Visit;
use super::words::{When, plural};
use super::{Failed, answer, assets};
use crate::api::error::{Refusal, chain};
use crate::app::SharedClock;
use crate::drafts::{DraftError, Drafts};
use crate::store::Store;
use crate::store::commands::DraftRound;
use crate::store::tenants::Tenant;

/// In place of a server's name: all of them.
const ALL: &str = "*";
/// Calls that each server judges when nobody says how many.
const LAST: u32 = 500;
/// Servers that can be asked from the page.
const SERVERS: u32 = 1000;
/// Reviews that are listed.
const ROUNDS: u32 = 12;

/// `GET /policy`.
#[derive(Template)]
#[template(path = "policy/page.html")]
pub struct PolicyPage {
    /// The frame.
    pub shell: Shell,
    /// Why nobody was asked.
    pub notice: Option<Notice>,
    /// The form and the list.
    pub body: PolicyBody,
}

/// The form and the list.
#[derive(Template)]
#[template(path = "policy/body.html")]
pub struct PolicyBody {
    csrf: String,
    servers: Vec<String>,
    wish: Wish,
    rounds: Vec<Row>,
}

/// The template escapes its parts.
impl HtmlSafe for PolicyBody {}

struct Row {
    id: CommandId,
    at: When,
    by: String,
    answered: String,
}

/// What the form says.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Wish {
    /// A server's name, or `*`.
    pub whom: String,
    /// The TOML.
    pub source: String,
    /// How many calls.
    pub last: u32,
}

impl Wish {
    /// The form before anybody wrote.
    #[must_use]
    pub fn blank() -> Self {
        Self { whom: ALL.to_owned(), source: String::new(), last: LAST }
    }
}

impl PolicyBody {
    /// The page over these servers and earlier reviews.
    #[must_use]
    pub fn of(tenants: &[Tenant], wish: Wish, rounds: &[DraftRound], csrf: &str, now: Timestamp) -> Self {
        let row = |round: &DraftRound| Row {
            id: round.id,
            at: When::new(round.created, now),
            by: round.ordered_by.clone(),
            answered: format!("{} of {}", round.answered, plural(round.servers, "server", "servers")),
        };
        Self {
            csrf: csrf.to_owned(),
            servers: tenants.iter().map(|tenant| tenant.name.to_string()).collect(),
            wish,
            rounds: rounds.iter().map(row).collect(),
        }
    }

    /// Escaping keeps a line break at the beginning; a browser takes the first one of a text area away.
    fn source(&self) -> String {
        format!("\n{}", self.wish.source)
    }
}

/// What led here.
#[derive(serde::Deserialize)]
pub(super) struct Arrival {
    of: Option<String>,
}

/// `GET /policy`.
pub(super) async fn show(
    visit: Visit,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    State(drafts): State<Drafts>,
    Query(arrival): Query<Arrival>,
) -> Result<Response, Failed> {
    let (caller, now) = (visit.caller(), clock.now());
    let mut wish = Wish::blank();
    if let Some(name) = arrival.of.and_then(|name| name.parse().ok()) {
        let tenant = store.tenant_named(&caller, &name, now).await?.ok_or(Refusal::NotFound)?;
        wish.source = store.policy(&caller, tenant.id).await?.map(|policy| policy.source).unwrap_or_default();
        wish.whom = name.to_string();
    }
    let tenants = store.tenants(&caller, None, SERVERS, now).await?;
    let rounds = drafts.newest(&caller, ROUNDS).await?;
    let body = PolicyBody::of(&tenants, wish, &rounds, visit.csrf(), now);
    visit.show(Here::Fleet, &store, now, body, |shell, body| PolicyPage { shell, notice: None, body }).await
}

/// `POST /policy`.
pub(super) async fn ask(
    visit: Visit,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    State(drafts): State<Drafts>,
    Form(mut wish): Form<Wish>,
) -> Result<Response, Failed> {
    let (caller, now) = (visit.caller(), clock.now());
    // Browsers send the lines of a text area with both signs.
    wish.source = wish.source.replace("\r\n", "\n");
    let tenants = store.tenants(&caller, None, SERVERS, now).await?;
    let asked: Vec<Tenant> =
        tenants.iter().filter(|tenant| wish.whom == ALL || tenant.name.as_str() == wish.whom).cloned().collect();
    let by = &visit.session().user().name;
    let why = match drafts.ask(&caller, by, &asked, &wish.source, wish.last).await {
        Ok(id) => return Ok(Redirect::to(&Link::Review(id).to_string()).into_response()),
        Err(DraftError::Store(error)) => return Err(error.into()),
        Err(error) => chain(&error),
    };
    let notice = Some(Notice::new(Tone::Bad, "warning", format!("Nobody was asked: {why}")));
    let rounds = drafts.newest(&caller, ROUNDS).await?;
    let body = PolicyBody::of(&tenants, wish, &rounds, visit.csrf(), now);
    let shell = visit.shell(Here::Fleet, &store, now).await?;
    Ok(answer(StatusCode::UNPROCESSABLE_ENTITY, &PolicyPage { shell, notice, body }))
}
