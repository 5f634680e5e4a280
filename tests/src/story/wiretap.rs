//! Relays that keep every byte: what leaves the daemon's sockets, as plain text, whatever the transport.
//!
//! * [`Wiretap::plain`] sits before a plain HTTP service.
//! * [`Wiretap::mutual_tls`] sits between daemon and hub. It holds a leaf of the hub's own CA and the tenant's own key,
//!   so it can open and close both halves of the connection; nobody without both could.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Client side of the relay to the hub: without a certificate for enrolment, with the tenant's afterwards.
pub type ClientConfig = dyn Fn() -> anyhow::Result<Arc<rustls::ClientConfig>> + Send + Sync;

/// One relay and what passed through it.
pub struct Wiretap {
    address: SocketAddr,
    upward: Tapes,
    task: JoinHandle<()>,
}

/// What was said on each connection, in the order of their beginnings.
type Tapes = Arc<Mutex<Vec<Vec<u8>>>>;

/// The place of one connection's words.
struct Tape {
    all: Tapes,
    number: usize,
}

impl Tape {
    fn begin(all: &Tapes) -> Self {
        let mut tapes = all.lock().unwrap_or_else(PoisonError::into_inner);
        tapes.push(Vec::new());
        Self { all: Arc::clone(all), number: tapes.len() - 1 }
    }

    fn keep(&self, bytes: &[u8]) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)[self.number].extend_from_slice(bytes);
    }
}

impl Wiretap {
    /// Relays plain TCP to `upstream`.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn plain(upstream: SocketAddr) -> anyhow::Result<Self> {
        Self::open(move |from, tape| async move {
            let to = TcpStream::connect(upstream).await?;
            relay(from, to, tape).await
        })
        .await
    }

    /// Ends the daemon's TLS, keeps the plain bytes, and begins a new TLS connection to the hub.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn mutual_tls(
        upstream: SocketAddr,
        server: Arc<rustls::ServerConfig>,
        client: Arc<ClientConfig>,
    ) -> anyhow::Result<Self> {
        let acceptor = TlsAcceptor::from(server);
        Self::open(move |from, tape| {
            let (acceptor, client) = (acceptor.clone(), Arc::clone(&client));
            async move {
                let from = acceptor.accept(from).await?;
                let to = TcpStream::connect(upstream).await?;
                let name = rustls_pki_types::ServerName::try_from("127.0.0.1")?;
                let to = TlsConnector::from(client()?).connect(name, to).await?;
                relay(from, to, tape).await
            }
        })
        .await
    }

    async fn open<F>(serve: impl Fn(TcpStream, Tape) -> F + Send + 'static) -> anyhow::Result<Self>
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let upward = Tapes::default();
        let tapes = Arc::clone(&upward);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Tape::begin(&tapes)));
            }
        });
        Ok(Self { address, upward, task })
    }

    /// Where the daemon is sent instead of the real service.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that left the daemon here, so far, connection by connection. One that is known keeps its place.
    #[must_use]
    pub fn tapes(&self) -> Vec<Vec<u8>> {
        self.upward.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Wiretap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(
    from: impl AsyncRead + AsyncWrite + Unpin,
    to: impl AsyncRead + AsyncWrite + Unpin,
    tape: Tape,
) -> anyhow::Result<()> {
    let (mut from_read, mut from_write) = tokio::io::split(from);
    let (mut to_read, mut to_write) = tokio::io::split(to);
    let up = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let n = from_read.read(&mut buffer).await?;
            if n == 0 {
                return to_write.shutdown().await;
            }
            tape.keep(&buffer[..n]);
            to_write.write_all(&buffer[..n]).await?;
        }
    };
    let down = async {
        tokio::io::copy(&mut to_read, &mut from_write).await?;
        from_write.shutdown().await
    };
    // Either side may break first; the relay ends with it, as a cut cable would.
    tokio::try_join!(up, down)?;
    Ok(())
}
