//! A hub that runs: its parts from leaf to root, two ports, background work, one stop signal with one deadline.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue, header};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;
use wardkeep_proto::waypoint::Waypoints;

use crate::access::{HttpLine, Routes};
use crate::api::error::Refusal;
use crate::app::{App, SharedChance, SharedClock, WebSettings};
use crate::auth::{LoginLimiter, Logins};
use crate::config::{Config, host_and_port};
use crate::decisions::Decisions;
use crate::drafts::Drafts;
use crate::events::Events;
use crate::install::Installer;
use crate::keys::{Keys, KeysError};
use crate::link::{self, LinkError, LinkParts, Links, Listening};
use crate::orders::Orders;
use crate::passkeys::Passkeys;
use crate::policies::Publisher;
use crate::seal::{SealError, Sealer};
use crate::store::stir::Stir;
use crate::store::{Db, Store, StoreError, db};

/// After the stop signal everything ends within this time.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);

/// The hub cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The master key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The hub's keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A port cannot be taken.
    #[error("cannot listen on {address}; is another hub running, or the port taken?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file in the data directory cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The web port failed.
    #[error("the web port stopped")]
    Web(#[source] io::Error),
}

/// What comes from outside: time, chance, the program's place, crash points.
#[derive(Clone)]
pub struct Outside {
    /// Time.
    pub clock: SharedClock,
    /// Chance.
    pub chance: SharedChance,
    /// Where a crash may be tried.
    pub waypoints: Arc<dyn Waypoints>,
    /// File of the master key: `hub.key` in the data directory, or a systemd credential.
    pub master_key: PathBuf,
    /// The daemon's binary when `hub.toml` names none.
    pub agent_binary: PathBuf,
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outside(..)")
    }
}

/// The rows and keys of a hub, open; what `serve` and every other command begin with.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The rows.
    pub store: Store,
    /// The keys.
    pub keys: Keys,
}

impl Opened {
    /// Opens the hub in `data_dir`.
    ///
    /// # Errors
    /// The database, the master key or the keys; see [`ServeError`].
    pub async fn open(data_dir: &Path, outside: &Outside) -> Result<Self, ServeError> {
        let sealer = Sealer::open(&outside.master_key)?;
        let store = open_store(data_dir, outside)?;
        let keys = Keys::open(&store, sealer).await?;
        Ok(Self { store, keys })
    }
}

/// Opens the rows alone.
///
/// # Errors
/// [`StoreError`].
pub fn open_store(data_dir: &Path, outside: &Outside) -> Result<Store, StoreError> {
    let origin = data_encoding::HEXLOWER.encode(&wardkeep_proto::chance::bytes::<8>(outside.chance.as_ref()));
    Ok(Store::new(Db::open_sqlite(&db::file_in(data_dir))?, &origin))
}

/// A hub with its ports open.
#[derive(Debug)]
pub struct Hub {
    app: App,
    link: Listening,
    web: TcpListener,
    stir: Stir,
}

impl Hub {
    /// Opens everything and takes the ports; `listen.json` tells other programs which.
    ///
    /// # Errors
    /// Every reason of [`ServeError`].
    pub async fn start(data_dir: &Path, config: &Config, outside: &Outside) -> Result<Self, ServeError> {
        let Opened { store, keys } = Opened::open(data_dir, outside).await?;
        // Ports of an earlier run must not be read as ours; that there is no such file is the usual case.
        drop(std::fs::remove_file(listen_file_in(data_dir)));
        let link = listen(config.link.listen).await?;
        let web = listen(config.web.listen).await?;
        let at = |listener: &TcpListener, address| {
            listener.local_addr().map_err(|source| ServeError::Listen { address, source })
        };
        let (link_at, web_at) = (at(&link, config.link.listen)?, at(&web, config.web.listen)?);
        let settings = Arc::new(web_settings(config, link_at.port(), web_at.port()));
        write_listen(data_dir, link_at, web_at)?;
        let app = app(config, outside, store, &keys, settings);
        let host = host_and_port(&app.web.link_address).map(|(host, _)| host).unwrap_or_default();
        let parts = LinkParts {
            store: app.store.clone(),
            clock: Arc::clone(&app.clock),
            chance: Arc::clone(&app.chance),
            events: app.events.clone(),
            links: app.links.clone(),
            keys,
            waypoints: Arc::clone(&outside.waypoints),
        };
        let link = Listening::new(link, parts, &host)?;
        Ok(Self { app, link, web, stir: Stir::over(data_dir) })
    }

    /// How people and daemons reach it.
    #[must_use]
    pub fn settings(&self) -> &WebSettings {
        &self.app.web
    }

    /// The parts of its handlers, for tests in the same process.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }

