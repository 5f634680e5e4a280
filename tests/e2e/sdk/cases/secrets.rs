//! A secret that an agent got hold of, in every place of a request that a client has.

use anyhow::{Context as _, ensure};
use serde_json::json;
use wardkeep_tests::simulators::llm::Answer;
use wardkeep_tests::story::search;

use super::Scene;
use crate::columns::Api;

/// What stands in the place of the password.
const REFERENCE: &str = "SECRET_REF(shop_db_password)";

impl Scene<'_> {
    /// The provider gets references, and an answer with references comes back as it was said.
    pub(super) async fn secrets(&mut self, streams: bool) -> anyhow::Result<()> {
        let call = self.call(&json!({"city": "Wien"}), streams).await?;
        let call = call["id"].as_str().context("a call has an id")?;
        self.world.show_the_gate(call, &json!({"city": "Wien"})).await?;
        let text = format!("You know {REFERENCE}, and so do I: {REFERENCE}.");
        let args = json!({"city": REFERENCE, REFERENCE: [{"deep": format!("psql://shop:{REFERENCE}@db")}]});
        let calls = vec![("weather".to_owned(), args.clone())];
        self.world.provider().say_next(Answer { text: text.clone(), calls, ..Answer::default() });
        let value = self.world.stage.secrets.database.clone();
        let with =
            json!({"model": self.model(), "value": value, "id": call, "streams": streams, "told": self.column.told()});
        let saw = self.speaker.see("everywhere", with).await?;
        ensure!(saw["text"] == text, "the answer came as {}", saw["text"]);
        ensure!(saw["calls"] == json!([{"name": "weather", "args": args}]), "the call came as {}", saw["calls"]);
        let places = match (self.column.api, self.column.told()) {
            (Api::Messages, false) => 16,
            (Api::Messages, true) => 11,
            (Api::Chat, false) => 15,
            (Api::Chat, true) => 12,
            (Api::Responses, _) => 14,
            (Api::Gemini | Api::Web, _) => 10,
        };
        let arrived = self.without_secrets()?;
        ensure!(arrived >= places, "{arrived} references arrived, {places} should");
        Ok(())
    }

    pub(super) async fn secrets_in_headers(&mut self) -> anyhow::Result<()> {
        // Of letters that a header may have.
        let value = self.world.stage.secrets.newsletter.clone();
        let saw = self.speaker.see("in_header", json!({"model": self.model(), "value": value})).await?;
        ensure!(saw["text"].is_string(), "it saw {saw}");
        self.without_secrets()?;
        let asked = self.asked();
        let head = asked.last().context("nothing arrived")?.header("x-client-request-id").map(str::to_owned);
        ensure!(head.as_deref() == Some("SECRET_REF(newsletter_api_key)"), "the header arrived as {head:?}");
        Ok(())
    }

    /// How many references reached the provider, where no secret did.
    fn without_secrets(&self) -> anyhow::Result<usize> {
        let asked = self.asked();
        let last = asked.last().context("nothing reached the provider")?;
        let leaks = search::find(&self.world.stage.secrets.plants(), "provider", &last.searchable());
        ensure!(leaks.is_empty(), "secrets reached the provider: {leaks:?}");
        Ok(memchr::memmem::find_iter(&last.body, REFERENCE.as_bytes()).count())
    }
}
