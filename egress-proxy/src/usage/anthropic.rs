//! Anthropic Messages: `message_start` names the input, each `message_delta` the output so far.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Count, Known, Length, Said, Seen, Usage, block, lengths, replace};

/// The last known value of each field. Input excludes what was read from or written to the cache.
#[derive(Default)]
pub(super) struct Numbers {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    /// What was billed beside the sums: the provider made the conversation shorter first.
    compaction: Option<Usage>,
}

#[derive(Deserialize)]
struct Block {
    input_tokens: Option<Count>,
    cache_read_input_tokens: Option<Count>,
    cache_creation_input_tokens: Option<Count>,
    #[serde(default)]
    cache_creation: Known<Creation>,
    output_tokens: Option<Count>,
    output_tokens_details: Option<Details>,
    #[serde(default)]
    iterations: Known<Vec<Iteration>>,
}

/// One of the calls to a model that an answer was made with. All but compactions are in the sums.
#[derive(Deserialize)]
struct Iteration {
    #[serde(rename = "type")]
    kind: Option<String>,
    input_tokens: Option<Count>,
    cache_read_input_tokens: Option<Count>,
    cache_creation_input_tokens: Option<Count>,
    output_tokens: Option<Count>,
}

/// What was written to the cache, by how long it is kept.
#[derive(Deserialize)]
struct Creation {
    ephemeral_5m_input_tokens: Option<Count>,
    ephemeral_1h_input_tokens: Option<Count>,
}

#[derive(Deserialize)]
struct Details {
    thinking_tokens: Option<Count>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    message: Option<Message>,
    delta: Option<Delta>,
    usage: Option<Block>,
}

#[derive(Deserialize)]
struct Message {
    usage: Option<Block>,
}

#[derive(Deserialize)]
struct Delta {
    text: Option<Length>,
    partial_json: Option<Length>,
    thinking: Option<Length>,
    stop_reason: Option<Length>,
}

impl Numbers {
    pub(super) fn event(&mut self, data: &[u8]) -> Seen {
        let Ok(event) = serde_json::from_slice::<Event<'_>>(data) else { return Seen::UNREAD };
        let ended = matches!(event.kind.as_deref(), Some("message_stop" | "error"));
        let mut seen = Seen { ended, ..Seen::default() };
        if let Some(block) = event.message.and_then(|message| message.usage) {
            seen.has_numbers = true;
            self.take(block);
        }
        // Only the last `message_delta` has a stop reason; numbers before it are on their way.
        let stopped = event.delta.as_ref().is_some_and(|delta| delta.stop_reason.is_some());
        if let Some(delta) = event.delta {
            seen.text = lengths([delta.text, delta.partial_json, delta.thinking]);
        }
        if let Some(block) = event.usage {
            seen.has_numbers = true;
            seen.complete = stopped && block.output_tokens.is_some();
            self.take(block);
        }
        seen
    }

    /// Whether the document held its usage.
    pub(super) fn plain(&mut self, body: &[u8]) -> bool {
        let all = |body| serde_json::from_slice::<Message>(body).ok()?.usage;
        let Some(block) = block(body, "usage", all) else { return false };
        self.take(block);
        true
    }

    pub(super) fn said(&self) -> Said {
        let output = self.output.unwrap_or(0);
        // The sum of the last event counts: the parts are of the first one only, and what they leave out is of five minutes.
        let cache_write = self.cache_write.or(self.parts()).unwrap_or(0);
        let more = self.compaction.unwrap_or_default();
        let usage = Usage {
            input: self.input.unwrap_or(0).saturating_add(more.input),
            output: output.saturating_add(more.output),
            cache_read: self.cache_read.unwrap_or(0).saturating_add(more.cache_read),
            cache_write: cache_write.saturating_add(more.cache_write),
            cache_write_1h: self.cache_write_1h.unwrap_or(0).min(cache_write),
            reasoning: self.thinking.unwrap_or(0).min(output),
        };
        Said { usage, input: self.input.is_some(), output: self.output.is_some() }
    }

    fn parts(&self) -> Option<u64> {
        let (short, long) = (self.cache_write_5m, self.cache_write_1h);
        (short.is_some() || long.is_some()).then(|| short.unwrap_or(0).saturating_add(long.unwrap_or(0)))
    }

    fn take(&mut self, block: Block) {
        let Block {
            input_tokens,
            cache_read_input_tokens,
            cache_creation_input_tokens,
            cache_creation,
            output_tokens,
            output_tokens_details,
            iterations,
        } = block;
        replace(&mut self.input, input_tokens);
        replace(&mut self.cache_read, cache_read_input_tokens);
        replace(&mut self.cache_write, cache_creation_input_tokens);
        if let Known(Some(Creation { ephemeral_5m_input_tokens, ephemeral_1h_input_tokens })) = cache_creation {
            replace(&mut self.cache_write_5m, ephemeral_5m_input_tokens);
            replace(&mut self.cache_write_1h, ephemeral_1h_input_tokens);
        }
        replace(&mut self.output, output_tokens);
        replace(&mut self.thinking, output_tokens_details.and_then(|details| details.thinking_tokens));
        if let Known(Some(iterations)) = iterations {
            self.compaction = Some(compactions(&iterations));
        }
    }
}

fn compactions(iterations: &[Iteration]) -> Usage {
    let of = |part: fn(&Iteration) -> Option<Count>| {
        let compactions = iterations.iter().filter(|one| one.kind.as_deref() == Some("compaction"));
        compactions.filter_map(part).fold(0_u64, |sum, count| sum.saturating_add(count.0))
    };
    Usage {
        input: of(|one| one.input_tokens),
        output: of(|one| one.output_tokens),
        cache_read: of(|one| one.cache_read_input_tokens),
        cache_write: of(|one| one.cache_creation_input_tokens),
        ..Usage::default()
    }
}
