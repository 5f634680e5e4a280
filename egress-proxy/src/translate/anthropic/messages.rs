//! Reads the messages of a request.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::translate::fault::{At, Place, Untranslatable};
use crate::translate::json::{Content, Fields, Object, Text};
use crate::translate::model::{Call, Outcome, Part, Reasoning, Thought, Turn};

/// Adds the turns that `messages` say.
pub(super) fn read<'a>(
    messages: Vec<Object<'a>>,
    at: &At<'_>,
    turns: &mut Vec<Turn<'a>>,
) -> Result<(), Untranslatable> {
    let last = messages.len().saturating_sub(1);
    // Signed thinking of a turn that goes on. Anthropic forgets it itself as soon as the user says something else.
    let mut signed = None;
    for (index, message) in messages.into_iter().enumerate() {
        let at = at.index(index);
        let mut message = Fields::new(message, &at)?;
        let raw = message.take("content").ok_or_else(|| message.missing("content"))?;
        match message.need_word("role")?.as_ref() {
            "system" => turns.push(Turn::System(texts(raw, &at.key("content"))?)),
            "user" => {
                if user(raw, &at.key("content"), turns)? {
                    signed = None;
                }
            }
            // Anthropic goes on with a last message, OpenAI answers with another one.
            "assistant" if index == last => return Err(Untranslatable::Order(at.place())),
            "assistant" => turns.push(assistant(raw, &at.key("content"), &mut signed)?),
            _ => return Err(message.unknown("role")),
        }
        message.done()?;
    }
    signed.map_or(Ok(()), |place| Err(Untranslatable::NoCounterpart(place)))
}

/// Content that is text alone.
pub(super) fn texts<'a>(raw: &'a RawValue, at: &At<'_>) -> Result<Vec<Text<'a>>, Untranslatable> {
    let mut texts = Vec::new();
    each(raw, at, |it, _| match it {
        Block::Plain(text) => {
            texts.push(text);
            Ok(())
        }
        Block::Of("text", block) => {
            texts.push(text(block)?);
            Ok(())
        }
        Block::Of(_, block) => Err(block.no_counterpart("type")),
    })?;
    Ok(texts)
}

enum Block<'a, 'b, 'p> {
    /// Content that is one string.
    Plain(Text<'a>),
    Of(&'b str, &'b mut Fields<'a, 'p>),
}

/// Shows each block with its type; marks for the cache change nothing in the answer.
fn each<'a>(
    raw: &'a RawValue,
    at: &At<'_>,
    mut show: impl FnMut(Block<'a, '_, '_>, &At<'_>) -> Result<(), Untranslatable>,
) -> Result<(), Untranslatable> {
    let blocks = match Content::of(raw, at)? {
        Content::Text(text) => return show(Block::Plain(text), at),
        Content::Parts(blocks) => blocks,
    };
    for (index, block) in blocks.into_iter().enumerate() {
        let at = at.index(index);
        let mut block = Fields::new(block, &at)?;
        block.pass_over(&["cache_control"]);
        let kind = block.need_word("type")?;
        show(Block::Of(&kind, &mut block), &at)?;
        block.done()?;
    }
    Ok(())
}

fn text<'a>(block: &mut Fields<'a, '_>) -> Result<Text<'a>, Untranslatable> {
    block.only("citations", &["[]"])?;
    block.need_text("text")
}

/// Adds results, then the rest; whether there was a rest.
fn user<'a>(raw: &'a RawValue, at: &At<'_>, turns: &mut Vec<Turn<'a>>) -> Result<bool, Untranslatable> {
    let (mut results, mut parts) = (Vec::new(), Vec::new());
    each(raw, at, |block, at| {
        match block {
            Block::Plain(text) => parts.push(Part::Text(text)),
            // Results answer the message before: OpenAI has nothing in between.
            Block::Of("tool_result", _) if !parts.is_empty() => return Err(Untranslatable::Order(at.place())),
            Block::Of("tool_result", block) => results.push(outcome(block, at)?),
            Block::Of("text", block) => parts.push(Part::Text(text(block)?)),
            Block::Of("image", block) => parts.push(image(block, at)?),
            Block::Of("document", block) => parts.push(pdf(block, at)?),
            Block::Of(_, block) => return Err(block.no_counterpart("type")),
        }
        Ok(())
    })?;
    let said = !parts.is_empty();
    let silent = results.is_empty();
    if !silent {
        turns.push(Turn::Results(results));
    }
    if said || silent {
        turns.push(Turn::User(parts));
    }
    Ok(said)
}

