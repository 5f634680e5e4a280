//! Answers: their words, numbers and ends arrive as the provider said them.

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use wardkeep_tests::simulators::llm::{Answer, SIGNATURE};

use super::{Scene, TEXT};
use crate::columns::{Api, CLAUDE, CLAUDE_OR_GPT, Column, EMBEDDER, GEMINI, GPT, GPT_OR_CLAUDE};

/// The smallest picture: one pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

impl Scene<'_> {
    pub(super) async fn plain(&mut self) -> anyhow::Result<()> {
        self.world.say(TEXT);
        let saw = self.speaker.see("plain", self.question(&json!({}))).await?;
        self.whole(&saw)?;
        if self.column.api != Api::Gemini && !self.column.told() {
            let id = saw["request"].as_str().context("the provider's request id did not arrive")?;
            ensure!(id.starts_with("req_simulated_"), "the request id came as {id}");
        }
        Ok(())
    }

    pub(super) async fn stream(&mut self) -> anyhow::Result<()> {
        self.world.say(TEXT);
        let saw = self.speaker.see("stream", self.question(&json!({}))).await?;
        self.whole(&saw)?;
        let pieces = saw["pieces"].as_u64().unwrap_or_default();
        ensure!(pieces > 3, "the stream came in {pieces} pieces");
        Ok(())
    }

    pub(super) async fn raw_stream(&mut self) -> anyhow::Result<()> {
        self.world.say(TEXT);
        let saw = self.speaker.see("raw_stream", self.question(&json!({}))).await?;
        ensure!(saw["text"] == TEXT, "the text came as {}", saw["text"]);
        let kind = match self.column.api {
            Api::Messages => "message_stop",
            Api::Chat => "chat.completion.chunk",
            Api::Responses => "response.completed",
            Api::Gemini | Api::Web => bail!("it has no other form"),
        };
        ensure!(
            saw["kinds"].as_array().is_some_and(|all| all.iter().any(|one| one == kind)),
            "it had {}",
            saw["kinds"]
        );
        Ok(())
    }

    /// A call and its result, with the gate asked between them.
    pub(super) async fn tools(&mut self, streams: bool) -> anyhow::Result<()> {
        let args = json!({"city": "Z\u{fc}rich", "days": [1, 2.5, null], "note": "a \"b\" \\ c\n\u{1f956}"});
        let call = self.call(&args, streams).await?;
        ensure!(call["name"] == "weather", "the call came as {call}");
        ensure!(call["args"] == args, "the arguments came as {}", call["args"]);
        let stop = match self.column.api {
            Api::Messages => "tool_use",
            Api::Chat => "tool_calls",
            Api::Responses => "completed",
            Api::Gemini | Api::Web => "STOP",
        };
        ensure!(call["stop"] == stop, "the call ended with {}", call["stop"]);
        self.world.show_the_gate(call["id"].as_str().unwrap_or_default(), &args).await?;
        self.world.say(TEXT);
        let result = "12 \u{b0}C, \"dry\"\n\\ no wind";
        let saw = self.speaker.see("result", json!({"words": result, "streams": streams})).await?;
        self.whole(&saw)?;
        let asked = self.asked();
        let last = asked.last().context("nothing reached the provider")?;
        let body: Value = serde_json::from_slice(&last.body)?;
        let arrived = match self.column.provider {
            Api::Messages => one_text(&body["messages"][2]["content"][0]["content"]),
            Api::Chat => body["messages"][2]["content"].clone(),
            Api::Responses => {
                body["input"].as_array().and_then(|all| all.last()).map_or(Value::Null, |i| i["output"].clone())
            }
            Api::Gemini | Api::Web => body["contents"][2]["parts"][0]["functionResponse"]["response"]["result"].clone(),
        };
        ensure!(arrived == result, "the result arrived as {arrived}");
        Ok(())
    }

    /// What the provider signed goes back to it to the letter.
    pub(super) async fn thoughts(&mut self) -> anyhow::Result<()> {
        let args = json!({"city": "Wien"});
        let calls = vec![("weather".to_owned(), args.clone())];
        let thinking = "Where is it?\nIn \u{201e}Wien\u{201c}.".to_owned();
        self.world.provider().say_next(Answer {
            thinking: thinking.clone(),
            text: "I look.".to_owned(),
            calls,
            ..Answer::default()
        });
        let call = self.speaker.see("call", self.question(&json!({"streams": true}))).await?;
        self.world.show_the_gate(call["id"].as_str().unwrap_or_default(), &args).await?;
        self.world.say(TEXT);
        let saw = self.speaker.see("result", json!({"words": "12", "streams": true})).await?;
        self.whole(&saw)?;
        self.arrived(SIGNATURE)?;
        if self.column.api == Api::Messages {
            let asked = self.asked();
            let body: Value = serde_json::from_slice(&asked.last().context("nothing arrived")?.body)?;
            let block = &body["messages"][1]["content"][0];
            ensure!(block["type"] == "thinking" && block["thinking"] == thinking, "the thoughts arrived as {block}");
        }
        Ok(())
    }

    /// A call of the model, as the client tells it.
    pub(super) async fn call(&mut self, args: &Value, streams: bool) -> anyhow::Result<Value> {
        let calls = vec![("weather".to_owned(), args.clone())];
        self.world.provider().say_next(Answer { text: "I look.".to_owned(), calls, ..Answer::default() });
        self.speaker.see("call", self.question(&json!({"streams": streams}))).await
    }

    /// A result that the gate never heard of.
    pub(super) async fn past_the_gate(&mut self) -> anyhow::Result<()> {
        self.call(&json!({"city": "Wien"}), false).await?;
        let asked = self.asked().len();
        let raised = self.speaker.must_raise("result", json!({"words": "12", "streams": false, "retries": 3})).await?;
        ensure!(self.asked().len() == asked, "it reached the provider");
        ensure!(raised.text.contains("gate"), "it raised {raised:?}");
        self.is_of(&raised, 400)
    }

    pub(super) async fn image(&mut self) -> anyhow::Result<()> {
        self.world.say(TEXT);
        let saw = self.speaker.see("image", self.question(&json!({"data": PNG}))).await?;
        self.arrived(PNG)?;
        self.whole(&saw)
    }

    pub(super) async fn document(&mut self) -> anyhow::Result<()> {
        let words = "Notes: nothing of note.";
        if self.column.told() {
            self.refused = true;
            let raised = self.speaker.must_raise("document", self.question(&json!({"words": words}))).await?;
            ensure!(raised.text.contains("another API, in which this request cannot be told"), "it raised {raised:?}");
            return self.is_of(&raised, 400);
        }
        self.world.say(TEXT);
        let saw = self.speaker.see("document", self.question(&json!({"words": words}))).await?;
        let coded = data_encoding::BASE64.encode(words.as_bytes());
        self.arrived(if self.column.api == Api::Messages { words } else { &coded })?;
        self.whole(&saw)
    }

    pub(super) async fn upload(&mut self) -> anyhow::Result<()> {
        let words = "Notes: nothing of note, for later.";
        let with = json!({"name": "notes.txt", "words": words});
        if self.column.api == Api::Gemini {
            self.refused = true;
            // Google's own protocol of several requests; the gateway says so instead of passing it on unread.
            let raised = self.speaker.must_raise("upload", with).await?;
            ensure!(raised.status == Some(404) && raised.text.contains("Wardkeep"), "it raised {raised:?}");
            return Ok(());
        }
        let saw = self.speaker.see("upload", with).await?;
        ensure!(saw["name"] == "notes.txt", "the name came as {}", saw["name"]);
        ensure!(saw["id"].as_str().is_some_and(|id| id.starts_with("file")), "the id came as {}", saw["id"]);
        self.arrived(words)
    }

    pub(super) async fn embeddings(&mut self) -> anyhow::Result<()> {
        let texts = ["one text", "and \u{e4}nother"];
        let model = if self.column.api == Api::Gemini { EMBEDDER } else { self.model() };
        let saw = self.speaker.see("embed", json!({"model": model, "texts": texts})).await?;
        let vectors = |name: &str| -> Vec<Vec<f64>> {
            let all = saw[name].as_array().cloned().unwrap_or_default();
            let one = |vector: Value| vector.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
            all.into_iter().map(one).collect()
        };
        let usual = vectors("usual");
        ensure!(usual.len() == 2 && usual.iter().all(|vector| vector.len() == 8), "they came as {}", saw["usual"]);
        ensure!(usual[0] != usual[1], "two texts have one vector");
        if self.column.api == Api::Chat {
            let close =
                usual.iter().flatten().zip(vectors("listed").iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-6);
            ensure!(close, "base64 and lists differ: {saw}");
        }
        Ok(())
    }

    pub(super) async fn count(&mut self) -> anyhow::Result<()> {
        let saw = self.speaker.see("count", self.question(&json!({}))).await?;
        ensure!(saw.as_u64().is_some_and(|tokens| tokens > 0), "it counted {saw}");
        Ok(())
    }

    /// The agent's models that speak this API, and no others.
    pub(super) async fn models(&mut self) -> anyhow::Result<()> {
        let saw = self.speaker.see("models", json!({})).await?;
        // Of the other vendor, too, where a turn can be told to it.
        let google = self.column.api == Api::Gemini;
        let all = if google { json!([GEMINI, EMBEDDER]) } else { json!([CLAUDE, GPT, CLAUDE_OR_GPT, GPT_OR_CLAUDE]) };
        ensure!(saw == all, "they are {saw}");
        let saw = self.speaker.see("one_model", json!({"model": self.model()})).await?;
        ensure!(saw == self.model(), "it is {saw}");
        ensure!(self.asked().is_empty(), "the provider was asked");
        Ok(())
    }

    /// The words, with the provider's own numbers and end.
    pub(super) fn whole(&self, saw: &Value) -> anyhow::Result<()> {
        ensure!(saw["text"] == TEXT, "the text came as {}", saw["text"]);
        let billed = self.world.provider().billed();
        let billed = billed.last().context("the provider billed nothing")?;
        let all = billed.input + billed.cache_read + billed.cache_write;
        let input = if self.column.api == Api::Messages { billed.input } else { all };
        ensure!(saw["stop"] == self.column.end(), "it ended with {}", saw["stop"]);
        let seen = (saw["input"].as_u64(), saw["output"].as_u64());
        ensure!(
            seen == (Some(input), Some(billed.output)),
            "the client saw {seen:?} tokens of {input}, {}",
            billed.output
        );
        Ok(())
    }

    /// The provider got these words as they were.
    fn arrived(&self, words: &str) -> anyhow::Result<()> {
        let asked = self.asked();
        let last = asked.last().context("nothing reached the provider")?;
        // Google's client for Python writes base64 with the letters of addresses.
        let other = words.replace('+', "-").replace('/', "_");
        let found = [words, &other].iter().any(|words| memchr::memmem::find(&last.body, words.as_bytes()).is_some());
        ensure!(found, "{words:?} did not arrive");
        Ok(())
    }
}

/// A text, or the only part of one.
fn one_text(content: &Value) -> Value {
    let parts = content.as_array().filter(|parts| parts.len() == 1);
    parts.map_or_else(|| content.clone(), |parts| parts[0]["text"].clone())
}

impl Column {
    /// How the API calls the usual end of an answer.
    pub(crate) const fn end(&self) -> &'static str {
        match self.api {
            Api::Messages => "end_turn",
            Api::Chat => "stop",
            Api::Responses => "completed",
            Api::Gemini | Api::Web => "STOP",
        }
    }
}
