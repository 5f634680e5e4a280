//! "The same again, for a while": what a grant would cover in words, the part of the form that gives one, and those that were given.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use wardkeep_policy::Grant;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::Timestamp;

use super::Failed;
use super::card::short;
use super::exact::Exact;
use super::links::Link;
use super::parts::{Badge, Tone};
use super::visit::Visit;
use super::words::{When, plural};
use crate::api::error::Refusal;
use crate::app::SharedClock;
use crate::orders::{OrderError, Orders};
use crate::reading::Offer;
use crate::store::Store;
use crate::store::commands::Order;
use crate::store::status::GivenGrant;
use crate::store::tenants::Tenant;

/// What a person may choose from; the largest that is allowed is always among them.
const HOURS: [u32; 8] = [1, 2, 4, 8, 12, 24, 72, 168];
const USES: [u32; 8] = [1, 3, 5, 10, 20, 50, 100, 1000];

/// The part of a decision's form that grants.
#[derive(Template)]
#[template(path = "approvals/again.html")]
pub(super) struct Again {
    short: String,
    agent: String,
    scopes: Vec<Scope>,
    hours: Vec<(u32, String)>,
    uses: Vec<(u32, String)>,
    /// Some file of the call is pinned.
    has_files: bool,
}

/// The template escapes its parts.
impl HtmlSafe for Again {}

/// What a grant covers: a sentence and what it names, each by itself.
pub(super) struct Scope {
    pub(super) verb: String,
    pub(super) names: Vec<Exact>,
    pub(super) rest: &'static str,
}

impl Scope {
    fn new(tool: &str, (recipients, hosts, command): (&[String], &[String], &[String])) -> Self {
        let exact = |list: &[String]| list.iter().map(|one| Exact::address(one)).collect();
        if !command.is_empty() {
            let names = command.iter().map(|word| Exact::name(word)).collect();
            return Self {
                verb: "run exactly these words:".to_owned(),
                names,
                rest: "in its workspace, nothing beside them",
            };
        }
        if !hosts.is_empty() {
            let verb = format!("use {tool} with");
            return Self { verb, names: exact(hosts), rest: "whatever it sends, to any address there" };
        }
        if recipients.iter().all(|to| to.starts_with("*@")) {
            let domains: Vec<String> = recipients.iter().map(|to| to.trim_start_matches("*@").to_owned()).collect();
            return Self {
                verb: format!("use {tool} to write to anybody at"),
                names: exact(&domains),
                rest: "whatever it says",
            };
        }
        Self {
            verb: format!("use {tool} to write to"),
            names: exact(recipients),
            rest: "and nobody else, whatever it says",
        }
    }

    fn of(grant: &Grant) -> Self {
        let command = grant.commands.first().map(Vec::as_slice).unwrap_or_default();
        Self::new(&grant.tool, (&grant.recipients, &grant.hosts, command))
    }
}

impl Again {
    pub(super) fn of(offer: &Offer, digest: &Digest, agent: &str, has_files: bool) -> Self {
        let choices = |from: &[u32], most: u32| {
            let mut found: Vec<u32> = from.iter().copied().filter(|one| *one < most).collect();
            found.push(most);
            found
        };
        let hours = |hours: u32| match hours {
            48.. if hours.is_multiple_of(24) => plural(u64::from(hours / 24), "day", "days"),
            _ => plural(u64::from(hours), "hour", "hours"),
        };
        Self {
            short: digest.short(),
            agent: agent.to_owned(),
            scopes: offer.scopes.iter().map(Scope::of).collect(),
            hours: choices(&HOURS, offer.hours).into_iter().map(|number| (number, hours(number))).collect(),
            uses: choices(&USES, offer.uses)
                .into_iter()
                .map(|number| (number, plural(u64::from(number), "more time", "more times")))
                .collect(),
            has_files,
        }
    }
}

/// One that was given, on the page of its server.
pub(super) struct GivenRow {
    pub(super) id: Digest,
    pub(super) agent: String,
    pub(super) scope: Scope,
    pub(super) state: Badge,
    pub(super) until: When,
    pub(super) count: String,
    pub(super) by: String,
    pub(super) at: When,
    pub(super) approval: Digest,
    pub(super) name: String,
    /// It can still be taken back.
    pub(super) open: bool,
}

/// Those that `tenant` tells of.
pub(super) fn given(tenant: &Tenant, now: Timestamp) -> Vec<GivenRow> {
    let told = tenant.status.as_ref().and_then(|status| status.grants.as_deref()).unwrap_or_default();
    let row = |given: &GivenGrant| GivenRow {
        id: given.id,
        agent: given.agent.clone(),
        scope: Scope::new(&given.tool, (&given.recipients, &given.hosts, &given.command)),
        state: match () {
            () if given.revoked => Badge::new(Tone::Mute, "cross", "Taken back"),
            () if now >= given.until => Badge::new(Tone::Mute, "clock", "Over"),
            () if given.left == 0 => Badge::new(Tone::Mute, "check", "Used up"),
            () if !given.live => Badge::new(Tone::Mute, "lock", "Counts for nothing now"),
            () => Badge::new(Tone::Warn, "play", "In force"),
        },
        until: When::new(given.until, now),
        count: format!("{} used, {} left", given.used, given.left),
        by: given.by.clone(),
        at: When::new(given.at, now),
        approval: given.approval,
        name: short(&given.approval),
        open: !given.revoked && now < given.until,
    };
    told.iter().map(row).collect()
}

/// The form that takes one back.
#[derive(serde::Deserialize)]
pub(super) struct Revocation {
    grant: Digest,
}

/// `POST /tenants/{name}/grants`.
pub(super) async fn revoke(
    visit: Visit,
    State(store): State<Store>,
    State(orders): State<Orders>,
    State(clock): State<SharedClock>,
    Path(name): Path<String>,
    Form(Revocation { grant }): Form<Revocation>,
) -> Result<Response, Failed> {
    let name = name.parse().map_err(|_| Refusal::NotFound)?;
    let tenant = store.tenant_named(&visit.caller(), &name, clock.now()).await?.ok_or(Refusal::NotFound)?;
    let order = Order::RevokeGrant { grant };
    match orders.give(&visit.caller(), &visit.session().user().name, tenant.id, order).await {
        Ok(_) => Ok(Redirect::to(&format!("{}#orders", Link::Tenant(name.as_str()))).into_response()),
        Err(OrderError::Store(error)) => Err(error.into()),
        Err(_) => Err(Refusal::NotFound.into()),
    }
}
