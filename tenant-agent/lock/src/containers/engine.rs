//! The Docker engine's own interface: a few questions over its Unix socket, each on a connection of its own.
//!
//! Source: the engine's API reference, version 1.41. Paths carry no version: engines from 19.03 on understand what is asked
//! here, and the newest no longer answer to the oldest names.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// Longest answer that is read whole.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// How long the engine may take to answer what it can answer at once.
pub(super) const SOON: Duration = Duration::from_secs(10);
/// How long it may take to make, start or remove a container.
pub(super) const WORK: Duration = Duration::from_secs(30);
/// What is told of its own words.
const WORDS: usize = 500;

/// Why the engine did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum EngineError {
    #[error(
        "no Docker engine answers at {socket}: {source}; start it, or take [containers] engine out of the configuration"
    )]
    Absent { socket: PathBuf, source: io::Error },
    #[error("the Docker engine's answer cannot be used: {0}")]
    Broken(String),
    #[error("the Docker engine did not answer within {} seconds", .0.as_secs())]
    Late(Duration),
    /// In its own words.
    #[error("the Docker engine says: {message}")]
    Refused { status: StatusCode, message: String },
}

/// An engine, by its socket.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    socket: PathBuf,
}

impl Engine {
    pub(super) fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// What it knows of something; nothing when there is no such thing.
    pub(super) async fn get(&self, path: &str) -> Result<Option<Value>, EngineError> {
        match self.ask(Method::GET, path, None, SOON).await {
            Ok(value) => Ok(Some(value)),
            Err(EngineError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Has it do something, and gives what it says.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        within: Duration,
    ) -> Result<Value, EngineError> {
        let answered = async {
            let (status, body) = self.send(method, path, body).await?;
            let body = Limited::new(body, ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| EngineError::Broken(error.to_string()))?.to_bytes();
            let value = || serde_json::from_slice::<Value>(&body).ok();
            if !status.is_success() && status != StatusCode::NOT_MODIFIED {
                return Err(refused(status, value(), &body));
            }
            if body.iter().all(u8::is_ascii_whitespace) {
                return Ok(Value::Null);
            }
            value().ok_or_else(|| EngineError::Broken("it is no JSON".to_owned()))
        };
        tokio::time::timeout(within, answered).await.unwrap_or(Err(EngineError::Late(within)))
    }

    /// What a container prints from now on, until it ends.
    pub(super) async fn attach(&self, name: &str) -> Result<Incoming, EngineError> {
        let path = format!("/containers/{name}/attach?stream=1&stdout=1&stderr=1");
        let attached = tokio::time::timeout(SOON, self.send(Method::POST, &path, None)).await;
        let (status, body) = attached.unwrap_or(Err(EngineError::Late(SOON)))?;
        if status.is_success() { Ok(body) } else { Err(refused(status, None, b"it cannot be listened to")) }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Incoming), EngineError> {
        let broken = |error: hyper::Error| EngineError::Broken(error.to_string());
        let absent = |source| EngineError::Absent { socket: self.socket.clone(), source };
        let stream = UnixStream::connect(&self.socket).await.map_err(absent)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends with the answer's body, or when whoever reads that has gone.
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "docker");
        let mut bytes = Bytes::new();
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json");
            bytes = Bytes::from(body.to_string());
        }
        let request = request.body(Full::new(bytes)).map_err(|error| EngineError::Broken(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        Ok((response.status(), response.into_body()))
    }
}

fn refused(status: StatusCode, said: Option<Value>, body: &[u8]) -> EngineError {
    let message = said.and_then(|value| Some(value.get("message")?.as_str()?.to_owned()));
    let message = message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let message = message.trim().chars().take(WORDS).collect();
    EngineError::Refused { status, message }
}
