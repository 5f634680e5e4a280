//! One question to the helper.

use std::io::{self, Read as _};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;

use crate::passing;
use crate::protocol::{self, ANSWER_BYTES, Answer, ContainerOver, ContainerStart, Request, RunStart};

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
    let mut stream = UnixStream::connect(socket).await.map_err(|source| nobody(socket, source))?;
    let exchange = async {
        protocol::write(&mut stream, &request).await?;
        protocol::read(&mut stream, ANSWER_BYTES).await
    };
    let timed_out = |_| ClientError::Broken(io::ErrorKind::TimedOut.into());
    granted(tokio::time::timeout(WITHIN, exchange).await.map_err(timed_out)?.map_err(ClientError::Broken)?)
}

/// As [`ask`], for a process without a runtime.
///
/// # Errors
/// All of [`ClientError`].
pub fn ask_blocking(socket: &Path, request: &Request) -> Result<Answer, ClientError> {
    let stream = BlockingStream::connect(socket).map_err(|source| nobody(socket, source))?;
    passing::send(&stream, request, &[]).map_err(ClientError::Broken)?;
    answer_within(&stream, WITHIN)
}

/// A run's own line to the helper: whoever drops it wants the unit to end.
#[derive(Debug)]
pub struct RunLine(BlockingStream);

/// Asks for the unit of one run. `files`: what becomes its standard input, and its standard output.
///
/// # Errors
/// When nobody hears it; that it was refused is told by [`RunLine::over`].
pub fn start_run(socket: &Path, run: RunStart, files: &[BorrowedFd<'_>]) -> Result<RunLine, ClientError> {
    let stream = BlockingStream::connect(socket).map_err(|source| nobody(socket, source))?;
    passing::send(&stream, &Request::RunStart(run), files).map_err(ClientError::Broken)?;
    Ok(RunLine(stream))
}

impl RunLine {
    #[cfg(test)]
    pub(crate) fn of(stream: BlockingStream) -> Self {
        Self(stream)
    }

    /// Waits for the end of the unit: systemd's word for it.
    ///
    /// # Errors
    /// `Refused` when there was no unit; `Broken` when the helper is gone or `within` is over.
    pub fn over(self, within: Duration) -> Result<String, ClientError> {
        match answer_within(&self.0, within)? {
            Answer::RunOver { result } => Ok(result),
            _ => Err(ClientError::Broken(io::ErrorKind::InvalidData.into())),
        }
    }
}

/// A container's own line to the helper: whoever drops it wants the container to end.
#[derive(Debug)]
pub struct ContainerLine(BlockingStream);

/// Asks for the container of one call. `output`: what it prints goes there.
///
/// # Errors
/// When nobody hears it; that it was refused is told by [`ContainerLine::over`].
pub fn start_container(
    socket: &Path,
    asked: ContainerStart,
    output: BorrowedFd<'_>,
) -> Result<ContainerLine, ClientError> {
    let stream = BlockingStream::connect(socket).map_err(|source| nobody(socket, source))?;
    passing::send(&stream, &Request::ContainerStart(asked), &[output]).map_err(ClientError::Broken)?;
    Ok(ContainerLine(stream))
}

impl ContainerLine {
    #[cfg(test)]
    pub(crate) fn of(stream: BlockingStream) -> Self {
        Self(stream)
    }

    /// Waits for the end of the container.
    ///
    /// # Errors
    /// `Refused` when it did not begin, or its end is not known; `Broken` when the helper is gone or `within` is over.
    pub fn over(self, within: Duration) -> Result<ContainerOver, ClientError> {
        match answer_within(&self.0, within)? {
            Answer::ContainerOver(over) => Ok(over),
            _ => Err(ClientError::Broken(io::ErrorKind::InvalidData.into())),
        }
    }
}

fn answer_within(mut stream: &BlockingStream, within: Duration) -> Result<Answer, ClientError> {
    let mut read = || {
        stream.set_read_timeout(Some(within))?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut text = vec![0; protocol::announced(length, ANSWER_BYTES)?];
        stream.read_exact(&mut text)?;
        protocol::parse(&text)
    };
    granted(read().map_err(ClientError::Broken)?)
}

fn granted(answer: Answer) -> Result<Answer, ClientError> {
    match answer {
        Answer::Refused { message } => Err(ClientError::Refused(message)),
        answer => Ok(answer),
    }
}

fn nobody(socket: &Path, source: io::Error) -> ClientError {
    let socket = socket.to_owned();
    match source.kind() {
        io::ErrorKind::PermissionDenied => ClientError::NotAllowed { socket, source },
        _ => ClientError::NotRunning { socket, source },
    }
}
