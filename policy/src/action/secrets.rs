//! Where a call refers to stored secrets.

use std::fmt;

use wardkeep_proto::ids::SecretName;

use super::{Action, Call};
use crate::adapters::Auth;

/// Opens a reference.
const OPEN: &str = "SECRET_REF(";

/// One reference to a stored secret, in a place where a value may be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    /// Which secret.
    pub name: SecretName,
    /// Where its value goes.
    pub place: Place,
}

/// Where in a call a reference stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Value of this environment variable.
    Env(String),
    /// Standard input of the program.
    Stdin,
    /// Value of this HTTP header.
    Header(String),
    /// Body of the HTTP request.
    Body,
    /// The credentials of an adapter: put there by the policy, not by the agent.
    Auth,
    /// Shell text: others can read it in the process list.
    ShellText,
    /// An argument of a program: others can read it in the process list.
    Argv,
    /// The path of a file.
    Path,
    /// A URL: it ends in logs.
    Url,
    /// A header's or variable's name, or another place where no value belongs.
    Name,
    /// The content of a file or message: the agent or a third party would read it.
    Content,
    /// An argument of a tool that Wardkeep does not know, or of an adapter, which has its own credentials.
    Argument,
}

impl Place {
    /// Whether a value may be put there.
    #[must_use]
    pub const fn is_fit(&self) -> bool {
        matches!(self, Self::Env(_) | Self::Stdin | Self::Header(_) | Self::Body | Self::Auth)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::Stdin => f.write_str("standard input"),
            Self::Header(name) => write!(f, "the header {name}"),
            Self::Body => f.write_str("the request body"),
            Self::Auth => f.write_str("the adapter's credentials"),
            Self::ShellText => f.write_str("shell text"),
            Self::Argv => f.write_str("a program's argument"),
            Self::Path => f.write_str("a path"),
            Self::Url => f.write_str("a URL"),
            Self::Name => f.write_str("a name"),
            Self::Content => f.write_str("content that somebody reads"),
            Self::Argument => f.write_str("an argument of a tool"),
        }
    }
}

/// A reference stands where no value may be put, or is misspelt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MisplacedRef {
    /// Well written, wrong place.
    #[error("SECRET_REF({name}) stands in {place}; put it into env, stdin, a header or the request body")]
    Unfit {
        /// Which secret.
        name: SecretName,
        /// Where it stands.
        place: Place,
    },
    /// `SECRET_REF(` without a proper name and closing parenthesis.
    #[error("a SECRET_REF in {place} is misspelt; write SECRET_REF(name), name being a-z, 0-9 and _")]
    Misspelt {
        /// Where it stands.
        place: Place,
    },
}

/// Every reference in `text` with its byte range; `Err` at the offset of a misspelt one.
///
/// What resolves values uses this too, so that both see the same references.
pub fn refs_in(text: &str) -> impl Iterator<Item = Result<(SecretName, std::ops::Range<usize>), usize>> + '_ {
    let mut from = 0;
    std::iter::from_fn(move || {
        // Few texts have a parenthesis at all.
        let inner =
            text.get(from..)?.match_indices('(').map(|(at, _)| from + at + 1).find(|at| text[..*at].ends_with(OPEN))?;
        let start = inner - OPEN.len();
        let name = text[inner..].split_once(')').and_then(|(name, _)| name.parse::<SecretName>().ok());
        Some(match name {
            Some(name) => {
                from = inner + name.as_str().len() + 1;
                Ok((name, start..from))
            }
            None => {
                from = inner;
                Err(start)
            }
        })
    })
}

