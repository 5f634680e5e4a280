//! Tokens that an answer used, read on the side while it is relayed.
//!
//! Providers report cumulative snapshots: a field replaces its earlier value, a missing one keeps it. The conventions
//! differ (Anthropic's input excludes the cache, `OpenAI`'s includes it, Gemini's output excludes thoughts) and end here in one
//! record.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::api::Account;
use crate::gate_memory::Watch;
use crate::meter::Settlement;
use crate::sse;
use alike::Alike;
pub(crate) use count::Count;
use length::{At, Known, Length, lengths};
use member::member;

mod alike;
mod anthropic;
mod array;
mod count;
mod embeddings;
mod gemini;
mod length;
mod member;
mod openai;
mod responses;
#[cfg(test)]
pub(crate) mod tests;

/// Tokens of one request by kind; no kind contains another but `output` contains `reasoning` and
/// `cache_write` contains `cache_write_1h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input neither read from nor written to the provider's cache.
    pub input: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Input read from the cache.
    pub cache_read: u64,
    /// Input written to the cache, for however long.
    pub cache_write: u64,
    /// The part of what was written that is kept for an hour, which costs more.
    pub cache_write_1h: u64,
    /// The part of the output that was reasoning.
    pub reasoning: u64,
}

impl Usage {
    /// Each number at most a trillion: a provider's nonsense cannot overflow a total.
    #[must_use]
    pub fn bounded(self) -> Self {
        const MOST: u64 = 1_000_000_000_000;
        Self {
            input: self.input.min(MOST),
            output: self.output.min(MOST),
            cache_read: self.cache_read.min(MOST),
            cache_write: self.cache_write.min(MOST),
            cache_write_1h: self.cache_write_1h.min(MOST),
            reasoning: self.reasoning.min(MOST),
        }
    }

    /// Tokens of every kind.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        [self.input, self.output, self.cache_read, self.cache_write].into_iter().fold(0, u64::saturating_add)
    }
}

/// Tokens charged for text whose provider named no number: four bytes each, rounded up.
#[must_use]
pub(crate) fn estimate_tokens(bytes: u64) -> u64 {
    bytes.div_ceil(4)
}

/// Bytes of a plain answer that are kept for its usage; a longer one is estimated.
const PLAIN_BYTES: usize = 8 * 1024 * 1024;

/// Watches the bytes of one answer.
pub(crate) struct Observer {
    tally: Tally,
    /// Sees the calls in it, too.
    watch: Option<Watch>,
    form: Form,
    alike: Alike,
    account: Account,
    /// The document that was settled was not whole.
    is_torn: bool,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A stream of events.
    Events,
    /// One JSON list that grows.
    List,
    /// One JSON document.
    Document,
    /// Bytes that cannot be read, such as a compressed answer.
    Opaque,
}

enum Form {
    Events(sse::Parser),
    List(array::Elements),
    Plain(Kept),
    /// The end of a document that is too long to be kept.
    Tail(Vec<u8>),
    Opaque,
}

/// A document so far: as it came, if that was in one piece.
#[derive(Default)]
enum Kept {
    #[default]
    Nothing,
    One(Bytes),
    Several(Vec<u8>),
}

impl Kept {
    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::One(piece) => piece.len(),
            Self::Several(pieces) => pieces.len(),
        }
    }

    fn push(&mut self, piece: &Bytes) {
        *self = match std::mem::take(self) {
            Self::Nothing => Self::One(piece.clone()),
            Self::One(first) => Self::Several([&first[..], piece].concat()),
            Self::Several(mut pieces) => {
                pieces.extend_from_slice(piece);
                Self::Several(pieces)
            }
        };
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Nothing => &[],
            Self::One(piece) => piece,
            Self::Several(pieces) => pieces,
        }
    }
}

impl Form {
    /// Bytes that were passed by unread.
    fn skipped(&self) -> u64 {
        match self {
            Self::Events(parser) => parser.skipped(),
            Self::List(elements) => elements.skipped(),
            Self::Plain(_) | Self::Tail(_) | Self::Opaque => 0,
        }
    }
}

/// What is known so far.
struct Tally {
    numbers: Numbers,
    /// Bytes of text, tool arguments and thinking that were seen.
    text_bytes: u64,
    /// The final numbers are in.
    complete: bool,
    /// The provider said that nothing follows.
    ended: bool,
    /// It said something that cannot be read, and may have been the same.
    unread: bool,
}

enum Numbers {
    Anthropic(anthropic::Numbers),
    OpenAi(openai::Numbers),
    Responses(responses::Numbers),
    Embeddings(embeddings::Numbers),
    Gemini(gemini::Numbers),
    Free,
}

