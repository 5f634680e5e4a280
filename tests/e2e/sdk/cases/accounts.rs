//! What a client leaves, and what it may not begin.

use anyhow::ensure;
use serde_json::json;

use super::{Scene, TEXT};

/// Of a stream that takes seconds.
const PACE: std::time::Duration = std::time::Duration::from_millis(40);

impl Scene<'_> {
    /// The client goes in the middle: the provider is told by a closed connection, and an estimate is charged.
    pub(super) async fn abort(&mut self) -> anyhow::Result<()> {
        let left = self.world.provider().left();
        self.world.say(&TEXT.repeat(20));
        self.world.provider().pace(PACE);
        self.estimates = 1;
        let saw = self.speaker.see("abort", self.question(&json!({"after": 3}))).await?;
        ensure!(saw["pieces"].as_u64().is_some_and(|pieces| pieces >= 3), "it saw {saw}");
        self.world.until("the provider to be left", || self.world.provider().left() > left).await
    }

    /// The end of a budget is a message of the assistant, and nothing goes out.
    pub(super) async fn budget_stop(&mut self, how: &str) -> anyhow::Result<()> {
        let with = self.question(&json!({"token": self.world.thrifty_token()}));
        let saw = self.speaker.see(how, with).await?;
        let text = saw["text"].as_str().unwrap_or_default();
        ensure!(text.contains("budget"), "it said {saw}");
        ensure!(saw["stop"] == self.column.end(), "it ended with {}", saw["stop"]);
        ensure!(saw["input"] == 0 && saw["output"] == 0, "it used something: {saw}");
        ensure!(self.asked().is_empty(), "it reached the provider");
        Ok(())
    }
}
