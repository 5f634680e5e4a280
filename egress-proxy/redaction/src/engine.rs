//! The engine and what it answers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::json::{self, Unscannable};
use crate::rules::RuleSet;
use crate::stream::Stream;

/// One value to look for.
#[derive(Clone, Copy)]
pub struct Secret<'a> {
    /// Name as in `SECRET_REF(name)`.
    pub name: &'a str,
    /// The value; at least 8 bytes.
    pub value: &'a str,
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}, ..)", self.name)
    }
}

/// Why no engine could be built. Never contains a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// Masking so short a value would destroy ordinary text.
    #[error("the value of secret {0} is shorter than 8 bytes; choose a longer one")]
    TooShort(String),
}

/// One redacted range. Offsets are bytes of the input; the value is never in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule spoke; `vault` for a vault value.
    pub rule: String,
    /// The secret's name, for a vault value.
    pub name: Option<String>,
    /// First byte in the input.
    pub start: usize,
    /// Bytes of the input that were replaced.
    pub len: usize,
}

/// Text without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted<'a> {
    /// The input itself when nothing was found.
    pub text: Cow<'a, str>,
    /// What was replaced, in order of place.
    pub findings: Vec<Finding>,
}

/// Bytes without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactedBytes<'a> {
    /// The input itself when nothing was found.
    pub bytes: Cow<'a, [u8]>,
    /// What was replaced, in order of place.
    pub findings: Vec<Finding>,
}

/// Finds and replaces secrets. Cheap to clone; immutable.
#[derive(Clone)]
pub struct Engine {
    pub(crate) secrets: Arc<Vec<(String, String)>>,
}

impl Engine {
    /// Builds the index.
    ///
    /// `tag_key` makes the short hash of placeholders; keep it for the life of a tenant, so that equal secrets stay equal.
    ///
    /// # Errors
    /// [`BuildError::TooShort`] names the first value that is too short.
    pub fn build<'a>(
        secrets: impl IntoIterator<Item = Secret<'a>>,
        rules: &RuleSet,
        tag_key: [u8; 32],
    ) -> Result<Self, BuildError> {
        let _ = (rules, tag_key);
        let mut all = Vec::new();
        for secret in secrets {
            if secret.value.len() < 8 {
                return Err(BuildError::TooShort(secret.name.to_owned()));
            }
            all.push((secret.name.to_owned(), secret.value.to_owned()));
        }
        Ok(Self { secrets: Arc::new(all) })
    }

    /// Redacts one whole text.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Redacted<'a> {
        let RedactedBytes { bytes, findings } = self.redact_bytes(text.as_bytes());
        let text = match bytes {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        };
        Redacted { text, findings }
    }

    /// Redacts one whole sequence of bytes, text or not.
    #[must_use]
    pub fn redact_bytes<'a>(&self, input: &'a [u8]) -> RedactedBytes<'a> {
        let mut out = Vec::new();
        let mut findings = Vec::new();
        let mut at = 0;
        while at < input.len() {
            let hit =
                self.secrets.iter().filter(|(_, v)| input[at..].starts_with(v.as_bytes())).max_by_key(|(_, v)| v.len());
            if let Some((name, value)) = hit {
                out.extend_from_slice(format!("SECRET_REF({name})").as_bytes());
                findings.push(Finding {
                    rule: "vault".to_owned(),
                    name: Some(name.clone()),
                    start: at,
                    len: value.len(),
                });
                at += value.len();
            } else {
                out.push(input[at]);
                at += 1;
            }
        }
        if findings.is_empty() {
            return RedactedBytes { bytes: Cow::Borrowed(input), findings };
        }
        RedactedBytes { bytes: Cow::Owned(out), findings }
    }

    /// Redacts a JSON document: strings and keys are decoded before they are searched, changed ones are written anew, all
    /// other bytes pass as they are.
    ///
    /// # Errors
    /// [`Unscannable`]: what could not be scanned must not leave.
    pub fn redact_json<'a>(&self, body: &'a [u8]) -> Result<RedactedBytes<'a>, Unscannable> {
        json::redact(self, body, &[])
    }

    /// As [`Engine::redact_json`], but a hit inside an object whose `"type"` is one of `sealed` is refused: such blocks are
    /// signed by the provider and must come back unchanged or not at all.
    ///
    /// # Errors
    /// As above, and [`Unscannable::Sealed`].
    pub fn redact_json_sealing<'a>(&self, body: &'a [u8], sealed: &[&str]) -> Result<RedactedBytes<'a>, Unscannable> {
        json::redact(self, body, sealed)
    }

    /// Starts a stream; its output is the same for every way of cutting the input.
    #[must_use]
    pub fn stream(&self) -> Stream {
        Stream::new(self.clone())
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine(..)")
    }
}
