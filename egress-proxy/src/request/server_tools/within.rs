//! Tools that a conversation brings with it: `additional_tools` of Responses, `tool_addition` of Messages, and whatever else
//! has a list of tools, a tool or its definition among its members.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::Key;

/// Members of the top level that are walked through.
const WALKED: [&str; 5] = ["messages", "input", "system", "contents", "systeminstruction"];
/// Members whose values are anybody's: arguments of calls, results of calls, schemas.
const FREE: [&str; 7] = ["input", "args", "arguments", "response", "parameters", "input_schema", "schema"];

/// What such a member is called, and letters that are written as escapes: no client writes those, so that they may hide it.
static MARKS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::new([r#""tool""#, r#""tools""#, r#""definition""#, r"\u004", r"\u005", r"\u006", r"\u007"]).ok()
});

pub(super) fn is_walked(name: &str) -> bool {
    WALKED.iter().any(|walked| super::same(walked, name))
}

/// Whether there may be one in `json`: reading all of a long conversation takes longer than this look.
fn may_have(json: &[u8]) -> bool {
    MARKS.as_ref().is_none_or(|marks| {
        marks.find_iter(json).any(|mark| {
            let is_name = || json[mark.end()..].trim_ascii_start().starts_with(b":");
            mark.pattern().as_usize() > 2 || is_name()
        })
    })
}

/// Shows each list of tools and each tool in `json`, with whether it is a list. What is no JSON, or too deep, is an error.
pub(super) fn each<'a>(json: &'a [u8], show: &mut dyn FnMut(&'a RawValue, bool)) -> Result<(), serde_json::Error> {
    if !may_have(json) {
        return Ok(());
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    Walk(show).deserialize(&mut reader)
}

struct Walk<'w, 'a>(&'w mut dyn FnMut(&'a RawValue, bool));

impl<'a> DeserializeSeed<'a> for Walk<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Walk<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(Key(name)) = map.next_key()? {
            match &*name {
                "tools" => (self.0)(map.next_value()?, true),
                "tool" | "definition" => (self.0)(map.next_value()?, false),
                free if FREE.contains(&free) => drop(map.next_value::<IgnoredAny>()?),
                _ => map.next_value_seed(Walk(&mut *self.0))?,
            }
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut seq: S) -> Result<(), S::Error> {
        while seq.next_element_seed(Walk(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
