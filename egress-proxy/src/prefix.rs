//! The part of a request that stays the same from turn to turn: instructions and tools.
//!
//! Providers keep what they computed of it, as long as it stays the same byte by byte. Here it is told apart by a fingerprint,
//! so that a change which nobody announced is noticed, and its end is marked for Anthropic's cache where the policy says so.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use wardkeep_proto::ids::AgentName;
use wardkeep_redaction::{Engine, Token, Visit, read_json};

use crate::budget::Reports;
use crate::meter::{Meter, MeterError};
use crate::request::{Head, Splice};

/// Fingerprints of one agent's version that are kept; more of them say that nothing stays the same.
pub(crate) const MOST: u64 = 64;
/// Marks that Anthropic takes in one request.
const MARKS: usize = 4;
const MARK: &str = r#""cache_control":{"type":"ephemeral"}"#;

/// An agent's instructions or tools are others than before, and its version is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixChange {
    /// Whose.
    pub agent: AgentName,
    /// Its version by the policy.
    pub version: String,
    /// Fingerprint of what it sends now.
    pub print: [u8; 16],
    /// How many others were seen under this version.
    pub others: u64,
}

/// What was recorded of one fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// It was not known.
    pub(crate) is_new: bool,
    /// Others of the same version.
    pub(crate) others: u64,
}

/// Fingerprints that are known to be on disk.
#[derive(Default)]
pub(crate) struct Prefixes(Mutex<HashMap<AgentName, Known>>);

/// Those of one agent.
#[derive(Default)]
struct Known {
    version: String,
    prints: HashSet<[u8; 16]>,
}

impl Prefixes {
    /// Notes what `agent` sends under its version; tells of it where it is new and others are known.
    pub(crate) async fn note(
        &self,
        agent: &AgentName,
        version: &str,
        print: [u8; 16],
        meter: &Meter,
        reports: &dyn Reports,
    ) -> Result<(), MeterError> {
        if self.knows(agent, version, &print) {
            return Ok(());
        }
        let Recorded { is_new, others } = meter.prefix(agent.clone(), version.to_owned(), print).await?;
        if is_new && others > 0 {
            reports.prefix_changed(PrefixChange { agent: agent.clone(), version: version.to_owned(), print, others });
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry(agent.clone()).or_default();
        if known.version != version {
            *known = Known { version: version.to_owned(), prints: HashSet::new() };
        }
        known.prints.insert(print);
        Ok(())
    }

    fn knows(&self, agent: &AgentName, version: &str, print: &[u8; 16]) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Where too many were recorded there is nothing to learn from one more.
        let full = |known: &Known| known.prints.len() as u64 >= MOST;
        known.get(agent).is_some_and(|known| known.version == version && (known.prints.contains(print) || full(known)))
    }
}

/// The fingerprint of instructions and tools; `None` where there are none.
pub(crate) fn print(head: &Head, body: &[u8], engine: &Engine) -> Option<[u8; 16]> {
    let mut stable = Vec::new();
    for (name, at) in head.members() {
        match name {
            "system" | "tools" | "instructions" | "systemInstruction" | "system_instruction" => {
                stable.extend_from_slice(&body[at]);
            }
            "messages" | "input" => leading(&body[at], &mut stable),
            _ => {}
        }
    }
    (!stable.is_empty()).then(|| engine.print("prefix", &stable))
}

/// Instructions at the beginning of a conversation.
fn leading(turns: &[u8], stable: &mut Vec<u8>) {
    #[derive(serde::Deserialize)]
    struct Turn<'a> {
        #[serde(default, borrow)]
        role: Option<std::borrow::Cow<'a, str>>,
    }
    let Some(mut rest) = turns.strip_prefix(b"[") else { return };
    loop {
        let mut turns = serde_json::Deserializer::from_slice(rest).into_iter::<&serde_json::value::RawValue>();
        let Some(Ok(raw)) = turns.next() else { return };
        let Ok(Turn { role: Some(role) }) = serde_json::from_str(raw.get()) else { return };
        if !matches!(role.as_ref(), "system" | "developer") {
            return;
        }
        stable.extend_from_slice(raw.get().as_bytes());
        rest = rest[turns.byte_offset()..].trim_ascii_start();
        let Some(next) = rest.strip_prefix(b",") else { return };
        rest = next;
    }
}

