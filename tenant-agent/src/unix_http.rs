//! One HTTP/1 request over a Unix socket: how the CLI speaks to the daemon beside it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::request::Builder;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use wardkeep_proto::secret::SecretValue;

use crate::config::Config;
use crate::servers::token::read_token;
use crate::state::StateDir;

/// Longest answer that is read.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// The daemon's sockets as a client sees one of them.
#[derive(Clone, Debug)]
pub struct UnixClient {
    socket: PathBuf,
    token: Token,
}

/// Where the bearer token comes from.
#[derive(Clone, Debug)]
enum Token {
    None,
    Given(SecretValue),
    /// Read for each request: a daemon that starts meanwhile may make it.
    File(PathBuf),
}

/// Status and JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// The body; `null` when it is empty.
    pub body: Value,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens there.
    #[error(
        "the daemon is not running: nobody answers at {socket}; start it with `systemctl start wardkeep-agent` or `wardkeep-agent run`"
    )]
    NotRunning {
        /// Which socket.
        socket: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The socket is another user's.
    #[error("no permission for {socket}; run this as root or through `wardkeep`")]
    NotAllowed {
        /// Which socket.
        socket: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The admin token is there, but not for this user.
    #[error("cannot read {path}; run this as root or through `wardkeep`")]
    TokenUnreadable {
        /// The token's file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody removed the admin token, or `state_dir` is not the daemon's.
    #[error(
        "the daemon answers, but its token {path} is missing; make it anew with `systemctl restart wardkeep-agent`, or check \
         state_dir in the configuration"
    )]
    TokenMissing {
        /// The token's file.
        path: PathBuf,
    },
    /// It listens, but not as expected.
    #[error("the daemon's answer cannot be used: {0}")]
    Broken(String),
    /// It takes too long.
    #[error("the daemon did not answer in time; look at `journalctl -u wardkeep-agent`")]
    TimedOut,
    /// It says no.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// Its words.
        message: String,
    },
}

impl UnixClient {
    /// A client of `socket`.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), token: Token::None }
    }

    /// The same with an agent's token.
    #[must_use]
    pub fn with_token(mut self, token: SecretValue) -> Self {
        self.token = Token::Given(token);
        self
    }

    /// A client of the admin socket, with the token in `token_file`.
    #[must_use]
    pub fn admin(socket: &Path, token_file: &Path) -> Self {
        Self { socket: socket.to_owned(), token: Token::File(token_file.to_owned()) }
    }

    /// A client of the admin socket of the daemon with this configuration.
    #[must_use]
    pub fn admin_of(config: &Config) -> Self {
        Self::admin(&config.admin_socket(), &StateDir::existing(&config.state_dir).admin_token())
    }

    /// `GET`.
    ///
    /// # Errors
    /// All of [`ClientError`].
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(Method::GET, path, None, Duration::from_secs(15)).await?.accepted()
    }

    /// `POST` with a JSON body.
    ///
    /// # Errors
    /// All of [`ClientError`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.send(Method::POST, path, Some(body), Duration::from_secs(15)).await?.accepted()
    }

    /// Any request; a refusal is an answer here.
    ///
    /// # Errors
    /// All of [`ClientError`] but `Refused`.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        within: Duration,
    ) -> Result<Answer, ClientError> {
        tokio::time::timeout(within, self.exchange(method, path, body)).await.map_err(|_| ClientError::TimedOut)?
    }

    fn token(&self) -> Result<Option<SecretValue>, ClientError> {
        match &self.token {
            Token::None => Ok(None),
            Token::Given(token) => Ok(Some(token.clone())),
            Token::File(path) => match read_token(path) {
                Ok(Some(token)) => Ok(Some(token)),
                Ok(None) => Err(ClientError::TokenMissing { path: path.clone() }),
                Err(source) => Err(ClientError::TokenUnreadable { path: path.clone(), source }),
            },
        }
    }

    /// Sends one request and gives the answer while it comes; dropping it hangs up.
    ///
    /// # Errors
    /// All of [`ClientError`] but `Refused` and `TimedOut`.
    pub async fn open(&self, request: Builder, body: Bytes) -> Result<Response<Incoming>, ClientError> {
        let broken = |error: &dyn std::error::Error| ClientError::Broken(crate::channel::chain(error));
        let stream = UnixStream::connect(&self.socket).await.map_err(|source| {
            let socket = self.socket.clone();
            match source.kind() {
                io::ErrorKind::PermissionDenied => ClientError::NotAllowed { socket, source },
                _ => ClientError::NotRunning { socket, source },
            }
        })?;
        // After connecting: that no daemon is there says more than that its token is not.
        let token = self.token()?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
        // Ends with the answer's body.
        tokio::spawn(connection);
        let mut request = request.header("host", "localhost");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {}", token.expose()));
        }
        let request = request.body(Full::new(body)).map_err(|e| broken(&e))?;
        sender.send_request(request).await.map_err(|e| broken(&e))
    }

    async fn exchange(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, ClientError> {
        let broken = |error: &dyn std::error::Error| ClientError::Broken(crate::channel::chain(error));
        let bytes = body.map(|b| Bytes::from(b.to_string())).unwrap_or_default();
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let answer = self.open(request, bytes).await?;
        let status = answer.status();
        let bytes = Limited::new(answer.into_body(), ANSWER_BYTES)
            .collect()
            .await
            .map_err(|e| ClientError::Broken(e.to_string()))?
            .to_bytes();
        let body =
            if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).map_err(|e| broken(&e))? };
        Ok(Answer { status, body })
    }
}

impl Answer {
    /// The body of a success.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the daemon's words.
    pub fn accepted(self) -> Result<Value, ClientError> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let message = self.body.pointer("/error/message").and_then(Value::as_str).unwrap_or("the daemon refused");
        Err(ClientError::Refused { status: self.status, message: message.to_owned() })
    }
}
