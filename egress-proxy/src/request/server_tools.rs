//! Tools that a provider runs by itself: a search, a page that it fetches, a tool server that it asks.
//!
//! The gate decides on calls that come back to the runtime. What a provider does with a tool of its own never comes back, so
//! it is refused unless the policy names it (`server_tools` of a provider). What is not known counts as such a tool.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::spelling::same;
use super::{Head, InvalidBody, Key, each_element, each_member};
use crate::api::{Api, Verb};

mod judged;
mod within;

pub(crate) use judged::{Before, Judged};

/// How an API tells its tools apart.
enum Tools {
    /// By their `type`; these come back to the runtime. One that ends in `_` is the beginning of dated ones.
    ByType(&'static [&'static str]),
    /// By the one member that they have; these come back.
    ByMember(&'static [&'static str]),
}

/// Sources: `BetaToolUnionParam` and `ToolParam` of the vendors' own clients (anthropic 2.11, openai 3.52), `Tool` of Google's.
const fn tools(api: Api) -> Option<Tools> {
    match api {
        Api::Messages => {
            Some(Tools::ByType(&["custom", "bash_", "text_editor_", "computer_", "memory_", "tool_search_tool_"]))
        }
        Api::Chat => Some(Tools::ByType(&["function", "custom"])),
        Api::Responses => Some(Tools::ByType(&[
            "function",
            "custom",
            "namespace",
            "local_shell",
            "apply_patch",
            "computer",
            "computer_use_preview",
            "tool_search",
        ])),
        Api::Gemini(Verb::Generate | Verb::Stream) => Some(Tools::ByMember(&["function_declarations", "computer_use"])),
        _ => None,
    }
}

/// Members of the top level that are such tools themselves; the last four are those of xAI, Qwen and Groq.
pub(super) const MEMBERS: [&str; 7] = [
    "mcp_servers",
    "web_search_options",
    "plugins",
    "search_parameters",
    "search_options",
    "enable_search",
    "compound_custom",
];

/// Refuses a body with a tool that its provider would run and that `allowed` does not name; `brings`: a conversation may bring
/// some with it. What was judged before is not read again.
pub(crate) fn refuse(
    api: Api,
    head: &Head,
    body: &[u8],
    brings: bool,
    (allowed, before): (&[String], Before<'_>),
) -> Result<(), InvalidBody> {
    let Some(tools) = tools(api) else { return Ok(()) };
    let judge = |name: &str| {
        let is_allowed = |allowed: &String| is_of(name, allowed);
        if allowed.iter().any(is_allowed) { Ok(()) } else { Err(InvalidBody::ServerTool(name.to_owned())) }
    };
    for member in &head.members {
        let value = &body[member.value.clone()];
        let is_tool = MEMBERS.iter().find(|name| same(name, &member.name));
        if let Some(name) = is_tool.filter(|_| !matches!(value, b"null" | b"[]" | b"false")) {
            judge(name)?;
        }
        let (mut judged, mut shown) = (Ok(()), false);
        let mut show = |name: &str| {
            shown = true;
            if judged.is_ok() {
                judged = judge(name);
            }
        };
        if same(&member.name, "tools") && value != b"null" {
            let print = before.print(api, value);
            if print.is_some_and(|print| before.knows(&print)) {
                continue;
            }
            list(&tools, value, &mut show).map_err(|_| InvalidBody::Tools)?;
            if let Some(print) = print.filter(|_| !shown) {
                before.learn(print);
            }
        } else if brings && within::is_walked(&member.name) {
            let mut fault = Ok(());
            let walked = within::each(value, &mut |raw| {
                if fault.is_ok() {
                    fault = brought(&tools, raw, &mut show);
                }
            });
            walked.map_err(|_| InvalidBody::NotAnObject)?;
            fault.map_err(|_| InvalidBody::Tools)?;
        }
        judged?;
    }
    Ok(())
}

/// Shows what a conversation brings with it: a list of tools, a tool, or the definition of one.
fn brought(tools: &Tools, raw: &RawValue, show: &mut dyn FnMut(&str)) -> Result<(), serde_json::Error> {
    if raw.get().starts_with('[') {
        return list(tools, raw.get().as_bytes(), show);
    }
    if !raw.get().starts_with('{') {
        // A name.
        return Ok(());
    }
    let mut definitions = Vec::new();
    each_member(&mut serde_json::Deserializer::from_str(raw.get()), |name, _, value| {
        if name == "definition" {
            definitions.push(value);
        }
    })?;
    for definition in definitions {
        brought(tools, definition, show)?;
    }
    let mut inner = Vec::new();
    one(tools, raw, &mut inner, &mut |name| {
        if !AROUND.contains(&name) {
            show(name);
        }
    })?;
    inner.into_iter().try_for_each(|inner| list(tools, inner.get().as_bytes(), show))
}

/// What only stands around a definition, or names a tool that is judged where it is defined. Source:
/// `BetaRequestToolAdditionBlockParam` of anthropic 2.11.
const AROUND: [&str; 4] = ["tool_definition", "tool_reference", "mcp_tool_reference", "mcp_toolset_reference"];

/// Shows the name of each tool that does not come back.
fn list(tools: &Tools, json: &[u8], show: &mut dyn FnMut(&str)) -> Result<(), serde_json::Error> {
    let mut inner = Vec::new();
    let mut fault = Ok(());
    each_element(&mut serde_json::Deserializer::from_slice(json), |tool| {
        if fault.is_ok() {
            fault = one(tools, tool, &mut inner, show);
        }
    })?;
    fault?;
    inner.into_iter().try_for_each(|inner: &RawValue| list(tools, inner.get().as_bytes(), show))
}

/// The same of one tool; lists within it are put to `inner`.
fn one<'a>(
    tools: &Tools,
    tool: &'a RawValue,
    inner: &mut Vec<&'a RawValue>,
    show: &mut dyn FnMut(&str),
) -> Result<(), serde_json::Error> {
    each_member(&mut serde_json::Deserializer::from_str(tool.get()), |name, _, value| match tools {
        Tools::ByType(known) if name == "type" && value.get() != "null" => {
            // What is no text is known to nobody.
            let of = serde_json::from_str(value.get()).map_or(Cow::Borrowed(""), |Key(of)| of);
            if !known.iter().any(|known| *known == of || known.ends_with('_') && of.starts_with(known)) {
                show(&of);
            }
        }
        // A namespace of Responses; no other tool has a list of this name.
        Tools::ByType(_) if name == "tools" => inner.push(value),
        Tools::ByMember(known) if !known.iter().any(|known| same(known, name)) => show(&snake(name)),
        _ => {}
    })
}

