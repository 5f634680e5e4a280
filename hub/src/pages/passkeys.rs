//! A person's passkeys: what they are, how another one is made, which servers trust them.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use data_encoding::BASE64URL_NOPAD;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use super::links::Link;
use super::parts::{Badge, Icon, Notice, Tone};
use super::shell::{Command, Here, Shell};
use super::visit::Visit;
use super::words::When;
use super::{Failed, assets};
use crate::api::error::Refusal;
use crate::app::SharedClock;
use crate::passkeys::{PasskeyError, Passkeys};
use crate::store::Store;
use crate::store::approvals::Approval;
use crate::store::passkeys::OwnPasskey;
use crate::store::tenants::Tenant;

/// Servers that are listed below each key.
const SERVERS: u32 = 30;

/// What the person who looks at a page can approve critical calls with.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    /// Keys in force.
    pub keys: Vec<OwnPasskey>,
    /// Host of the pages, where passkeys work on it.
    pub rp_id: Option<String>,
}

/// How a critical call can be approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// Passkeys do not work on this hub's address.
    NoSite,
    /// The server's daemon knows no passkeys.
    OldDaemon,
    /// The person has none.
    NoKey,
    /// The server trusts none of the person's.
    NotTrusted(Vec<Command>),
    /// The browser may ask for it.
    Ready(Ask),
}

/// What the browser is to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// base64url.
    pub challenge: String,
    /// Id of the relying party.
    pub rp_id: String,
    /// base64url, by blanks; behind a colon how a browser reaches it.
    pub credentials: String,
}

impl Keyring {
    /// The keys of whoever visits.
    pub(super) async fn of(visit: &Visit, store: &Store, passkeys: &Passkeys) -> Result<Self, Failed> {
        let keys = store.passkeys_of(visit.session().user().id).await?;
        Ok(Self { keys, rp_id: passkeys.rp_id().map(ToOwned::to_owned) })
    }

    /// How this person can approve that critical call.
    #[must_use]
    pub fn means(&self, approval: &Approval) -> Means {
        let Some(rp_id) = &self.rp_id else { return Means::NoSite };
        let Some(pinned) = &approval.pinned else { return Means::OldDaemon };
        if self.keys.is_empty() {
            return Means::NoKey;
        }
        match credentials(&self.keys, pinned) {
            credentials if credentials.is_empty() => Means::NotTrusted(self.keys.iter().map(pin).collect()),
            credentials => Means::Ready(Ask {
                challenge: BASE64URL_NOPAD.encode(&approval.digest.0),
                rp_id: rp_id.clone(),
                credentials,
            }),
        }
    }
}

fn credentials(keys: &[OwnPasskey], pinned: &[Digest]) -> String {
    let trusted = keys.iter().filter(|key| pinned.contains(&key.fingerprint));
    let one = |key: &OwnPasskey| {
        let id = BASE64URL_NOPAD.encode(&key.passkey.credential_id);
        if key.transports.is_empty() { id } else { format!("{id}:{}", key.transports.replace(' ', ",")) }
    };
    trusted.map(one).collect::<Vec<_>>().join(" ")
}

/// What is to be run on a server that is to trust the key.
fn pin(key: &OwnPasskey) -> Command {
    Command { text: format!("wardkeep passkey pin {}", key.code()) }
}

/// `GET /passkeys`.
#[derive(Template)]
#[template(path = "passkeys/page.html")]
pub struct PasskeysPage {
    /// The frame.
    pub shell: Shell,
    /// What became of what led here.
    pub notice: Option<Notice>,
    /// The part that is fetched again when something changes.
    pub body: PasskeysBody,
}

/// The keys.
#[derive(Template)]
#[template(path = "passkeys/body.html")]
pub struct PasskeysBody {
    csrf: String,
    site: Option<Notice>,
    keys: Vec<Card>,
}

/// The template escapes its parts.
impl HtmlSafe for PasskeysBody {}

