//! How a secret travels between the parts of one process: a value that refuses to print, asked for by destination.

use std::fmt;

use zeroize::Zeroizing;

use crate::ids::SecretName;
use crate::time::Timestamp;

/// One value of the vault in memory; wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    /// Takes the text over; the caller's copy, if any, is the caller's to wipe.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The value itself. Search for this name to see every place that opens one.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

/// One value that must be masked wherever it appears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownValue {
    /// Its name, as in `SECRET_REF(name)`.
    pub name: SecretName,
    /// The value.
    pub value: SecretValue,
    /// Comma-separated keywords: a short or common value is looked for beside one of these only. `None`: everywhere.
    pub beside: Option<String>,
}

/// Where a value is about to go; compared with the secret's bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination<'a> {
    /// A request to `host` (lower case, no port) on `port`.
    Host {
        /// Lower-case host name or address.
        host: &'a str,
        /// TCP port.
        port: u16,
    },
    /// The environment or standard input of a program started by `tool`.
    Program {
        /// Tool as the action names it, e.g. `shell`.
        tool: &'a str,
        /// File name of the resolved program, e.g. `psql`.
        program: &'a str,
    },
}

impl Destination<'_> {
    /// The binding that would allow it and nothing more, as `vault bind` takes it.
    #[must_use]
    pub fn binding(&self) -> String {
        match self {
            Self::Host { host, port } => {
                let host = if host.contains(':') { format!("[{host}]") } else { (*host).to_owned() };
                // The usual port needs no name.
                if *port == 443 { format!("host:{host}") } else { format!("host:{host}:{port}") }
            }
            Self::Program { tool, program } => format!("tool:{tool}/{program}"),
        }
    }
}

impl fmt::Display for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { host, port } => write!(f, "host {host}:{port}"),
            Self::Program { tool, program } => write!(f, "program {program} of tool {tool}"),
        }
    }
}

/// Why a value was not given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGiven {
    /// The vault has no key at the moment.
    #[error("the vault is locked")]
    Locked,
    /// No secret has this name.
    #[error("no secret is named {0}; add it with `wardkeep-agent vault set {0}`")]
    Unknown(SecretName),
    /// The secret exists but may not go there.
    #[error("secret {name} is not bound to {to}; allow it with `wardkeep-agent vault bind {name} {binding}`")]
    NotBound {
        /// Which secret.
        name: SecretName,
        /// Where it should have gone.
        to: String,
        /// What would allow it.
        binding: String,
    },
    /// Its time is over. It is still masked.
    #[error("secret {name} expired at {at}; store a new value with `wardkeep-agent vault rotate {name}`")]
    Expired {
        /// Which secret.
        name: SecretName,
        /// When.
        at: Timestamp,
    },
    /// Redaction cannot look for it, so it would leave unseen.
    #[error(
        "the value of secret {0} is too short or too common to be masked, so it is not given; choose a longer one, or name \
         words that stand before it: `wardkeep-agent vault rotate {0} --context KEYWORD`"
    )]
    Unmaskable(SecretName),
    /// The file could not be read.
    #[error("the vault cannot be read")]
    Unreadable,
}

impl NotGiven {
    /// `name` may not go `to` there.
    #[must_use]
    pub fn not_bound(name: &SecretName, to: Destination<'_>) -> Self {
        Self::NotBound { name: name.clone(), to: to.to_string(), binding: to.binding() }
    }
}

/// Whoever holds secrets, seen from a gate.
pub trait SecretSource: Send + Sync + 'static {
    /// The value of `name`, if it may go `to` there. Brings redaction up to this moment as [`Self::catch_up`] does, so that
    /// the value itself is masked, too.
    ///
    /// # Errors
    /// Every reason of [`NotGiven`].
    fn resolve(&self, name: &SecretName, to: Destination<'_>) -> Result<SecretValue, NotGiven>;

    /// Every value that must be redacted, old versions within their grace period included.
    ///
    /// # Errors
    /// [`NotGiven::Locked`] and [`NotGiven::Unreadable`].
    fn every_value(&self) -> Result<Vec<KnownValue>, NotGiven>;

    /// Brings redaction up to what is held and what the policy says at this moment: a value that was stored a moment ago is
    /// masked in whatever is judged or told from now on. Cheap when nothing changed; nothing to do for a source that never
    /// changes.
    fn catch_up(&self) {}
}

/// Who knows the local tokens by which agents name themselves to the hook API and the LLM gateway.
pub trait AgentTokens: Send + Sync + 'static {
    /// The agent that holds `token`; `None` for anything else. Compares digests, not texts.
    fn agent_of(&self, token: &str) -> Option<crate::ids::AgentName>;
}
