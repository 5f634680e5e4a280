//! The request's body: its head read once, and the splices that keep every other byte.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use wardkeep_policy::bundle::llm::BodyRules;
use wardkeep_redaction::{ALL_OF_REST, Finding};

pub(crate) mod server_tools;
pub(crate) mod spelling;

use spelling::{folded, same};

/// Largest request body, in bytes; Anthropic's own limit.
pub const BODY_BYTES: usize = 32 * 1024 * 1024;

/// Members of the top level that are looked at; no API has a tenth of that.
pub(crate) const MEMBERS: usize = 1024;
/// Models that one body may name, in a batch.
const MODELS: usize = 4096;

/// What the gateway reads of a body, with the places of what it may splice.
#[derive(Debug)]
pub(crate) struct Head {
    /// The model that the body asks for, if it names one.
    pub(crate) model: Option<String>,
    pub(crate) streams: bool,
    members: Vec<Member>,
    /// Place of the closing brace.
    end: usize,
}

/// One member of the top level.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Where its name begins, quote included.
    pub(crate) start: usize,
    pub(crate) value: Range<usize>,
}

/// The body is not a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidBody {
    #[error("the body must be one JSON object in UTF-8; send it through a client library")]
    NotAnObject,
    #[error("the body must name a model, as a string")]
    NoModel,
    #[error("`stream` must be true or false")]
    Stream,
    /// Readers differ in which of two equal keys counts, so a gate must not choose.
    #[error("the key `{0}` stands twice in the body; send it once")]
    Twice(&'static str),
    #[error("a key stands twice in the body, or in two spellings that some readers take for one; send each key once")]
    Again,
    #[error("the body has more than {MEMBERS} members; send fewer")]
    TooMany,
    #[error("the body names another model than the address; ask for one model at a time")]
    OtherModel,
    /// Readers differ in whether it means something.
    #[error("`{0}` is no name of this API; write it in small letters")]
    Spelling(String),
    #[error("`{0}` would lead around this server's policy; leave it out")]
    Forbidden(String),
    /// Whoever asks so is answered at once with nothing, and what was used is told to nobody who comes by here.
    #[error("with `background` an answer is made later, where nobody here can count it; leave it out")]
    Later,
    #[error(
        "the provider would run `{0}` by itself, past the gate; leave that tool out, or have the policy name it in the provider's `server_tools`"
    )]
    ServerTool(String),
    #[error("`tools` must be a list of objects")]
    Tools,
    /// A member, and what it may be.
    #[error(
        "`{0}` may only be {1} at this provider: the policy's prices are for these; leave it out, or have `only` of the provider's `body` name more"
    )]
    Dearer(String, String),
}

