//! A secret by its name, spelt as everywhere.

use std::fmt;

use serde::{Deserialize, Serialize};
use wardkeep_proto::ids::SecretName;

use crate::action::refs_in;

/// `SECRET_REF(name)` and nothing beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference(pub SecretName);

/// The text is no reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a credential is written SECRET_REF(name); its value belongs into the tenant's vault")]
pub struct NoReference;

impl TryFrom<String> for Reference {
    type Error = NoReference;

    fn try_from(text: String) -> Result<Self, NoReference> {
        match refs_in(&text).next() {
            Some(Ok((name, at))) if at == (0..text.len()) => Ok(Self(name)),
            _ => Err(NoReference),
        }
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SECRET_REF({})", self.0)
    }
}
