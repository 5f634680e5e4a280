//! Reads the messages of a request.

use std::borrow::Cow;

use crate::translate::fault::{At, Untranslatable};
use crate::translate::json::{Content, Fields, Object, Rest, Text, arguments};
use crate::translate::model::{Call, Outcome, Part, Turn};

use super::request::only_functions;

/// A mark for the cache; it changes nothing in the answer.
const CACHE_MARK: &str = "prompt_cache_breakpoint";

/// What answers say and clients send back, of no use to another model.
const OF_ANSWERS: &[&str] = &["annotations", "reasoning", "reasoning_content", "reasoning_details"];

pub(super) fn read<'a>(messages: Vec<Object<'a>>, at: &At<'_>) -> Result<Vec<Turn<'a>>, Untranslatable> {
    let mut turns = Vec::with_capacity(messages.len());
    for (index, message) in messages.into_iter().enumerate() {
        let at = at.index(index);
        let mut message = Fields::new(message, &at)?;
        match message.need_word("role")?.as_ref() {
            "system" | "developer" => turns.push(Turn::System(texts(&mut message, &at)?)),
            "user" => turns.push(Turn::User(parts(&mut message, &at)?)),
            "assistant" => turns.push(assistant(&mut message, &at)?),
            "tool" => {
                let outcome = outcome(&mut message, &at)?;
                // All results of one turn belong together.
                match turns.last_mut() {
                    Some(Turn::Results(results)) => results.push(outcome),
                    _ => turns.push(Turn::Results(vec![outcome])),
                }
            }
            "function" => return Err(message.no_counterpart("role")),
            _ => return Err(message.unknown("role")),
        }
        // Anthropic cannot tell participants of one role apart.
        message.refuse(&["name"])?;
        message.done()?;
    }
    Ok(turns)
}

/// Content that is text alone.
fn texts<'a>(message: &mut Fields<'a, '_>, at: &At<'_>) -> Result<Vec<Text<'a>>, Untranslatable> {
    let raw = message.take("content").ok_or_else(|| message.missing("content"))?;
    let at = at.key("content");
    match Content::of(raw, &at)? {
        Content::Text(text) => Ok(vec![text]),
        Content::Parts(parts) => each(parts, &at, |part, _| match part.need_word("type")?.as_ref() {
            "text" => part.need_text("text"),
            _ => Err(part.no_counterpart("type")),
        }),
    }
}

fn each<'a, T>(
    parts: Vec<Object<'a>>,
    at: &At<'_>,
    mut read: impl FnMut(&mut Fields<'a, '_>, &At<'_>) -> Result<T, Untranslatable>,
) -> Result<Vec<T>, Untranslatable> {
    let mut found = Vec::with_capacity(parts.len());
    for (index, part) in parts.into_iter().enumerate() {
        let at = at.index(index);
        let mut part = Fields::new(part, &at)?;
        part.pass_over(&[CACHE_MARK]);
        found.push(read(&mut part, &at)?);
        part.done()?;
    }
    Ok(found)
}

fn parts<'a>(message: &mut Fields<'a, '_>, at: &At<'_>) -> Result<Vec<Part<'a>>, Untranslatable> {
    let raw = message.take("content").ok_or_else(|| message.missing("content"))?;
    let at = at.key("content");
    match Content::of(raw, &at)? {
        Content::Text(text) => Ok(vec![Part::Text(text)]),
        Content::Parts(parts) => each(parts, &at, part),
    }
}