/// The splices that mark the end of tools and of instructions for Anthropic's cache. An agent that marks one of them itself
/// knows what it does, and with its other marks there are never more than the API takes.
pub(crate) fn breakpoints(head: &Head, body: &[u8]) -> Vec<Splice> {
    let place = |wanted: &str| head.members().find(|(name, _)| *name == wanted).map(|(_, at)| at);
    let (tools, system) = (place("tools"), place("system"));
    let own = marks(body);
    let inside = |at: &Option<Range<usize>>| at.as_ref().is_some_and(|at| own.iter().any(|mark| at.contains(mark)));
    if own.len() >= MARKS || inside(&tools) || inside(&system) {
        return Vec::new();
    }
    let marked = [tools.and_then(|at| last_tool(body, at)), system.and_then(|at| end_of_system(body, at))];
    marked.into_iter().flatten().take(MARKS - own.len()).flatten().collect()
}

/// Where the body has marks.
fn marks(body: &[u8]) -> Vec<usize> {
    struct Marks<'a>(&'a [u8], Vec<usize>);
    impl Visit for Marks<'_> {
        fn begin(&mut self, _: bool, _: usize) {}
        fn end(&mut self, _: usize) {}
        fn key(&mut self, token: Token) {
            if token.text(self.0).as_ref() == b"cache_control" {
                self.1.push(token.start);
            }
        }
        fn string(&mut self, _: Token) {}
        fn number(&mut self, _: Token) {}
    }
    // Any writing of the name holds one of these; nearly no body has them.
    if ![&b"cache_control"[..], b"\\u00"].iter().any(|part| memchr::memmem::find(body, part).is_some()) {
        return Vec::new();
    }
    let mut marks = Marks(body, Vec::new());
    // What cannot be read was refused before.
    let _ = read_json(body, &mut marks);
    marks.1
}

fn last_tool(body: &[u8], at: Range<usize>) -> Option<Vec<Splice>> {
    let (object, end) = last_object(body, at)?;
    // Such a tool is not part of the beginning.
    (!object.contains_key("defer_loading")).then(|| vec![into_object(end)])
}

