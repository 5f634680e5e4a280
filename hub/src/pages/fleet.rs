//! All servers at once: which are there, which are behind, which wait for a person.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Query, State};
use axum::response::Response;
use wardkeep_proto::time::Timestamp;

use super::links::Link;
use super::parts::{Badge, Icon, Notice, Tone};
use super::shell::{Command, Here, Shell};
use super::visit::Visit;
use super::words::{When, count};
use super::{Failed, assets};
use crate::app::SharedClock;
use crate::store::Store;
use crate::store::tenants::{Standing, Tenant};

/// `GET /fleet`.
#[derive(Template)]
#[template(path = "fleet/page.html")]
pub struct FleetPage {
    /// The frame.
    pub shell: Shell,
    /// The part that is fetched again when something changes.
    pub list: FleetList,
}

/// The list with its filter.
#[derive(Template)]
#[template(path = "fleet/list.html")]
pub struct FleetList {
    filter: Filter,
    rows: Vec<FleetRow>,
    /// Before filtering.
    total: usize,
    online: usize,
    waiting: u64,
    add: Command,
    /// Whether the person may review a policy.
    pub may_review: bool,
}

/// The template escapes its parts.
impl HtmlSafe for FleetList {}

/// What the person looks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Filter {
    /// Part of a name, an organisation or a host.
    #[serde(default)]
    pub find: String,
    /// Which standing.
    #[serde(default)]
    pub show: Show,
}

/// Which tenants are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Show {
    /// Offline, closed, behind, or waiting for a person.
    Attention,
    /// Those that answer.
    Online,
    /// Those that do not.
    Offline,
    /// Every tenant; also for a word that nobody knows.
    #[default]
    #[serde(other)]
    All,
}

impl Show {
    const CHOICES: [(Self, &'static str, &'static str); 4] = [
        (Self::All, "all", "All"),
        (Self::Attention, "attention", "Needs attention"),
        (Self::Online, "online", "Online"),
        (Self::Offline, "offline", "Offline"),
    ];

    fn name(self) -> &'static str {
        Self::CHOICES.iter().find(|(show, ..)| *show == self).map_or("all", |(_, name, _)| name)
    }
}

impl Filter {
    fn keeps(&self, tenant: &Tenant, row: &FleetRow) -> bool {
        let find = self.find.trim().to_lowercase();
        let found = find.is_empty()
            || [tenant.name.as_str(), tenant.organisation_name.as_str(), row.host.as_str()]
                .iter()
                .any(|text| text.to_lowercase().contains(&find));
        let shown = match self.show {
            Show::All => true,
            Show::Attention => row.attention,
            Show::Online => row.standing == Standing::Online,
            Show::Offline => row.standing == Standing::Offline,
        };
        found && shown
    }

    /// Where this filter lives, for the fragment to be fetched again.
    fn address(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("find", &self.find).append_pair("show", self.show.name());
        format!("{}?{}", Link::Fleet, query.finish())
    }
}

/// One tenant in the list.
pub(super) struct FleetRow {
    name: String,
    organisation: String,
    host: String,
    standing: Standing,
    badge: Badge,
    since: Option<(&'static str, When)>,
    version: String,
    generation: Generation,
    waiting: u64,
    closed: Vec<Badge>,
    attention: bool,
}

impl FleetRow {
    fn of(tenant: &Tenant, now: Timestamp) -> Self {
        let standing = tenant.standing(now);
        let status = tenant.status.as_ref();
        let generation = Generation::of(tenant);
        let mut closed: Vec<Badge> =
            status.map(|status| status.closed.iter().map(|name| Badge::closed(name)).collect()).unwrap_or_default();
        if let Some(paused) =
            status.map(|s| s.agents.iter().filter(|agent| agent.paused).count() as u64).filter(|n| *n > 0)
        {
            closed.push(Badge::new(
                Tone::Warn,
                "pause",
                if paused == 1 { "1 agent paused".into() } else { format!("{paused} agents paused") },
            ));
        }
        let attention =
            standing == Standing::Offline || tenant.waiting > 0 || !closed.is_empty() || generation.wants_attention();
        Self {
            name: tenant.name.to_string(),
            organisation: tenant.organisation_name.clone(),
            host: status.map(|s| s.hostname.clone()).unwrap_or_default(),
            standing,
            badge: standing_badge(standing),
            since: standing_since(tenant, standing).map(|(words, at)| (words, When::new(at, now))),
            version: status.map(|s| s.agent_version.clone()).unwrap_or_default(),
            generation,
            waiting: tenant.waiting,
            closed,
            attention,
        }
    }
}

/// How far a tenant is with the policy that it should run.
pub(super) struct Generation {
    desired: Option<u64>,
    applied: Option<u64>,
    /// Why the newest one was refused.
    pub(super) refused: Option<String>,
    pub(super) badge: Badge,
}

impl Generation {
    pub(super) fn of(tenant: &Tenant) -> Self {
        let status = tenant.status.as_ref();
        let applied = status.map(|status| status.generation).filter(|generation| *generation > 0);
        let refused = status
            .and_then(|status| status.refused.as_ref())
            .filter(|refused| {
                Some(refused.generation) == tenant.desired_generation && Some(refused.generation) != applied
            })
            .map(|refused| refused.reason.clone());
        let badge = match (tenant.desired_generation, applied) {
            _ if refused.is_some() => Badge::new(Tone::Bad, "warning", "Refused"),
            (None, _) => Badge::new(Tone::Mute, "info", "None published"),
            (Some(desired), Some(applied)) if desired == applied => Badge::new(Tone::Ok, "check", "Applied"),
            (Some(_), _) => Badge::new(Tone::Warn, "clock", "Not applied yet"),
        };
        Self { desired: tenant.desired_generation, applied, refused, badge }
    }

