//! One server: how it stands, its agents, what they do right now, what they asked, what they cost.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Path, State};
use axum::response::Response;
use data_encoding::BASE64;
use wardkeep_policy::{Bundle, Level};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::whom::Whom;

use super::card::Brief;
use super::fleet::{Generation, standing_badge, standing_since};
use super::grant::GivenRow;
use super::links::Link;
use super::parts::{Badge, Icon, Notice, Tone};
use super::shell::{Command, Here, Shell};
use super::standing::{Let, OrderRow, Switch};
use super::usage::Range;
use super::visit::Visit;
use super::words::{Ident, When, bytes, count, money, plural, span};
use super::{Failed, assets};
use crate::api::error::Refusal;
use crate::app::SharedClock;
use crate::store::Store;
use crate::store::activity::TenantActivity;
use crate::store::approvals::Approval;
use crate::store::audit::Checkpoint;
use crate::store::commands::Command as Order;
use crate::store::policies::PolicyVersion;
use crate::store::status::{AgentState, Status};
use crate::store::tenants::{Standing, Tenant};
use crate::store::usage::UsageLine;

/// `GET /tenants/{name}`.
#[derive(Template)]
#[template(path = "tenant/page.html")]
pub struct TenantPage {
    /// The frame.
    pub shell: Shell,
    /// The part that is fetched again when something changes.
    pub body: TenantBody,
}

