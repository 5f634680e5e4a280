//! Containers: the images that a policy names, and the call of the one tool that runs them.
//!
//! A policy gives an image a name of its own and pins it by its id, the digest of its configuration and layers. An agent says
//! the name; what is judged, approved and run is the id. The tool takes what stands in [`KNOWN`] and nothing else, so that
//! nothing of what an engine can also do is dropped silently.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wardkeep_proto::digest::Digest;

use crate::action::{Call, InvalidAction, Sees};
use crate::facts::is_name;

/// The tool that runs an image. Where a policy names no image, it is a tool like any other that is not known.
pub const TOOL: &str = "run_container";
/// Its arguments.
const KNOWN: &[&str] = &["argv", "env", "image", "workdir", "workspace"];
/// Words of a program, most.
const WORDS: usize = 700;
/// Variables, most.
const VARIABLES: usize = 200;
/// Images in one policy, most.
const IMAGES: usize = 100;

/// One image that may be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// What agents call it: 1 to 64 letters, digits and `._+-`. Secrets are bound to it by that name.
    pub name: String,
    /// `sha256:` and 64 digits: `docker image inspect --format '{{.Id}}' IMAGE`.
    pub id: String,
}

/// A bundle's images that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidImage {
    /// Of that name.
    #[error("images: {0:?} is no name: 1 to 64 letters, digits and ._+-")]
    Name(String),
    /// Not pinned.
    #[error(
        "images: the id of {name} is sha256: and 64 digits, not {id:?}; see `docker image inspect --format '{{{{.Id}}}}'`"
    )]
    Id {
        /// Whose.
        name: String,
        /// What stands there.
        id: String,
    },
    /// Which one would count?
    #[error("images: two entries for {0}")]
    Twice(String),
    /// More than anybody reads.
    #[error("images: at most {IMAGES}")]
    TooMany,
}

/// Whether the images mean something.
///
/// # Errors
/// [`InvalidImage`].
pub fn check(images: &[Image]) -> Result<(), InvalidImage> {
    if images.len() > IMAGES {
        return Err(InvalidImage::TooMany);
    }
    for (at, Image { name, id }) in images.iter().enumerate() {
        let is_sign = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
        if !(1..=64).contains(&name.len()) || !name.bytes().all(is_sign) {
            return Err(InvalidImage::Name(name.clone()));
        }
        if id.strip_prefix("sha256:").is_none_or(|digits| digits.parse::<Digest>().is_err()) {
            return Err(InvalidImage::Id { name: name.clone(), id: id.clone() });
        }
        if images[..at].iter().any(|other| other.name == *name) {
            return Err(InvalidImage::Twice(name.clone()));
        }
    }
    Ok(())
}

/// The image of that name, in exactly these letters.
#[must_use]
pub fn find<'a>(images: &'a [Image], name: &str) -> Option<&'a Image> {
    images.iter().find(|image| image.name == name)
}

/// The call that these arguments make; `None` when the tool is another one.
///
/// # Errors
/// [`InvalidAction`], for the agent to read.
pub(crate) fn read(images: &[Image], tool: &str, args: &Value) -> Option<Result<Call, InvalidAction>> {
    (tool == TOOL && !images.is_empty()).then(|| call(images, args))
}

fn call(images: &[Image], args: &Value) -> Result<Call, InvalidAction> {
    let Some(map) = args.as_object() else { return Err(InvalidAction::NotAnObject { tool: TOOL.to_owned() }) };
    if map.keys().any(|key| !KNOWN.contains(&key.as_str())) {
        return Err(InvalidAction::Unlisted { tool: TOOL.to_owned(), known: KNOWN.join(", ") });
    }
    let name: String = given(args, "image", "the name of an image")?
        .ok_or(InvalidAction::Missing { tool: TOOL.to_owned(), name: "image" })?;
    let named = || images.iter().map(|image| image.name.as_str()).collect::<Vec<_>>().join(", ");
    let image =
        find(images, &name).ok_or_else(|| refused("image", &format!("one that the policy names: {}", named())))?;
    let argv: Vec<String> = given(args, "argv", "a list of texts")?.unwrap_or_default();
    if argv.len() > WORDS {
        return Err(InvalidAction::TooLarge { what: "argv", limit: WORDS });
    }
    if argv.first().is_some_and(String::is_empty) {
        return Err(refused("argv", "a list with a program first"));
    }
    let env: BTreeMap<String, String> = given(args, "env", "an object from names to texts")?.unwrap_or_default();
    if env.len() > VARIABLES {
        return Err(InvalidAction::TooLarge { what: "env", limit: VARIABLES });
    }
    if !env.keys().all(|name| is_name(name)) {
        return Err(refused("env", "an object from names to texts"));
    }
    let workspace: Sees = given(args, "workspace", "one of nothing, reads, changes")?.unwrap_or_default();
    let workdir: Option<String> = given(args, "workdir", "a folder of the container, from / on")?;
    if workdir.as_ref().is_some_and(|path| !path.starts_with('/')) {
        return Err(refused("workdir", "a folder of the container, from / on"));
    }
    for (name, text) in argv.iter().map(|text| ("argv", text)).chain(env.values().map(|text| ("env", text))) {
        if text.contains('\0') {
            return Err(InvalidAction::ZeroByte { name });
        }
    }
    if workdir.as_ref().is_some_and(|path| path.contains('\0')) {
        return Err(InvalidAction::ZeroByte { name: "workdir" });
    }
    Ok(Call::Container { image: name, id: image.id.clone(), argv, env, workspace, workdir })
}

fn given<T: DeserializeOwned>(args: &Value, name: &str, form: &str) -> Result<Option<T>, InvalidAction> {
    match args.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value.clone()).map(Some).map_err(|_| refused(name, form)),
    }
}

fn refused(name: &str, form: &str) -> InvalidAction {
    InvalidAction::Argument { name: name.to_owned(), form: form.to_owned() }
}

#[cfg(test)]
mod tests;
