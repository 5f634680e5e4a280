//! JSON of any kind: told apart by its shape.

use serde_json::Value;
use zeroize::Zeroize as _;

use super::{Format, Found, ImportError, Namer, bitwarden, onepassword};
use crate::binding::Bindings;
use crate::export;

/// Most documents in one file: `op item get` prints one after the other.
const DOCUMENTS: usize = 10_000;

/// A document whose texts are wiped when it is dropped.
struct Wiped(Vec<Value>);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(wipe);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(all) => all.iter_mut().for_each(wipe),
        Value::Object(all) => all.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What `text` holds. `within`: it is known to come from there.
pub(super) fn read(text: &str, within: Option<Format>) -> Result<(Format, Found), ImportError> {
    let mut documents = Wiped(Vec::new());
    for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        // The parser's own words may repeat the text; the line does not.
        let format = within.unwrap_or(Format::Json);
        documents.0.push(document.map_err(|e| ImportError::Broken { format, line: e.line() })?);
        if documents.0.len() > DOCUMENTS {
            return Err(ImportError::TooMany);
        }
    }
    match &documents.0[..] {
        [] => Err(ImportError::UnknownJson),
        [Value::Array(items)] => list(items),
        [one @ Value::Object(fields)] => match () {
            () if one["passwordProtected"] == true => Err(ImportError::PasswordProtected),
            () if one["encrypted"] == true => Err(ImportError::EncryptedBitwarden),
            () if one["format"] == export::FORMAT => Ok((Format::Wardkeep, export::read(one)?)),
            () if one["accounts"].is_array() => Ok((Format::OnePassword, onepassword::export(one))),
            () if one["items"].is_array() => Ok((Format::Bitwarden, bitwarden::export(one))),
            () if within.is_some() => Err(ImportError::Broken { format: Format::OnePassword, line: 1 }),
            () if onepassword::is_item(one) => Ok((Format::OnePasswordItems, onepassword::items([one]))),
            () => Ok((Format::Json, pairs(fields.iter()))),
        },
        many if many.iter().all(onepassword::is_item) => Ok((Format::OnePasswordItems, onepassword::items(many))),
        _ => Err(ImportError::UnknownJson),
    }
}

fn list(items: &[Value]) -> Result<(Format, Found), ImportError> {
    if items.iter().all(|item| item["name"].is_string() && !item["value"].is_null()) {
        let named = items.iter().filter_map(|item| Some((item["name"].as_str()?, &item["value"])));
        return Ok((Format::Json, pairs(named)));
    }
    if items.iter().all(onepassword::is_item) {
        return Ok((Format::OnePasswordItems, onepassword::items(items)));
    }
    Err(ImportError::UnknownJson)
}

fn pairs<'a, N: AsRef<str> + 'a>(pairs: impl Iterator<Item = (N, &'a Value)>) -> Found {
    let (mut found, mut namer) = (Found::default(), Namer::default());
    for (name, value) in pairs {
        let name = name.as_ref();
        match value {
            Value::String(text) if text.is_empty() => found.skip(name, "it is empty"),
            Value::String(text) => found.items.push(namer.item(&[name], text.clone(), &Bindings::none())),
            Value::Number(number) => found.items.push(namer.item(&[name], number.to_string(), &Bindings::none())),
            Value::Null | Value::Bool(_) => found.skip(name, "it is no text"),
            Value::Array(_) | Value::Object(_) => {
                found.skip(name, "it is a list or an object; write one text for each secret")
            }
        }
    }
    found
}
