//! The hook API as an attacker would speak it: one request, one answer, no patience.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::stage::{SESSION, Tenant, http_client};

/// How long nothing comes from a connection on which nothing will.
const SILENCE: Duration = Duration::from_secs(1);

/// A client with an agent's token.
pub struct Hooks {
    heard: Mutex<Vec<u8>>,
    url: String,
    llm: String,
    token: String,
    http: reqwest::Client,
}

impl Hooks {
    /// With the stage's own agent token.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn of(tenant: &Tenant) -> anyhow::Result<Self> {
        Self::with_token(tenant, &tenant.agent_token)
    }

    /// With any token.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn with_token(tenant: &Tenant, token: &str) -> anyhow::Result<Self> {
        Ok(Self {
            heard: Mutex::default(),
            url: tenant.hook_url.clone(),
            llm: tenant.llm_url.clone(),
            token: token.to_owned(),
            http: http_client()?,
        })
    }

    /// Begins (or renews) the stage's session.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn start_session(&self) -> anyhow::Result<(StatusCode, Value)> {
        self.post("/v1/hooks/session-start", &json!({"session": SESSION, "runtime": "attacker/1"})).await
    }

    /// Proposes a call without waiting for a person.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn propose(&self, call: &str, tool: &str, args: Value) -> anyhow::Result<(StatusCode, Value)> {
        let body = json!({"session": SESSION, "call": call, "tool": tool, "args": args, "wait_ms": 0});
        self.post("/v1/hooks/before-tool-call", &body).await
    }

    /// Where a call stands, waiting up to `wait_ms`.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn status(&self, call: &str, wait_ms: u64) -> anyhow::Result<(StatusCode, Value)> {
        let url = format!("{}/v1/calls/{SESSION}/{call}?wait_ms={wait_ms}", self.url);
        self.answer(self.http.get(url).bearer_auth(&self.token).send().await?).await
    }

    /// Runs a permit.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn exec(&self, permit: &str) -> anyhow::Result<(StatusCode, Value)> {
        self.post("/v1/exec", &json!({"permit": permit})).await
    }

    /// Proposes a call and, when it is allowed, runs it; answers its result.
    ///
    /// # Errors
    /// When the call is not allowed.
    pub async fn run(&self, call: &str, tool: &str, args: Value) -> anyhow::Result<Value> {
        let (status, proposed) = self.propose(call, tool, args).await?;
        anyhow::ensure!(
            status == StatusCode::OK && proposed["decision"] == "allow",
            "not allowed: {status} {proposed}"
        );
        let (status, run) = self.exec(proposed["permit"].as_str().unwrap_or_default()).await?;
        anyhow::ensure!(status == StatusCode::OK, "not run: {status} {run}");
        Ok(run["result"].clone())
    }

    /// One request to the LLM gateway.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn ask_model(&self, text: &str) -> anyhow::Result<(StatusCode, Value)> {
        let body =
            json!({"model": super::stage::MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": text}]});
        let request = self.http.post(format!("{}/v1/messages", self.llm)).header("x-api-key", &self.token);
        self.answer(request.header("anthropic-version", "2023-06-01").json(&body).send().await?).await
    }

    /// Any request to the hook API.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<(StatusCode, Value)> {
        self.answer(self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(body).send().await?)
            .await
    }

    /// One request to the LLM gateway: path and query, headers beside the token, body as it is.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn ask_llm(
        &self,
        target: &str,
        headers: &[(String, Vec<u8>)],
        body: Vec<u8>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = self.http.post(format!("{}{target}", self.llm)).bearer_auth(&self.token);
        request = request.header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(name.as_str(), HeaderValue::from_bytes(value)?);
        }
        self.answer(request.body(body).send().await?).await
    }

    /// Any GET of the hook API.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<(StatusCode, Value)> {
        self.answer(self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await?).await
    }

    /// Any bytes to the port of the LLM gateway; answers what came back until the connection closed or fell silent: a gateway
    /// that waits for the rest of a request says nothing.
    /// `{token}` in `head` becomes the token.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn raw_llm(&self, head: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        let address = self.llm.trim_start_matches("http://");
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(head.replace("{token}", &self.token).as_bytes()).await?;
        // A gateway that refuses the head may be gone before the body.
        let _ = stream.write_all(body).await;
        let mut said = Vec::new();
        while let Ok(Ok(1..)) = tokio::time::timeout(SILENCE, stream.read_buf(&mut said)).await {}
        self.hear(&said);
        Ok(said)
    }

    /// Every byte that the daemon ever answered here: heads and bodies.
    #[must_use]
    pub fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hear(&self, said: &[u8]) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.extend_from_slice(said);
        heard.push(b'\n');
    }

    async fn answer(&self, response: reqwest::Response) -> anyhow::Result<(StatusCode, Value)> {
        let status = response.status();
        for (name, value) in response.headers() {
            self.hear(&[name.as_str().as_bytes(), b": ", value.as_bytes()].concat());
        }
        // A body that breaks off was heard as far as it came.
        let mut body = Vec::new();
        let mut pieces = response.bytes_stream();
        while let Some(Ok(piece)) = pieces.next().await {
            body.extend_from_slice(&piece);
        }
        self.hear(&body);
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }
}
