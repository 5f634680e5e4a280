//! Reads a request.

use std::borrow::Cow;

use crate::translate::fault::{At, Untranslatable};
use crate::translate::json::{Fields, Object, Text, texts};
use crate::translate::model::{Choice, Effort, Request, Tool, Turn};

use super::messages;

/// Changes nothing in the answer: hints for caches and speed, what `store` would keep, and what only says how to stream.
const PASSED_OVER: &[&str] =
    &["metadata", "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "stream_options"];

/// Nothing in the other API does this.
const REFUSED: &[&str] = &["audio", "function_call", "functions", "moderation", "seed", "web_search_options"];

/// Nothing in the other API does this, but these values ask for what it does anyway.
const NEUTRAL: &[(&str, &[&str])] = &[
    ("n", &["1"]),
    ("logprobs", &["false"]),
    ("top_logprobs", &["0"]),
    ("logit_bias", &["{}"]),
    ("presence_penalty", &["0"]),
    ("frequency_penalty", &["0"]),
    ("store", &["false"]),
    ("verbosity", &["\"medium\""]),
    ("modalities", &["[\"text\"]"]),
];

pub(in super::super) fn read(document: Object<'_>) -> Result<Request<'_>, Untranslatable> {
    let root = At::ROOT;
    let mut it = Fields::new(document, &root)?;
    it.pass_over(PASSED_OVER);
    it.refuse(REFUSED)?;
    NEUTRAL.iter().try_for_each(|(key, neutral)| it.only(key, neutral))?;
    let messages = it.objects("messages")?;
    let (at, last) = (root.key("messages"), messages.len().saturating_sub(1));
    let turns = messages::read(messages, &at)?;
    if matches!(turns.last(), Some(Turn::Assistant { .. })) {
        // OpenAI answers with another message, Anthropic goes on with this one.
        return Err(Untranslatable::Order(at.index(last).place()));
    }
    let request = Request {
        model: it.need_text("model")?,
        turns,
        tools: tools(&mut it, &root)?,
        choice: choice(&mut it, &root)?,
        one_call: it.flag("parallel_tool_calls")? == Some(false),
        max_tokens: max_tokens(&mut it)?,
        stop: match it.take("stop") {
            Some(raw) => texts(raw, &root.key("stop"))?,
            None => Vec::new(),
        },
        temperature: it.number("temperature", 1.0)?,
        top_p: it.number("top_p", 1.0)?,
        user: {
            let user = it.text("user")?;
            it.text("safety_identifier")?.or(user)
        },
        streams: it.flag("stream")?.unwrap_or(false),
        schema: schema(&mut it, &root)?,
        effort: effort(&mut it)?,
        standard_tier: match it.word("service_tier")?.as_deref() {
            None | Some("auto") => false,
            Some("default") => true,
            Some(_) => return Err(it.no_counterpart("service_tier")),
        },
    };
    it.done()?;
    Ok(request)
}

/// The new name and the old one; both only if they say the same.
fn max_tokens(it: &mut Fields<'_, '_>) -> Result<Option<u64>, Untranslatable> {
    let (new, old) = (it.count("max_completion_tokens")?, it.count("max_tokens")?);
    match (new, old) {
        (Some(0), _) => Err(it.malformed("max_completion_tokens")),
        (None, Some(0)) => Err(it.malformed("max_tokens")),
        (Some(new), Some(old)) if new != old => Err(it.malformed("max_tokens")),
        _ => Ok(new.or(old)),
    }
}

fn effort(it: &mut Fields<'_, '_>) -> Result<Option<Effort>, Untranslatable> {
    let Some(word) = it.word("reasoning_effort")? else { return Ok(None) };
    Effort::of(&word).map(Some).ok_or_else(|| it.unknown("reasoning_effort"))
}

fn schema<'a>(
    it: &mut Fields<'a, '_>,
    root: &At<'_>,
) -> Result<Option<&'a serde_json::value::RawValue>, Untranslatable> {
    let Some(format) = it.object("response_format")? else { return Ok(None) };
    let at = root.key("response_format");
    let mut format = Fields::new(format, &at)?;
    let schema = match format.need_word("type")?.as_ref() {
        "text" => None,
        "json_schema" => {
            let inner = at.key("json_schema");
            let mut json = Fields::new(format.need_object("json_schema")?, &inner)?;
            // The name is for logs. What is not strict asks for less than Anthropic gives.
            json.pass_over(&["name", "strict"]);
            json.refuse(&["description"])?;
            let schema = json.need_schema("schema")?;
            json.done()?;
            Some(schema)
        }
        // JSON without a schema, for one.
        _ => return Err(format.no_counterpart("type")),
    };
    format.done()?;
    Ok(schema)
}

fn tools<'a>(it: &mut Fields<'a, '_>, root: &At<'_>) -> Result<Vec<Tool<'a>>, Untranslatable> {
    let at = root.key("tools");
    let mut tools = Vec::new();
    for (index, tool) in it.objects("tools")?.into_iter().enumerate() {
        let at = at.index(index);
        let mut tool = Fields::new(tool, &at)?;
        only_functions(&mut tool)?;
        let at = at.key("function");
        let mut function = Fields::new(tool.need_object("function")?, &at)?;
        tools.push(Tool {
            name: function.need_text("name")?,
            description: function.text("description")?,
            schema: function.schema("parameters")?,
            strict: function.flag("strict")?.unwrap_or(false),
        });
        function.done()?;
        tool.done()?;
    }
    Ok(tools)
}

fn choice<'a>(it: &mut Fields<'a, '_>, root: &At<'_>) -> Result<Option<Choice<'a>>, Untranslatable> {
    let at = root.key("tool_choice");
    let Some(raw) = it.take("tool_choice") else { return Ok(None) };
    if raw.get().starts_with('"') {
        let word: Cow<'_, str> = serde_json::from_str(raw.get()).map_err(|_| it.malformed("tool_choice"))?;
        return match word.as_ref() {
            "auto" => Ok(Some(Choice::Auto)),
            "required" => Ok(Some(Choice::Any)),
            "none" => Ok(Some(Choice::Never)),
            _ => Err(it.unknown("tool_choice")),
        };
    }
    let mut choice = Fields::of(raw, &at)?;
    only_functions(&mut choice)?;
    let name = name_of(choice.need_object("function")?, &at.key("function"))?;
    choice.done()?;
    Ok(Some(Choice::One(name)))
}

fn name_of<'a>(function: Object<'a>, at: &At<'_>) -> Result<Text<'a>, Untranslatable> {
    let mut function = Fields::new(function, at)?;
    let name = function.need_text("name")?;
    function.done()?;
    Ok(name)
}

/// Tools with grammars, and choices among several tools, are `OpenAI`'s own.
pub(super) fn only_functions(it: &mut Fields<'_, '_>) -> Result<(), Untranslatable> {
    match it.word("type")?.as_deref() {
        Some("function") => Ok(()),
        None => Err(it.missing("type")),
        Some(_) => Err(it.no_counterpart("type")),
    }
}
