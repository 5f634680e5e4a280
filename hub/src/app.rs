//! The parts that handlers receive. Each handler takes the few it uses with `State<…>`.

use std::sync::Arc;

use axum::extract::FromRef;
use wardkeep_proto::chance::Chance;
use wardkeep_proto::time::Clock;

use crate::auth::{LoginLimiter, Logins};
use crate::decisions::Decisions;
use crate::drafts::Drafts;
use crate::events::Events;
use crate::install::Installer;
use crate::link::Links;
use crate::orders::Orders;
use crate::passkeys::Passkeys;
use crate::policies::Publisher;
use crate::store::Store;

/// Time, as a handler's state.
pub type SharedClock = Arc<dyn Clock>;
/// Chance, as a handler's state.
pub type SharedChance = Arc<dyn Chance>;

/// How people reach the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSettings {
    /// `http(s)://host[:port]`, without a trailing slash.
    pub public_url: String,
    /// `host:port` of the link as daemons reach it.
    pub link_address: String,
}

impl WebSettings {
    /// True when browsers come over TLS: cookies are secure then.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// Everything the router is built from; never passed to a handler as a whole.
#[derive(Clone)]
pub struct App {
    /// The rows.
    pub store: Store,
    /// Time.
    pub clock: SharedClock,
    /// Chance.
    pub chance: SharedChance,
    /// Changes, for server-sent events.
    pub events: Events,
    /// How people reach the hub.
    pub web: Arc<WebSettings>,
    /// Login links and sessions.
    pub logins: Logins,
    /// Attempts to sign in, by address.
    pub limiter: Arc<LoginLimiter>,
    /// People's passkeys.
    pub passkeys: Passkeys,
    /// Decisions on approvals.
    pub decisions: Decisions,
    /// Orders to tenants.
    pub orders: Orders,
    /// Publishing of policy.
    pub publisher: Publisher,
    /// Drafts of it.
    pub drafts: Drafts,
    /// The open links.
    pub links: Links,
    /// What new servers fetch.
    pub installer: Arc<Installer>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App(..)")
    }
}

macro_rules! parts {
    ($($kind:ty => $field:ident),+ $(,)?) => {$(
        impl FromRef<App> for $kind {
            fn from_ref(app: &App) -> Self {
                app.$field.clone()
            }
        }
    )+};
}

parts! {
    Store => store,
    SharedClock => clock,
    SharedChance => chance,
    Events => events,
    Arc<WebSettings> => web,
    Logins => logins,
    Arc<LoginLimiter> => limiter,
    Decisions => decisions,
    Orders => orders,
    Passkeys => passkeys,
    Publisher => publisher,
    Drafts => drafts,
    Links => links,
    Arc<Installer> => installer,
}
