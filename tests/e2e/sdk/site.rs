//! A site on the network that tools reach through the forward proxy: over TLS and without, on ports of its own.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::serve::Listener;
use futures_util::stream;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use wardkeep_hub::ca::ServerIdentity;

/// Its name, which leads to this machine.
pub(crate) const HOST: &str = "localhost";
/// Between pieces of `/slow`.
const PACE: Duration = Duration::from_millis(120);

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The ports of a running site; it ends when dropped.
pub(crate) struct Site {
    /// TLS, for a tunnel.
    pub(crate) tunnel: u16,
    /// TLS, to be inspected.
    pub(crate) inspect: u16,
    /// Without TLS.
    pub(crate) clear: u16,
    visits: Visits,
    tasks: Vec<JoinHandle<()>>,
}

type Visits = Arc<Mutex<Vec<Visit>>>;

impl Site {
    /// Starts it with a certificate, whose authority goes into `file`.
    pub(crate) async fn start(identity: ServerIdentity, file: &Path) -> anyhow::Result<Self> {
        let authority = identity.chain.last().context("a chain ends with the authority")?;
        std::fs::write(file, pem(authority))?;
        let tls = rustls::ServerConfig::builder().with_no_client_auth();
        let tls = Arc::new(tls.with_single_cert(identity.chain, identity.key)?);
        let visits = Visits::default();
        let router = Router::new()
            .route("/slow", axum::routing::get(slow))
            .fallback(echo)
            .layer(axum::extract::DefaultBodyLimit::max(64 * 1024 * 1024))
            .with_state(Arc::clone(&visits));
        let mut site = Self { tunnel: 0, inspect: 0, clear: 0, visits, tasks: Vec::new() };
        for port in [&mut site.tunnel, &mut site.inspect] {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            *port = tcp.local_addr()?.port();
            let listener = Secure { tcp, tls: TlsAcceptor::from(Arc::clone(&tls)) };
            site.tasks.push(serve(listener, router.clone()));
        }
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        site.clear = tcp.local_addr()?.port();
        site.tasks.push(serve(tcp, router));
        Ok(site)
    }

    /// All that arrived.
    pub(crate) fn visits(&self) -> Vec<Visit> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn serve<L: Listener<Addr = SocketAddr>>(listener: L, router: Router) -> JoinHandle<()> {
    tokio::spawn(async move {
        // Accepting goes on until the task is dropped; the error case does not exist.
        let _ = axum::serve(listener, router).await;
    })
}

struct Secure {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.tcp).await;
            // Who does not like the certificate is no visitor.
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// Shows the caller what it sent, as careless services do.
async fn echo(State(visits): State<Visits>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let sent = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let told = json!({"method": method.as_str(), "path": uri.path(), "authorization": sent, "bytes": body.len()});
    visits.lock().unwrap_or_else(PoisonError::into_inner).push(Visit { headers, body });
    axum::Json(told).into_response()
}

/// Five pieces, one after the other.
async fn slow(State(visits): State<Visits>, headers: HeaderMap) -> Response {
    visits.lock().unwrap_or_else(PoisonError::into_inner).push(Visit { headers, body: Bytes::new() });
    let pieces = stream::unfold(0, |number| async move {
        if number == 5 {
            return None;
        }
        tokio::time::sleep(PACE).await;
        Some((Ok::<_, Infallible>(format!("piece {number}\n")), number + 1))
    });
    ([("content-type", "text/plain; charset=utf-8")], Body::from_stream(pieces)).into_response()
}

fn pem(der: &[u8]) -> String {
    let coded = data_encoding::BASE64.encode(der);
    let lines: Vec<&str> = (0..coded.len()).step_by(64).map(|at| &coded[at..coded.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
