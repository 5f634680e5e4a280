//! The customer: looks at the inbox through the hub's API and decides.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// A person with an API token.
pub struct Person {
    hub: String,
    token: String,
    http: reqwest::Client,
}

impl Person {
    /// `hub`: base URL of the hub's pages and API.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(hub: String, token: String) -> anyhow::Result<Self> {
        Ok(Self { hub, token, http: super::stage::http_client()? })
    }

    /// GET under `/api/v1`; waits through a restart of the hub.
    ///
    /// # Errors
    /// When the hub refuses, or stays away for half a minute.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.patiently(|| self.http.get(format!("{}/api/v1{path}", self.hub))).await
    }

    /// The approval of `tool` that waits, once there is one.
    ///
    /// # Errors
    /// When none appears within half a minute.
    pub async fn wait_for_pending(&self, matches: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        wait("a pending approval", || async {
            let all = self.get("/approvals?state=pending").await?;
            Ok(rows(&all, "approvals").into_iter().find(|a| matches(a)))
        })
        .await
    }

    /// Decides; a decision that already stands in the same way is fine, since an answer can be lost in a crash.
    ///
    /// # Errors
    /// When the hub refuses it.
    pub async fn decide(&self, digest: &str, verdict: &str) -> anyhow::Result<()> {
        let url = format!("{}/api/v1/approvals/{digest}/decision", self.hub);
        let body = json!({"verdict": verdict, "note": "decided in the story"});
        wait("the hub to take the decision", || async {
            let Ok(sent) = self.http.post(&url).bearer_auth(&self.token).json(&body).send().await else {
                return Ok(None);
            };
            let status = sent.status();
            let Ok(text) = sent.text().await else { return Ok(None) };
            if status.is_success() {
                return Ok(Some(()));
            }
            if status == reqwest::StatusCode::CONFLICT {
                let now = self.get(&format!("/approvals/{digest}")).await?;
                if now["state"] != "pending" {
                    return Ok(Some(()));
                }
            }
            bail!("decision refused: {status}: {text}")
        })
        .await
    }

    /// POST under `/api/v1`, once; answers what the hub says.
    ///
    /// # Errors
    /// When the hub does not answer.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<(reqwest::StatusCode, Value)> {
        let url = format!("{}/api/v1{path}", self.hub);
        let sent = self.http.post(url).bearer_auth(&self.token).json(body).send().await?;
        Ok((sent.status(), sent.json().await.unwrap_or(Value::Null)))
    }

    async fn patiently(&self, request: impl Fn() -> reqwest::RequestBuilder) -> anyhow::Result<Value> {
        wait("the hub", || async {
            let Ok(sent) = request().bearer_auth(&self.token).send().await else { return Ok(None) };
            let status = sent.status();
            let Ok(text) = sent.text().await else { return Ok(None) };
            if !status.is_success() {
                bail!("hub API: {status}: {text}");
            }
            Ok(Some(serde_json::from_str(&text).context("the API speaks JSON")?))
        })
        .await
    }
}

/// The rows of a list answer.
#[must_use]
pub fn rows(list: &Value, key: &str) -> Vec<Value> {
    list[key].as_array().cloned().unwrap_or_default()
}

/// Asks again every 50 ms until there is an answer; half a minute at most.
///
/// # Errors
/// The error of `ask`, or a time-out that names `what`.
pub async fn wait<T, F: Future<Output = anyhow::Result<Option<T>>>>(
    what: &str,
    ask: impl Fn() -> F,
) -> anyhow::Result<T> {
    let give_up = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if tokio::time::Instant::now() > give_up {
            bail!("waited 30 s for {what}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
