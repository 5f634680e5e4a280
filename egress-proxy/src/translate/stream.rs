//! A stream on its way from one API to the other.

use bytes::Bytes;
use wardkeep_policy::Dialect;

use crate::sse::Parser;

use super::failure::{Failure, Kind, Message};
use super::fault::Untranslatable;
use super::model::Event;
use super::{Stamp, anthropic, openai};

/// Translates the bytes of one streamed answer, from pieces cut anywhere. What it gives is whole events, and once it has
/// given the last one, or an error, nothing more.
pub(crate) struct Stream {
    parser: Parser,
    source: Source,
    sink: Sink,
    end: Option<End>,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// With the end of its answer.
    Whole,
    /// With an error of the provider, which was passed on.
    Failed,
    /// With an error of ours, which was told.
    Fault(Untranslatable),
}

enum Source {
    Anthropic(anthropic::events::Events),
    OpenAi(openai::chunks::Chunks),
}

enum Sink {
    Anthropic(anthropic::emit::Emit),
    OpenAi(openai::emit::Emit),
}

impl Stream {
    /// # Errors
    ///
    /// [`Untranslatable::Pair`], also if both are the same: such a stream is passed on as it is.
    pub(crate) fn new(provider: Dialect, caller: Dialect, stamp: Stamp) -> Result<Self, Untranslatable> {
        let (source, sink) = match (provider, caller) {
            (Dialect::Anthropic, Dialect::OpenAi) => {
                (Source::Anthropic(anthropic::events::Events::default()), Sink::OpenAi(openai::emit::Emit::new(stamp)))
            }
            (Dialect::OpenAi, Dialect::Anthropic) => {
                (Source::OpenAi(openai::chunks::Chunks::default()), Sink::Anthropic(anthropic::emit::Emit::new(stamp)))
            }
            _ => return Err(Untranslatable::Pair),
        };
        Ok(Self { parser: Parser::default(), source, sink, end: None })
    }

    /// Takes the next piece of the provider's stream, gives what the caller gets for it.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Bytes {
        let mut out = Vec::with_capacity(piece.len() + piece.len() / 2);
        let mut rest = piece;
        while !rest.is_empty() && self.end.is_none() {
            let passed = self.parser.skipped();
            let (used, ended) = self.parser.advance(rest);
            rest = &rest[used..];
            let read = if self.parser.skipped() > passed {
                Err(Untranslatable::TooLong)
            } else if !ended {
                Ok(())
            } else if let Some(data) = self.parser.data() {
                let sink = &mut self.sink;
                let end = &mut self.end;
                let mut emit = |event: Event<'_>| pass(sink, end, &event, &mut out);
                match &mut self.source {
                    Source::Anthropic(events) => events.read(data, &mut emit),
                    Source::OpenAi(chunks) => chunks.read(data, &mut emit),
                }
            } else {
                // A comment, by which some providers keep the connection alive.
                self.sink.write(&Event::Ping, &mut out);
                Ok(())
            };
            self.settle(read, &mut out);
        }
        out.into()
    }

    /// The provider's stream is over: gives the end of the answer, or the error that it broke off.
    pub(crate) fn finish(&mut self) -> Bytes {
        let mut out = Vec::new();
        if self.end.is_none() {
            let sink = &mut self.sink;
            let end = &mut self.end;
            let mut emit = |event: Event<'_>| pass(sink, end, &event, &mut out);
            let read = match &mut self.source {
                Source::Anthropic(events) => events.finish(),
                Source::OpenAi(chunks) => chunks.finish(&mut emit),
            };
            self.settle(read, &mut out);
        }
        out.into()
    }

    /// How it ended, if it did.
    pub(crate) fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    fn settle(&mut self, read: Result<(), Untranslatable>, out: &mut Vec<u8>) {
        if let Err(fault) = read {
            let told = format!("Wardkeep: {}", fault.of_answer());
            let failure = Failure { kind: Kind::Internal, message: Message::Ours(&told) };
            self.sink.write(&Event::Failed(failure), out);
            self.end = Some(End::Fault(fault));
        }
    }
}

fn pass(sink: &mut Sink, end: &mut Option<End>, event: &Event<'_>, out: &mut Vec<u8>) {
    if end.is_some() {
        return;
    }
    match event {
        Event::End { .. } => *end = Some(End::Whole),
        Event::Failed(_) => *end = Some(End::Failed),
        _ => {}
    }
    sink.write(event, out);
}

impl Sink {
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Anthropic(emit) => emit.write(event, out),
            Self::OpenAi(emit) => emit.write(event, out),
        }
    }
}
