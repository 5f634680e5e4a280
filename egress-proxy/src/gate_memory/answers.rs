//! The ids of tool calls in a provider's answer, whole or in events of a stream, in every dialect.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use wardkeep_redaction::{Token, Visit, read_json};

use super::results::{Of, is_call_of_server};

/// One of these stands in every piece of an answer that holds a call: this, or what is on both sides of an underscore.
static MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("unction"));
const MARKS: [(&[u8], &[u8]); 3] = [(b"tool", b"use"), (b"", b"call"), (b"call", b"id")];

/// Underscores are few, in most texts of a stream none: one look for them instead of three for words with them.
pub(super) fn is_marked(piece: &[u8]) -> bool {
    let is_one = |at: usize| {
        let (front, back) = (&piece[..at], &piece[at + 1..]);
        MARKS.iter().any(|(left, right)| front.ends_with(left) && back.starts_with(right))
    };
    memchr::memchr_iter(b'_', piece).any(is_one) || MARK.find(piece).is_some()
}

/// Shows each call that `piece`, a document or the data of an event, names with an id, and by its tool each that has none.
pub(super) fn read(piece: &[u8], show: impl FnMut(Of)) {
    if !is_marked(piece) {
        return;
    }
    let mut search = Search { piece, levels: Vec::new(), show };
    // What cannot be read to its end was still read up to there.
    let _ = read_json(piece, &mut search);
}

struct Search<'a, F> {
    piece: &'a [u8],
    levels: Vec<Level>,
    show: F,
}

#[derive(Default)]
struct Level {
    /// Arguments of a call: whatever stands in them is not the provider's word.
    deaf: bool,
    name: Name,
    call: bool,
    server: bool,
    ids: Vec<String>,
    /// It stands where calls may have no id: Gemini's, and those of before `tool_calls`.
    may_be_unnamed: bool,
    /// The first name that is one: a piece without goes on with the call of the one before.
    tool: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Name {
    /// Of a list: its elements are calls.
    Calls,
    /// What stands under it is a call.
    Call,
    Type,
    Id,
    CallId,
    Arguments,
    Tool,
    #[default]
    Other,
}

impl<F: FnMut(Of)> Visit for Search<'_, F> {
    fn begin(&mut self, object: bool, _: usize) {
        let (deaf, name) = self.levels.last().map_or((false, Name::Other), |around| (around.deaf, around.name));
        let deaf = deaf || name == Name::Arguments;
        // A list hands its name on to its elements.
        let inner = if !object && name == Name::Calls { Name::Calls } else { Name::Other };
        let may_be_unnamed = object && name == Name::Call;
        let call = may_be_unnamed || (object && name == Name::Calls);
        self.levels.push(Level { deaf, name: inner, call, may_be_unnamed, ..Level::default() });
    }

    fn end(&mut self, _: usize) {
        let Some(level) = self.levels.pop().filter(|level| level.call && !level.deaf) else { return };
        if let Some(tool) = level.tool.filter(|_| level.ids.is_empty()) {
            (self.show)(Of::Tool(tool));
        }
        for id in level.ids {
            (self.show)(if level.server { Of::Server(id) } else { Of::Call(id) });
        }
    }

    fn key(&mut self, token: Token) {
        let name = token.text(self.piece);
        let Some(level) = self.levels.last_mut() else { return };
        level.name = match name.as_ref() {
            b"tool_calls" => Name::Calls,
            b"functionCall" | b"function_call" => Name::Call,
            b"type" => Name::Type,
            b"id" => Name::Id,
            b"call_id" => Name::CallId,
            b"name" if level.may_be_unnamed => Name::Tool,
            b"input" | b"arguments" | b"args" | b"content" if level.call => Name::Arguments,
            _ => Name::Other,
        };
    }

    fn string(&mut self, token: Token) {
        let Some(level) = self.levels.last_mut().filter(|level| !level.deaf) else { return };
        let text = token.text(self.piece);
        match level.name {
            Name::Type => {
                let of_server = text.ends_with(b"_tool_use") || is_call_of_server(&text);
                level.server |= of_server;
                level.call |= of_server || text.as_ref() == b"tool_use" || text.ends_with(b"_call");
            }
            Name::Id | Name::CallId => {
                // Responses: an item has an id of its own beside that of its call.
                let id = String::from_utf8_lossy(&text).into_owned();
                level.ids.push(id);
            }
            Name::Tool if !text.is_empty() && level.tool.is_none() => {
                level.tool = Some(String::from_utf8_lossy(&text).into_owned());
            }
            _ => {}
        }
    }

