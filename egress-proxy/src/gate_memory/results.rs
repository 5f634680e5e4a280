//! The results of tool calls that a request holds, in every dialect at once: what a lenient provider might read as one is one.
//!
//! Where a member stands twice, both count, since readers differ in which of them they take; so do names in letters of the
//! other case (Go) and without underscores (ProtoJSON).

use std::ops::Range;

use wardkeep_redaction::{Token, Visit};

/// One result of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallResult {
    pub(crate) of: Of,
    /// Where what the tool gave stands in the body.
    pub(crate) content: Range<usize>,
    /// Nothing of the model follows: the model has not answered to it yet, as far as the request tells.
    pub(crate) is_last: bool,
}

/// Whose result it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Of {
    /// Of the call of this id.
    Call(String),
    /// Of a call that the provider itself carried out.
    Server(String),
    /// Of some call of this tool; not every dialect has ids.
    Tool(String),
    /// Of nothing that is named.
    Nothing,
}

/// Responses: whether an item of this kind is a call that the provider carries out, with what it gave in the item itself. What
/// comes back to the runtime is answered by an item of another kind.
pub(super) fn is_call_of_server(kind: &[u8]) -> bool {
    const OF_RUNTIMES: [&[u8]; 6] = [
        b"function_call",
        b"custom_tool_call",
        b"computer_call",
        b"local_shell_call",
        b"shell_call",
        b"apply_patch_call",
    ];
    kind.ends_with(b"_call") && !OF_RUNTIMES.contains(&kind)
}

#[cfg(test)]
fn read(body: &[u8]) -> Result<Vec<CallResult>, wardkeep_redaction::Unscannable> {
    let mut search = Search::new(body);
    wardkeep_redaction::read_json(body, &mut search)?;
    let (mut results, last) = search.finish();
    results[..last].iter_mut().for_each(|result| result.is_last = false);
    Ok(results)
}

/// Looks for results while a body is read.
pub(crate) struct Search<'a> {
    body: &'a [u8],
    levels: Vec<Level>,
    results: Vec<CallResult>,
    /// Results that were found before, in what this body begins with.
    known: usize,
    /// Of all of them, those before the last word of the model.
    last: usize,
    is_object: bool,
}

impl<'a> Search<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self { body, levels: Vec::new(), results: Vec::new(), known: 0, last: 0, is_object: false }
    }

    /// Between the turns of a conversation whose list begins at `start`.
    pub(crate) fn within_turns(body: &'a [u8], start: usize, known: usize, last: usize) -> Self {
        let top = Level { name: Name::Turns, ..Level::new(Kind::Top, 0) };
        let levels = vec![top, Level::new(Kind::Turns, start)];
        Self { body, levels, results: Vec::new(), known, last, is_object: true }
    }

    /// The results that were found here, and how many of all come before the last word of the model.
    pub(crate) fn finish(self) -> (Vec<CallResult>, usize) {
        (self.results, self.last)
    }

    /// All results so far, and those before the last word of the model.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.known + self.results.len(), self.last)
    }

    pub(crate) fn body(&self) -> &'a [u8] {
        self.body
    }

    pub(crate) fn depth(&self) -> usize {
        self.levels.len()
    }

    /// Whether the outermost value is an object.
    pub(crate) fn is_object(&self) -> bool {
        self.is_object
    }

    /// Whether it stands behind a conversation in the outermost object, or behind what may hold one.
    pub(crate) fn is_behind_turns(&self) -> bool {
        matches!(&self.levels[..], [Level { name: Name::Turns | Name::Request, .. }])
    }

    /// Whether it stands right in the conversation of the outermost object.
    pub(crate) fn is_in_turns(&self) -> bool {
        matches!(&self.levels[..], [_, Level { kind: Kind::Turns, .. }])
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The document, or Gemini's request within one.
    Top,
    Turns,
    Turn,
    Parts,
    Part,
    /// Gemini: holds id, name and content.
    Response,
    Other,
}