    fn wants_attention(&self) -> bool {
        self.refused.is_some() || (self.applied.is_some() && self.applied != self.desired)
    }

    /// `Version 7`, or `Version 6, 7 wanted`.
    pub(super) fn words(&self) -> String {
        match (self.applied, self.desired) {
            (Some(applied), Some(desired)) if applied != desired => format!("Version {applied}, {desired} wanted"),
            (Some(applied), _) => format!("Version {applied}"),
            (None, Some(desired)) => format!("Version {desired} wanted"),
            (None, None) => String::new(),
        }
    }
}

/// Whether it is there, as a badge.
pub(super) fn standing_badge(standing: Standing) -> Badge {
    match standing {
        Standing::Online => Badge::new(Tone::Ok, "online", "Online"),
        Standing::Offline => Badge::new(Tone::Bad, "offline", "Offline"),
        Standing::New => Badge::new(Tone::Mute, "clock", "Not enrolled yet"),
    }
}

/// The moment that matters for its standing, and what that moment is.
pub(super) fn standing_since(tenant: &Tenant, standing: Standing) -> Option<(&'static str, Timestamp)> {
    let status = tenant.status.as_ref();
    match standing {
        Standing::Online => status.map(|status| ("started", status.started)),
        Standing::Offline => {
            status.map(|status| ("last seen", status.last_seen)).or(tenant.enrolled.map(|at| ("enrolled", at)))
        }
        Standing::New => Some(("added", tenant.created)),
    }
}

impl FleetList {
    /// The tenants that the person may see, and what is looked for.
    #[must_use]
    pub fn of(tenants: &[Tenant], filter: Filter, now: Timestamp) -> Self {
        let rows: Vec<_> = tenants.iter().map(|tenant| (tenant, FleetRow::of(tenant, now))).collect();
        let online = rows.iter().filter(|(_, row)| row.standing == Standing::Online).count();
        let waiting = tenants.iter().map(|tenant| tenant.waiting).sum();
        let total = rows.len();
        let rows = rows.into_iter().filter(|(tenant, row)| filter.keeps(tenant, row)).map(|(_, row)| row).collect();
        Self {
            filter,
            rows,
            total,
            online,
            waiting,
            add: Command { text: "wardkeep-hub tenant add NAME".into() },
            may_review: false,
        }
    }

    fn notice(&self) -> Option<Notice> {
        let words = match self.waiting {
            0 => return None,
            1 => "1 approval waits for a decision.".to_owned(),
            many => format!("{} approvals wait for a decision.", count(many)),
        };
        Some(Notice::new(Tone::Warn, "inbox", words).link(Link::Approvals, "Open the inbox"))
    }
}

/// Tenants on one page. Operators with more look by name.
const ROWS: u32 = 1000;

/// `GET /fleet`.
pub(super) async fn show(
    visit: Visit,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    Query(filter): Query<Filter>,
) -> Result<Response, Failed> {
    let now = clock.now();
    let tenants = store.tenants(&visit.caller(), None, ROWS, now).await?;
    let mut list = FleetList::of(&tenants, filter, now);
    list.may_review = visit.is_operator();
    visit.show(Here::Fleet, &store, now, list, |shell, list| FleetPage { shell, list }).await
}
