//! The daemon's listening ends: hook socket, loopback ports, admin socket, and the file that tells where they are.

use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, UnixListener};

use crate::config::Config;
use crate::state::write_private;

pub mod admin;
pub mod peer;
pub mod token;

/// Where the daemon really listens, as `listen.json` holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Hook API on loopback.
    pub hooks: SocketAddr,
    /// LLM gateway on loopback.
    pub llm: SocketAddr,
    /// Forward proxy on loopback.
    pub proxy: SocketAddr,
    /// Hook API as a Unix socket.
    pub hook_socket: PathBuf,
    /// Admin socket.
    pub admin_socket: PathBuf,
    /// Who listens.
    pub pid: u32,
}

/// All listeners, bound.
#[derive(Debug)]
pub struct Listeners {
    /// Hook API on loopback.
    pub hooks: TcpListener,
    /// LLM gateway on loopback.
    pub llm: TcpListener,
    /// Forward proxy on loopback.
    pub proxy: TcpListener,
    /// Hook API as a Unix socket.
    pub hook_socket: UnixListener,
    /// Admin socket.
    pub admin_socket: UnixListener,
}

/// A listener could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A port.
    #[error("cannot listen on {addr}; is another wardkeep-agent running, or the port taken?")]
    Port {
        /// Which address.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A socket file.
    #[error("cannot listen on {path}; check that the directory exists and belongs to the daemon's user")]
    Socket {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody answers there.
    #[error("another wardkeep-agent answers at {0}; stop it first")]
    Taken(PathBuf),
}

impl Listeners {
    /// Binds everything and writes `listen.json`.
    ///
    /// # Errors
    /// All of [`ListenError`].
    pub async fn bind(config: &Config) -> Result<(Self, Listening), ListenError> {
        let dir = config.runtime_dir.clone();
        std::fs::create_dir_all(&dir).map_err(|source| ListenError::Socket { path: dir, source })?;
        let admin_socket = bind_socket(&config.admin_socket(), 0o600).await?;
        let hook_socket = bind_socket(&config.hook_socket(), 0o660).await?;
        let hooks = bind_port(config.hooks.listen.addr()).await?;
        let llm = bind_port(config.llm.listen.addr()).await?;
        let proxy = bind_port(config.proxy.listen.addr()).await?;
        let addr = |listener: &TcpListener, asked: SocketAddr| {
            listener.local_addr().map_err(|source| ListenError::Port { addr: asked, source })
        };
        let listening = Listening {
            hooks: addr(&hooks, config.hooks.listen.addr())?,
            llm: addr(&llm, config.llm.listen.addr())?,
            proxy: addr(&proxy, config.proxy.listen.addr())?,
            hook_socket: config.hook_socket(),
            admin_socket: config.admin_socket(),
            pid: std::process::id(),
        };
        let path = config.listen_file();
        let text = serde_json::to_vec_pretty(&listening)
            .map_err(|e| ListenError::Socket { path: path.clone(), source: io::Error::other(e) })?;
        write_for_agents(&path, &text)?;
        Ok((Self { hooks, llm, proxy, hook_socket, admin_socket }, listening))
    }
}

/// Replaces a file that agents, who run as other users, may read: nothing in it is secret.
///
/// # Errors
/// [`ListenError::Socket`] with what the system said.
pub fn write_for_agents(path: &Path, text: &[u8]) -> Result<(), ListenError> {
    let failed = |source| ListenError::Socket { path: path.to_owned(), source };
    write_private(path, text).map_err(failed)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o644)).map_err(failed)
}

async fn bind_port(addr: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(addr).await.map_err(|source| ListenError::Port { addr, source })
}

/// A socket file left by a crash is replaced; one that somebody answers on is not.
async fn bind_socket(path: &Path, mode: u32) -> Result<UnixListener, ListenError> {
    let failed = |source| ListenError::Socket { path: path.to_owned(), source };
    if tokio::net::UnixStream::connect(path).await.is_ok() {
        return Err(ListenError::Taken(path.to_owned()));
    }
    crate::state::remove(path).map_err(failed)?;
    let listener = UnixListener::bind(path).map_err(failed)?;
    // Between bind and chmod the umask decides; the admin socket checks the peer's user besides, hooks check tokens.
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
    Ok(listener)
}
