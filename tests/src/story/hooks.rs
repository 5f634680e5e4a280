//! The hook API as an attacker would speak it: one request, one answer, no patience.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::stage::{SESSION, Tenant, http_client};

/// A client with an agent's token.
pub struct Hooks {
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
        answer(self.http.get(url).bearer_auth(&self.token).send().await?).await
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
        answer(request.header("anthropic-version", "2023-06-01").json(&body).send().await?).await
    }

    /// Any request to the hook API.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<(StatusCode, Value)> {
        answer(self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(body).send().await?).await
    }
}

async fn answer(response: reqwest::Response) -> anyhow::Result<(StatusCode, Value)> {
    let status = response.status();
    let text = response.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}
