//! Reads and writes a whole answer.

use crate::translate::Stamp;
use crate::translate::fault::{At, Untranslatable};
use crate::translate::json::{Fields, Object};
use crate::translate::model::{Answer, Block, Reasoning, Stop, Thought, Tokens};
use crate::translate::writer::Writer;

use super::messages::call;
use super::write::write_call;

pub(in super::super) fn read(document: Object<'_>) -> Result<Answer<'_>, Untranslatable> {
    let root = At::ROOT;
    let mut it = Fields::new(document, &root)?;
    if it.need_word("type")? != "message" {
        return Err(it.malformed("type"));
    }
    let at = root.key("content");
    let mut blocks = Vec::new();
    for (index, block) in it.objects("content")?.into_iter().enumerate() {
        let at = at.index(index);
        let mut block = Fields::new(block, &at)?;
        match block.need_word("type")?.as_ref() {
            "text" => blocks.push(Block::Text(block.need_text("text")?)),
            "thinking" => {
                let text = block.need_text("thinking")?;
                blocks.push(Block::Thinking(Thought { text, name: Reasoning::default() }));
            }
            // Nobody but its model can read it.
            "redacted_thinking" => {}
            "tool_use" => blocks.push(Block::Call(call(&mut block)?)),
            _ => return Err(block.no_counterpart("type")),
        }
    }
    let word = it.need_word("stop_reason")?;
    let usage = root.key("usage");
    Ok(Answer {
        stop: stop(&word).ok_or_else(|| it.unknown("stop_reason"))?,
        id: it.text("id")?,
        model: it.text("model")?,
        blocks,
        tokens: it.object("usage")?.map(|read| tokens(read, &usage)).transpose()?.unwrap_or_default(),
    })
}

/// Why it ended. `pause_turn` comes only with tools that Anthropic runs, which are not carried over.
pub(super) fn stop(word: &str) -> Option<Stop> {
    Some(match word {
        "end_turn" | "stop_sequence" => Stop::End,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "tool_use" => Stop::Calls,
        "refusal" => Stop::Refusal,
        _ => return None,
    })
}

pub(super) fn reason(stop: Stop) -> &'static str {
    match stop {
        Stop::End => "end_turn",
        Stop::Length => "max_tokens",
        Stop::Calls => "tool_use",
        Stop::Refusal => "refusal",
    }
}

pub(super) fn tokens(usage: Object<'_>, at: &At<'_>) -> Result<Tokens, Untranslatable> {
    let mut usage = Fields::new(usage, at)?;
    let at = at.key("output_tokens_details");
    let mut thinking = None;
    if let Some(details) = usage.object("output_tokens_details")? {
        thinking = Fields::new(details, &at)?.tokens("thinking_tokens")?;
    }
    Ok(Tokens {
        input: usage.tokens("input_tokens")?,
        cache_read: usage.tokens("cache_read_input_tokens")?,
        cache_write: usage.tokens("cache_creation_input_tokens")?,
        output: usage.tokens("output_tokens")?,
        thinking,
    })
}

pub(in super::super) fn write(answer: &Answer<'_>, stamp: &Stamp) -> String {
    let mut w = Writer::default();
    w.object(|w| {
        w.key("id").text_or(answer.id, &stamp.id);
        w.key("type").string("message");
        w.key("role").string("assistant");
        w.key("model").text_or(answer.model, &stamp.model);
        w.key("content").array(|w| answer.blocks.iter().for_each(|block| write_block(w, block)));
        w.key("stop_reason").string(reason(answer.stop));
        // OpenAI does not tell which one it was.
        w.key("stop_sequence").null();
        write_usage(w.key("usage"), &answer.tokens);
    });
    w.finish()
}

fn write_block(w: &mut Writer, block: &Block<'_>) {
    match block {
        Block::Text(text) if text.is_empty() => {}
        Block::Text(text) => w.object(|w| {
            w.key("type").string("text");
            w.key("text").text(*text);
        }),
        Block::Thinking(thought) => w.object(|w| {
            w.key("type").string("thinking");
            w.key("thinking").text(thought.text);
            // Clients send it back as it is, and then it is known whose it was.
            w.key("signature").string(thought.name.word());
        }),
        Block::Call(call) => write_call(w, call),
    }
}

pub(super) fn write_usage(w: &mut Writer, tokens: &Tokens) {
    w.object(|w| {
        w.key("input_tokens").number(tokens.input.unwrap_or(0));
        w.key("cache_creation_input_tokens").number(tokens.cache_write.unwrap_or(0));
        w.key("cache_read_input_tokens").number(tokens.cache_read.unwrap_or(0));
        w.key("output_tokens").number(tokens.output.unwrap_or(0));
        if let Some(thinking) = tokens.thinking {
            w.key("output_tokens_details").object(|w| w.key("thinking_tokens").number(thinking));
        }
    });
}