struct Level {
    kind: Kind,
    start: usize,
    name: Name,
    is_result: bool,
    is_server: bool,
    of_model: bool,
    ids: Vec<String>,
    /// Responses: of the item itself.
    items: Vec<String>,
    tools: Vec<String>,
    content: Range<usize>,
    /// Some content was not empty.
    brings: bool,
}

/// The member that comes next, where it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Turns,
    Request,
    Parts,
    Type,
    Role,
    Id,
    Item,
    Tool,
    Output,
    Response,
    Other,
}

/// The longest name that matters, folded.
const LONGEST: usize = 22;

/// A name as the most lenient reader takes it; empty where it is longer than any that matters.
fn folded<'a>(name: &[u8], buffer: &'a mut [u8; LONGEST]) -> &'a [u8] {
    let (mut rest, mut len) = (name, 0);
    while let [first, after @ ..] = rest {
        let (letter, after) = match rest {
            // Letters beyond ASCII that fold into it.
            [0xc5, 0xbf, after @ ..] => (b's', after),
            [0xe2, 0x84, 0xaa, after @ ..] => (b'k', after),
            _ => (first.to_ascii_lowercase(), after),
        };
        rest = after;
        if letter == b'_' {
            continue;
        }
        let Some(place) = buffer.get_mut(len) else { return &[] };
        *place = letter;
        len += 1;
    }
    &buffer[..len]
}

impl Search<'_> {
    fn close(&mut self, level: Level) {
        if level.of_model {
            self.last = self.known + self.results.len();
        }
        let of_item = level.kind == Kind::Turn && level.is_server;
        // A call of the provider that gives nothing brings nothing.
        if !(level.is_result || of_item && level.brings) {
            return;
        }
        let content = level.content;
        let mut put = |of| self.results.push(CallResult { of, content: content.clone(), is_last: true });
        if of_item {
            // Some runtimes leave it out.
            let items = if level.items.is_empty() { vec![String::new()] } else { level.items };
            items.into_iter().for_each(|id| put(Of::Server(id)));
        } else if level.is_server {
            level.ids.into_iter().for_each(|id| put(Of::Server(id)));
        } else if !level.ids.is_empty() {
            level.ids.into_iter().for_each(|id| put(Of::Call(id)));
        } else if !level.tools.is_empty() {
            level.tools.into_iter().for_each(|tool| put(Of::Tool(tool)));
        } else {
            put(Of::Nothing);
        }
    }
}