    fn number(&mut self, _: Token) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(piece: &str) -> Vec<String> {
        let mut seen = Vec::new();
        read(piece.as_bytes(), |of| {
            seen.push(match of {
                Of::Call(id) => id,
                Of::Server(id) => format!("server {id}"),
                Of::Tool(name) => format!("tool {name}"),
                other => panic!("{other:?}"),
            });
        });
        seen
    }

    #[test]
    fn a_mark_is_found_wherever_it_stands() {
        for mark in ["tool_use", "_call", "call_id", "unction"] {
            for (front, back) in [("", ""), ("_", "_"), ("tool_", "_id"), ("a", "b"), ("call_tool", "s"), ("mcp", "")] {
                assert!(is_marked(format!("{front}{mark}{back}").as_bytes()), "{front}{mark}{back}");
            }
            for end in 0..mark.len() {
                assert!(!is_marked(&mark.as_bytes()[..end]), "{}", &mark[..end]);
            }
            for start in 1..mark.len() {
                assert!(!is_marked(&mark.as_bytes()[start..]), "{}", &mark[start..]);
            }
        }
        for text in
            ["", "_", "tool-use", "tool-call", "tools_use", "call_ID", "tool _use", "tool_ use", "__", "tool__use"]
        {
            assert!(!is_marked(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn each_dialect_names_its_calls() {
        for (piece, want) in [
            (
                r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"x","input":{}}}"#,
                vec!["toolu_1"],
            ),
            (
                r#"{"type":"content_block_start","content_block":{"id":"srvtoolu_1","type":"server_tool_use","input":{}}}"#,
                vec!["server srvtoolu_1"],
            ),
            (
                r#"{"id":"msg_1","type":"message","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"a","input":{"type":"tool_use","id":"fake"}},{"type":"tool_use","id":"b","input":{}}],"stop_reason":"tool_use"}"#,
                vec!["a", "b"],
            ),
            (
                r#"{"id":"chatcmpl","choices":[{"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"x","arguments":""}},{"id":"call_2"}]}}]}"#,
                vec!["call_1", "call_2"],
            ),
            (r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}}]}"#, vec![]),
            (
                r#"{"type":"response.output_item.added","item":{"id":"fc_1","type":"function_call","call_id":"call_1","name":"x","arguments":""}}"#,
                vec!["fc_1", "call_1"],
            ),
            (
                r#"{"type":"response.completed","response":{"id":"resp_1","output":[{"type":"message","id":"m","content":[]},{"type":"custom_tool_call","call_id":"c","input":"x"}]}}"#,
                vec!["c"],
            ),
            (
                r#"{"type":"response.output_item.done","item":{"id":"mcp_1","type":"mcp_call","arguments":"{}","output":"x"}}"#,
                vec!["server mcp_1"],
            ),
            (r#"{"output":[{"type":"web_search_call","id":"ws_1","status":"completed"}]}"#, vec!["server ws_1"]),
            (
                r#"{"candidates":[{"content":{"parts":[{"functionCall":{"id":"g","name":"x","args":{"id":"fake"}}}]}}]}"#,
                vec!["g"],
            ),
            (
                r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"x","args":{"name":"fake"}}},{"functionCall":{"args":{},"name":"y"}}]}}]}"#,
                vec!["tool x", "tool y"],
            ),
            (
                r#"{"choices":[{"delta":{"function_call":{"name":"x","arguments":"{\"name\":1}"}},"finish_reason":null}]}"#,
                vec!["tool x"],
            ),
            (r#"{"choices":[{"delta":{"function_call":{"arguments":"}"}}}]}"#, vec![]),
            (r#"{"choices":[{"delta":{"function_call":{"name":"","arguments":"}"}}}]}"#, vec![]),
            (r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"x"}}]}}]}"#, vec![]),
            (r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"id":"x"}"#, vec![]),
            (
                r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"{\"type\":\"tool_use\",\"id\":\"a\"}"}}"#,
                vec![],
            ),
            ("[DONE] tool_use", vec![]),
        ] {
            assert_eq!(of(piece), want, "{piece}");
        }
    }
}
