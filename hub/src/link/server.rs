//! The TLS port: handshakes beside each other, one HTTP/2 server behind them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use wardkeep_proto::limits::{KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, MESSAGE_BYTES};
use wardkeep_proto::time::Clock;
use wardkeep_proto::v1::enrolment_server::EnrolmentServer;
use wardkeep_proto::v1::report_server::ReportServer;
use wardkeep_proto::v1::tenant_link_server::TenantLinkServer;

use super::LinkParts;
use super::attach::Attach;
use super::enrolment::Enrol;
use super::report::Reports;
use crate::ca::{self, CaError};

/// A handshake must be done in this time.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at the same time: after a restart all tenants come at once.
const HANDSHAKES: usize = 1024;
/// Bytes that a peer may send ahead on one stream; small, because there are many idle links.
const STREAM_WINDOW: u32 = 64 * 1024;
/// Streams of one connection: the link, a report, a renewal.
const STREAMS: u32 = 16;
/// The link's own certificate is made anew after this time.
const NEW_LEAF: Duration = Duration::from_secs(24 * 60 * 60);

/// The link cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The certificate of the link.
    #[error("the link's certificate cannot be made")]
    Ca(#[from] CaError),
    /// TLS.
    #[error("the link's TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// TLS, the part that checks clients.
    #[error("the link's TLS cannot check client certificates")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// HTTP/2.
    #[error("the link stopped")]
    Serve(#[from] tonic::transport::Error),
    /// The socket.
    #[error("the link's socket failed")]
    Socket(#[from] io::Error),
}

/// Who is at the other end, as the handshake proved it.
#[derive(Clone, Debug, Default)]
pub(super) struct Peer {
    /// `None` without a certificate.
    pub(super) name: Option<ca::TenantName>,
}

/// A link that is about to be served.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    parts: LinkParts,
    config: Arc<ServerConfig>,
    leaf: Arc<Leaf>,
    host: String,
}

impl Listening {
    /// Prepares the link on `listener`; `host` is the name or address that daemons use.
    ///
    /// # Errors
    /// Certificates or TLS; see [`LinkError`].
    pub fn new(listener: TcpListener, parts: LinkParts, host: &str) -> Result<Self, LinkError> {
        let leaf = Arc::new(Leaf::new(&parts, host)?);
        let config = Arc::new(tls(&parts, Arc::clone(&leaf))?);
        Ok(Self { listener, parts, config, leaf, host: host.to_owned() })
    }

    /// The address that is really listened on.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Serves until `stop`, then lets open streams say goodbye.
///
/// # Errors
/// [`LinkError::Serve`].
pub async fn serve(link: Listening, stop: CancellationToken) -> Result<(), LinkError> {
    let Listening { listener, parts, config, leaf, host } = link;
    let (connections, incoming) = mpsc::channel(64);
    let accepting = tokio::spawn(accept(listener, TlsAcceptor::from(config), connections, stop.clone()));
    let renewing = tokio::spawn(renew(leaf, parts.clone(), host, stop.clone()));
    let served = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(2 * STREAM_WINDOW)
        .max_concurrent_streams(STREAMS)
        .add_service(
            EnrolmentServer::new(Enrol::new(parts.clone()))
                .max_decoding_message_size(MESSAGE_BYTES)
                .max_encoding_message_size(MESSAGE_BYTES),
        )
        .add_service(
            TenantLinkServer::new(Attach::new(parts.clone(), stop.clone()))
                .max_decoding_message_size(MESSAGE_BYTES)
                .max_encoding_message_size(MESSAGE_BYTES),
        )
        .add_service(
            ReportServer::new(Reports::new(parts))
                .max_decoding_message_size(MESSAGE_BYTES)
                .max_encoding_message_size(MESSAGE_BYTES),
        )
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), stop.cancelled_owned())
        .await;
    accepting.abort();
    renewing.abort();
    Ok(served?)
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    connections: mpsc::Sender<io::Result<Connection>>,
    stop: CancellationToken,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file handles, most likely: give the others time to end.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, connections) = (tls.clone(), connections.clone());
        tokio::spawn(async move {
            let _permit = permit;
            let _ = stream.set_nodelay(true);
            match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let _ = connections.send(Ok(Connection::new(stream))).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
                Err(_) => tracing::debug!("a handshake took too long"),
            }
        });
    }
}

/// One TLS connection, with what its handshake proved.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
}

impl Connection {
    fn new(stream: TlsStream<TcpStream>) -> Self {
        let chain = stream.get_ref().1.peer_certificates();
        let name = chain.and_then(<[_]>::first).and_then(ca::tenant_of);
        Self { stream, peer: Peer { name } }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// TLS 1.3 only; a client certificate may be shown and must then be ours. No resumption: each handshake proves anew.
fn tls(parts: &LinkParts, leaf: Arc<Leaf>) -> Result<ServerConfig, LinkError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(parts.keys.ca.certificate().clone()).map_err(LinkError::Tls)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()?;
    let time = Arc::new(ClockTime(Arc::clone(&parts.clock)));
    let mut config = ServerConfig::builder_with_details(provider, time)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(LinkError::Tls)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(leaf);
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Our clock for certificate checks.
struct ClockTime(Arc<dyn Clock>);

impl std::fmt::Debug for ClockTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClockTime")
    }
}

impl rustls::time_provider::TimeProvider for ClockTime {
    fn current_time(&self) -> Option<rustls_pki_types::UnixTime> {
        let millis = u64::try_from(self.0.now().millis()).ok()?;
        Some(rustls_pki_types::UnixTime::since_unix_epoch(Duration::from_millis(millis)))
    }
}

/// The link's own certificate; lives in memory only.
#[derive(Debug)]
struct Leaf(RwLock<Arc<CertifiedKey>>);

impl Leaf {
    fn new(parts: &LinkParts, host: &str) -> Result<Self, LinkError> {
        Ok(Self(RwLock::new(Self::make(parts, host)?)))
    }

    fn make(parts: &LinkParts, host: &str) -> Result<Arc<CertifiedKey>, LinkError> {
        let identity = parts.keys.ca.server(host, parts.clock.now(), parts.chance.as_ref())?;
        let key = rustls::crypto::ring::sign::any_supported_type(&identity.key).map_err(LinkError::Tls)?;
        Ok(Arc::new(CertifiedKey::new(identity.chain, key)))
    }
}

impl ResolvesServerCert for Leaf {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

async fn renew(leaf: Arc<Leaf>, parts: LinkParts, host: String, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(NEW_LEAF) => {}
        }
        match Leaf::make(&parts, &host) {
            Ok(new) => *leaf.0.write().unwrap_or_else(PoisonError::into_inner) = new,
            Err(error) => tracing::error!(%error, "the link's certificate was not renewed"),
        }
    }
}
