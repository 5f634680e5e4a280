//! Reads and writes error documents.

use serde_json::value::RawValue;

use crate::translate::failure::{Failure, Kind, Message, UNTOLD};
use crate::translate::fault::At;
use crate::translate::json::{Fields, Object};
use crate::translate::writer::Writer;

/// An error document with its status. Providers that are like `OpenAI` put the text in several places.
pub(in super::super) fn read(document: Object<'_>, status: u16) -> Option<Failure<'_>> {
    let root = At::ROOT;
    let mut it = Fields::new(document, &root).ok()?;
    match it.take("error") {
        Some(error) => Some(told(error, Some(status))),
        None => Some(from_fields(it, Some(status))),
    }
}

/// The member `error`: an object, or only its text.
pub(super) fn told(error: &RawValue, status: Option<u16>) -> Failure<'_> {
    let root = At::ROOT;
    match Fields::of(error, &root) {
        Ok(fields) => from_fields(fields, status),
        Err(_) => {
            let kind = status.map_or(Kind::Internal, Kind::of_status);
            let text = crate::translate::json::texts(error, &root).ok().and_then(|texts| texts.first().copied());
            Failure { kind, message: text.map_or(UNTOLD, Message::Told) }
        }
    }
}

fn from_fields<'a>(mut it: Fields<'a, '_>, status: Option<u16>) -> Failure<'a> {
    let (code, named) = (it.take("code"), it.take("type"));
    let message = it.text("message").ok().flatten().or_else(|| it.text("detail").ok().flatten());
    let word = |raw: Option<&RawValue>| raw.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let number = || code.and_then(|raw| raw.get().parse::<u16>().ok());
    let kind = word(code)
        .and_then(|word| Kind::of_openai(&word))
        .or_else(|| word(named).and_then(|word| Kind::of_openai(&word)))
        .or_else(|| status.map(Kind::of_status))
        .or_else(|| number().map(Kind::of_status))
        .unwrap_or_else(|| match word(named).as_deref() {
            Some("invalid_request_error") => Kind::Invalid,
            _ => Kind::Internal,
        });
    Failure { kind, message: message.map_or(UNTOLD, Message::Told) }
}

pub(in super::super) fn document(failure: &Failure<'_>) -> String {
    let names = failure.kind.names();
    let mut w = Writer::default();
    w.object(|w| {
        w.key("error").object(|w| {
            match failure.message {
                Message::Told(text) => w.key("message").text(text),
                Message::Ours(text) => w.key("message").string(text),
            }
            w.key("type").string(names.openai);
            w.key("param").null();
            match names.code {
                Some(code) => w.key("code").string(code),
                None => w.key("code").null(),
            }
        });
    });
    w.finish()
}