    /// Serves until `stop`; ends at most [`STOP_WITHIN`] later.
    ///
    /// # Errors
    /// A port failed by itself.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServeError> {
        let Self { app, link, web, stir } = self;
        let service = router(app.clone()).0.into_make_service_with_connect_info::<SocketAddr>();
        let mut parts: JoinSet<Result<(), ServeError>> = JoinSet::new();
        let (link_stop, web_stop, background_stop) = (stop.clone(), stop.clone(), stop.clone());
        parts.spawn(async move { Ok(link::serve(link, link_stop).await?) });
        parts.spawn(async move {
            axum::serve(web, service).with_graceful_shutdown(web_stop.cancelled_owned()).await.map_err(ServeError::Web)
        });
        parts.spawn(async move {
            crate::background::run(app, stir, background_stop).await;
            Ok(())
        });
        let mut outcome = Ok(());
        let all = async {
            while let Some(done) = parts.join_next().await {
                // The first part that ends takes the others with it.
                stop.cancel();
                if let Ok(Err(error)) = done {
                    outcome = Err(error);
                }
            }
        };
        tokio::select! {
            () = all => {}
            () = async { stop.cancelled().await; tokio::time::sleep(STOP_WITHIN).await } => {
                tracing::info!("the last connections were closed");
            }
        }
        outcome
    }
}

fn app(config: &Config, outside: &Outside, store: Store, keys: &Keys, web: Arc<WebSettings>) -> App {
    let (clock, chance) = (Arc::clone(&outside.clock), Arc::clone(&outside.chance));
    let (events, links) = (Events::new(), Links::new());
    let binary = config.install.agent_binary.clone().unwrap_or_else(|| outside.agent_binary.clone());
    let orders = Orders::new(store.clone(), (Arc::clone(&clock), Arc::clone(&chance)), (events.clone(), links.clone()));
    let publisher = Publisher::new(store.clone(), Arc::clone(&clock), keys.ring.clone(), events.clone(), links.clone());
    App {
        logins: Logins::new(store.clone(), Arc::clone(&clock), Arc::clone(&chance), Arc::clone(&web)),
        limiter: Arc::new(LoginLimiter::new()),
        decisions: Decisions::new(
            store.clone(),
            Arc::clone(&clock),
            keys.ring.clone(),
            (events.clone(), links.clone()),
            Arc::clone(&outside.waypoints),
        ),
        drafts: Drafts::new(store.clone(), Arc::clone(&clock), orders.clone(), publisher.clone()),
        orders,
        passkeys: Passkeys::new(
            store.clone(),
            Arc::clone(&clock),
            Arc::clone(&chance),
            Arc::clone(&web),
            (events.clone(), links.clone()),
        ),
        publisher,
        installer: Arc::new(Installer::new(binary, Arc::clone(&web))),
        store,
        clock,
        chance,
        events,
        web,
        links,
    }
}

/// Every route with its guard, and the list of them.
pub fn router(app: App) -> (Router, Vec<HttpLine>) {
    let secure = app.web.is_https();
    let routes = crate::pages::routes(crate::install::routes(crate::api::routes(Routes::new(app))));
    let (router, lines) = routes.finish();
    let router = router.fallback(|request: Request| async move { Refusal::NotFound.answer(request.uri().path()) });
    let headers = axum::middleware::from_fn(move |request: Request, next: Next| async move {
        let mut response = next.run(request).await;
        security_headers(&mut response, secure);
        response
    });
    (router.layer(headers), lines)
}

/// Sets what a handler has not set itself. No inline script, no foreign script, no frame.
fn security_headers(response: &mut Response, secure: bool) {
    const DEFAULTS: [(HeaderName, &str); 6] = [
        (header::CONTENT_SECURITY_POLICY, crate::pages::CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: browsers would then hide the origin of our own forms, by which CSRF is recognised.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if secure {
        let value = HeaderValue::from_static("max-age=31536000");
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(value);
    }
}

/// The addresses that people and daemons use, with real ports in the place of 0.
#[must_use]
pub fn web_settings(config: &Config, link_port: u16, web_port: u16) -> WebSettings {
    let link_address = match host_and_port(&config.link.public_address) {
        Some((host, 0)) if host.contains(':') => format!("[{host}]:{link_port}"),
        Some((host, 0)) => format!("{host}:{link_port}"),
        _ => config.link.public_address.clone(),
    };
    let public_url = match Url::parse(&config.web.public_url) {
        Ok(mut url) => {
            if url.port() == Some(0) {
                // Fails for URLs without a host only, which the configuration refuses.
                let _ = url.set_port(Some(web_port));
            }
            url.origin().ascii_serialization()
        }
        Err(_) => config.web.public_url.clone(),
    };
    WebSettings { public_url, link_address }
}

/// Where the real ports stand.
#[must_use]
pub fn listen_file_in(data_dir: &Path) -> PathBuf {
    data_dir.join("listen.json")
}

fn write_listen(data_dir: &Path, link: SocketAddr, web: SocketAddr) -> Result<(), ServeError> {
    let (path, fresh) = (listen_file_in(data_dir), data_dir.join("listen.json.new"));
    let text = serde_json::json!({ "link": link, "web": web }).to_string();
    let written = std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &path));
    written.map_err(|source| ServeError::Write { path, source })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}