impl Observer {
    /// For an answer that is written in `shape` and tells its usage as `account` does.
    pub(crate) fn new(account: Account, shape: Shape) -> Self {
        let form = match shape {
            Shape::Events => Form::Events(sse::Parser::default()),
            Shape::List => Form::List(array::Elements::default()),
            Shape::Document => Form::Plain(Kept::default()),
            Shape::Opaque => Form::Opaque,
        };
        Self { tally: Tally::new(account), watch: None, form, alike: Alike::default(), account, is_torn: false }
    }

    /// With somebody who is shown all that can be read of an answer which the provider gave to a request that it took.
    pub(crate) fn watched_by(mut self, watch: Option<Watch>) -> Self {
        self.watch = watch;
        if let Some(watch) = &mut self.watch {
            watch.accepted();
            if matches!(self.form, Form::Opaque) {
                watch.blind();
            }
        }
        self
    }

    /// Takes the next bytes of the answer.
    pub(crate) fn feed(&mut self, bytes: &Bytes) {
        let Self { tally, watch, form, alike, .. } = self;
        let mut show = |piece: &[u8]| {
            if let Some(text) = alike.text(piece).filter(|text| watch.is_none() || !Watch::may_name_a_call(text)) {
                tally.text_bytes += text.len() as u64;
                return;
            }
            let Seen { text, complete, ended, unread: _, has_numbers } = tally.event(piece);
            let has_calls = watch.as_mut().is_some_and(|watch| watch.piece(piece));
            if let Length { bytes, at: At::One(at) } = text
                && !complete
                && !ended
                && !has_numbers
                && !has_calls
            {
                alike.learn(piece, at, bytes);
            }
        };
        match form {
            Form::Events(parser) => {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (used, ended) = parser.advance(rest);
                    if ended && let Some(data) = parser.data() {
                        show(data);
                    }
                    rest = &rest[used..];
                }
            }
            Form::List(elements) => elements.feed(bytes, show),
            Form::Plain(kept) if kept.len() + bytes.len() <= PLAIN_BYTES => kept.push(bytes),
            Form::Plain(kept) => {
                kept.push(bytes);
                let all = kept.bytes();
                tally.text_bytes = all.len() as u64;
                *form = Form::Tail(all[all.len().saturating_sub(embeddings::TAIL)..].to_vec());
                if let Some(watch) = watch {
                    watch.blind();
                }
            }
            Form::Tail(kept) => {
                tally.text_bytes += bytes.len() as u64;
                kept.extend_from_slice(&bytes[bytes.len().saturating_sub(embeddings::TAIL)..]);
                kept.drain(..kept.len().saturating_sub(embeddings::TAIL));
            }
            Form::Opaque => tally.text_bytes += bytes.len() as u64,
        }
    }

    /// Whether an event of our own can follow what was relayed.
    pub(crate) fn may_add_event(&self) -> bool {
        matches!(&self.form, Form::Events(parser) if parser.at_boundary())
    }

    /// Whether the answer is a document, and not a stream.
    pub(crate) fn is_document(&self) -> bool {
        matches!(self.form, Form::Plain(_) | Form::Tail(_))
    }

    /// Whether an answer that came to an end is known not to be whole. Asked for once it is settled.
    pub(crate) fn is_cut(&self) -> bool {
        match &self.form {
            Form::Events(parser) => {
                // Some leave out the blank line behind the last event.
                let is_last = |data: Vec<u8>| Tally::new(self.account).event(&data).ended;
                let may_have = self.tally.ended || self.tally.unread;
                !may_have && parser.skipped() == 0 && !parser.unended().is_some_and(is_last)
            }
            Form::List(elements) => !elements.is_whole(),
            Form::Plain(_) => self.is_torn,
            Form::Tail(_) | Form::Opaque => false,
        }
    }

    /// The account of what was seen; `estimated_input` counts where the provider named no input.
    pub(crate) fn settle(&mut self, estimated_input: u64) -> Settlement {
        match &mut self.form {
            Form::Plain(kept) => {
                let document = std::mem::take(kept);
                self.tally.plain(document.bytes());
                // Whoever found numbers has read it to its end.
                self.is_torn = !self.tally.complete && is_torn(document.bytes());
                if let Some(watch) = &mut self.watch {
                    watch.piece(document.bytes());
                }
            }
            Form::Tail(kept) => self.tally.tail(kept),
            Form::Events(_) | Form::List(_) => {
                let skipped = self.form.skipped();
                self.tally.text_bytes += skipped;
                if let Some(watch) = self.watch.as_mut().filter(|_| skipped > 0) {
                    watch.blind();
                }
            }
            Form::Opaque => {}
        }
        self.tally.settle(estimated_input)
    }
}

