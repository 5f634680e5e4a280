//! Reads a stream of chunks.

use crate::translate::fault::{At, Untranslatable};
use crate::translate::json::{Fields, Object, Text, document};
use crate::translate::model::{Event, Tokens};
use crate::translate::pieces::Pieces;

use super::answer::{reasoning, stop, tokens};

/// The calls of one answer that are told apart; more are no answer.
const CALLS: usize = 1024;

/// What is known of the answer so far.
#[derive(Debug, Default)]
pub(in super::super) struct Chunks {
    started: bool,
    calls: Vec<Call>,
    /// The last call still gets arguments.
    calling: bool,
    /// A call ended in the middle of its arguments.
    unfinished: bool,
    refused: bool,
    finish: Option<String>,
    tokens: Tokens,
}

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: String,
    pieces: Pieces,
}

impl Chunks {
    /// Reads the data of one event.
    pub(in super::super) fn read(
        &mut self,
        data: &[u8],
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Untranslatable> {
        if data.trim_ascii() == b"[DONE]" {
            return self.end(emit);
        }
        let root = At::ROOT;
        let mut chunk = Fields::new(document(data)?, &root)?;
        if let Some(error) = chunk.take("error") {
            emit(Event::Failed(super::failure::told(error, None)));
            return Ok(());
        }
        let usage = root.key("usage");
        if let Some(read) = chunk.object("usage")? {
            self.tokens.replace(tokens(read, &usage)?);
        }
        let choices = chunk.objects("choices")?;
        if !self.started && !choices.is_empty() {
            self.started = true;
            let id = chunk.text("id")?.filter(|id| !id.is_empty());
            let model = chunk.text("model")?.filter(|model| !model.is_empty());
            emit(Event::Start { id, model, tokens: self.tokens });
        }
        let at = root.key("choices");
        for (index, choice) in choices.into_iter().enumerate() {
            self.choice(choice, &at.index(index), emit)?;
        }
        Ok(())
    }

    /// The stream is over. Some providers leave out `[DONE]`.
    pub(in super::super) fn finish(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Untranslatable> {
        if self.finish.is_none() { Err(Untranslatable::Cut) } else { self.end(emit) }
    }

    fn choice(
        &mut self,
        choice: Object<'_>,
        at: &At<'_>,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Untranslatable> {
        let mut choice = Fields::new(choice, at)?;
        if choice.count("index")?.unwrap_or(0) != 0 {
            return Err(choice.no_counterpart("index"));
        }
        let at_delta = at.key("delta");
        if let Some(delta) = choice.object("delta")? {
            let mut delta = Fields::new(delta, &at_delta)?;
            delta.refuse(&["audio", "function_call"])?;
            if let Some(thought) = reasoning(&mut delta)? {
                self.content(&delta, "reasoning_content", emit)?;
                emit(Event::Thinking(thought));
            }
            if let Some(text) = delta.text("content")?.filter(|text| !text.is_empty()) {
                self.content(&delta, "content", emit)?;
                emit(Event::Text(text));
            }
            if let Some(text) = delta.text("refusal")?.filter(|text| !text.is_empty()) {
                self.content(&delta, "refusal", emit)?;
                self.refused = true;
                emit(Event::Text(text));
            }
            let at_calls = at_delta.key("tool_calls");
            for (place, call) in delta.objects("tool_calls")?.into_iter().enumerate() {
                self.call(call, &at_calls.index(place), emit)?;
            }
        }
        if let Some(word) = choice.word("finish_reason")? {
            if stop(&word, false, false).is_none() {
                return Err(choice.unknown("finish_reason"));
            }
            self.finish = Some(word.into_owned());
        }
        Ok(())
    }

    /// Text or thinking begins or goes on.
    fn content(
        &mut self,
        delta: &Fields<'_, '_>,
        key: &str,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Untranslatable> {
        if self.finish.is_some() {
            return Err(delta.order(key));
        }
        self.close(emit);
        Ok(())
    }

    fn call(&mut self, call: Object<'_>, at: &At<'_>, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Untranslatable> {
        let mut call = Fields::new(call, at)?;
        if self.finish.is_some() {
            return Err(Untranslatable::Order(at.place()));
        }
        if call.word("type")?.is_some_and(|word| word != "function") {
            return Err(call.no_counterpart("type"));
        }
        let index = call.count("index")?;
        let id = call.text("id")?.filter(|id| !id.is_empty());
        let at_function = at.key("function");
        let function = call.object("function")?.map(|object| Fields::new(object, &at_function)).transpose()?;
        let (mut name, mut piece) = (None, None);
        if let Some(mut function) = function {
            name = function.text("name")?.filter(|name| !name.is_empty());
            piece = function.text("arguments")?.filter(|piece| !piece.is_empty());
        }
        // Some providers number all calls 0, or none: another id with a name is another call. Without one it goes on, for
        // others make up an id for each chunk.
        let known = match (index, id) {
            (None, None) => self.calls.len().checked_sub(1),
            (None, Some(id)) => self.calls.iter().position(|call| call.id == id.token()),
            (Some(_), id) => {
                let same = |call: &Call| name.is_none() || id.is_none_or(|id| call.id == id.token());
                self.calls.iter().rposition(|call| call.index == index && same(call))
            }
        };
        match known {
            Some(known) if known + 1 < self.calls.len() || !self.calling => {
                // Blocks stand one after the other: what is closed cannot go on.
                if piece.is_some() { Err(Untranslatable::Order(at.place())) } else { Ok(()) }
            }
            Some(_) => {
                self.arguments(piece, emit);
                Ok(())
            }
            None => {
                let id = id.ok_or_else(|| call.missing("id"))?;
                let name = name.ok_or_else(|| Untranslatable::Missing(at_function.key("name").place()))?;
                if self.calls.len() == CALLS {
                    return Err(Untranslatable::TooLong);
                }
                self.close(emit);
                self.calls.push(Call { index, id: id.token().to_owned(), pieces: Pieces::default() });
                self.calling = true;
                emit(Event::Call { id, name });
                self.arguments(piece, emit);
                Ok(())
            }
        }
    }

    fn arguments(&mut self, piece: Option<Text<'_>>, emit: &mut dyn FnMut(Event<'_>)) {
        if let (Some(call), Some(piece)) = (self.calls.last_mut(), piece) {
            call.pieces.push(piece);
            emit(Event::Arguments(piece));
        }
    }

    /// The last call has all of its arguments.
    fn close(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        if !std::mem::take(&mut self.calling) {
            return;
        }
        if let Some(call) = self.calls.last() {
            if call.pieces.is_empty() {
                emit(Event::Arguments(Text::NO_ARGUMENTS));
            } else {
                self.unfinished |= !call.pieces.is_whole();
            }
        }
    }

    fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Untranslatable> {
        let at = At::ROOT;
        let at = at.key("choices");
        let at = at.index(0);
        let word = self.finish.take().unwrap_or_default();
        let stop = stop(&word, !self.calls.is_empty(), self.refused)
            .ok_or_else(|| Untranslatable::Missing(at.key("finish_reason").place()))?;
        self.close(emit);
        if self.unfinished && word != "length" {
            return Err(Untranslatable::Malformed(at.key("delta").key("tool_calls").place()));
        }
        emit(Event::End { stop, tokens: self.tokens });
        Ok(())
    }
}