impl Head {
    /// Reads the top level; values that do not matter here are only passed over.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, InvalidBody> {
        let mut members = Vec::new();
        let mut too_many = false;
        let mut reader = serde_json::Deserializer::from_slice(body);
        let read = each_member(&mut reader, |name, key, value| {
            if members.len() == MEMBERS {
                too_many = true;
            } else {
                members.push(Member {
                    name: name.to_owned(),
                    start: place(body, key).start,
                    value: place(body, value),
                });
            }
        });
        read.and_then(|()| reader.end()).map_err(|_| InvalidBody::NotAnObject)?;
        if too_many {
            return Err(InvalidBody::TooMany);
        }
        Self::of(members, body)
    }

    /// From the members that a reader found.
    pub(crate) fn of(members: Vec<Member>, body: &[u8]) -> Result<Self, InvalidBody> {
        let end = body.iter().rposition(|byte| *byte == b'}').ok_or(InvalidBody::NotAnObject)?;
        let mut head = Self { model: None, streams: false, members, end };
        let model = head.single("model")?.map(|model| serde_json::from_slice(&body[model.value.clone()]));
        let model = model.transpose().map_err(|_| InvalidBody::NoModel)?;
        let streams = match head.single("stream")?.map(|stream| &body[stream.value.clone()]) {
            Some(b"true") => true,
            Some(b"false" | b"null") | None => false,
            Some(_) => return Err(InvalidBody::Stream),
        };
        head.single("stream_options")?;
        if head.any_again() {
            return Err(InvalidBody::Again);
        }
        (head.model, head.streams) = (model, streams);
        Ok(head)
    }

    /// The same of the body after redaction, where that did not change what was read: no name, no model.
    pub(crate) fn shifted(&self, before: &[u8], after: &[u8], findings: &[Finding]) -> Option<Self> {
        let mut moves = Vec::with_capacity(findings.len());
        let mut at = 0_isize;
        for finding in findings {
            let end = finding.start + finding.len;
            let there = after.get(finding.start.checked_add_signed(at)?..)?;
            let put = placeholder(there, finding)?;
            at += put.cast_signed() - finding.len.cast_signed();
            moves.push((finding.start, end, at));
        }
        if before.len().checked_add_signed(at)? != after.len() {
            return None;
        }
        let place = |at: usize| {
            let next = moves.partition_point(|(_, end, _)| *end <= at);
            // In the middle of one.
            let inside = moves.get(next).is_some_and(|(start, ..)| *start < at);
            let by = next.checked_sub(1).map_or(0, |last| moves[last].2);
            if inside { None } else { at.checked_add_signed(by) }
        };
        let whole = |from: usize, to: usize| !moves.iter().any(|(start, end, _)| *start < to && *end > from);
        let mut members = Vec::with_capacity(self.members.len());
        for Member { name, start, value } in &self.members {
            let read = matches!(name.as_str(), "model" | "stream" | "stream_options");
            if !whole(*start, if read { value.end } else { value.start }) {
                return None;
            }
            let value = place(value.start)?..place(value.end)?;
            members.push(Member { name: name.clone(), start: place(*start)?, value });
        }
        Some(Self { model: self.model.clone(), streams: self.streams, members, end: place(self.end)? })
    }

    fn single(&self, name: &'static str) -> Result<Option<&Member>, InvalidBody> {
        let mut found = self.members.iter().filter(|member| member.name == name);
        let first = found.next();
        if found.next().is_some() { Err(InvalidBody::Twice(name)) } else { Ok(first) }
    }

    /// Whether a name stands there twice for any reader.
    fn any_again(&self) -> bool {
        const FEW: usize = 24;
        let names = || self.members.iter().map(|member| member.name.as_str());
        if self.members.len() <= FEW {
            return names().enumerate().any(|(at, name)| names().take(at).any(|other| same(other, name)));
        }
        let mut names: Vec<String> = names().map(|name| folded(name).collect()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// The names of the top level and where their values stand.
    pub(crate) fn members(&self) -> impl DoubleEndedIterator<Item = (&str, Range<usize>)> {
        self.members.iter().map(|member| (member.name.as_str(), member.value.clone()))
    }

    fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

/// The length of what stands in the place of a finding; `there` begins with it.
fn placeholder(there: &[u8], finding: &Finding) -> Option<usize> {
    if finding.rule == "rest" {
        return Some(if there.starts_with(ALL_OF_REST.as_bytes()) { ALL_OF_REST.len() } else { 0 });
    }
    let (text, len) = match &finding.name {
        Some(name) => (&b"SECRET_REF("[..], "SECRET_REF()".len() + name.len()),
        None => (&b"[REDACTED:"[..], "[REDACTED::xxxx]".len() + finding.rule.len()),
    };
    // A number becomes a text.
    match there.strip_prefix(b"\"") {
        Some(inner) => inner.starts_with(text).then_some(len + 2),
        None => there.starts_with(text).then_some(len),
    }
}

/// One change: these bytes instead of those.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Splice {
    pub(crate) at: Range<usize>,
    pub(crate) with: String,
}

/// The splice that asks for `model` instead, if it is another.
pub(crate) fn rename(head: &Head, model: &str) -> Option<Splice> {
    let named = head.member("model").filter(|_| head.model.as_deref() != Some(model))?;
    Some(Splice { at: named.value.clone(), with: json_text(model) })
}

/// The splices that ask for `upstream` wherever a Gemini body names `asked`; any other model is refused, since the
/// address alone was compared with the policy.
pub(crate) fn rename_inner(body: &[u8], asked: &str, upstream: &str) -> Result<Vec<Splice>, InvalidBody> {
    let mut places = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let mut within = |value: &RawValue| -> Result<(), serde_json::Error> {
        each_member(&mut serde_json::Deserializer::from_str(value.get()), |name, _, value| {
            if name == "model" && places.len() <= MODELS {
                places.push(place(body, value));
            }
        })
    };
    let mut top = Vec::new();
    let read = each_member(&mut reader, |name, _, value| match name {
        "model" => top.push(place(body, value)),
        // Both spellings are read by ProtoJSON.
        "generateContentRequest" | "generate_content_request" | "embedContentRequest" | "embed_content_request"
            if value.get().starts_with('{') =>
        {
            let _ = within(value);
        }
        "requests" if value.get().starts_with('[') => {
            let _ = each_element(&mut serde_json::Deserializer::from_str(value.get()), |one| {
                if one.get().starts_with('{') {
                    let _ = within(one);
                }
            });
        }
        _ => {}
    });
    read.map_err(|_| InvalidBody::NotAnObject)?;
    places.append(&mut top);
    if places.len() > MODELS {
        return Err(InvalidBody::TooMany);
    }
    let mut changes = Vec::new();
    for at in places {
        let named: Cow<'_, str> =
            serde_json::from_slice::<Key<'_>>(&body[at.clone()]).map_err(|_| InvalidBody::OtherModel)?.0;
        let bare = named.strip_prefix("models/").unwrap_or(&named);
        if bare != asked {
            return Err(InvalidBody::OtherModel);
        }
        if asked != upstream {
            let prefix = if bare.len() == named.len() { "" } else { "models/" };
            changes.push(Splice { at, with: json_text(&format!("{prefix}{upstream}")) });
        }
    }
    Ok(changes)
}

/// The splice that asks an `OpenAI` stream for its usage, if it did not ask itself. `None` also where `stream_options` has a
/// shape we do not know: the provider answers that.
pub(crate) fn ask_for_usage(head: &Head, body: &[u8]) -> Option<Splice> {
    const ASK: &str = r#""include_usage":true"#;
    if !head.streams {
        return None;
    }
    let Some(at) = head.member("stream_options").map(|member| member.value.clone()) else {
        return Some(Splice { at: head.end..head.end, with: format!(r#","stream_options":{{{ASK}}}"#) });
    };
    let options = body.get(at.clone())?;
    if options == b"null" {
        return Some(Splice { at, with: format!("{{{ASK}}}") });
    }
    let Options { include_usage, empty } = serde_json::from_slice(options).ok()?;
    match include_usage.as_slice() {
        [] => {
            let comma = if empty { "" } else { "," };
            Some(Splice { at: at.start + 1..at.start + 1, with: format!("{ASK}{comma}") })
        }
        [one] if one.get() != "true" => {
            let inner = place(options, one);
            Some(Splice { at: at.start + inner.start..at.start + inner.end, with: "true".to_owned() })
        }
        _ => None,
    }
}

/// Whether the caller itself asked an `OpenAI` stream for its usage.
pub(crate) fn asks_for_usage(head: &Head, body: &[u8]) -> bool {
    let options =
        head.member("stream_options").filter(|_| head.streams).and_then(|member| body.get(member.value.clone()));
    options
        .and_then(|options| serde_json::from_slice::<Options<'_>>(options).ok())
        .is_some_and(|options| matches!(options.include_usage.as_slice(), [one] if one.get() == "true"))
}

/// Refuses what would have the provider answer with a model that nobody compared with the policy: members of the top level
/// called `names`, and tools that are models themselves.
pub(crate) fn no_other_model(head: &Head, body: &[u8], names: &[&str]) -> Result<(), InvalidBody> {
    if let Some(member) = head.members.iter().find(|member| names.iter().any(|name| same(name, &member.name))) {
        return Err(InvalidBody::Forbidden(member.name.clone()));
    }
    for tools in head.members.iter().filter(|member| member.name == "tools") {
        let tools = &body[tools.value.clone()];
        // Nearly no tool has such a member: the walk is for those that may, with an escape in its name, too.
        if ![&b"\"model\""[..], b"\\u"].iter().any(|mark| memchr::memmem::find(tools, mark).is_some()) {
            continue;
        }
        let mut named = false;
        let _ = each_element(&mut serde_json::Deserializer::from_slice(tools), |tool| {
            let _ =
                each_member(&mut serde_json::Deserializer::from_str(tool.get()), |name, _, _| named |= name == "model");
        });
        if named {
            return Err(InvalidBody::Forbidden("model of a tool".to_owned()));
        }
    }
    Ok(())
}

/// Refuses what would have a model answer when nobody listens any more: its usage could not be counted.
pub(crate) fn answered_here(head: &Head, body: &[u8]) -> Result<(), InvalidBody> {
    let later = head.member("background").map(|member| &body[member.value.clone()]);
    if later.is_none_or(|later| matches!(later, b"false" | b"null")) { Ok(()) } else { Err(InvalidBody::Later) }
}

/// Members that choose a dearer tier at some provider, and what of them costs what the model's price says, unless `only` of a
/// provider's `body` knows better. Sources: <https://platform.claude.com/docs/build-with-claude/fast-mode>,
/// <https://developers.openai.com/api/docs/guides/fast-mode>, <https://platform.claude.com/docs/build-with-claude/data-residency>.
const TIERS: [(&str, &[&str]); 3] = [
    ("speed", &["standard"]),
    ("service_tier", &["auto", "default", "flex", "standard", "standard_only"]),
    ("inference_geo", &["global"]),
];

/// Refuses what costs more than the policy's prices know.
fn usual_price(head: &Head, body: &[u8], rules: &BodyRules) -> Result<(), InvalidBody> {
    for member in &head.members {
        let usual = TIERS.iter().find(|(name, _)| same(name, &member.name)).map(|(_, values)| values.to_vec());
        let named = rules.only.iter().find(|(name, _)| same(name, &member.name));
        let named = named.map(|(_, values)| values.iter().map(String::as_str).collect());
        let Some(values) = named.or(usual) else { continue };
        let text = serde_json::from_slice::<Option<Key<'_>>>(&body[member.value.clone()]);
        if !text.is_ok_and(|text| text.is_none_or(|text| values.contains(&&*text.0))) {
            return Err(InvalidBody::Dearer(member.name.clone(), values.join(", ")));
        }
    }
    Ok(())
}

/// The splices that make a body what its provider wants, see [`BodyRules`]; `lists` are members with their JSON that came
/// from headers.
pub(crate) fn adapt(
    head: &Head,
    body: &[u8],
    rules: &BodyRules,
    lists: &[(String, String)],
) -> Result<Vec<Splice>, InvalidBody> {
    if let Some(member) = head.members.iter().find(|member| rules.forbid.iter().any(|name| same(name, &member.name))) {
        return Err(InvalidBody::Forbidden(member.name.clone()));
    }
    usual_price(head, body, rules)?;
    let mut changes = Vec::new();
    let mut kept = 0;
    for (index, member) in head.members.iter().enumerate() {
        if !rules.omit.contains(&member.name) {
            kept += 1;
            continue;
        }
        // With its comma: the one before it, or while nothing is kept before it, the one behind it.
        let before = index.checked_sub(1).filter(|_| kept > 0).and_then(|before| head.members.get(before));
        let at = match (before, head.members.get(index + 1)) {
            (Some(before), _) => before.value.end..member.value.end,
            (None, Some(after)) => member.start..after.start,
            (None, None) => member.start..member.value.end,
        };
        changes.push(Splice { at, with: String::new() });
    }
    let texts = rules.add.iter().map(|(name, text)| (name, json_text(text)));
    let added = texts.chain(lists.iter().map(|(name, json)| (name, json.clone())));
    let mut with = String::new();
    for (name, value) in added.filter(|(name, _)| head.member(name).is_none()) {
        let comma = if kept > 0 || !with.is_empty() { "," } else { "" };
        with.push_str(&format!("{comma}{}:{value}", json_text(name)));
    }
    if !with.is_empty() {
        changes.push(Splice { at: head.end..head.end, with });
    }
    Ok(changes)
}

/// As a JSON string.
pub(crate) fn json_text(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// `body` with the changes made; no change, no copy.
pub(crate) fn splice<'a>(body: Cow<'a, [u8]>, changes: impl IntoIterator<Item = Splice>) -> Cow<'a, [u8]> {
    let mut changes: Vec<Splice> = changes.into_iter().collect();
    if changes.is_empty() {
        return body;
    }
    changes.sort_by_key(|change| change.at.start);
    let mut out = Vec::with_capacity(body.len() + changes.iter().map(|change| change.with.len()).sum::<usize>());
    let mut from = 0;
    for change in changes {
        out.extend_from_slice(&body[from..change.at.start]);
        out.extend_from_slice(change.with.as_bytes());
        from = change.at.end;
    }
    out.extend_from_slice(&body[from..]);
    Cow::Owned(out)
}

/// Where `part`, borrowed from `whole`, stands in it.
fn place(whole: &[u8], part: &RawValue) -> Range<usize> {
    let start = part.get().as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.get().len()
}

struct Options<'a> {
    include_usage: Vec<&'a RawValue>,
    empty: bool,
}

impl<'de> Deserialize<'de> for Options<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut found = Self { include_usage: Vec::new(), empty: true };
        each_member(from, |key, _, value| {
            found.empty = false;
            if key == "include_usage" {
                found.include_usage.push(value);
            }
        })?;
        Ok(found)
    }
}

/// Shows each member of an object: its name decoded, its name as it stands, its value. Equal names are shown each.
pub(crate) fn each_member<'de, D: Deserializer<'de>>(
    from: D,
    show: impl FnMut(&str, &'de RawValue, &'de RawValue),
) -> Result<(), D::Error> {
    struct Members<F>(F);
    impl<'de, F: FnMut(&str, &'de RawValue, &'de RawValue)> Visitor<'de> for Members<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<(), M::Error> {
            while let Some(key) = map.next_key::<&'de RawValue>()? {
                let value = map.next_value::<&'de RawValue>()?;
                let name: Key<'_> = serde_json::from_str(key.get()).map_err(serde::de::Error::custom)?;
                (self.0)(&name.0, key, value);
            }
            Ok(())
        }
    }
    from.deserialize_map(Members(show))
}

/// Shows each element of a list.
fn each_element<'de, D: Deserializer<'de>>(from: D, show: impl FnMut(&'de RawValue)) -> Result<(), D::Error> {
    struct Elements<F>(F);
    impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Elements<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<S: SeqAccess<'de>>(mut self, mut list: S) -> Result<(), S::Error> {
            while let Some(one) = list.next_element::<&'de RawValue>()? {
                (self.0)(one);
            }
            Ok(())
        }
    }
    from.deserialize_seq(Elements(show))
}

/// A string, decoded; borrowed where nothing had to be.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests;