fn part<'a>(part: &mut Fields<'a, '_>, at: &At<'_>) -> Result<Part<'a>, Untranslatable> {
    match part.need_word("type")?.as_ref() {
        "text" => Ok(Part::Text(part.need_text("text")?)),
        "image_url" => {
            let at = at.key("image_url");
            let mut image = Fields::new(part.need_object("image_url")?, &at)?;
            // Anthropic chooses the resolution itself.
            image.pass_over(&["detail"]);
            let url = image.need_text("url")?;
            image.done()?;
            match data_url(url) {
                Some((media, data)) => Ok(Part::Image { media, data }),
                None if url.inner().starts_with("http") => Ok(Part::ImageAt(url)),
                None => Err(Untranslatable::Malformed(at.key("url").place())),
            }
        }
        "file" => {
            let at = at.key("file");
            let mut file = Fields::new(part.need_object("file")?, &at)?;
            // A file in the other provider's store.
            file.refuse(&["file_id"])?;
            let title = file.text("filename")?;
            let data = file.need_text("file_data")?;
            file.done()?;
            match data_url(data) {
                Some((media, data)) if media == "application/pdf" => Ok(Part::Pdf { data, title }),
                _ => Err(Untranslatable::NoCounterpart(at.key("file_data").place())),
            }
        }
        _ => Err(part.no_counterpart("type")),
    }
}

/// Media type and base64 of a `data:` URL.
fn data_url(url: Text<'_>) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    fn split(url: &str) -> Option<(&str, &str)> {
        let (media, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
        (!media.is_empty() && !media.contains([';', ','])).then_some((media, data))
    }
    match url.decode()? {
        Cow::Borrowed(url) => split(url).map(|(media, data)| (Cow::Borrowed(media), Cow::Borrowed(data))),
        Cow::Owned(url) => split(&url).map(|(media, data)| (media.to_owned().into(), data.to_owned().into())),
    }
}

fn assistant<'a>(message: &mut Fields<'a, '_>, at: &At<'_>) -> Result<Turn<'a>, Untranslatable> {
    message.pass_over(OF_ANSWERS);
    message.refuse(&["audio", "function_call"])?;
    let content = at.key("content");
    let mut texts = match message.take("content").map(|raw| Content::of(raw, &content)).transpose()? {
        None => Vec::new(),
        Some(Content::Text(text)) => vec![text],
        Some(Content::Parts(parts)) => each(parts, &content, |part, _| match part.need_word("type")?.as_ref() {
            "text" => part.need_text("text"),
            "refusal" => part.need_text("refusal"),
            _ => Err(part.no_counterpart("type")),
        })?,
    };
    // What was said instead of an answer was said all the same.
    texts.extend(message.text("refusal")?);
    let calls = calls(message.objects("tool_calls")?, &at.key("tool_calls"), Rest::Refused)?;
    // Anthropic takes no thinking that it did not sign.
    Ok(Turn::Assistant { thoughts: Vec::new(), texts, calls })
}

/// The calls of a message, in a request or an answer.
pub(super) fn calls<'a>(calls: Vec<Object<'a>>, at: &At<'_>, rest: Rest) -> Result<Vec<Call<'a>>, Untranslatable> {
    let mut found = Vec::with_capacity(calls.len());
    for (index, call) in calls.into_iter().enumerate() {
        let at = at.index(index);
        let mut call = Fields::new(call, &at)?;
        // Streams number their calls, and clients send the number back.
        call.pass_over(&["index"]);
        only_functions(&mut call)?;
        let inner = at.key("function");
        let mut function = Fields::new(call.need_object("function")?, &inner)?;
        let input = function.text("arguments")?.unwrap_or(Text::EMPTY).decode().and_then(arguments);
        found.push(Call {
            id: call.need_text("id")?,
            name: function.need_text("name")?,
            input: input.ok_or_else(|| function.malformed("arguments"))?,
        });
        function.end(rest)?;
        call.end(rest)?;
    }
    Ok(found)
}

fn outcome<'a>(message: &mut Fields<'a, '_>, at: &At<'_>) -> Result<Outcome<'a>, Untranslatable> {
    // The call's name is known by its id.
    message.pass_over(&["name"]);
    Ok(Outcome { id: message.need_text("tool_call_id")?, texts: texts(message, at)?, failed: false })
}