fn end_of_system(body: &[u8], at: Range<usize>) -> Option<Vec<Splice>> {
    let text = &body[at.clone()];
    if text.starts_with(b"\"") {
        let splice = |at: usize, with: String| Splice { at: at..at, with };
        return (text.len() > 2).then(|| {
            vec![splice(at.start, r#"[{"type":"text","text":"#.to_owned()), splice(at.end, format!(",{MARK}}}]"))]
        });
    }
    let (object, end) = last_object(body, at)?;
    let has_text = object.get("text").and_then(serde_json::Value::as_str).is_some_and(|text| !text.is_empty());
    has_text.then(|| vec![into_object(end)])
}

fn into_object(end: usize) -> Splice {
    Splice { at: end..end, with: format!(",{MARK}") }
}

/// The last element of the list at `at`, if it is an object with members, and where its closing brace stands.
fn last_object(body: &[u8], at: Range<usize>) -> Option<(serde_json::Map<String, serde_json::Value>, usize)> {
    let list: Vec<&serde_json::value::RawValue> = serde_json::from_slice(&body[at]).ok()?;
    let last = list.last()?.get();
    let object: serde_json::Map<_, _> = serde_json::from_str(last).ok()?;
    let start = last.as_ptr().addr() - body.as_ptr().addr();
    (!object.is_empty()).then_some((object, start + last.len() - 1))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use wardkeep_redaction::RuleSet;

    use super::*;
    use crate::request::splice;

    fn marked(body: &str) -> String {
        let head = Head::parse(body.as_bytes()).unwrap();
        let out = splice(Cow::Borrowed(body.as_bytes()), breakpoints(&head, body.as_bytes())).into_owned();
        let out = String::from_utf8(out).unwrap();
        serde_json::from_str::<serde_json::Value>(&out).unwrap_or_else(|error| panic!("{error}: {out}"));
        out
    }

    #[test]
    fn the_ends_of_tools_and_instructions_are_marked() {
        for (body, want) in [
            (r#"{"model":"m"}"#, r#"{"model":"m"}"#),
            (
                r#"{"system":"Be kind.","tools":[{"name":"a"},{"name":"b" }]}"#,
                r#"{"system":[{"type":"text","text":"Be kind.","cache_control":{"type":"ephemeral"}}],"tools":[{"name":"a"},{"name":"b" ,"cache_control":{"type":"ephemeral"}}]}"#,
            ),
            (
                r#"{"system":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"tools":[]}"#,
                r#"{"system":[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}],"tools":[]}"#,
            ),
            // What the API would refuse.
            (
                r#"{"system":"","tools":[{"name":"a","defer_loading":true}]}"#,
                r#"{"system":"","tools":[{"name":"a","defer_loading":true}]}"#,
            ),
            (
                r#"{"system":[{"type":"text","text":""}],"tools":[{}]}"#,
                r#"{"system":[{"type":"text","text":""}],"tools":[{}]}"#,
            ),
        ] {
            assert_eq!(marked(body), want);
        }
    }

    #[test]
    fn own_marks_count() {
        let body = |own: usize, system: &str| {
            let turn = r#"{"role":"user","content":[{"type":"text","text":"cache_control","cache_c\u006fntrol":{"type":"ephemeral"}}]}"#;
            format!(r#"{{"system":{system},"tools":[{{"name":"a"}}],"messages":[{}]}}"#, vec![turn; own].join(","))
        };
        for (own, added) in [(0, 2), (1, 2), (2, 2), (3, 1), (4, 0), (5, 0)] {
            let body = body(own, r#""x""#);
            assert_eq!(marked(&body).matches(MARK).count(), added, "{own}");
        }
        let own = body(0, r#"[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]"#);
        assert_eq!(marked(&own), own, "whoever marks instructions marks tools, too, if it wants to");
    }

    #[test]
    fn instructions_and_tools_make_the_fingerprint_and_nothing_else() {
        let engine = Engine::build([], &RuleSet::none(), [7; 32]).unwrap();
        let print = |body: &str| print(&Head::parse(body.as_bytes()).unwrap(), body.as_bytes(), &engine);
        let messages = r#"{"system":"a","tools":[{"name":"t"}],"messages":[{"role":"user","content":"1"}]}"#;
        assert_eq!(print(messages), print(&messages.replace("\"1\"", "\"2\"").replace("{\"sys", "{\"n\":1,\"sys")));
        assert_ne!(print(messages), print(&messages.replace("\"a\"", "\"b\"")));
        assert_ne!(print(messages), print(&messages.replace("\"t\"", "\"u\"")));
        let chat = r#"{"messages":[ {"role":"system","content":"a"} , {"role":"developer","content":"b"},{"role":"user","content":"1"},{"role":"system","content":"late"}]}"#;
        assert_eq!(print(chat), print(&chat.replace("\"1\"", "\"2\"").replace("late", "later")));
        assert_ne!(print(chat), print(&chat.replace("\"b\"", "\"c\"")));
        for none in [r#"{"messages":[{"role":"user","content":"1"}]}"#, r#"{"input":"text"}"#, "{}"] {
            assert_eq!(print(none), None, "{none}");
        }
    }
}
