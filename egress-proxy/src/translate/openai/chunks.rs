//! Reads a stream of chunks.

use crate::translate::fault::{At, Untranslatable};
use crate::translate::json::{Fields, Object, document};
use crate::translate::model::{Event, Tokens};

use super::answer::{reasoning, stop, tokens};
use super::calls::Calls;

/// What is known of the answer so far.
#[derive(Debug, Default)]
pub(in super::super) struct Chunks {
    started: bool,
    calls: Calls,
    refused: bool,
    finish: Option<String>,
    tokens: Tokens,
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
        self.calls.close(emit);
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
        let place = match self.calls.find(index, id, name.is_some()) {
            Some(place) => place,
            None => {
                let id = id.ok_or_else(|| call.missing("id"))?;
                let name = name.ok_or_else(|| Untranslatable::Missing(at_function.key("name").place()))?;
                self.calls.begin(index, id, name, emit)?
            }
        };
        match piece {
            Some(piece) => self.calls.go_on(place, piece, emit)?.ok_or_else(|| Untranslatable::Order(at.place())),
            None => Ok(()),
        }
    }

    fn end(&mut self, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Untranslatable> {
        let at = At::ROOT;
        let at = at.key("choices");
        let at = at.index(0);
        let word = self.finish.take().unwrap_or_default();
        let stop = stop(&word, !self.calls.is_empty(), self.refused)
            .ok_or_else(|| Untranslatable::Missing(at.key("finish_reason").place()))?;
        self.calls.close(emit);
        if self.calls.is_unfinished() && word != "length" {
            return Err(Untranslatable::Malformed(at.key("delta").key("tool_calls").place()));
        }
        emit(Event::End { stop, tokens: self.tokens });
        Ok(())
    }
}
