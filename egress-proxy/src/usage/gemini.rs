//! Gemini: `usageMetadata` on any chunk, each a whole account so far; the last one counts.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Count, Length, Said, Seen, Usage, block, lengths, replace};

/// The last known value of each field. Input includes what was read from the cache, but not what tools put in; output does
/// not include thoughts.
#[derive(Default)]
pub(super) struct Numbers {
    prompt: Option<u64>,
    cached: Option<u64>,
    tools: Option<u64>,
    candidates: Option<u64>,
    thoughts: Option<u64>,
    total: Option<u64>,
    /// Candidates that were seen, and those of them that have ended, a bit each.
    begun: u64,
    ended: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    prompt_token_count: Option<Count>,
    cached_content_token_count: Option<Count>,
    tool_use_prompt_token_count: Option<Count>,
    candidates_token_count: Option<Count>,
    thoughts_token_count: Option<Count>,
    total_token_count: Option<Count>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow)]
    candidates: Option<Vec<Candidate<'a>>>,
    prompt_feedback: Option<Feedback>,
    usage_metadata: Option<Block>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow)]
    content: Option<Content<'a>>,
    index: Option<u32>,
    finish_reason: Option<Length>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    parts: Option<Vec<Part<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    text: Option<Length>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    executable_code: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<Length>,
}

impl Numbers {
    pub(super) fn event(&mut self, data: &[u8]) -> Seen {
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(data) else { return Seen::UNREAD };
        let mut seen = Seen::default();
        let parts = chunk.candidates.iter().flatten().filter_map(|candidate| candidate.content.as_ref());
        for part in parts.flat_map(|content| content.parts.iter().flatten()) {
            let raw = |value: Option<&RawValue>| value.map(|value| Length::of(value.get()));
            seen.text += lengths([part.text, raw(part.function_call), raw(part.executable_code)]);
        }
        for candidate in chunk.candidates.iter().flatten() {
            let bit = 1 << candidate.index.unwrap_or(0).min(63);
            self.begun |= bit;
            if candidate.finish_reason.is_some() {
                self.ended |= bit;
            }
        }
        let finished = self.begun != 0 && self.begun == self.ended;
        let blocked = chunk.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some());
        seen.ended = finished || blocked || chunk.error.is_some();
        if let Some(block) = chunk.usage_metadata {
            seen.has_numbers = true;
            seen.complete = (finished || blocked) && block.prompt_token_count.is_some();
            self.take(block);
        }
        seen
    }

    /// Whether the document held its usage.
    pub(super) fn plain(&mut self, body: &[u8]) -> bool {
        let all = |body| serde_json::from_slice::<Chunk<'_>>(body).ok()?.usage_metadata;
        let Some(block) = block(body, "usageMetadata", all) else { return false };
        self.take(block);
        true
    }

    /// Google leaves a number out that is nought; then the total tells so.
    pub(super) fn said(&self) -> Said {
        let (prompt, tools) = (self.prompt.unwrap_or(0), self.tools.unwrap_or(0));
        let cache_read = self.cached.unwrap_or(0).min(prompt);
        let reasoning = self.thoughts.unwrap_or(0);
        let beside = prompt.saturating_add(tools).saturating_add(reasoning);
        let of_total = self.total.filter(|_| self.prompt.is_some()).and_then(|total| total.checked_sub(beside));
        let candidates = self.candidates.or(of_total);
        let usage = Usage {
            input: (prompt - cache_read).saturating_add(tools),
            output: candidates.unwrap_or(0).saturating_add(reasoning),
            cache_read,
            cache_write: 0,
            cache_write_1h: 0,
            reasoning,
        };
        Said { usage, input: self.prompt.is_some(), output: candidates.is_some() }
    }

    fn take(&mut self, block: Block) {
        let Block {
            prompt_token_count,
            cached_content_token_count,
            tool_use_prompt_token_count,
            candidates_token_count,
            thoughts_token_count,
            total_token_count,
        } = block;
        replace(&mut self.prompt, prompt_token_count);
        replace(&mut self.cached, cached_content_token_count);
        replace(&mut self.tools, tool_use_prompt_token_count);
        replace(&mut self.candidates, candidates_token_count);
        replace(&mut self.thoughts, thoughts_token_count);
        replace(&mut self.total, total_token_count);
    }
}
