//! Reads a stream of events.

use crate::translate::fault::{At, Untranslatable};
use crate::translate::json::{Fields, Text, document};
use crate::translate::model::{Event, Reasoning, Stop, Thought, Tokens};
use crate::translate::pieces::Pieces;

use super::answer::{stop, tokens};

/// Blocks that may be open at the same time; there is one at a time today.
const OPEN: usize = 64;

/// What is known of the answer so far.
#[derive(Debug, Default)]
pub(in super::super) struct Events {
    started: bool,
    open: Vec<Open>,
    calls: usize,
    /// A call ended in the middle of its arguments.
    unfinished: bool,
    stop: Option<Stop>,
    tokens: Tokens,
}

#[derive(Debug)]
struct Open {
    index: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Text,
    Thinking,
    /// Nobody but its model can read it.
    Sealed,
    /// With the input that its start already told, escaped as an argument text.
    Call {
        number: usize,
        pieces: Pieces,
        told: String,
    },
}

impl Events {
    /// Reads the data of one event.
    pub(in super::super) fn read(
        &mut self,
        data: &[u8],
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Untranslatable> {
        let root = At::ROOT;
        let mut event = Fields::new(document(data)?, &root)?;
        let kind = event.need_word("type")?;
        match kind.as_ref() {
            "ping" => emit(Event::Ping),
            "error" => emit(Event::Failed(super::failure::told(&mut event, &root))),
            "message_start" => self.start(&mut event, &root, emit)?,
            "content_block_start" | "content_block_delta" | "content_block_stop" | "message_delta" | "message_stop"
                if !self.started =>
            {
                return Err(event.order("type"));
            }
            "content_block_start" => self.open(&mut event, &root, emit)?,
            "content_block_delta" => self.delta(&mut event, &root, emit)?,
            "content_block_stop" => self.close(&mut event, emit)?,
            "message_delta" => self.message_delta(&mut event, &root)?,
            "message_stop" => self.end(&event, emit)?,
            // New kinds of events come at any time, and clients must bear it.
            _ => {}
        }
        Ok(())
    }

    /// The stream is over, and `message_stop` was not there.
    pub(in super::super) fn finish(&mut self) -> Result<(), Untranslatable> {
        Err(Untranslatable::Cut)
    }

    fn start(
        &mut self,
        event: &mut Fields<'_, '_>,
        root: &At<'_>,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Untranslatable> {
        if std::mem::replace(&mut self.started, true) {
            return Err(event.order("type"));
        }
        let at = root.key("message");
        let mut message = Fields::new(event.need_object("message")?, &at)?;
        let usage = at.key("usage");
        if let Some(read) = message.object("usage")? {
            self.tokens.replace(tokens(read, &usage)?);
        }
        emit(Event::Start { id: message.text("id")?, model: message.text("model")?, tokens: self.tokens });
        Ok(())
    }

    fn open(
        &mut self,
        event: &mut Fields<'_, '_>,
        root: &At<'_>,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Untranslatable> {
        let index = event.need_count("index")?;
        if self.open.len() == OPEN || self.open.iter().any(|open| open.index == index) {
            return Err(event.order("index"));
        }
        let at = root.key("content_block");
        let mut block = Fields::new(event.need_object("content_block")?, &at)?;
        let kind = match block.need_word("type")?.as_ref() {
            "text" => {
                if let Some(text) = block.text("text")?.filter(|text| !text.is_empty()) {
                    emit(Event::Text(text));
                }
                Kind::Text
            }
            "thinking" => {
                if let Some(text) = block.text("thinking")?.filter(|text| !text.is_empty()) {
                    emit(Event::Thinking(Thought { text, name: Reasoning::default() }));
                }
                Kind::Thinking
            }
            "redacted_thinking" => Kind::Sealed,
            "tool_use" => {
                let input = block.schema("input")?.map_or("{}", |input| input.get());
                let told = serde_json::Value::from(input).to_string();
                emit(Event::Call { id: block.need_text("id")?, name: block.need_text("name")? });
                let number = self.calls;
                self.calls += 1;
                Kind::Call { number, pieces: Pieces::default(), told }
            }
            _ => return Err(block.no_counterpart("type")),
        };
        self.open.push(Open { index, kind });
        Ok(())
    }

    fn delta(
        &mut self,
        event: &mut Fields<'_, '_>,
        root: &At<'_>,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Untranslatable> {
        let index = event.need_count("index")?;
        let open = self.open.iter_mut().find(|open| open.index == index).ok_or_else(|| event.order("index"))?;
        let at = root.key("delta");
        let mut delta = Fields::new(event.need_object("delta")?, &at)?;
        let kind = delta.need_word("type")?;
        match (kind.as_ref(), &mut open.kind) {
            ("text_delta", Kind::Text) => emit(Event::Text(delta.need_text("text")?)),
            ("thinking_delta", Kind::Thinking) => {
                let text = delta.need_text("thinking")?;
                emit(Event::Thinking(Thought { text, name: Reasoning::default() }));
            }
            // The other API has neither.
            ("signature_delta", Kind::Thinking) | ("citations_delta", Kind::Text) => {}
            ("input_json_delta", Kind::Call { number, pieces, .. }) => {
                let piece = delta.need_text("partial_json")?;
                if !piece.is_empty() {
                    pieces.push(piece);
                    emit(Event::Arguments { call: *number, piece });
                }
            }
            _ => return Err(delta.unknown("type")),
        }
        Ok(())
    }

    fn close(&mut self, event: &mut Fields<'_, '_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Untranslatable> {
        let index = event.need_count("index")?;
        let place = self.open.iter().position(|open| open.index == index).ok_or_else(|| event.order("index"))?;
        if let Kind::Call { number, pieces, told } = self.open.swap_remove(place).kind {
            if pieces.is_empty() {
                let piece = Text::written(&told).unwrap_or(Text::NO_ARGUMENTS);
                emit(Event::Arguments { call: number, piece });
            } else {
                self.unfinished |= !pieces.is_whole();
            }
        }
        Ok(())
    }

    fn message_delta(&mut self, event: &mut Fields<'_, '_>, root: &At<'_>) -> Result<(), Untranslatable> {
        let usage = root.key("usage");
        if let Some(read) = event.object("usage")? {
            self.tokens.replace(tokens(read, &usage)?);
        }
        let at = root.key("delta");
        let mut delta = Fields::new(event.need_object("delta")?, &at)?;
        if let Some(word) = delta.word("stop_reason")? {
            self.stop = Some(stop(&word).ok_or_else(|| delta.unknown("stop_reason"))?);
        }
        Ok(())
    }

    fn end(&mut self, event: &Fields<'_, '_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Untranslatable> {
        if !self.open.is_empty() {
            return Err(event.order("type"));
        }
        let root = At::ROOT;
        let at = root.key("delta");
        let stop = self.stop.ok_or_else(|| Untranslatable::Missing(at.key("stop_reason").place()))?;
        if self.unfinished && stop != Stop::Length {
            return Err(Untranslatable::Malformed(at.key("partial_json").place()));
        }
        emit(Event::End { stop, tokens: self.tokens });
        Ok(())
    }
}
