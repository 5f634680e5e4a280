//! `OpenAI` Responses: the last event holds the whole response, and in it the usage.

use serde::Deserialize;

use super::{Count, Known, Length, Said, Seen, Usage, block, lengths, replace};

/// The last known value of each field. Input includes what was read from or written to the cache.
#[derive(Default)]
pub(super) struct Numbers {
    input: Option<u64>,
    cached: Option<u64>,
    written: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
}

#[derive(Deserialize)]
struct Block {
    input_tokens: Option<Count>,
    output_tokens: Option<Count>,
    input_tokens_details: Option<InputDetails>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    cached_tokens: Option<Count>,
    cache_write_tokens: Option<Count>,
}

#[derive(Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<Count>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    response: Option<Response>,
    /// Text, arguments, thoughts; objects in some events, which are not text.
    #[serde(default)]
    delta: Known<Length>,
}

#[derive(Deserialize)]
struct Response {
    usage: Option<Block>,
}

impl Numbers {
    pub(super) fn event(&mut self, data: &[u8]) -> Seen {
        let Ok(event) = serde_json::from_slice::<Event<'_>>(data) else { return Seen::UNREAD };
        let last = ["response.completed", "response.incomplete", "response.failed"].contains(&event.kind.as_ref());
        let ended = last || matches!(event.kind.as_ref(), "error" | "response.cancelled");
        let mut seen = Seen { text: lengths([event.delta.0]), ended, ..Seen::default() };
        if let Some(block) = event.response.and_then(|response| response.usage) {
            seen.has_numbers = true;
            seen.complete = last && block.output_tokens.is_some();
            self.take(block);
        }
        seen
    }

    /// Whether the document held its usage.
    pub(super) fn plain(&mut self, body: &[u8]) -> bool {
        let all = |body| serde_json::from_slice::<Response>(body).ok()?.usage;
        let Some(block) = block(body, "usage", all) else { return false };
        self.take(block);
        true
    }

    pub(super) fn said(&self) -> Said {
        let input = self.input.unwrap_or(0);
        let cache_read = self.cached.unwrap_or(0).min(input);
        let cache_write = self.written.unwrap_or(0).min(input - cache_read);
        let output = self.output.unwrap_or(0);
        let usage = Usage {
            input: input - cache_read - cache_write,
            output,
            cache_read,
            cache_write,
            cache_write_1h: 0,
            reasoning: self.reasoning.unwrap_or(0).min(output),
        };
        Said { usage, input: self.input.is_some(), output: self.output.is_some() }
    }

    fn take(&mut self, block: Block) {
        let Block { input_tokens, output_tokens, input_tokens_details, output_tokens_details } = block;
        replace(&mut self.input, input_tokens);
        replace(&mut self.output, output_tokens);
        if let Some(InputDetails { cached_tokens, cache_write_tokens }) = input_tokens_details {
            replace(&mut self.cached, cached_tokens);
            replace(&mut self.written, cache_write_tokens);
        }
        replace(&mut self.reasoning, output_tokens_details.and_then(|details| details.reasoning_tokens));
    }
}