impl Tally {
    fn new(account: Account) -> Self {
        let numbers = match account {
            Account::Messages => Numbers::Anthropic(anthropic::Numbers::default()),
            Account::Chat => Numbers::OpenAi(openai::Numbers::default()),
            Account::Responses => Numbers::Responses(responses::Numbers::default()),
            Account::Embeddings => Numbers::Embeddings(embeddings::Numbers::default()),
            Account::Gemini => Numbers::Gemini(gemini::Numbers::default()),
            Account::Free => Numbers::Free,
        };
        Self { numbers, text_bytes: 0, complete: false, ended: false, unread: false }
    }

    fn event(&mut self, data: &[u8]) -> Seen {
        let seen = match &mut self.numbers {
            Numbers::Anthropic(numbers) => numbers.event(data),
            Numbers::OpenAi(numbers) => numbers.event(data),
            Numbers::Responses(numbers) => numbers.event(data),
            Numbers::Gemini(numbers) => numbers.event(data),
            Numbers::Embeddings(_) | Numbers::Free => Seen { ended: true, ..Seen::default() },
        };
        self.text_bytes += seen.text.bytes;
        self.complete |= seen.complete;
        self.ended |= seen.ended;
        self.unread |= seen.unread;
        seen
    }

    fn plain(&mut self, body: &[u8]) {
        self.complete = match &mut self.numbers {
            Numbers::Anthropic(numbers) => numbers.plain(body),
            Numbers::OpenAi(numbers) => numbers.plain(body),
            Numbers::Responses(numbers) => numbers.plain(body),
            Numbers::Embeddings(numbers) => numbers.plain(body),
            Numbers::Gemini(numbers) => numbers.plain(body),
            Numbers::Free => true,
        };
        // Counts only where the provider did not say what it made.
        self.text_bytes = body.len() as u64;
    }

    fn tail(&mut self, tail: &[u8]) {
        if let Numbers::Embeddings(numbers) = &mut self.numbers {
            self.complete = numbers.tail(tail);
        }
    }

    fn settle(&self, estimated_input: u64) -> Settlement {
        let Said { mut usage, input, output } = match &self.numbers {
            Numbers::Anthropic(numbers) => numbers.said(),
            Numbers::OpenAi(numbers) => numbers.said(),
            Numbers::Responses(numbers) => numbers.said(),
            Numbers::Embeddings(numbers) => numbers.said(),
            Numbers::Gemini(numbers) => numbers.said(),
            // Nothing is billed, however it ended.
            Numbers::Free => return Settlement { usage: Usage::default(), estimated: false },
        };
        if !input {
            // What was read from the cache or written to it is a part of what was sent.
            let cached = usage.cache_read.saturating_add(usage.cache_write);
            usage.input = usage.input.max(estimated_input.saturating_sub(cached));
        }
        // Vectors are no tokens.
        let is_final = (self.complete && output) || matches!(self.numbers, Numbers::Embeddings(_));
        if !is_final {
            usage.output = usage.output.max(estimate_tokens(self.text_bytes));
        }
        Settlement { usage, estimated: !(self.complete && input && output) }
    }
}

/// What a provider said so far, and of which sides it did: what it did not say is nought here.
struct Said {
    usage: Usage,
    input: bool,
    output: bool,
}

/// Whether these are the beginning of a JSON document, and not all of it.
fn is_torn(document: &[u8]) -> bool {
    document.trim_ascii_start().first().is_some_and(|first| matches!(first, b'{' | b'['))
        && serde_json::from_slice::<serde::de::IgnoredAny>(document).is_err_and(|error| error.is_eof())
}

/// What one event told.
#[derive(Default)]
struct Seen {
    text: Length,
    complete: bool,
    /// Nothing follows it.
    ended: bool,
    /// It is none that is known.
    unread: bool,
    /// It changed what is known of the usage.
    has_numbers: bool,
}

impl Seen {
    const UNREAD: Self = Self { text: Length::NONE, complete: false, ended: false, unread: true, has_numbers: false };
}

/// The account in the member `name` of a whole answer. Where that is not found so, `all` reads the document as it is.
fn block<'a, T: Deserialize<'a>>(body: &'a [u8], name: &str, all: impl FnOnce(&'a [u8]) -> Option<T>) -> Option<T> {
    let alone = member(body, name.as_bytes()).and_then(|raw| serde_json::from_slice(raw).ok());
    alone.or_else(|| all(body))
}

/// Replaces `old` by a number that is there.
fn replace(old: &mut Option<u64>, new: Option<Count>) {
    if let Some(Count(new)) = new {
        *old = Some(new);
    }
}
