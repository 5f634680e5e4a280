//! The values that one request may carry to its host, and how they are written there.

use std::collections::BTreeMap;

use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::{self, SecretSource, SecretValue};

use super::destination::Destination;
use super::refused::Refused;

/// Resolved as they are met; wiped with the request.
pub(crate) struct Bound<'a> {
    secrets: &'a dyn SecretSource,
    to: &'a Destination,
    /// Plain HTTP to another machine: anybody on the way reads along.
    is_in_clear: bool,
    values: BTreeMap<SecretName, SecretValue>,
    /// Names that are not on record yet.
    news: Vec<String>,
}

/// How a value is written where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// As it is.
    Raw,
    /// As it is, and no control character.
    Header,
    /// Percent-encoded but for unreserved characters.
    Url,
    /// Escaped as in a JSON string.
    Json,
    /// Escaped as in XML text and attributes.
    Xml,
}

impl<'a> Bound<'a> {
    pub(crate) fn new(secrets: &'a dyn SecretSource, to: &'a Destination, is_in_clear: bool) -> Self {
        Self { secrets, to, is_in_clear, values: BTreeMap::new(), news: Vec::new() }
    }

    /// Asks for the value of `name`, once.
    pub(crate) fn resolve(&mut self, name: &SecretName) -> Result<(), Refused> {
        if self.values.contains_key(name) {
            return Ok(());
        }
        let to = secret::Destination::Host { host: &self.to.host, port: self.to.port };
        let value = self.secrets.resolve(name, to)?;
        if self.is_in_clear {
            return Err(Refused::SecretInClear);
        }
        self.news.push(name.to_string());
        self.values.insert(name.clone(), value);
        Ok(())
    }

    /// Whether the request brought this name itself; a mask of ours has the same look.
    pub(crate) fn has(&self, name: &SecretName) -> bool {
        self.values.contains_key(name)
    }

    /// Writes the value of `name`, which was resolved.
    pub(crate) fn write(&self, name: &SecretName, writing: Writing, out: &mut Vec<u8>) -> Result<(), Refused> {
        let Some(value) = self.values.get(name) else { return Ok(()) };
        let value = value.expose();
        match writing {
            Writing::Raw => out.extend_from_slice(value.as_bytes()),
            Writing::Header if value.bytes().any(|byte| byte.is_ascii_control()) => {
                return Err(Refused::UnfitValue(name.to_string()));
            }
            Writing::Header => out.extend_from_slice(value.as_bytes()),
            Writing::Url => value.bytes().for_each(|byte| match byte {
                b'-' | b'.' | b'_' | b'~' => out.push(byte),
                _ if byte.is_ascii_alphanumeric() => out.push(byte),
                _ => {
                    const HEX: &[u8; 16] = b"0123456789ABCDEF";
                    out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                }
            }),
            Writing::Json => {
                let quoted = zeroize::Zeroizing::new(serde_json::Value::from(value).to_string());
                out.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
            }
            Writing::Xml => value.chars().for_each(|letter| match letter {
                '&' => out.extend_from_slice(b"&amp;"),
                '<' => out.extend_from_slice(b"&lt;"),
                '>' => out.extend_from_slice(b"&gt;"),
                '"' => out.extend_from_slice(b"&quot;"),
                '\'' => out.extend_from_slice(b"&#39;"),
                _ => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
            }),
        }
        Ok(())
    }

    /// Names that were resolved since the last call, for the record.
    pub(crate) fn take_news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }
}