/// Whether a policy that says `allowed` means the tool `name`: `web_search` is `web_search_20250305`, too.
fn is_of(name: &str, allowed: &str) -> bool {
    name.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// `googleSearch` as `google_search`.
fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for sign in name.chars() {
        if sign.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(sign.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use wardkeep_redaction::{Engine, RuleSet};

    use super::*;

    const GEMINI: Api = Api::Gemini(Verb::Stream);

    fn judged(api: Api, body: &str, allowed: &[&str]) -> Result<(), InvalidBody> {
        let allowed: Vec<String> = allowed.iter().map(|&name| name.to_owned()).collect();
        let brings = crate::signs::tests::of(body).tools;
        let engine = Engine::build([], &RuleSet::none(), [1; 32]).expect("an engine");
        let before = Before { judged: &Judged::default(), engine: &engine };
        refuse(api, &Head::parse(body.as_bytes()).expect(body), body.as_bytes(), brings, (&allowed, before))
    }

    #[test]
    fn what_a_provider_would_run_is_refused() {
        for (api, body, name) in [
            (
                Api::Messages,
                r#"{"tools":[{"name":"a"},{"type":"web_fetch_20260318","name":"f"}]}"#,
                "web_fetch_20260318",
            ),
            (
                Api::Messages,
                r#"{"tools":[{"type":"custom","type":"code_execution_20250825"}]}"#,
                "code_execution_20250825",
            ),
            (Api::Messages, r#"{"tools":[{"t\u0079pe":"web_search_20250305"}]}"#, "web_search_20250305"),
            (Api::Messages, r#"{"mcp_servers":[{"type":"url","url":"https://x.example"}]}"#, "mcp_servers"),
            (Api::Messages, r#"{"tools":[{"type":"of_tomorrow"}]}"#, "of_tomorrow"),
            (Api::Messages, r#"{"tools":[{"type":7}]}"#, ""),
            (Api::Chat, r#"{"web_search_options":{}}"#, "web_search_options"),
            (Api::Chat, r#"{"tools":[{"type":"browser_search"}]}"#, "browser_search"),
            (Api::Chat, r#"{"plugins":[{"id":"web"}]}"#, "plugins"),
            (Api::Chat, r#"{"search_parameters":{"mode":"on"}}"#, "search_parameters"),
            (Api::Chat, r#"{"enable_search":true}"#, "enable_search"),
            (Api::Chat, r#"{"compound_custom":{"tools":{}}}"#, "compound_custom"),
            (Api::Messages, r#"{"MCP_Servers":[{"type":"url","url":"https://x.example"}]}"#, "mcp_servers"),
            (Api::Responses, r#"{"tools":[{"type":"mcp","server_url":"https://x.example"}]}"#, "mcp"),
            (Api::Responses, r#"{"tools":[{"type":"namespace","tools":[{"type":"mcp"}]}]}"#, "mcp"),
            (Api::Responses, r#"{"tools":[{"type":"shell"}]}"#, "shell"),
            (GEMINI, r#"{"tools":[{"functionDeclarations":[]},{"urlContext":{}}]}"#, "url_context"),
            (GEMINI, r#"{"tools":[{"function_declarations":[],"google_search":{}}]}"#, "google_search"),
        ] {
            assert_eq!(judged(api, body, &["webs"]), Err(InvalidBody::ServerTool(name.to_owned())), "{body}");
        }
        for body in [
            r#"{"input":[{"type":"additional_tools","role":"developer","tools":[{"type":"function"},{"type":"mcp"}]}]}"#,
            r#"{"input":[{"role":"user","content":[{"\u0074ools" : [{"type":"mcp"}]}]}]}"#,
            r#"{"input":[{"tools":[{"type":"namespace","tools":[{"type":"mcp"}]}]}]}"#,
            r#"{"Tools":[{"type":"mcp"}]}"#,
        ] {
            assert_eq!(
                judged(Api::Responses, body, &["webs"]),
                Err(InvalidBody::ServerTool("mcp".to_owned())),
                "{body}"
            );
        }
        let addition = |tool: &str| {
            let block = format!(r#"{{"type":"tool_addition","tool":{tool}}}"#);
            [
                format!(r#"{{"messages":[{{"role":"system","content":[{block}]}}]}}"#),
                format!(r#"{{"system":[{block}]}}"#),
                format!(
                    r#"{{"messages":[{{"role":"user","content":[{{"type":"compaction","tool_changes":[{block}]}}]}}]}}"#
                ),
            ]
        };
        for (tool, name) in [
            (
                r#"{"type":"tool_definition","definition":{"type":"web_fetch_20250910","name":"f"}}"#,
                "web_fetch_20250910",
            ),
            (
                r#"{"type":"tool_definition","definition":{"type":"mcp_toolset"},"definition":{"name":"a"}}"#,
                "mcp_toolset",
            ),
            (r#"{"definition":{"type":"tool_definition","definition":{"type":"mcp_toolset"}}}"#, "mcp_toolset"),
            (r#"{"type":"code_execution_20250825","name":"code"}"#, "code_execution_20250825"),
            (r#"{"type":"tool_reference","type":"web_search_20250305"}"#, "web_search_20250305"),
        ] {
            for body in addition(tool) {
                assert_eq!(judged(Api::Messages, &body, &[]), Err(InvalidBody::ServerTool(name.to_owned())), "{body}");
                assert_eq!(judged(Api::Messages, &body, &[name]), Ok(()), "{body}");
            }
        }
        for tool in [
            r#"{"type":"tool_definition","definition":{"name":"a","input_schema":{"type":"object"}}}"#,
            r#"{"type":"tool_definition","definition":{"type":"bash_20250124","name":"bash"}}"#,
            r#"{"type":"tool_reference","name":"a"}"#,
            r#""a""#,
            "null",
        ] {
            for body in addition(tool) {
                assert_eq!(judged(Api::Messages, &body, &[]), Ok(()), "{body}");
            }
        }
        for body in [r#"{"tools":{"type":"mcp"}}"#, r#"{"tools":["web_search"]}"#, r#"{"tools":[[{"type":"mcp"}]]}"#] {
            assert_eq!(judged(Api::Responses, body, &["mcp"]), Err(InvalidBody::Tools), "{body}");
        }
    }

    #[test]
    fn what_comes_back_or_is_named_passes() {
        for (api, body, allowed) in [
            (
                Api::Messages,
                r#"{"tools":[{"name":"a"},{"type":null},{"type":"custom"},{"type":"bash_20250124"}]}"#,
                &[][..],
            ),
            (Api::Messages, r#"{"tools":null,"mcp_servers":[]}"#, &[]),
            // What a model wrote into a call, or a tool gave back, is nobody's tool.
            (
                Api::Messages,
                r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"tools":[{"type":"saw"}],"definition":{"type":"x"}}}]}]}"#,
                &[],
            ),
            (Api::Chat, r#"{"messages":[{"role":"tool","content":"{\"tools\":[{\"type\":\"mcp\"}]}"}]}"#, &[]),
            (Api::Chat, r#"{"enable_search":false,"messages":[{"content":[{"type":"text","text":"\u0061"}]}]}"#, &[]),
            (Api::Responses, r#"{"input":[{"type":"mcp_list_tools","tools":[{"name":"a","input_schema":{}}]}]}"#, &[]),
            (Api::Responses, r#"{"input":"the \"tools\" of"}"#, &[]),
            (Api::Messages, r#"{"tools":[{"name":"a","input_schema":{"type":"web_search","tools":1}}]}"#, &[]),
            (Api::MessagesCount, r#"{"tools":[{"type":"web_fetch_20260318"}]}"#, &[]),
            (Api::Messages, r#"{"tools":[{"type":"web_search_20250305"}]}"#, &["web_search"]),
            (Api::Messages, r#"{"mcp_servers":[{}],"tools":[{"type":"mcp_toolset"}]}"#, &["mcp"]),
            (Api::Chat, r#"{"tools":[{"type":"function","function":{"name":"mcp"}}]}"#, &[]),
            (
                Api::Responses,
                r#"{"tools":[{"type":"namespace","tools":[{"type":"function"}]},{"type":"custom"}]}"#,
                &[],
            ),
            (Api::Responses, r#"{"tools":[{"type":"web_search_preview"}]}"#, &["web_search"]),
            (
                GEMINI,
                r#"{"tools":[{"functionDeclarations":[]},{"function_declarations":[]},{"googleSearch":{}}]}"#,
                &["google_search"],
            ),
        ] {
            assert_eq!(judged(api, body, allowed), Ok(()), "{body}");
        }
    }
}