impl Action {
    /// Every reference to a stored secret with its place, in the order of the fields.
    ///
    /// # Errors
    /// [`MisplacedRef`]: a reference where no value may be put, or a misspelt one where one may. Such a call is Red and is
    /// never run.
    pub fn secret_refs(&self) -> Result<Vec<SecretRef>, MisplacedRef> {
        let mut found = Found::default();
        found.look(&self.tool, || Place::Name)?;
        if let Some(cwd) = &self.cwd {
            found.look(cwd, || Place::Path)?;
        }
        match &self.call {
            Call::Shell { command, env } => {
                found.look(command, || Place::ShellText)?;
                found.look_env(env)?;
            }
            Call::Exec { argv, stdin, env } => {
                argv.iter().try_for_each(|arg| found.look(arg, || Place::Argv))?;
                stdin.iter().try_for_each(|text| found.look(text, || Place::Stdin))?;
                found.look_env(env)?;
            }
            Call::FileRead { path } | Call::FileList { path } | Call::FileDelete { path } => {
                found.look(path, || Place::Path)?;
            }
            Call::FileWrite { path, content } => {
                found.look(path, || Place::Path)?;
                found.look(content, || Place::Content)?;
            }
            Call::Http { method, url, headers, body } => {
                found.look(method, || Place::Name)?;
                found.look(url, || Place::Url)?;
                for (name, value) in headers {
                    found.look(name, || Place::Name)?;
                    found.look(value, || Place::Header(name.clone()))?;
                }
                body.iter().try_for_each(|text| found.look(text, || Place::Body))?;
            }
            Call::Message { channel, to, subject, body } => {
                for text in std::iter::once(channel).chain(to).chain(subject).chain([body]) {
                    found.look(text, || Place::Content)?;
                }
            }
            Call::Adapter { title: _, args, request, to: _ } => {
                // Whatever becomes of the arguments, a reference in them would be sent as text, or resolved for the agent.
                found.look_json(args)?;
                found.look_auth(&request.auth)?;
            }
            Call::Container { image, id: _, argv, env, workspace: _, workdir } => {
                found.look(image, || Place::Name)?;
                argv.iter().try_for_each(|arg| found.look(arg, || Place::Argv))?;
                workdir.iter().try_for_each(|path| found.look(path, || Place::Path))?;
                found.look_env(env)?;
            }
            Call::Other { args } => found.look_json(args)?,
        }
        Ok(found.0)
    }
}

#[derive(Default)]
struct Found(Vec<SecretRef>);

impl Found {
    fn look(&mut self, text: &str, place: impl Fn() -> Place) -> Result<(), MisplacedRef> {
        for found in refs_in(text) {
            let place = place();
            match found {
                Ok((name, _)) if place.is_fit() => self.0.push(SecretRef { name, place }),
                Ok((name, _)) => return Err(MisplacedRef::Unfit { name, place }),
                // Elsewhere it is just text that looks similar: nothing will be put there.
                Err(_) if place.is_fit() => return Err(MisplacedRef::Misspelt { place }),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn look_env(&mut self, env: &std::collections::BTreeMap<String, String>) -> Result<(), MisplacedRef> {
        env.iter().try_for_each(|(name, value)| {
            self.look(name, || Place::Name)?;
            self.look(value, || Place::Env(name.clone()))
        })
    }

    fn look_auth(&mut self, auth: &Auth) -> Result<(), MisplacedRef> {
        let mut named = |name: &SecretName| self.0.push(SecretRef { name: name.clone(), place: Place::Auth });
        match auth {
            Auth::None => Ok(()),
            Auth::Header { value, .. } | Auth::Query { value, .. } => {
                named(&value.0);
                Ok(())
            }
            Auth::Basic { user, password } => {
                named(&password.0);
                self.look(user, || Place::Auth)
            }
        }
    }

    fn look_json(&mut self, value: &serde_json::Value) -> Result<(), MisplacedRef> {
        match value {
            serde_json::Value::String(text) => self.look(text, || Place::Argument),
            serde_json::Value::Array(items) => items.iter().try_for_each(|item| self.look_json(item)),
            serde_json::Value::Object(map) => map.iter().try_for_each(|(key, item)| {
                self.look(key, || Place::Argument)?;
                self.look_json(item)
            }),
            _ => Ok(()),
        }
    }
}
