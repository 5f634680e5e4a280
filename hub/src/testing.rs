//! A whole hub in a temporary folder, with a clock that stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, header};
use tower::ServiceExt as _;
use wardkeep_proto::chance::SystemChance;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{OrganisationId, TenantId, UserId};
use wardkeep_proto::time::{Clock, SystemClock, Timestamp};
use wardkeep_proto::waypoint::NoWaypoints;

use crate::app::App;
use crate::config::{Config, DEFAULT};
use crate::keys::{Keys, RootSeed};
use crate::seal::Sealer;
use crate::serve::{Hub, Opened, Outside, open_store, router};
use crate::store::approvals::NewApproval;
use crate::store::status::Status;
use crate::store::users::{Role, User};

/// Stands still until moved.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn forward(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).expect("a short time"), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A hub with its ports open and nothing running.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) outside: Outside,
    pub(crate) keys: Keys,
    pub(crate) root: RootSeed,
    pub(crate) hub: Hub,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        // Certificates are checked by clients that read the machine's clock.
        let clock = Arc::new(TestClock(AtomicI64::new(SystemClock.now().millis())));
        let outside = Outside {
            clock: clock.clone(),
            chance: Arc::new(SystemChance::new()),
            waypoints: Arc::new(NoWaypoints),
            master_key: Sealer::file_in(dir.path()),
            agent_binary: dir.path().join("wardkeep-agent"),
        };
        let sealer = Sealer::create(&outside.master_key, outside.chance.as_ref()).expect("a key");
        let store = open_store(dir.path(), &outside).expect("a database");
        let root = RootSeed::new(outside.chance.as_ref());
        Keys::make(&store, &sealer, &root, clock.now(), outside.chance.as_ref()).await.expect("keys");
        drop(store);
        // Passkeys work on names, not on addresses.
        let config = DEFAULT.replace("http://127.0.0.1", "http://localhost").replace("7443", "0").replace("7480", "0");
        let config: Config = toml::from_str(&config).expect("valid");
        let keys = Opened::open(dir.path(), &outside).await.expect("opens").keys;
        let hub = Hub::start(dir.path(), &config, &outside).await.expect("starts");
        Self { dir, clock, outside, keys, root, hub }
    }

    pub(crate) fn app(&self) -> &App {
        self.hub.app()
    }

    pub(crate) fn web(&self) -> Router {
        router(self.app().clone()).0
    }

    pub(crate) async fn organisation(&self, name: &str) -> OrganisationId {
        let id = OrganisationId::new(self.clock.now(), self.outside.chance.as_ref());
        self.app().store.organisation(id, name, self.clock.now()).await.expect("stored").id
    }

    pub(crate) async fn tenant(&self, organisation: &str, name: &str) -> TenantId {
        let organisation = self.organisation(organisation).await;
        let id = TenantId::new(self.clock.now(), self.outside.chance.as_ref());
        let name = name.parse().expect("a name");
        self.app().store.add_tenant(organisation, id, &name, self.clock.now()).await.expect("stored").expect("free");
        id
    }

    /// A member of `organisation`, or an operator without one.
    pub(crate) async fn user(&self, name: &str, organisation: Option<&str>) -> User {
        let role = if organisation.is_some() { Role::Member } else { Role::Operator };
        let joined = match organisation {
            Some(organisation) => Some(self.organisation(organisation).await),
            None => None,
        };
        let user =
            User { id: UserId::new(self.clock.now(), self.outside.chance.as_ref()), name: name.to_owned(), role };
        self.app().store.add_user(user, joined, self.clock.now()).await.expect("stored")
    }

    pub(crate) async fn api_token(&self, user: &User) -> String {
        self.app().logins.new_api_token(user.id, "test").await.expect("stored")
    }

    /// A cookie and its CSRF token.
    pub(crate) async fn signed_in(&self, user: &User) -> (String, String) {
        let link = self.app().logins.new_link(user.id).await.expect("stored");
        let (_, cookie) = self.app().logins.sign_in(&link.token).await.expect("stored").expect("fresh");
        let cookie = cookie.to_str().expect("text").split(';').next().expect("a pair").to_owned();
        let csrf = crate::auth::csrf::token(cookie.split_once('=').expect("a pair").1);
        (cookie, csrf)
    }

    /// A request for a decision, stored as if it had come over the link.
    pub(crate) async fn approval(&self, tenant: TenantId, class: &str) -> Digest {
        let new = approval(tenant, class, self.clock.now());
        let digest = new.digest;
        self.app().store.put_approval(tenant, new, self.clock.now()).await.expect("stored");
        digest
    }

    /// Sends one request to the router.
    pub(crate) async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let response = self.web().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
        (parts.status, parts.headers, String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// What a tenant says that is well.
pub(crate) fn status(epoch: u64, now: Timestamp) -> Status {
    Status {
        last_seen: now,
        connected: true,
        epoch,
        agent_version: "0.1.0".to_owned(),
        hostname: "host".to_owned(),
        started: now,
        generation: 3,
        refused: None,
        closed: vec!["vault-locked".to_owned()],
        agents: Vec::new(),
        audit_length: 9,
        audit_head: Some(Digest::plain(b"head")),
        open_approvals: 0,
        memory_bytes: 1,
        clock_skew_ms: -5,
        passkeys: Some(vec![Digest::plain(b"key")]),
        keys_version: Some(1),
        grants: None,
    }
}

/// A document as a tenant makes it, as far as the hub reads it.
pub(crate) fn approval(tenant: TenantId, class: &str, now: Timestamp) -> NewApproval {
    let document = serde_json::json!({
        "tenant": tenant,
        "class": class,
        "title": "List files",
        "agent": "helper",
        "session": "s-1",
        "tool": "shell",
        "factor": if class == "critical_red" { "passkey" } else { "person" },
        "call": { "kind": "shell", "command": "ls" },
    });
    asked(document.to_string().as_bytes(), now)
}

/// A request with this document, whatever it says.
pub(crate) fn asked(document: &[u8], now: Timestamp) -> NewApproval {
    let approve_by = now.plus(Duration::from_secs(3600));
    NewApproval { digest: Digest::plain(document), document: document.to_vec(), created: now, approve_by }
}

/// A request with a bearer token.
pub(crate) fn by_token(method: Method, path: &str, token: &str, json: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json.to_owned()))
        .expect("a request")
}
