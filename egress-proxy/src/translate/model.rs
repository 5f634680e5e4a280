//! What both APIs can say. Readers refuse everything else, at its place; so writers never fail.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::json::Text;

/// A request for one answer.
pub(super) struct Request<'a> {
    pub(super) model: Text<'a>,
    pub(super) turns: Vec<Turn<'a>>,
    pub(super) tools: Vec<Tool<'a>>,
    pub(super) choice: Option<Choice<'a>>,
    /// At most one call in an answer.
    pub(super) one_call: bool,
    pub(super) max_tokens: Option<u64>,
    pub(super) stop: Vec<Text<'a>>,
    /// As written, from 0 to 1.
    pub(super) temperature: Option<&'a str>,
    pub(super) top_p: Option<&'a str>,
    pub(super) user: Option<Text<'a>>,
    pub(super) streams: bool,
    /// The answer must be JSON of this schema.
    pub(super) schema: Option<&'a RawValue>,
    pub(super) effort: Option<Effort>,
    /// At the standard price and speed, even where the account has better.
    pub(super) standard_tier: bool,
}

/// One side's contribution. Calls stand behind the texts of their turn, results before what else their turn says.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) enum Turn<'a> {
    System(Vec<Text<'a>>),
    User(Vec<Part<'a>>),
    Results(Vec<Outcome<'a>>),
    Assistant { thoughts: Vec<Thought<'a>>, texts: Vec<Text<'a>>, calls: Vec<Call<'a>> },
}

#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) enum Part<'a> {
    Text(Text<'a>),
    /// An image in base64.
    Image {
        media: Cow<'a, str>,
        data: Cow<'a, str>,
    },
    /// An image that the provider fetches.
    ImageAt(Text<'a>),
    /// A PDF document in base64.
    Pdf {
        data: Cow<'a, str>,
        title: Option<Text<'a>>,
    },
}

#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) struct Call<'a> {
    pub(super) id: Text<'a>,
    pub(super) name: Text<'a>,
    /// One JSON object, as it was written.
    pub(super) input: Cow<'a, str>,
}

/// Thinking that nobody signed. Some providers of the `OpenAI` kind want it back, by the name they gave it.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) struct Thought<'a> {
    pub(super) text: Text<'a>,
    pub(super) name: Reasoning,
}

/// The two names that such providers have for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reasoning {
    #[default]
    Content,
    Short,
}

impl Reasoning {
    pub(super) fn of(word: &str) -> Option<Self> {
        match word {
            "reasoning_content" => Some(Self::Content),
            "reasoning" => Some(Self::Short),
            _ => None,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Content => "reasoning_content",
            Self::Short => "reasoning",
        }
    }
}

/// What became of a call.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(super) struct Outcome<'a> {
    pub(super) id: Text<'a>,
    pub(super) texts: Vec<Text<'a>>,
    pub(super) failed: bool,
}

pub(super) struct Tool<'a> {
    pub(super) name: Text<'a>,
    pub(super) description: Option<Text<'a>>,
    pub(super) schema: Option<&'a RawValue>,
    pub(super) strict: bool,
}

pub(super) enum Choice<'a> {
    Auto,
    Any,
    Never,
    One(Text<'a>),
}

/// How much is to be thought; the words are the same in both APIs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    Not,
    Low,
    Medium,
    High,
    ExtraHigh,
    Most,
}

impl Effort {
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "none" => Self::Not,
            // Anthropic has nothing below.
            "minimal" | "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::ExtraHigh,
            "max" => Self::Most,
            _ => return None,
        })
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Not => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::ExtraHigh => "xhigh",
            Self::Most => "max",
        }
    }
}

/// A whole answer.
pub(super) struct Answer<'a> {
    pub(super) id: Option<Text<'a>>,
    pub(super) model: Option<Text<'a>>,
    pub(super) blocks: Vec<Block<'a>>,
    pub(super) stop: Stop,
    pub(super) tokens: Tokens,
}

pub(super) enum Block<'a> {
    Text(Text<'a>),
    Thinking(Thought<'a>),
    Call(Call<'a>),
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    End,
    Length,
    Calls,
    Refusal,
}

/// Tokens of an answer as far as they are known. Input without what was read from or written to the cache; output with
/// what was thought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) input: Option<u64>,
    pub(super) cache_read: Option<u64>,
    pub(super) cache_write: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) thinking: Option<u64>,
}

impl Tokens {
    /// Takes a later snapshot: a number replaces the earlier one, a missing one keeps it.
    pub(super) fn replace(&mut self, later: Self) {
        self.input = later.input.or(self.input);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.output = later.output.or(self.output);
        self.thinking = later.thinking.or(self.thinking);
    }
}

/// One step of an answer that streams. The order is `Start`, then content, then `End` or `Failed`. `Arguments` name their
/// call by its number from 0 and are together one JSON object; what chunks told belongs to the last `Call`, as blocks need it.
pub(super) enum Event<'a> {
    Start { id: Option<Text<'a>>, model: Option<Text<'a>>, tokens: Tokens },
    Text(Text<'a>),
    Thinking(Thought<'a>),
    Call { id: Text<'a>, name: Text<'a> },
    Arguments { call: usize, piece: Text<'a> },
    Ping,
    End { stop: Stop, tokens: Tokens },
    Failed(super::failure::Failure<'a>),
}
