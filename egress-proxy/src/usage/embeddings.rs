//! Text as vectors: input only. `OpenAI` names it; of Gemini's methods only the newer models do.

use serde::Deserialize;

use super::{Count, Said, Usage};

/// Bytes of a document's end that hold its usage, where the document is too long to be kept.
pub(super) const TAIL: usize = 16 * 1024;

#[derive(Default)]
pub(super) struct Numbers {
    prompt: Option<u64>,
}

#[derive(Deserialize)]
struct Document {
    usage: Option<OpenAi>,
    #[serde(rename = "usageMetadata")]
    usage_metadata: Option<Gemini>,
}

#[derive(Deserialize)]
struct OpenAi {
    prompt_tokens: Option<Count>,
    total_tokens: Option<Count>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gemini {
    prompt_token_count: Option<Count>,
}

impl Numbers {
    /// Whether the document held its usage.
    pub(super) fn plain(&mut self, body: &[u8]) -> bool {
        let Ok(Document { usage, usage_metadata }) = serde_json::from_slice(body) else { return false };
        self.take(usage).or_else(|| self.google(usage_metadata)).is_some()
    }

    /// The same from the end of a document alone. Vectors are numbers or base64: a quoted word can only be a member.
    pub(super) fn tail(&mut self, tail: &[u8]) -> bool {
        let Some(at) = memchr::memmem::rfind(tail, b"\"usage\"") else { return false };
        let behind = &tail[at + b"\"usage\"".len()..];
        let Some(begin) = memchr::memchr(b'{', behind) else { return false };
        let block = serde_json::Deserializer::from_slice(&behind[begin..]).into_iter::<OpenAi>().next();
        self.take(block.and_then(Result::ok)).is_some()
    }

    /// Vectors are no tokens: of the output nothing has to be said.
    pub(super) fn said(&self) -> Said {
        let usage = Usage { input: self.prompt.unwrap_or(0), ..Usage::default() };
        Said { usage, input: self.prompt.is_some(), output: true }
    }

    fn take(&mut self, usage: Option<OpenAi>) -> Option<()> {
        let usage = usage?;
        self.prompt = Some(usage.prompt_tokens.or(usage.total_tokens)?.0);
        Some(())
    }

    fn google(&mut self, usage: Option<Gemini>) -> Option<()> {
        self.prompt = Some(usage?.prompt_token_count?.0);
        Some(())
    }
}