impl Visit for Search<'_> {
    fn begin(&mut self, object: bool, start: usize) {
        let around = self.levels.last().map(|around| (around.kind, around.name));
        let kind = match (around, object) {
            (None, true) | (Some((Kind::Top, Name::Request)), true) => Kind::Top,
            (Some((Kind::Top, Name::Turns)), false) => Kind::Turns,
            // ProtoJSON takes one where a list is expected.
            (Some((Kind::Turns, _) | (Kind::Top, Name::Turns)), true) => Kind::Turn,
            (Some((Kind::Turn, Name::Parts)), false) => Kind::Parts,
            (Some((Kind::Parts, _) | (Kind::Turn, Name::Parts)), true) => Kind::Part,
            (Some((Kind::Part, Name::Response)), true) => Kind::Response,
            _ => Kind::Other,
        };
        self.is_object |= object && self.levels.is_empty();
        self.levels.push(Level::new(kind, start));
    }

    fn end(&mut self, at: usize) {
        let Some(level) = self.levels.pop() else { return };
        if let Some(around) = self.levels.last_mut()
            && around.holds_content()
        {
            around.take(level.start..at, self.body);
        }
        self.close(level);
    }

    fn key(&mut self, token: Token) {
        let name = token.text(self.body);
        let Some(level) = self.levels.last_mut() else { return };
        let mut buffer = [0; LONGEST];
        level.name = match (level.kind, folded(&name, &mut buffer)) {
            (Kind::Top, b"messages" | b"input" | b"contents") => Name::Turns,
            (Kind::Top, b"generatecontentrequest") => Name::Request,
            (Kind::Turn, b"content" | b"parts") => Name::Parts,
            (Kind::Turn | Kind::Part, b"type") => Name::Type,
            (Kind::Turn, b"role") => Name::Role,
            (Kind::Turn, b"toolcallid" | b"callid")
            | (Kind::Part, b"tooluseid" | b"toolcallid" | b"callid")
            | (Kind::Response, b"id") => Name::Id,
            (Kind::Turn, b"id") => Name::Item,
            (Kind::Turn | Kind::Response, b"name") => Name::Tool,
            (Kind::Turn, b"output" | b"outputs" | b"result" | b"results")
            | (Kind::Part, b"content" | b"output")
            | (Kind::Response, b"response") => Name::Output,
            (Kind::Part, b"functionresponse") => Name::Response,
            _ => Name::Other,
        };
    }

    fn string(&mut self, token: Token) {
        let Some(level) = self.levels.last_mut() else { return };
        if level.holds_content() {
            level.take(token.start..token.end, self.body);
        }
        // Most of a body is text that does not matter here: it is not even decoded.
        match level.name {
            Name::Role => {
                let text = token.text(self.body);
                level.is_result |= matches!(text.as_ref(), b"tool" | b"function");
                level.of_model |= matches!(text.as_ref(), b"assistant" | b"model");
            }
            Name::Type if level.kind == Kind::Turn => {
                let text = token.text(self.body);
                level.is_result |= text.ends_with(b"_output");
                level.is_server |= is_call_of_server(&text);
                level.of_model |= text.ends_with(b"_call") || text.as_ref() == b"reasoning";
            }
            Name::Type => {
                let text = token.text(self.body);
                level.is_result |= text.ends_with(b"tool_result");
                level.is_server |= text.ends_with(b"_tool_result");
            }
            Name::Id => level.ids.push(String::from_utf8_lossy(&token.text(self.body)).into_owned()),
            Name::Item => level.items.push(String::from_utf8_lossy(&token.text(self.body)).into_owned()),
            Name::Tool => level.tools.push(String::from_utf8_lossy(&token.text(self.body)).into_owned()),
            _ => {}
        }
    }

    fn number(&mut self, _: Token) {}
}

impl Level {
    fn new(kind: Kind, start: usize) -> Self {
        Self {
            kind,
            start,
            name: Name::Other,
            is_result: kind == Kind::Response,
            is_server: false,
            of_model: false,
            ids: Vec::new(),
            items: Vec::new(),
            tools: Vec::new(),
            content: 0..0,
            brings: false,
        }
    }

    fn take(&mut self, content: Range<usize>, body: &[u8]) {
        self.brings |= !matches!(&body[content.clone()], b"" | b"[]");
        self.content = content;
    }

