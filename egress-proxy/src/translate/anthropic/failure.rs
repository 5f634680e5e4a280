//! Reads and writes error documents.

use crate::translate::failure::{Failure, Kind, Message, TOO_LONG, UNTOLD};
use crate::translate::fault::At;
use crate::translate::json::{Fields, Object};
use crate::translate::writer::Writer;

/// An error document with its status.
pub(in super::super) fn read(document: Object<'_>, status: u16) -> Option<Failure<'_>> {
    let root = At::ROOT;
    let mut it = Fields::new(document, &root).ok()?;
    let told = told(&mut it, &root);
    // The status is the better witness where the document has a type that nobody knows.
    Some(if told.kind == Kind::Internal { Failure { kind: Kind::of_status(status), ..told } } else { told })
}

/// The member `error` of a document or an event.
pub(super) fn told<'a>(it: &mut Fields<'a, '_>, root: &At<'_>) -> Failure<'a> {
    let at = root.key("error");
    let error = it.object("error").ok().flatten().and_then(|error| Fields::new(error, &at).ok());
    let Some(mut error) = error else { return Failure { kind: Kind::Internal, message: UNTOLD } };
    let message = error.text("message").ok().flatten();
    let words = message.and_then(|message| message.decode());
    let kind = error.word("type").ok().flatten().and_then(|word| Kind::of_anthropic(&word, words.as_deref()));
    Failure { kind: kind.unwrap_or(Kind::Internal), message: message.map_or(UNTOLD, Message::Told) }
}

/// An error document; `id` names the request.
pub(in super::super) fn document(failure: &Failure<'_>, id: &str) -> String {
    let mut w = Writer::default();
    w.object(|w| {
        w.key("type").string("error");
        write(w, failure);
        w.key("request_id").string(id);
    });
    w.finish()
}

/// The member `error`.
pub(super) fn write(w: &mut Writer, failure: &Failure<'_>) {
    w.key("error").object(|w| {
        w.key("type").string(failure.kind.names().anthropic);
        let w = w.key("message");
        match failure.message {
            // Clients of Anthropic know by these words that they must shorten the conversation.
            Message::Told(text) if failure.kind == Kind::ContextLength && !text.inner().starts_with(TOO_LONG) => {
                w.marked("prompt is too long: ", text);
            }
            Message::Told(text) => w.text(text),
            Message::Ours(text) => w.string(text),
        }
    });
}
