//! What budgets read of a request: how much may come back, whether a person spoke last, and whether it is the same again.

use std::hash::{DefaultHasher, Hasher as _};
use std::ops::Range;

use serde::Deserialize;

use crate::api::Api;
use crate::request::{Head, each_member};

/// Answers that are held for where as many are wanted as nobody here can read; `OpenAI`'s own limit.
const MOST_ANSWERS: u64 = 128;
/// Bytes at the end of a body by which, with its length, two requests are called the same.
const TAIL_BYTES: usize = 16 * 1024;

/// What was read. Hashes, no text: nothing of the request stays in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Most output tokens that the request allows itself in each answer; `None` also where any reader may see no limit.
    pub(crate) max_output: Option<u64>,
    /// Answers that it wants.
    pub(crate) answers: u64,
    /// The last message, if a person wrote it: text of the role `user`, not the result of a tool.
    pub(crate) person: Option<u64>,
    /// It goes on from what its provider keeps, which is input that does not stand in it.
    pub(crate) goes_on: bool,
    /// Tokens that are to be held at least for files and addresses in it. Whoever reads all of the body knows.
    pub(crate) refers_to: u64,
    /// The request itself.
    pub(crate) mark: (usize, u64),
}

/// A member of a body that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    MaxOutput,
    Answers,
    /// Gemini: holds both.
    Generation,
    /// The conversation.
    Turns,
}

impl Member {
    fn of(key: &str) -> Option<Self> {
        match key {
            "max_tokens" | "max_completion_tokens" | "max_output_tokens" => Some(Self::MaxOutput),
            "n" => Some(Self::Answers),
            "generationConfig" | "generation_config" => Some(Self::Generation),
            "messages" | "input" | "contents" => Some(Self::Turns),
            _ => None,
        }
    }
}

/// What members say of both.
#[derive(Default)]
struct Said {
    max_output: Limit,
    answers: u64,
}

impl Said {
    /// Of Gemini's configuration: `ProtoJSON` takes either spelling of a name.
    fn generation(&mut self, text: &str) {
        // What is no object says nothing; its provider tells so.
        let _ = each_member(&mut serde_json::Deserializer::from_str(text), |name, _, value| match name {
            "maxOutputTokens" | "max_output_tokens" => self.max_output.read(value.get()),
            "candidateCount" | "candidate_count" => self.answers(value.get()),
            _ => {}
        });
    }

    fn answers(&mut self, value: &str) {
        let wanted = match Number::read(value) {
            Number::Some(answers) => answers,
            Number::Absent | Number::Nil => 1,
            Number::Unreadable => MOST_ANSWERS,
        };
        self.answers = self.answers.max(wanted);
    }
}

/// Members by which a request of `api` limits an answer. What another API calls so is passed over by most providers.
const fn limits(api: Api) -> &'static [&'static str] {
    match api {
        Api::Messages => &["max_tokens"],
        Api::Chat => &["max_tokens", "max_completion_tokens"],
        Api::Responses => &["max_output_tokens"],
        Api::Gemini(_) => &["generationConfig", "generation_config"],
        _ => &[],
    }
}

/// The largest of all limits that stand there.
#[derive(Clone, Copy, Default)]
enum Limit {
    #[default]
    Unsaid,
    Most(u64),
    /// One of them is none: some servers take 0 or less as `as many as there are`.
    Lifted,
}

impl Limit {
    fn read(&mut self, value: &str) {
        *self = match (*self, Number::read(value)) {
            (limit, Number::Absent) => limit,
            (Self::Lifted, _) | (_, Number::Nil | Number::Unreadable) => Self::Lifted,
            (Self::Unsaid, Number::Some(most)) => Self::Most(most),
            (Self::Most(most), Number::Some(other)) => Self::Most(most.max(other)),
        };
    }

    const fn known(self) -> Option<u64> {
        match self {
            Self::Most(most) => Some(most),
            Self::Unsaid | Self::Lifted => None,
        }
    }
}

/// A value that should be a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Absent,
    Some(u64),
    /// 0 or less.
    Nil,
    Unreadable,
}

impl Number {
    /// However it is written: `1e5` and `8.0` are whole ones to many readers, and so are they in quotes, with spaces around them
    /// and underscores in them.
    fn read(value: &str) -> Self {
        if value == "null" {
            return Self::Absent;
        }
        if !value.starts_with('"') {
            return Self::written(value);
        }
        serde_json::from_str::<String>(value)
            .map_or(Self::Unreadable, |text| Self::written(&text.trim().replace('_', "")))
    }

