//! `OpenAI` Chat Completions: one chunk before `[DONE]` names everything, if `stream_options.include_usage` was asked.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Count, Length, Said, Seen, Usage, block, lengths, replace};

/// The last known value of each field. Input includes what was read from or written to the cache.
#[derive(Default)]
pub(super) struct Numbers {
    prompt: Option<u64>,
    cached: Option<u64>,
    written: Option<u64>,
    completion: Option<u64>,
    reasoning: Option<u64>,
    total: Option<u64>,
    /// The last usage came before the end: some providers send running numbers on each chunk.
    pending: bool,
}

#[derive(Deserialize)]
struct Block {
    prompt_tokens: Option<Count>,
    completion_tokens: Option<Count>,
    total_tokens: Option<Count>,
    /// As DeepSeek names what was read from the cache.
    prompt_cache_hit_tokens: Option<Count>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<Count>,
    cache_write_tokens: Option<Count>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<Count>,
}

#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Block>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Delta>,
    finish_reason: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<Length>,
    refusal: Option<Length>,
    reasoning_content: Option<Length>,
    /// As OpenRouter and Groq name it.
    reasoning: Option<Length>,
    tool_calls: Option<Vec<ToolCall>>,
}

#[derive(Deserialize)]
struct ToolCall {
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: Option<Length>,
    arguments: Option<Length>,
}

#[derive(Deserialize)]
struct Document {
    usage: Option<Block>,
}

impl Numbers {
    pub(super) fn event(&mut self, data: &[u8]) -> Seen {
        if data == b"[DONE]" {
            return Seen { complete: self.pending, ended: true, ..Seen::default() };
        }
        let Ok(chunk) = serde_json::from_slice::<Chunk>(data) else { return Seen::UNREAD };
        // Not every provider sends `[DONE]`.
        let finished = chunk.choices.iter().flatten().any(|choice| choice.finish_reason.is_some());
        let mut seen = Seen { ended: finished || chunk.error.is_some(), ..Seen::default() };
        for delta in chunk.choices.iter().flatten().filter_map(|choice| choice.delta.as_ref()) {
            seen.text += lengths([delta.content, delta.refusal, delta.reasoning_content, delta.reasoning]);
            for function in delta.tool_calls.iter().flatten().filter_map(|call| call.function.as_ref()) {
                seen.text += lengths([function.name, function.arguments]);
            }
        }
        if let Some(block) = chunk.usage {
            // The final chunk has no choices; with choices the numbers may still run.
            seen.has_numbers = true;
            seen.complete = chunk.choices.is_none_or(|choices| choices.is_empty()) && block.completion_tokens.is_some();
            seen.ended |= seen.complete;
            self.pending = block.completion_tokens.is_some();
            self.take(block);
        }
        seen
    }

    /// Whether the document held its usage.
    pub(super) fn plain(&mut self, body: &[u8]) -> bool {
        let all = |body| serde_json::from_slice::<Document>(body).ok()?.usage;
        let Some(block) = block(body, "usage", all) else { return false };
        self.take(block);
        true
    }

    pub(super) fn said(&self) -> Said {
        let prompt = self.prompt.unwrap_or(0);
        let cache_read = self.cached.unwrap_or(0).min(prompt);
        let cache_write = self.written.unwrap_or(0).min(prompt - cache_read);
        let (completion, reasoning) = (self.completion.unwrap_or(0), self.reasoning.unwrap_or(0));
        // At xAI thoughts stand beside the completion, which only the total tells.
        let apart = prompt.saturating_add(completion).saturating_add(reasoning);
        let output = if self.total == Some(apart) { completion.saturating_add(reasoning) } else { completion };
        let usage = Usage {
            input: prompt - cache_read - cache_write,
            output,
            cache_read,
            cache_write,
            cache_write_1h: 0,
            reasoning: reasoning.min(output),
        };
        Said { usage, input: self.prompt.is_some(), output: self.completion.is_some() }
    }

    fn take(&mut self, block: Block) {
        let Block {
            prompt_tokens,
            completion_tokens,
            total_tokens,
            prompt_cache_hit_tokens,
            prompt_tokens_details,
            completion_tokens_details,
        } = block;
        replace(&mut self.prompt, prompt_tokens);
        replace(&mut self.completion, completion_tokens);
        replace(&mut self.total, total_tokens);
        replace(&mut self.cached, prompt_cache_hit_tokens);
        if let Some(details) = prompt_tokens_details {
            replace(&mut self.cached, details.cached_tokens);
            replace(&mut self.written, details.cache_write_tokens);
        }
        replace(&mut self.reasoning, completion_tokens_details.and_then(|details| details.reasoning_tokens));
    }
}
