//! Reads a request.

use serde_json::value::RawValue;

use crate::translate::fault::{At, Untranslatable};
use crate::translate::json::{Fields, Object};
use crate::translate::model::{Choice, Effort, Request, Tool, Turn};

use super::messages;

/// Changes nothing in the answer: what the cache keeps, and what is told about it.
const PASSED_OVER: &[&str] = &["cache_control", "diagnostics"];

/// Nothing in the other API does this.
const REFUSED: &[&str] = &["container", "inference_geo", "mcp_servers", "top_k", "user_profile_id", "workspace_id"];

pub(in super::super) fn read(document: Object<'_>) -> Result<Request<'_>, Untranslatable> {
    let root = At::ROOT;
    let mut it = Fields::new(document, &root)?;
    it.pass_over(PASSED_OVER);
    it.refuse(REFUSED)?;
    it.only("speed", &["\"standard\""])?;
    context_management(&mut it, &root)?;
    let mut turns = Vec::new();
    if let Some(raw) = it.take("system") {
        turns.push(Turn::System(messages::texts(raw, &root.key("system"))?));
    }
    messages::read(it.objects("messages")?, &root.key("messages"), &mut turns)?;
    let (format, effort) = output(&mut it, &root)?;
    let budget = thinking(&mut it, &root)?;
    let (choice, one_call) = choice(&mut it, &root)?;
    let request = Request {
        model: it.need_text("model")?,
        turns,
        tools: tools(&mut it, &root)?,
        choice,
        one_call,
        max_tokens: match it.need_count("max_tokens")? {
            // Fills the cache and answers nothing.
            0 => return Err(it.no_counterpart("max_tokens")),
            most => Some(most),
        },
        stop: match it.take("stop_sequences") {
            Some(raw) => crate::translate::json::texts(raw, &root.key("stop_sequences"))?,
            None => Vec::new(),
        },
        temperature: it.number("temperature", 1.0)?,
        top_p: it.number("top_p", 1.0)?,
        user: match it.object("metadata")? {
            None => None,
            Some(metadata) => {
                let at = root.key("metadata");
                let mut metadata = Fields::new(metadata, &at)?;
                let user = metadata.text("user_id")?;
                metadata.done()?;
                user
            }
        },
        streams: it.flag("stream")?.unwrap_or(false),
        schema: format,
        effort: effort.or(budget),
        standard_tier: match it.word("service_tier")?.as_deref() {
            None | Some("auto") => false,
            Some("standard_only") => true,
            Some(_) => return Err(it.unknown("service_tier")),
        },
    };
    it.done()?;
    Ok(request)
}

/// What the provider is to remove from a long conversation. Only thinking, which is not carried over anyway, may be named.
fn context_management(it: &mut Fields<'_, '_>, root: &At<'_>) -> Result<(), Untranslatable> {
    let Some(management) = it.object("context_management")? else { return Ok(()) };
    let at = root.key("context_management");
    let mut management = Fields::new(management, &at)?;
    let at = at.key("edits");
    for (index, edit) in management.objects("edits")?.into_iter().enumerate() {
        let at = at.index(index);
        let mut edit = Fields::new(edit, &at)?;
        if !edit.need_word("type")?.starts_with("clear_thinking") {
            return Err(edit.no_counterpart("type"));
        }
    }
    management.done()
}

fn output<'a>(
    it: &mut Fields<'a, '_>,
    root: &At<'_>,
) -> Result<(Option<&'a RawValue>, Option<Effort>), Untranslatable> {
    let Some(output) = it.object("output_config")? else { return Ok((None, None)) };
    let at = root.key("output_config");
    let mut output = Fields::new(output, &at)?;
    let effort = match output.word("effort")?.as_deref() {
        None => None,
        Some(word) => Some(Effort::of(word).ok_or_else(|| output.unknown("effort"))?),
    };
    let mut schema = None;
    if let Some(format) = output.object("format")? {
        let at = at.key("format");
        let mut format = Fields::new(format, &at)?;
        if format.need_word("type")? != "json_schema" {
            return Err(format.unknown("type"));
        }
        schema = Some(format.need_schema("schema")?);
        format.done()?;
    }
    output.done()?;
    Ok((schema, effort))
}

/// How much to think, from a budget in tokens; where the model decides itself, so does the other one.
fn thinking(it: &mut Fields<'_, '_>, root: &At<'_>) -> Result<Option<Effort>, Untranslatable> {
    let Some(thinking) = it.object("thinking")? else { return Ok(None) };
    let at = root.key("thinking");
    let mut thinking = Fields::new(thinking, &at)?;
    // Whether thinking is shown: what the other one shows is shown.
    thinking.pass_over(&["display"]);
    let effort = match thinking.need_word("type")?.as_ref() {
        "disabled" | "adaptive" => None,
        "enabled" => match thinking.need_count("budget_tokens")? {
            0..=4096 => Some(Effort::Low),
            4097..=16384 => Some(Effort::Medium),
            _ => Some(Effort::High),
        },
        _ => return Err(thinking.no_counterpart("type")),
    };
    thinking.done()?;
    Ok(effort)
}

fn tools<'a>(it: &mut Fields<'a, '_>, root: &At<'_>) -> Result<Vec<Tool<'a>>, Untranslatable> {
    let at = root.key("tools");
    let mut tools = Vec::new();
    for (index, tool) in it.objects("tools")?.into_iter().enumerate() {
        let at = at.index(index);
        let mut tool = Fields::new(tool, &at)?;
        // Tools that Anthropic itself knows or runs.
        tool.only("type", &["\"custom\""])?;
        // How input streams is for the stream alone.
        tool.pass_over(&["cache_control", "eager_input_streaming"]);
        tool.only("defer_loading", &["false"])?;
        tool.only("allowed_callers", &["[\"direct\"]"])?;
        tool.only("input_examples", &["[]"])?;
        tools.push(Tool {
            name: tool.need_text("name")?,
            description: tool.text("description")?,
            schema: Some(tool.need_schema("input_schema")?),
            strict: tool.flag("strict")?.unwrap_or(false),
        });
        tool.done()?;
    }
    Ok(tools)
}

fn choice<'a>(it: &mut Fields<'a, '_>, root: &At<'_>) -> Result<(Option<Choice<'a>>, bool), Untranslatable> {
    let Some(choice) = it.object("tool_choice")? else { return Ok((None, false)) };
    let at = root.key("tool_choice");
    let mut it = Fields::new(choice, &at)?;
    let choice = match it.need_word("type")?.as_ref() {
        "auto" => Choice::Auto,
        "any" => Choice::Any,
        "none" => Choice::Never,
        "tool" => Choice::One(it.need_text("name")?),
        _ => return Err(it.unknown("type")),
    };
    let one_call = it.flag("disable_parallel_tool_use")?.unwrap_or(false);
    it.done()?;
    Ok((Some(choice), one_call))
}
