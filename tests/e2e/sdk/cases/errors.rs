//! Errors are those classes of the client that the vendor's own service would raise.

use anyhow::{bail, ensure};
use serde_json::json;
use wardkeep_tests::simulators::llm::Fault;

use super::{Scene, TEXT};
use crate::columns::{Api, CLAUDE, CLAUDE_OR_GPT, GPT_OR_CLAUDE, Language};
use crate::speaker::Raised;

impl Scene<'_> {
    /// The provider's error, with its status and words.
    pub(super) async fn error(&mut self, status: u16) -> anyhow::Result<()> {
        self.world.provider().fail_next(Fault::Status(status));
        let raised = self.speaker.must_raise("plain", self.question(&json!({}))).await?;
        // A wrong key is a bad argument to Google.
        let google = self.column.api == Api::Gemini;
        let shown = match (self.column.api, status) {
            (Api::Gemini, 401) => 400,
            (Api::Chat, 529) if self.column.told() => 503,
            (Api::Messages, 503) if self.column.told() => 529,
            _ => status,
        };
        ensure!(raised.status == Some(shown), "it raised {raised:?}");
        let words = if google && status == 401 { "API key not valid" } else { "the simulator was told to fail" };
        ensure!(raised.text.contains(words), "the provider's words are lost: {}", raised.text);
        self.is_of(&raised, shown)
    }

    /// The class for a status.
    pub(super) fn is_of(&self, raised: &Raised, status: u16) -> anyhow::Result<()> {
        let class = match (self.column.api, self.column.language, status) {
            (Api::Gemini, Language::Node, _) => "ApiError",
            (Api::Gemini, Language::Python, 500..) => "ServerError",
            (Api::Gemini, Language::Python, _) => "ClientError",
            (_, _, 400) => "BadRequestError",
            (_, _, 401) => "AuthenticationError",
            (_, _, 403) => "PermissionDeniedError",
            (_, _, 404) => "NotFoundError",
            (_, _, 422) => "UnprocessableEntityError",
            (_, _, 429) => "RateLimitError",
            (Api::Messages, _, 413) => "ContentTooLargeError",
            (Api::Messages, _, 503) => "ServiceUnavailableError",
            (Api::Messages, _, 529) => "OverloadedError",
            (_, _, 500..) => "InternalServerError",
            (_, Language::Python, _) => "APIStatusError",
            (_, Language::Node, _) => "APIError",
        };
        ensure!(raised.is(class), "it raised {raised:?} for {class}");
        Ok(())
    }

    pub(super) async fn no_such_model(&mut self) -> anyhow::Result<()> {
        let raised = self.speaker.must_raise("one_model", json!({"model": "nobody"})).await?;
        ensure!(raised.text.contains("Wardkeep"), "it raised {raised:?}");
        self.is_of(&raised, 404)
    }

    pub(super) async fn no_such_address(&mut self) -> anyhow::Result<()> {
        let raised = self.speaker.must_raise("unknown", json!({})).await?;
        ensure!(raised.text.contains("Wardkeep"), "it raised {raised:?}");
        ensure!(self.asked().is_empty(), "it reached the provider");
        self.is_of(&raised, 404)
    }

    pub(super) async fn model_not_allowed(&mut self) -> anyhow::Result<()> {
        let raised = self.speaker.must_raise("plain", self.question(&json!({"model": "nobody"}))).await?;
        ensure!(raised.text.contains("may not use this model"), "it raised {raised:?}");
        self.is_of(&raised, 400)
    }

    /// Responses and Gemini are told in no other API.
    pub(super) async fn model_of_another_api(&mut self) -> anyhow::Result<()> {
        self.refused = true;
        let raised = self.speaker.must_raise("plain", self.question(&json!({"model": CLAUDE}))).await?;
        ensure!(raised.text.contains("does not speak this API"), "it raised {raised:?}");
        ensure!(self.asked().is_empty(), "it reached the provider");
        self.is_of(&raised, 400)
    }

    pub(super) async fn unknown_token(&mut self) -> anyhow::Result<()> {
        for how in ["plain", "stream"] {
            let with = self.question(&json!({"token": "wka1_nobodys"}));
            let raised = self.speaker.must_raise(how, with).await?;
            ensure!(raised.text.contains("not a local token"), "{how} raised {raised:?}");
            self.is_of(&raised, 401)?;
        }
        ensure!(self.asked().is_empty(), "it reached the provider");
        Ok(())
    }

    /// The provider's own error event, after some of the answer.
    pub(super) async fn error_in_a_stream(&mut self) -> anyhow::Result<()> {
        self.world.say(TEXT);
        self.world.provider().fail_next(Fault::Overloaded(5));
        self.estimates = 1;
        if (self.column.api, self.column.language) == (Api::Responses, Language::Python) {
            // An event among others to this client; its helper misses the end and says only that.
            let saw = self.speaker.see("raw_stream", self.question(&json!({}))).await?;
            ensure!(saw["error"] == "Overloaded", "it saw {saw}");
            return Ok(());
        }
        let raised = self.speaker.must_raise("stream", self.question(&json!({}))).await?;
        ensure!(raised.text.contains("Overloaded"), "it raised {raised:?}");
        self.is_an_error_of_the_client(&raised)
    }

    /// The connection breaks: no client may take what came for the whole.
    pub(super) async fn stream_breaks_off(&mut self) -> anyhow::Result<()> {
        self.world.say(TEXT);
        self.world.provider().fail_next(Fault::Drop(5));
        self.estimates = 1;
        let raised = self.speaker.must_raise("stream", self.question(&json!({}))).await?;
        let ours = raised.text.contains("broke off");
        ensure!(ours || self.column.api == Api::Responses, "it raised {raised:?}");
        self.is_an_error_of_the_client(&raised)
    }

    /// Nothing more comes: the client's own patience ends, and what it leaves is charged.
    pub(super) async fn stream_stalls(&mut self) -> anyhow::Result<()> {
        let left = self.world.provider().left();
        self.world.say(TEXT);
        self.world.provider().fail_next(Fault::Stall(4));
        self.estimates = 1;
        let raised = self.speaker.must_raise("stream", self.question(&json!({"timeout": 0.7}))).await?;
        let classes = ["APITimeoutError", "TimeoutException", "ReadTimeout", "TimeoutError"];
        ensure!(classes.iter().any(|class| raised.is(class)), "it raised {raised:?}");
        self.world.until("the provider to be left", || self.world.provider().left() > left).await
    }

    fn is_an_error_of_the_client(&self, raised: &Raised) -> anyhow::Result<()> {
        let class = match (self.column.api, self.column.language) {
            (Api::Gemini, Language::Node) => "ApiError",
            _ => "APIError",
        };
        ensure!(raised.is(class), "it raised {raised:?} for {class}");
        Ok(())
    }

    /// The client's own retries, at the time that the provider names.
    pub(super) async fn retry(&mut self) -> anyhow::Result<()> {
        self.world.provider().fail_next(Fault::Later(429, 1));
        self.world.provider().fail_next(Fault::Status(503));
        self.world.say(TEXT);
        let saw = self.speaker.see("plain", self.question(&json!({"retries": 2}))).await?;
        self.whole(&saw)?;
        let statuses: Vec<u16> = self.asked().iter().map(|request| request.status).collect();
        ensure!(statuses == [429, 503, 200], "the provider answered {statuses:?}");
        let seconds = saw["seconds"].as_f64().unwrap_or_default();
        // Google's clients do not look for it.
        ensure!(self.column.api == Api::Gemini || seconds >= 1.0, "Retry-After was not kept: {seconds} s");
        Ok(())
    }

    /// What will not pass later is not asked again.
    pub(super) async fn no_retry_of_a_refusal(&mut self) -> anyhow::Result<()> {
        let with = self.question(&json!({"model": "nobody", "retries": 5}));
        let begun = std::time::Instant::now();
        let raised = self.speaker.must_raise("plain", with).await?;
        let took = begun.elapsed();
        // Five retries take more than ten seconds.
        ensure!(took.as_secs() < 5, "it took {took:?}: {raised:?}");
        self.is_of(&raised, 400)
    }

    /// The first model of a route fails; the client, which asks once, has its answer from the other vendor's.
    pub(super) async fn fallback(&mut self, how: &str) -> anyhow::Result<()> {
        self.world.provider().fail_next(Fault::Status(503));
        self.world.say(TEXT);
        let (route, other) = match self.column.api {
            Api::Messages => (CLAUDE_OR_GPT, "/v1/chat/completions"),
            _ => (GPT_OR_CLAUDE, "/v1/messages"),
        };
        let saw = self.speaker.see(how, self.question(&json!({"model": route}))).await?;
        self.whole(&saw)?;
        let asked: Vec<(u16, String)> =
            self.asked().into_iter().map(|request| (request.status, request.target)).collect();
        ensure!(asked.len() == 2 && asked[1] == (200, other.to_owned()), "the providers were asked {asked:?}");
        Ok(())
    }

    pub(super) async fn timeout(&mut self) -> anyhow::Result<()> {
        self.world.provider().fail_next(Fault::Silent);
        self.estimates = 1;
        let raised = self.speaker.must_raise("plain", self.question(&json!({"timeout": 0.5}))).await?;
        let class = match (self.column.api, self.column.language) {
            (Api::Gemini, Language::Python) => "TimeoutException",
            (Api::Gemini, Language::Node) => "DOMException",
            (_, Language::Python) => "APITimeoutError",
            (_, Language::Node) => "APIConnectionTimeoutError",
        };
        if !raised.is(class) {
            bail!("it raised {raised:?} for {class}");
        }
        Ok(())
    }
}