    fn holds_content(&self) -> bool {
        self.name == Name::Output || (self.kind == Kind::Turn && self.name == Name::Parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Vec<(String, String, bool)> {
        let named = |of: Of| match of {
            Of::Call(id) => id,
            Of::Server(id) => format!("server {id}"),
            Of::Tool(name) => format!("tool {name}"),
            Of::Nothing => "nothing".to_owned(),
        };
        let results = read(body.as_bytes()).unwrap();
        results.into_iter().map(|result| (named(result.of), body[result.content].to_owned(), result.is_last)).collect()
    }

    fn row(of: &str, content: &str, is_last: bool) -> (String, String, bool) {
        (of.to_owned(), content.to_owned(), is_last)
    }

    #[test]
    fn each_dialect_has_its_way() {
        for (body, want) in [
            (
                r#"{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"x","input":{}}]},
                    {"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"one"}]},{"type":"text","text":"and"}]}]}"#,
                vec![row("a", r#"[{"type":"text","text":"one"}]"#, true)],
            ),
            (
                r#"{"messages":[{"role":"tool","tool_call_id":"a","content":"one"},{"role":"assistant","content":"x"},{"content":"two","tool_call_id":"b","role":"tool"}]}"#,
                vec![row("a", "one", false), row("b", "two", true)],
            ),
            (
                r#"{"input":[{"type":"function_call","call_id":"a","name":"x","arguments":"{}"},{"type":"function_call_output","call_id":"a","output":"one"},
                    {"type":"custom_tool_call_output","call_id":"b","output":[{"type":"input_text","text":"two"}]}]}"#,
                vec![row("a", "one", true), row("b", r#"[{"type":"input_text","text":"two"}]"#, true)],
            ),
            (
                r#"{"input":[{"type":"mcp_call","id":"m","output":"one"},{"type":"code_interpreter_call","id":"i","outputs":[{"type":"logs","logs":"two"}]},
                    {"type":"web_search_call","id":"w","status":"completed"},{"type":"code_interpreter_call","id":"j","outputs":[]},
                    {"type":"mcp_call","id":"n","output":null,"error":null},{"type":"mcp_call","id":"o","output":"hidden","outputs":[]},{"results":[{"text":"three"}],"type":"file_search_call"}]}"#,
                vec![
                    row("server m", "one", false),
                    row("server i", r#"[{"type":"logs","logs":"two"}]"#, false),
                    row("server o", "[]", false),
                    row("server ", r#"[{"text":"three"}]"#, true),
                ],
            ),
            (
                r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"x","args":{}}}]},
                    {"role":"user","parts":[{"functionResponse":{"id":"g","name":"x","response":{"r":1}}},{"function_response":{"name":"y","response":{}}}]}]}"#,
                vec![row("g", r#"{"r":1}"#, true), row("tool y", "{}", true)],
            ),
            (
                r#"{"generateContentRequest":{"contents":{"parts":{"functionResponse":{"name":"y"}}}}}"#,
                vec![row("tool y", "", true)],
            ),
            (r#"{"messages":[{"role":"function","name":"f","content":"x"}]}"#, vec![row("tool f", "x", true)]),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"web_search_tool_result","tool_use_id":"srv","content":[]}]}]}"#,
                vec![row("server srv", "[]", true)],
            ),
        ] {
            assert_eq!(of(body), want, "{body}");
        }
    }

    #[test]
    fn no_writing_hides_a_result() {
        for body in [
            r#"{"messages":[{"role":"to\u006fl","content":"x","tool_call\u005fid":"a"}]}"#,
            r#"{"messages":[],"m\u0065ssages":[{"role":"tool","tool_call_id":"a","content":"x"}]}"#,
            r#"{"messages":[{"role":"user","role":"tool","tool_call_id":"a","content":"x"}]}"#,
            r#"{"messages":[{"role":"tool","role":"user","tool_call_id":"a","content":"x"}]}"#,
            r#"{"messages":[{"content":[{"type":"text","type":"tool_result","tool_use_id":"a","content":"x"}]}]}"#,
            r#"{"input":[{"call_id":"a","output":"x","type":"local_shell_call_output"}]}"#,
            r#"{"Me\u017fsages":[{"ROLE":"tool","Tool_Call_ID":"a","Content":"x"}]}"#,
            r#"{"messages":[{"content":[{"Type":"tool_result","toolUseId":"a","content":"x"}]}]}"#,
        ] {
            assert_eq!(of(body), [row("a", "x", true)], "{body}");
        }
        let twice = r#"{"messages":[{"role":"tool","tool_call_id":"a","tool_call_id":"b","content":"x"}]}"#;
        assert_eq!(of(twice), [row("a", "x", true), row("b", "x", true)]);
        let nameless =
            r#"{"messages":[{"content":[{"type":"tool_result","content":"x"}]},{"role":"tool","tool_call_id":7}]}"#;
        assert_eq!(of(nameless), [row("nothing", "x", true), row("nothing", "", true)]);
    }

    #[test]
    fn what_only_looks_like_a_result_is_none() {
        for body in [
            r#"{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","input":{"type":"tool_result","tool_use_id":"b","content":"x"}}]}]}"#,
            r#"{"messages":[{"role":"user","content":"{\"role\":\"tool\",\"tool_call_id\":\"a\"}"}]}"#,
            r#"{"tools":[{"role":"tool","tool_call_id":"a"}],"input":"text"}"#,
            r#"{"input":[{"type":"message","role":"user","content":[{"type":"output_text","text":"x"}]}]}"#,
            r#"[{"messages":[{"role":"tool"}]}]"#,
            "7",
        ] {
            assert_eq!(of(body), [], "{body}");
        }
    }
}
