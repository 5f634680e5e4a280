//! The request's body: its head read once, and the splices that keep every other byte.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Largest request body, in bytes; Anthropic's own limit.
pub const BODY_BYTES: usize = 32 * 1024 * 1024;

/// What the gateway reads of a body, with the places of what it may splice.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) model: String,
    pub(crate) streams: bool,
    model_at: Range<usize>,
    stream_options: Option<Range<usize>>,
    /// Place of the closing brace.
    end: usize,
}

/// The body is not a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidBody {
    #[error("the body must be one JSON object")]
    NotAnObject,
    #[error("the body must name a model, as a string")]
    NoModel,
    #[error("`stream` must be true or false")]
    Stream,
    /// Readers differ in which of two equal keys counts, so a gate must not choose.
    #[error("the key `{0}` stands twice in the body")]
    Twice(&'static str),
}

impl Head {
    /// Reads the top level; values that do not matter here are only passed over.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, InvalidBody> {
        let TopLevel { model, stream, stream_options } =
            serde_json::from_slice(body).map_err(|_| InvalidBody::NotAnObject)?;
        let model = single(model, "model")?.ok_or(InvalidBody::NoModel)?;
        let streams = match single(stream, "stream")?.map(RawValue::get) {
            Some("true") => true,
            Some("false" | "null") | None => false,
            Some(_) => return Err(InvalidBody::Stream),
        };
        let end = body.iter().rposition(|byte| *byte == b'}').ok_or(InvalidBody::NotAnObject)?;
        Ok(Self {
            model: serde_json::from_str(model.get()).map_err(|_| InvalidBody::NoModel)?,
            streams,
            model_at: place(body, model),
            stream_options: single(stream_options, "stream_options")?.map(|raw| place(body, raw)),
            end,
        })
    }
}

/// One change: these bytes instead of those.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Splice {
    at: Range<usize>,
    with: String,
}

/// The splice that asks for `model` instead, if it is another.
pub(crate) fn rename(head: &Head, model: &str) -> Option<Splice> {
    (head.model != model)
        .then(|| Splice { at: head.model_at.clone(), with: serde_json::Value::from(model).to_string() })
}

/// The splice that asks an `OpenAI` stream for its usage, if it did not ask itself. `None` also where `stream_options` has a
/// shape we do not know: the provider answers that.
pub(crate) fn ask_for_usage(head: &Head, body: &[u8]) -> Option<Splice> {
    const ASK: &str = r#""include_usage":true"#;
    if !head.streams {
        return None;
    }
    let Some(at) = head.stream_options.clone() else {
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

fn single<'a>(found: Vec<&'a RawValue>, key: &'static str) -> Result<Option<&'a RawValue>, InvalidBody> {
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err(InvalidBody::Twice(key)),
    }
}

#[derive(Default)]
struct TopLevel<'a> {
    model: Vec<&'a RawValue>,
    stream: Vec<&'a RawValue>,
    stream_options: Vec<&'a RawValue>,
}

impl<'de> Deserialize<'de> for TopLevel<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut found = Self::default();
        each_member(from, |key, value| match key {
            "model" => found.model.push(value),
            "stream" => found.stream.push(value),
            "stream_options" => found.stream_options.push(value),
            _ => {}
        })?;
        Ok(found)
    }
}

struct Options<'a> {
    include_usage: Vec<&'a RawValue>,
    empty: bool,
}

impl<'de> Deserialize<'de> for Options<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut found = Self { include_usage: Vec::new(), empty: true };
        each_member(from, |key, value| {
            found.empty = false;
            if key == "include_usage" {
                found.include_usage.push(value);
            }
        })?;
        Ok(found)
    }
}

/// Shows each member of an object, keys decoded, equal keys included.
fn each_member<'de, D: Deserializer<'de>>(from: D, show: impl FnMut(&str, &'de RawValue)) -> Result<(), D::Error> {
    struct Members<F>(F);
    impl<'de, F: FnMut(&str, &'de RawValue)> Visitor<'de> for Members<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<(), M::Error> {
            while let Some(key) = map.next_key::<Key<'de>>()? {
                let value = map.next_value::<&'de RawValue>()?;
                (self.0)(&key.0, value);
            }
            Ok(())
        }
    }
    from.deserialize_map(Members(show))
}

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_is_refused() {
        for (body, want) in [
            ("", InvalidBody::NotAnObject),
            ("[]", InvalidBody::NotAnObject),
            ("{\"model\":\"m\"} x", InvalidBody::NotAnObject),
            ("{\"model\":\"m\",}", InvalidBody::NotAnObject),
            ("{}", InvalidBody::NoModel),
            ("{\"model\":1}", InvalidBody::NoModel),
            ("{\"model\":\"m\",\"stream\":1}", InvalidBody::Stream),
            ("{\"model\":\"m\",\"model\":\"n\"}", InvalidBody::Twice("model")),
            ("{\"model\":\"m\",\"mod\\u0065l\":\"n\"}", InvalidBody::Twice("model")),
            ("{\"model\":\"m\",\"stream\":true,\"stream\":false}", InvalidBody::Twice("stream")),
        ] {
            assert_eq!(Head::parse(body.as_bytes()).expect_err(body), want, "{body}");
        }
    }

    #[test]
    fn only_the_spliced_bytes_change() {
        const ASKED: &str = r#""include_usage":true"#;
        for (body, want) in [
            (r#" { "model" : "m" , "n":1.0e1 } "#.to_owned(), r#" { "model" : "up" , "n":1.0e1 } "#.to_owned()),
            (
                r#"{"model":"\u006d","stream":true }"#.to_owned(),
                format!(r#"{{"model":"up","stream":true ,"stream_options":{{{ASKED}}}}}"#),
            ),
            (
                r#"{"stream":true,"stream_options":{},"model":"m"}"#.to_owned(),
                format!(r#"{{"stream":true,"stream_options":{{{ASKED}}},"model":"up"}}"#),
            ),
            (
                r#"{"stream_options":{ "x":1},"stream":true,"model":"m"}"#.to_owned(),
                format!(r#"{{"stream_options":{{{ASKED}, "x":1}},"stream":true,"model":"up"}}"#),
            ),
            (
                r#"{"stream_options":{"include_usage": false},"stream":true,"model":"m"}"#.to_owned(),
                r#"{"stream_options":{"include_usage": true},"stream":true,"model":"up"}"#.to_owned(),
            ),
            (
                r#"{"stream_options":null,"stream":true,"model":"m"}"#.to_owned(),
                format!(r#"{{"stream_options":{{{ASKED}}},"stream":true,"model":"up"}}"#),
            ),
            (
                r#"{"stream_options":{"include_usage":true},"stream":true,"model":"up"}"#.to_owned(),
                r#"{"stream_options":{"include_usage":true},"stream":true,"model":"up"}"#.to_owned(),
            ),
        ] {
            let head = Head::parse(body.as_bytes()).expect(&body);
            let changes = [rename(&head, "up"), ask_for_usage(&head, body.as_bytes())];
            let out = splice(Cow::Borrowed(body.as_bytes()), changes.into_iter().flatten());
            assert_eq!(String::from_utf8_lossy(&out), want);
        }
    }
}
