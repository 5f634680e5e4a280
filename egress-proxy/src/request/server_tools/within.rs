//! Tools that a conversation brings with it: `additional_tools` of Responses, `tool_addition` of Messages, and whatever else
//! has a list of tools, a tool or its definition among its members.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::Key;
use crate::signs::Name;

/// Members of the top level that are walked through.
const WALKED: [&str; 5] = ["messages", "input", "system", "contents", "system_instruction"];

pub(super) fn is_walked(name: &str) -> bool {
    WALKED.iter().any(|walked| super::same(walked, name))
}

/// Shows each list of tools and each tool in `json`. What is no JSON, or too deep, is an error.
pub(super) fn each<'a>(json: &'a [u8], show: &mut dyn FnMut(&'a RawValue)) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    Walk(show).deserialize(&mut reader)
}

struct Walk<'w, 'a>(&'w mut dyn FnMut(&'a RawValue));

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
            match Name::of(name.as_bytes()) {
                Name::Tools => (self.0)(map.next_value()?),
                Name::Free => drop(map.next_value::<IgnoredAny>()?),
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