/// Everything about one tenant.
#[derive(Template)]
#[template(path = "tenant/body.html")]
pub struct TenantBody {
    name: String,
    organisation: String,
    badge: Badge,
    since: Option<(&'static str, When)>,
    closed: Vec<Badge>,
    notices: Vec<Notice>,
    enrol: Option<Command>,
    agents: Vec<AgentRow>,
    feed: Vec<FeedRow>,
    asked: Vec<Brief>,
    costs: Vec<CostRow>,
    facts: Vec<(&'static str, String)>,
    generation: Generation,
    audit_head: Option<Ident>,
    signed: Option<(String, When)>,
    id: Ident,
    /// For all agents.
    switch: Switch,
    orders: Vec<OrderRow>,
    may_review: bool,
    csrf: String,
    given: Vec<GivenRow>,
}

/// The template escapes its parts.
impl HtmlSafe for TenantBody {}

/// What is read from the store for one tenant.
pub struct TenantRows {
    /// The tenant.
    pub tenant: Tenant,
    /// Two of its audit checkpoints contradict each other.
    pub rewritten: bool,
    /// The newest head of its audit log that it signed.
    pub signed: Option<Checkpoint>,
    /// Level by agent, from the newest policy.
    pub levels: Vec<(String, Level)>,
    /// Newest first.
    pub activity: Vec<TenantActivity>,
    /// Newest first.
    pub approvals: Vec<Approval>,
    /// Of the last 24 hours.
    pub usage: Vec<UsageLine>,
    /// The newest ones.
    pub commands: Vec<Order>,
    /// Whether the person may review its policy.
    pub may_review: bool,
}

struct AgentRow {
    name: String,
    runtime: String,
    level: String,
    lease: Badge,
    until: Option<When>,
    until_words: &'static str,
    /// Who holds it and why.
    held: String,
    switch: Switch,
}

struct FeedRow {
    number: u64,
    at: When,
    agent: String,
    tool: String,
    summary: String,
    class: Badge,
    outcome: Badge,
    digest: Option<Digest>,
}

struct CostRow {
    agent: String,
    model: String,
    tokens: String,
    cost: String,
}

impl TenantBody {
    /// The page of one tenant.
    #[must_use]
    pub fn of(rows: &TenantRows, csrf: &str, now: Timestamp) -> Self {
        let tenant = &rows.tenant;
        let status = tenant.status.as_ref();
        let standing = tenant.standing(now);
        let generation = Generation::of(tenant);
        Self {
            name: tenant.name.to_string(),
            organisation: tenant.organisation_name.clone(),
            badge: standing_badge(standing),
            since: standing_since(tenant, standing).map(|(words, at)| (words, When::new(at, now))),
            closed: status.map(|s| s.closed.iter().map(|name| Badge::closed(name)).collect()).unwrap_or_default(),
            notices: notices(rows, &generation),
            enrol: (standing == Standing::New)
                .then(|| Command { text: format!("wardkeep-hub token enrol {}", tenant.name) }),
            agents: agents(rows, csrf, now),
            feed: rows.activity.iter().map(|activity| feed_row(activity, now)).collect(),
            asked: rows.approvals.iter().map(|approval| Brief::of(approval, now)).collect(),
            costs: rows.usage.iter().map(cost_row).collect(),
            facts: status.map(|status| facts(status, now)).unwrap_or_default(),
            signed: rows
                .signed
                .as_ref()
                .map(|one| (plural(one.length, "record", "records"), When::new(one.received, now))),
            generation,
            audit_head: status
                .and_then(|status| status.audit_head)
                .map(|head| Ident::new(head.short(), head, "audit head")),
            id: Ident::new(tenant.id, tenant.id, "tenant id"),
            switch: Switch::new(tenant.name.as_str(), csrf, Whom::All.as_str(), of_all(status), false),
            orders: rows.commands.iter().map(|command| OrderRow::of(command, now)).collect(),
            may_review: rows.may_review,
            csrf: csrf.to_owned(),
            given: super::grant::given(tenant, now),
        }
    }
}

fn notices(rows: &TenantRows, generation: &Generation) -> Vec<Notice> {
    let tenant = &rows.tenant;
    let mut notices = Vec::new();
    if rows.rewritten {
        let words = "The audit log of this server contradicts what it signed before: its history was rewritten. Keep the \
                     server as it is and find out who had access.";
        notices.push(Notice::new(Tone::Bad, "stop", words));
    }
    if rows.usage.iter().any(|line| line.shrunk) {
        let words = "This server once reported less usage than before. The larger numbers were kept; find out why.";
        notices.push(Notice::new(Tone::Warn, "warning", words));
    }
    if tenant.waiting > 0 {
        let words = format!(
            "{} for a decision.",
            if tenant.waiting == 1 { "1 approval waits".into() } else { format!("{} approvals wait", tenant.waiting) }
        );
        notices.push(Notice::new(Tone::Warn, "inbox", words).link(Link::Approvals, "Open the inbox"));
    }
    if let Some(why) = &generation.refused {
        notices.push(Notice::new(Tone::Bad, "warning", format!("The server refused the newest policy: {why}")));
    }
    for name in tenant.status.iter().flat_map(|status| &status.closed) {
        let badge = Badge::closed(name);
        notices.push(Notice::new(Tone::Bad, "lock", format!("{}: {}", badge.text, badge.hint)));
    }
    notices
}

/// How all agents are let: a closed state of the machine.
fn of_all(status: Option<&Status>) -> Let {
    let has = |name: &str| status.is_some_and(|status| status.closed.iter().any(|closed| closed == name));
    match (has("stopped"), has("paused")) {
        (true, _) => Let::Stopped,
        (false, true) => Let::Paused,
        (false, false) => Let::Free,
    }
}

fn agents(rows: &TenantRows, csrf: &str, now: Timestamp) -> Vec<AgentRow> {
    let (status, levels, name) = (rows.tenant.status.as_ref(), &rows.levels, rows.tenant.name.as_str());
    let reported = status.map(|status| status.agents.as_slice()).unwrap_or_default();
    let silent = levels.iter().filter(|(name, _)| !reported.iter().any(|agent| agent.agent == *name));
    let mut rows: Vec<_> = reported.iter().map(|agent| agent_row(agent, (name, csrf), levels, now)).collect();
    rows.extend(silent.map(|(agent, level)| AgentRow {
        name: agent.clone(),
        runtime: "has never called".into(),
        level: level_words(*level),
        lease: Badge::new(Tone::Mute, "clock", "None"),
        until: None,
        until_words: "",
        held: String::new(),
        switch: Switch::new(name, csrf, agent, Let::Free, false),
    }));
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

fn agent_row(agent: &AgentState, (tenant, csrf): (&str, &str), levels: &[(String, Level)], now: Timestamp) -> AgentRow {
    let standing = Let::of(&agent.standing, agent.paused);
    let level = levels.iter().find(|(name, _)| *name == agent.agent).map(|(_, level)| *level);
    let until = Timestamp(agent.lease_until_ms);
    let (lease, until_words) = match until {
        _ if standing == Let::Stopped => (Badge::new(Tone::Bad, "stop", "Stopped"), "lease until"),
        _ if standing == Let::Paused => (Badge::new(Tone::Warn, "pause", "Paused"), "lease until"),
        Timestamp(0) => (Badge::new(Tone::Mute, "clock", "None"), ""),
        until if until > now => (Badge::new(Tone::Ok, "online", "Alive"), "runs out"),
        _ => (Badge::new(Tone::Mute, "offline", "Over"), "ran out"),
    };
    AgentRow {
        name: agent.agent.clone(),
        runtime: agent.runtime.clone(),
        level: level.map_or_else(|| "Unknown".to_owned(), level_words),
        lease,
        until: (until.0 > 0).then(|| When::new(until, now)),
        until_words,
        held: if agent.held_by.is_empty() {
            String::new()
        } else {
            format!("By {}: {}", agent.held_by, agent.held_why)
        },
        switch: Switch::new(tenant, csrf, &agent.agent, standing, agent.held_here),
    }
}

fn level_words(level: Level) -> String {
    let name = match level {
        Level::Supervised => "supervised",
        Level::Trusted => "trusted",
        Level::Autonomous => "autonomous",
    };
    format!("{} {name}", level.number())
}

fn feed_row(activity: &TenantActivity, now: Timestamp) -> FeedRow {
    let row = &activity.row;
    FeedRow {
        number: row.number,
        at: When::new(row.at, now),
        agent: row.agent.clone(),
        tool: row.tool.clone(),
        summary: row.summary.clone(),
        class: Badge::class_text(&row.class),
        outcome: Badge::outcome(&row.outcome),
        digest: row.digest,
    }
}

fn cost_row(line: &UsageLine) -> CostRow {
    let totals = &line.totals;
    let tokens = totals
        .input_tokens
        .saturating_add(totals.output_tokens)
        .saturating_add(totals.cache_read_tokens)
        .saturating_add(totals.cache_write_tokens);
    CostRow {
        agent: line.agent.clone(),
        model: line.model.clone(),
        tokens: format!("{}, {} tokens", plural(totals.requests, "request", "requests"), count(tokens)),
        cost: money(totals.cost_micros),
    }
}

fn facts(status: &Status, now: Timestamp) -> Vec<(&'static str, String)> {
    let skew = status.clock_skew_ms.unsigned_abs();
    let clock = match skew {
        0..1000 => "in step".to_owned(),
        _ => format!("{} {}", span(skew / 1000), if status.clock_skew_ms > 0 { "ahead" } else { "behind" }),
    };
    vec![
        ("Host", status.hostname.clone()),
        ("Daemon", status.agent_version.clone()),
        ("Running for", span(now.since(status.started).as_secs())),
        ("Memory", bytes(status.memory_bytes)),
        ("Clock", clock),
        ("Audit log", plural(status.audit_length, "record", "records")),
    ]
}

/// Rows of the feed.
const FEED: u32 = 60;
/// Orders below the agents.
const ORDERS: u32 = 5;
/// Approvals beside it.
const ASKED: u32 = 8;

/// `GET /tenants/{name}`.
pub(super) async fn show(
    visit: Visit,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    Path(name): Path<String>,
) -> Result<Response, Failed> {
    let (caller, now) = (visit.caller(), clock.now());
    let name = name.parse().map_err(|_| Refusal::NotFound)?;
    let tenant = store.tenant_named(&caller, &name, now).await?.ok_or(Refusal::NotFound)?;
    let (id, (from, until)) = (tenant.id, Range::Day.span(now));
    let rows = TenantRows {
        rewritten: store.audit_contradicted(&caller, id).await?,
        signed: store.checkpoints(&caller, id, 1).await?.pop(),
        levels: store.policy(&caller, id).await?.map(|policy| levels(&policy)).unwrap_or_default(),
        activity: store.activity(&caller, Some(id), None, FEED).await?,
        approvals: store.approvals(&caller, Some(id), None, None, ASKED).await?,
        usage: store.usage(&caller, Some(id), from, until).await?,
        commands: store.commands(&caller, id, ORDERS).await?,
        may_review: visit.is_operator(),
        tenant,
    };
    let body = TenantBody::of(&rows, visit.csrf(), now);
    visit.show(Here::Fleet, &store, now, body, |shell, body| TenantPage { shell, body }).await
}

/// Levels by agent as this hub signed them; empty for an envelope that cannot be read.
fn levels(policy: &PolicyVersion) -> Vec<(String, Level)> {
    let envelope: serde_json::Value = serde_json::from_slice(&policy.envelope).unwrap_or_default();
    let payload = envelope["payload"].as_str().and_then(|text| BASE64.decode(text.as_bytes()).ok()).unwrap_or_default();
    let bundle: Option<Bundle> = serde_json::from_slice(&payload).ok();
    bundle
        .map(|b| b.agents.into_iter().map(|agent| (agent.name.to_string(), agent.level)).collect())
        .unwrap_or_default()
}
