//! Reads and writes a whole answer.

use crate::translate::Stamp;
use crate::translate::fault::{At, Untranslatable};
use crate::translate::json::{Content, Fields, Object, Rest};
use crate::translate::model::{Answer, Block, Call, Reasoning, Stop, Thought, Tokens};
use crate::translate::writer::Writer;

use super::messages::calls;

pub(in super::super) fn read(document: Object<'_>) -> Result<Answer<'_>, Untranslatable> {
    let root = At::ROOT;
    let mut it = Fields::new(document, &root)?;
    let at = root.key("choices");
    let mut choices = it.objects("choices")?.into_iter();
    let choice = choices.next().ok_or_else(|| it.missing("choices"))?;
    if choices.next().is_some() {
        return Err(Untranslatable::NoCounterpart(at.index(1).place()));
    }
    let at = at.index(0);
    let mut choice = Fields::new(choice, &at)?;
    let at_message = at.key("message");
    let mut message = Fields::new(choice.need_object("message")?, &at_message)?;
    message.refuse(&["audio", "function_call"])?;
    let mut blocks = Vec::new();
    blocks.extend(reasoning(&mut message)?.map(Block::Thinking));
    let content = at_message.key("content");
    match message.take("content").map(|raw| Content::of(raw, &content)).transpose()? {
        None => {}
        Some(Content::Text(text)) => blocks.push(Block::Text(text)),
        Some(Content::Parts(parts)) => {
            for (index, part) in parts.into_iter().enumerate() {
                let at = content.index(index);
                let mut part = Fields::new(part, &at)?;
                match part.need_word("type")?.as_ref() {
                    "text" => blocks.push(Block::Text(part.need_text("text")?)),
                    _ => return Err(part.no_counterpart("type")),
                }
            }
        }
    }
    let refusal = message.text("refusal")?.filter(|text| !text.is_empty());
    blocks.extend(refusal.map(Block::Text));
    let calls = calls(message.objects("tool_calls")?, &at_message.key("tool_calls"), Rest::PassedOver)?;
    let called = !calls.is_empty();
    blocks.extend(calls.into_iter().map(Block::Call));
    let word = choice.need_word("finish_reason")?;
    let stop = stop(&word, called, refusal.is_some()).ok_or_else(|| choice.unknown("finish_reason"))?;
    let usage = root.key("usage");
    let tokens = it.object("usage")?.map(|read| tokens(read, &usage)).transpose()?.unwrap_or_default();
    Ok(Answer { id: it.text("id")?, model: it.text("model")?, blocks, stop, tokens })
}

/// Reasoning, by the two names that providers have for it; `OpenAI` itself does not tell any.
pub(super) fn reasoning<'a>(message: &mut Fields<'a, '_>) -> Result<Option<Thought<'a>>, Untranslatable> {
    let mut found = None;
    for name in [Reasoning::Content, Reasoning::Short] {
        let text = message.text(name.word())?.filter(|text| !text.is_empty());
        found = found.or(text.map(|text| Thought { text, name }));
    }
    Ok(found)
}

/// Why it ended. With a named tool, and at some providers always, calls end with `stop`.
pub(super) fn stop(word: &str, called: bool, refused: bool) -> Option<Stop> {
    Some(match word {
        "length" => Stop::Length,
        "content_filter" => Stop::Refusal,
        "stop" | "tool_calls" if called => Stop::Calls,
        "stop" | "tool_calls" if refused => Stop::Refusal,
        "stop" | "tool_calls" => Stop::End,
        _ => return None,
    })
}

/// Here input includes what was read from and written to the cache.
pub(super) fn tokens(usage: Object<'_>, at: &At<'_>) -> Result<Tokens, Untranslatable> {
    let mut usage = Fields::new(usage, at)?;
    let at_input = at.key("prompt_tokens_details");
    let (mut read, mut written) = (None, None);
    if let Some(details) = usage.object("prompt_tokens_details")? {
        let mut details = Fields::new(details, &at_input)?;
        read = details.tokens("cached_tokens")?;
        written = details.tokens("cache_write_tokens")?;
    }
    let at_output = at.key("completion_tokens_details");
    let mut thinking = None;
    if let Some(details) = usage.object("completion_tokens_details")? {
        thinking = Fields::new(details, &at_output)?.tokens("reasoning_tokens")?;
    }
    let cached = read.unwrap_or(0).saturating_add(written.unwrap_or(0));
    Ok(Tokens {
        input: usage.tokens("prompt_tokens")?.map(|all| all.saturating_sub(cached)),
        cache_read: read,
        cache_write: written,
        output: usage.tokens("completion_tokens")?,
        thinking,
    })
}

pub(in super::super) fn write(answer: &Answer<'_>, stamp: &Stamp) -> String {
    let mut w = Writer::default();
    w.object(|w| {
        w.key("id").text_or(answer.id, &stamp.id);
        w.key("object").string("chat.completion");
        w.key("created").number(stamp.created);
        w.key("model").text_or(answer.model, &stamp.model);
        w.key("choices").array(|w| {
            w.object(|w| {
                w.key("index").number(0);
                w.key("message").object(|w| write_message(w, &answer.blocks));
                w.key("logprobs").null();
                w.key("finish_reason").string(reason(answer.stop));
            });
        });
        write_usage(w.key("usage"), &answer.tokens);
    });
    w.finish()
}

fn write_message(w: &mut Writer, blocks: &[Block<'_>]) {
    let texts = || blocks.iter().filter_map(|block| if let Block::Text(text) = block { Some(*text) } else { None });
    let thoughts = || {
        blocks.iter().filter_map(|block| if let Block::Thinking(thought) = block { Some(thought.text) } else { None })
    };
    let calls = || blocks.iter().filter_map(|block| if let Block::Call(call) = block { Some(call) } else { None });
    w.key("role").string("assistant");
    if texts().next().is_some() {
        w.key("content").joined(texts());
    } else {
        w.key("content").null();
    }
    w.key("refusal").null();
    if thoughts().next().is_some() {
        w.key("reasoning_content").joined(thoughts());
    }
    if calls().next().is_some() {
        w.key("tool_calls").array(|w| calls().for_each(|call| write_call(w, call)));
    }
}

pub(super) fn write_call(w: &mut Writer, call: &Call<'_>) {
    w.object(|w| {
        w.key("id").text(call.id);
        w.key("type").string("function");
        w.key("function").object(|w| {
            w.key("name").text(call.name);
            w.key("arguments").string(&call.input);
        });
    });
}

pub(super) fn reason(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "stop",
        Stop::Length => "length",
        Stop::Calls => "tool_calls",
        Stop::Refusal => "content_filter",
    }
}

pub(super) fn write_usage(w: &mut Writer, tokens: &Tokens) {
    let (read, written) = (tokens.cache_read.unwrap_or(0), tokens.cache_write.unwrap_or(0));
    let input = tokens.input.unwrap_or(0).saturating_add(read).saturating_add(written);
    let output = tokens.output.unwrap_or(0);
    w.object(|w| {
        w.key("prompt_tokens").number(input);
        w.key("completion_tokens").number(output);
        w.key("total_tokens").number(input.saturating_add(output));
        w.key("prompt_tokens_details").object(|w| {
            w.key("cached_tokens").number(read);
            w.key("cache_write_tokens").number(written);
        });
        if let Some(thinking) = tokens.thinking {
            w.key("completion_tokens_details").object(|w| w.key("reasoning_tokens").number(thinking));
        }
    });
}