    fn written(text: &str) -> Self {
        const MOST: f64 = 1e15;
        let whole =
            |number: f64| format!("{:.0}", number.ceil().min(MOST)).parse().map_or(Self::Unreadable, Self::Some);
        match (text.parse::<u64>(), text.parse::<f64>()) {
            (Ok(0), _) => Self::Nil,
            (Ok(number), _) => Self::Some(number),
            (_, Ok(number)) if number <= 0.0 => Self::Nil,
            (_, Ok(number)) if !number.is_nan() => whole(number),
            _ => Self::Unreadable,
        }
    }
}

/// Members by which a request names what its provider keeps; `thread` is Anthropic's.
pub(crate) const KEPT: [&str; 6] =
    ["previous_response_id", "conversation", "prompt", "thread", "cachedContent", "cached_content"];

impl Ask {
    /// What is read where nobody looks for loops. Where a member stands twice, both count.
    pub(crate) fn slight(body: &[u8], head: &Head) -> Self {
        let mut said = Said::default();
        of(body, head, Member::MaxOutput).for_each(|value| said.max_output.read(value));
        of(body, head, Member::Answers).for_each(|value| said.answers(value));
        of(body, head, Member::Generation).for_each(|value| said.generation(value));
        let is_kept = |(name, at): (&str, Range<usize>)| KEPT.contains(&name) && body.get(at) != Some(b"null");
        Self {
            max_output: said.max_output.known(),
            answers: said.answers.max(1),
            goes_on: head.members().any(is_kept),
            ..Self::default()
        }
    }

    /// The same at a provider that reads limits as `api` names them: without one of these there is none.
    pub(crate) fn towards(self, body: &[u8], head: &Head, api: Api) -> Self {
        let says = |value: &str| {
            let mut said = Said::default();
            if matches!(api, Api::Gemini(_)) {
                said.generation(value)
            } else {
                said.max_output.read(value)
            }
            said.max_output.known().is_some()
        };
        let own = head.members().filter(|(name, _)| limits(api).contains(name));
        let is_limited = own.filter_map(|(_, at)| std::str::from_utf8(body.get(at)?).ok()).any(says);
        Self { max_output: self.max_output.filter(|_| is_limited), ..self }
    }

    /// `head` is that of `body`.
    pub(crate) fn read(body: &[u8], head: &Head) -> Self {
        let tail = &body[body.len().saturating_sub(TAIL_BYTES)..];
        Self {
            person: of(body, head, Member::Turns).next_back().and_then(person),
            mark: (body.len(), hash(tail)),
            ..Self::slight(body, head)
        }
    }
}

/// What stands in the members that mean this.
fn of<'b>(body: &'b [u8], head: &'b Head, wanted: Member) -> impl DoubleEndedIterator<Item = &'b str> {
    let places = head.members().filter(move |(name, _)| Member::of(name) == Some(wanted));
    places.filter_map(|(_, at)| std::str::from_utf8(body.get(at)?).ok())
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// The hash of the last turn, if a person's.
fn person(turns: &str) -> Option<u64> {
    // Responses take one text instead of a list.
    if turns.starts_with('"') {
        return Some(hash(turns.as_bytes()));
    }
    let last = last_element(turns)?;
    let spoke = is_person(last).unwrap_or(false);
    spoke.then(|| hash(last.as_bytes()))
}

fn is_person(turn: &str) -> Option<bool> {
    #[derive(Deserialize)]
    struct Turn<'a> {
        #[serde(default, borrow)]
        role: Option<std::borrow::Cow<'a, str>>,
        #[serde(default, rename = "type", borrow)]
        kind: Option<std::borrow::Cow<'a, str>>,
        #[serde(default, borrow, alias = "parts")]
        content: Option<&'a serde_json::value::RawValue>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Part<'a> {
        #[serde(default, rename = "type", borrow)]
        kind: Option<std::borrow::Cow<'a, str>>,
        #[serde(default, alias = "function_response")]
        function_response: Option<serde::de::IgnoredAny>,
    }
    let turn: Turn<'_> = serde_json::from_str(turn).ok()?;
    if turn.kind.is_some_and(|kind| kind != "message") || turn.role? != "user" {
        return Some(false);
    }
    let content = turn.content?.get();
    if content.starts_with('"') {
        return Some(true);
    }
    let parts: Vec<Part<'_>> = serde_json::from_str(content).ok()?;
    let is_result = |part: &Part<'_>| part.function_response.is_some() || part.kind.as_deref() == Some("tool_result");
    Some(!parts.is_empty() && !parts.iter().any(is_result))
}

/// The last element of a valid JSON array of objects, found from its end: conversations are long, their last turn is not.
fn last_element(array: &str) -> Option<&str> {
    let bytes = array.as_bytes();
    let end = bytes.iter().rposition(|byte| *byte == b'}')? + 1;
    let (mut at, mut depth) = (end, 0_usize);
    while at > 0 {
        at -= 1;
        match bytes[at] {
            b'}' | b']' => depth += 1,
            b'{' | b'[' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return array.get(Range { start: at, end });
                }
            }
            b'"' => at = opening_quote(bytes, at)?,
            _ => {}
        }
    }
    None
}

