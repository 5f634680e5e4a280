//! One question to the helper.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;

use crate::protocol::{self, ANSWER_BYTES, Answer, Request};

/// Longer than `nft` may take.
const WITHIN: Duration = Duration::from_secs(60);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody is there.
    #[error("the helper is not running: nobody answers at {socket}; start it with `systemctl start wardkeep-helper`")]
    NotRunning {
        /// Where.
        socket: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Not for this user.
    #[error("no permission for {socket}; run this as root or through `wardkeep`")]
    NotAllowed {
        /// Where.
        socket: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The connection broke.
    #[error("the helper did not answer; look at `journalctl -u wardkeep-helper`")]
    Broken(#[source] io::Error),
    /// It says no.
    #[error("{0}")]
    Refused(String),
}

/// Asks.
///
/// # Errors
/// All of [`ClientError`].
pub async fn ask(socket: &Path, request: Request) -> Result<Answer, ClientError> {
    let mut stream = UnixStream::connect(socket).await.map_err(|source| {
        let socket = socket.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied => ClientError::NotAllowed { socket, source },
            _ => ClientError::NotRunning { socket, source },
        }
    })?;
    let exchange = async {
        protocol::write(&mut stream, &request).await?;
        protocol::read(&mut stream, ANSWER_BYTES).await
    };
    let timed_out = |_| ClientError::Broken(io::ErrorKind::TimedOut.into());
    match tokio::time::timeout(WITHIN, exchange).await.map_err(timed_out)?.map_err(ClientError::Broken)? {
        Answer::Refused { message } => Err(ClientError::Refused(message)),
        answer => Ok(answer),
    }
}