fn image<'a>(block: &mut Fields<'a, '_>, at: &At<'_>) -> Result<Part<'a>, Untranslatable> {
    block.refuse(&["transformations"])?;
    let at = at.key("source");
    let mut source = Fields::new(block.need_object("source")?, &at)?;
    let part = match source.need_word("type")?.as_ref() {
        "base64" => Part::Image { media: source.need_word("media_type")?, data: source.need_word("data")? },
        "url" => Part::ImageAt(source.need_text("url")?),
        // A file in the other provider's store.
        _ => return Err(source.no_counterpart("type")),
    };
    source.done()?;
    Ok(part)
}

fn pdf<'a>(block: &mut Fields<'a, '_>, at: &At<'_>) -> Result<Part<'a>, Untranslatable> {
    block.refuse(&["context"])?;
    block.only("citations", &["{\"enabled\":false}"])?;
    let title = block.text("title")?;
    let at = at.key("source");
    let mut source = Fields::new(block.need_object("source")?, &at)?;
    if source.need_word("type")? != "base64" {
        return Err(source.no_counterpart("type"));
    }
    if source.need_word("media_type")? != "application/pdf" {
        return Err(source.no_counterpart("media_type"));
    }
    let data = source.need_word("data")?;
    source.done()?;
    Ok(Part::Pdf { data, title })
}

fn outcome<'a>(block: &mut Fields<'a, '_>, at: &At<'_>) -> Result<Outcome<'a>, Untranslatable> {
    block.refuse(&["toolset_name"])?;
    let at = at.key("content");
    Ok(Outcome {
        id: block.need_text("tool_use_id")?,
        texts: block.take("content").map(|raw| texts(raw, &at)).transpose()?.unwrap_or_default(),
        failed: block.flag("is_error")?.unwrap_or(false),
    })
}

fn assistant<'a>(raw: &'a RawValue, at: &At<'_>, signed: &mut Option<Place>) -> Result<Turn<'a>, Untranslatable> {
    let (mut thoughts, mut texts, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    each(raw, at, |block, at| {
        match block {
            Block::Plain(text) => texts.push(text),
            Block::Of("text", block) => texts.push(text(block)?),
            Block::Of("tool_use", block) => calls.push(call(block)?),
            Block::Of("thinking", block) => {
                let text = block.need_text("thinking")?;
                let signature = block.word("signature")?.unwrap_or_default();
                // Out of this translation it comes with a name instead of a signature.
                if let Some(name) = Reasoning::of(&signature) {
                    thoughts.push(Thought { text, name });
                } else if !signature.is_empty() {
                    signed.get_or_insert_with(|| at.key("signature").place());
                }
            }
            Block::Of("redacted_thinking", block) => {
                block.need_text("data")?;
                signed.get_or_insert_with(|| at.key("data").place());
            }
            Block::Of(_, block) => return Err(block.no_counterpart("type")),
        }
        Ok(())
    })?;
    Ok(Turn::Assistant { thoughts, texts, calls })
}

/// A call, in a request or an answer.
pub(super) fn call<'a>(block: &mut Fields<'a, '_>) -> Result<Call<'a>, Untranslatable> {
    block.only("caller", &["{\"type\":\"direct\"}"])?;
    block.refuse(&["toolset_name"])?;
    let input = block.need_schema("input")?;
    Ok(Call { id: block.need_text("id")?, name: block.need_text("name")?, input: Cow::Borrowed(input.get()) })
}