/// Where the string begins whose closing quote stands at `closing`.
fn opening_quote(bytes: &[u8], closing: usize) -> Option<usize> {
    let mut end = closing;
    loop {
        let at = memchr::memrchr(b'"', &bytes[..end])?;
        let escapes = bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes % 2 == 0 {
            return Some(at);
        }
        end = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(body: &str) -> Ask {
        Ask::read(body.as_bytes(), &Head::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn the_most_that_any_reader_could_see_counts() {
        for (members, want) in [
            ("", (None, 1)),
            (r#","max_tokens":10,"max_completion_tokens":4096,"max_output_tokens":7"#, (Some(4096), 1)),
            (r#","max_tokens":-1,"max_completion_tokens":null,"max_output_tokens":"9""#, (None, 1)),
            (r#","max_tokens":null,"max_completion_tokens":9"#, (Some(9), 1)),
            (r#","max_tokens":0"#, (None, 1)),
            (r#","max_tokens":0.0,"max_completion_tokens":9"#, (None, 1)),
            (r#","max_completion_tokens":9,"max_tokens":"-0""#, (None, 1)),
            (r#","max_completion_tokens":9,"max_tokens":[]"#, (None, 1)),
            (r#","max_tokens":"4096","n":"10""#, (Some(4096), 10)),
            (r#","max_tokens":" 4_096 ","n":"1\u0030""#, (Some(4096), 10)),
            (r#","max_tokens":"NaN","n":"0xA""#, (None, 128)),
            (r#","max_tokens":"+7","n":true"#, (Some(7), 128)),
            (r#","n":"""#, (None, 128)),
            (r#","generationConfig":{"maxOutputTokens":0}"#, (None, 1)),
            (r#","generationConfig":{"maxOutputTokens":7,"max_output_tokens":"-1"}"#, (None, 1)),
            (r#","generationConfig":{"candidateCount":"1\u0030"}"#, (None, 10)),
            (r#","max_tokens":5,"n":0"#, (Some(5), 1)),
            (r#","n":3"#, (None, 3)),
            (r#","generationConfig":{"maxOutputTokens":64,"candidateCount":2,"temperature":0.5}"#, (Some(64), 2)),
            (r#","generation_config":{"max_output_tokens":64}"#, (Some(64), 1)),
            (r#","max\u005ftokens":12"#, (Some(12), 1)),
            (r#","max_tokens":1e5,"n":8.0"#, (Some(100_000), 8)),
            (r#","max_tokens":1e999,"n":2.5"#, (Some(1_000_000_000_000_000), 3)),
            (r#","generationConfig":{"maxOutputTokens":"4096","candidateCount":"8"}"#, (Some(4096), 8)),
            (r#","generationConfig":{"candidateCount":1,"candidate_count":8.0,"stopSequences":["x"]}"#, (None, 8)),
            (r#","generationConfig":{"maxOutputTokens":{},"candidateCount":"-8"}"#, (None, 1)),
        ] {
            let ask = ask(&format!(r#"{{"model":"m"{members}}}"#));
            assert_eq!((ask.max_output, ask.answers), want, "{members}");
        }
        assert!(ask(r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#).person.is_some());
    }

    #[test]
    fn a_limit_by_another_apis_name_is_none() {
        const GEMINI: Api = Api::Gemini(crate::api::Verb::Stream);
        for (api, members, want) in [
            (Api::Chat, r#""max_output_tokens":1"#, None),
            (Api::Chat, r#""generationConfig":{"maxOutputTokens":1}"#, None),
            (Api::Chat, r#""max_tokens":null,"max_output_tokens":1"#, None),
            (Api::Chat, r#""max_completion_tokens":9"#, Some(9)),
            (Api::Chat, r#""max_tokens":9,"max_output_tokens":10"#, Some(10)),
            (Api::Messages, r#""max_completion_tokens":1"#, None),
            (Api::Messages, r#""max_tokens":9"#, Some(9)),
            (Api::Responses, r#""max_tokens":1"#, None),
            (Api::Responses, r#""max_output_tokens":9"#, Some(9)),
            (GEMINI, r#""max_tokens":1"#, None),
            (GEMINI, r#""max_tokens":1,"generationConfig":{}"#, None),
            (GEMINI, r#""generation_config":{"maxOutputTokens":"9"}"#, Some(9)),
        ] {
            let body = format!("{{{members}}}");
            let head = Head::parse(body.as_bytes()).unwrap();
            let ask = Ask::slight(body.as_bytes(), &head).towards(body.as_bytes(), &head, api);
            assert_eq!(ask.max_output, want, "{api:?} {body}");
        }
    }

    #[test]
    fn what_is_kept_elsewhere_is_seen_by_its_name() {
        for (members, goes_on) in [
            (r#""input":"previous_response_id""#, false),
            (r#""previous_response_id":null,"conversation":null"#, false),
            (r#""previous_response_id":"resp_1""#, true),
            (r#""c\u006fnversation":{"id":"conv_1"}"#, true),
            (r#""cachedContent":"cachedContents/1""#, true),
            (r#""cached_content":"cachedContents/1""#, true),
            (r#""thread":null"#, false),
            (r#""thread":{"type":"continue","previous_message_id":"msg_1"}"#, true),
            (r#""thr\u0065ad":{"type":"continue","previous_message_id":"msg_1"}"#, true),
        ] {
            assert_eq!(ask(&format!("{{{members}}}")).goes_on, goes_on, "{members}");
        }
    }

    #[test]
    fn a_person_is_told_from_a_tool_in_every_dialect() {
        for (turns, spoke) in [
            (r#"[{"role":"user","content":"Hi"}]"#, true),
            (r#"[{"role":"user","content":[{"type":"text","text":"]}\"{["}]}]"#, true),
            (r#"[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]"#, false),
            (r#"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}]"#, false),
            (
                r#"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"},{"type":"text","text":"reminder"}]}]"#,
                false,
            ),
            (r#"[{"role":"user","content":"a"},{"role":"tool","tool_call_id":"c","content":"x"}]"#, false),
            (r#"[{"role":"user","content":[]}]"#, false),
            (r#""just a text""#, true),
            (r#"[{"type":"message","role":"user","content":[{"type":"input_text","text":"a"}]}]"#, true),
            (r#"[{"role":"user","content":"a"},{"type":"function_call_output","call_id":"c","output":"x"}]"#, false),
            (r#"[{"role":"user","parts":[{"text":"a"}]}]"#, true),
            (r#"[{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]"#, false),
            (r#"[{"role":"user","parts":[{"function_response":{"name":"f","response":{}}}]}]"#, false),
            (r"[]", false),
            (r"[1, 2]", false),
            (r#"["a}"]"#, false),
            (r"{}", false),
            (r"null", false),
        ] {
            assert_eq!(person(turns).is_some(), spoke, "{turns}");
        }
    }

    #[test]
    fn the_last_element_is_found_from_behind() {
        for last in [
            r#"{"a":"\\"}"#,
            r#"{"a":"\\\"}{"}"#,
            r#"{"a":"}]","b":[{"c":"[{"}, {}]}"#,
            r#"{ "text" : "\u0022 ä ] } \\\\" }"#,
            "{}",
        ] {
            for before in ["", r#"{"a":"x"}, "#, r#"{"a":"{[\""},"#] {
                assert_eq!(last_element(&format!("[ {before}{last} ]\n")), Some(last), "{before} {last}");
            }
        }
    }

    #[test]
    fn a_longer_conversation_is_another_request() {
        let mark =
            |text: &str| ask(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#)).mark;
        assert_eq!(mark("abc"), mark("abc"));
        assert_ne!(mark("abc"), mark("abd"));
        assert_ne!(mark(&"x".repeat(TAIL_BYTES)), mark(&"x".repeat(TAIL_BYTES + 1)));
    }
}