/// One key.
struct Card {
    fingerprint: Digest,
    short: String,
    name: String,
    algorithm: &'static str,
    synced: bool,
    created: When,
    code: String,
    pin: Command,
    servers: Vec<Server>,
    more: usize,
}

/// One server, as one key sees it.
struct Server {
    id: TenantId,
    name: String,
    state: Badge,
    /// Keys of the person that this server trusts: one of them can let this one in.
    by: Option<String>,
    rp_id: String,
}

impl PasskeysBody {
    /// The page of somebody with these keys, who may see these servers.
    #[must_use]
    pub fn of(ring: &Keyring, tenants: &[Tenant], csrf: &str, now: Timestamp) -> Self {
        let site = ring.rp_id.is_none().then(|| {
            let text = "Passkeys work on https and a host name only. Whoever runs this hub has to give it one (public_url in hub.toml).";
            Notice::new(Tone::Warn, "warning", text)
        });
        let shown: Vec<&Tenant> = tenants.iter().filter(|tenant| tenant.status.is_some()).collect();
        let card = |key: &OwnPasskey| Card {
            fingerprint: key.fingerprint,
            short: key.code().short(),
            name: key.name.clone(),
            algorithm: key.passkey.public_key.algorithm(),
            synced: key.synced,
            created: When::new(key.created, now),
            code: key.code().to_string(),
            pin: pin(key),
            servers: shown.iter().take(SERVERS as usize).map(|tenant| server(ring, key, tenant)).collect(),
            more: shown.len().saturating_sub(SERVERS as usize),
        };
        Self { csrf: csrf.to_owned(), site, keys: ring.keys.iter().map(card).collect() }
    }
}

fn server(ring: &Keyring, key: &OwnPasskey, tenant: &Tenant) -> Server {
    let pinned = tenant.status.as_ref().and_then(|status| status.passkeys.as_deref());
    let (state, by) = match pinned {
        None => {
            (Badge::new(Tone::Mute, "info", "Takes no passkeys").hint("Update wardkeep-agent on this server."), None)
        }
        Some(pinned) if pinned.contains(&key.fingerprint) => (Badge::new(Tone::Ok, "check", "Trusted"), None),
        Some(pinned) => {
            let by = Some(credentials(&ring.keys, pinned)).filter(|credentials| !credentials.is_empty());
            (Badge::new(Tone::Warn, "lock", "Not trusted"), by)
        }
    };
    let rp_id = ring.rp_id.clone().unwrap_or_default();
    Server { id: tenant.id, name: tenant.name.to_string(), state, by, rp_id }
}

/// What led here.
#[derive(serde::Deserialize)]
pub(super) struct Arrival {
    introduced: Option<String>,
}

/// `GET /passkeys`.
pub(super) async fn show(
    visit: Visit,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    State(passkeys): State<Passkeys>,
    Query(arrival): Query<Arrival>,
) -> Result<Response, Failed> {
    let now = clock.now();
    let ring = Keyring::of(&visit, &store, &passkeys).await?;
    let tenants = store.tenants(&visit.caller(), None, SERVERS + 1, now).await?;
    let body = PasskeysBody::of(&ring, &tenants, visit.csrf(), now);
    let signed = "Signed. The server trusts the passkey as soon as it is connected.";
    let notice = arrival.introduced.map(|_| Notice::new(Tone::Ok, "check", signed));
    visit.show(Here::Passkeys, &store, now, body, |shell, body| PasskeysPage { shell, notice, body }).await
}

/// The form that gives a key up.
#[derive(serde::Deserialize)]
pub(super) struct Removal {
    fingerprint: Digest,
}

/// `POST /passkeys/removal`.
pub(super) async fn remove(
    visit: Visit,
    State(passkeys): State<Passkeys>,
    Form(form): Form<Removal>,
) -> Result<Response, Failed> {
    match passkeys.remove(visit.session().user(), form.fingerprint).await {
        // Gone already is what was wanted.
        Ok(()) | Err(PasskeyError::Unknown) => Ok(Redirect::to(&Link::Passkeys.to_string()).into_response()),
        Err(error) => Err(Refusal::from(error).into()),
    }
}
