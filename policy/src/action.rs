//! One tool call in its canonical form: what is judged, approved, stored and run.

mod parse;
mod secrets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{AgentName, SessionId};

use crate::adapters::AdapterRequest;
use crate::canonical;

pub use parse::{InvalidAction, MAX_ACTION_BYTES};
pub use secrets::{MisplacedRef, Place, SecretRef, refs_in};

/// Domain of [`Action::digest`].
const DIGEST_DOMAIN: &str = "wardkeep/action/v1";

/// One tool call of one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Who calls.
    pub agent: AgentName,
    /// In which session.
    pub session: SessionId,
    /// The tool as the agent's runtime names it; 1..=128 visible ASCII characters.
    pub tool: String,
    /// What is to be done.
    pub call: Call,
    /// Where a program would start; `None` is the agent's workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

/// What is to be done: the one door through which every tool passes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// Text for `bash -c`.
    Shell {
        /// The text.
        command: String,
        /// Added to the environment; values may hold `SECRET_REF(name)`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
    },
    /// A program with its arguments, no shell.
    Exec {
        /// Program first; at least one entry.
        argv: Vec<String>,
        /// Text for its standard input; may hold `SECRET_REF(name)`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stdin: Option<String>,
        /// Added to the environment; values may hold `SECRET_REF(name)`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
    },
    /// Gives a file's content to the agent.
    FileRead {
        /// Absolute, or below the workspace.
        path: String,
    },
    /// Lists a folder.
    FileList {
        /// Absolute, or below the workspace.
        path: String,
    },
    /// Writes a whole file.
    FileWrite {
        /// Absolute, or below the workspace.
        path: String,
        /// The whole new content.
        content: String,
    },
    /// Deletes one file; with a trailing `/` a folder and all in it. Who runs it must refuse a folder without the slash.
    FileDelete {
        /// Absolute, or below the workspace.
        path: String,
    },
    /// One HTTP request.
    Http {
        /// Upper case.
        method: String,
        /// Absolute URL.
        url: String,
        /// In order; values may hold `SECRET_REF(name)`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        headers: Vec<(String, String)>,
        /// Text of the body; may hold `SECRET_REF(name)`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
    },
    /// Something a person or another system receives.
    Message {
        /// `email`, `slack`, …
        channel: String,
        /// Every recipient, copies included.
        to: Vec<String>,
        /// Subject, where the channel has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        /// The text.
        body: String,
    },
    /// A program in a container of its own, from an image that the policy names.
    Container {
        /// The image, as the policy calls it.
        image: String,
        /// Which one that is: `sha256:` and 64 digits. What is approved is this one, whatever bears its name later.
        id: String,
        /// Program first, in place of the image's own command; empty for that.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        argv: Vec<String>,
        /// Its variables; values may hold `SECRET_REF(name)`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
        /// What it may do with the workspace.
        #[serde(default, skip_serializing_if = "Sees::is_nothing")]
        workspace: Sees,
        /// Where it starts, in the container; `None` is [`WORKSPACE`] where it sees that, else where the image says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        workdir: Option<String>,
    },
    /// A tool of an adapter: these arguments, and the request that they give.
    Adapter {
        /// What it does and where, for people.
        title: String,
        /// Its arguments.
        args: serde_json::Value,
        /// What is sent.
        request: Box<AdapterRequest>,
        /// Who receives it, for a tool whose arguments say so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Vec<String>>,
    },
    /// A tool that Wardkeep does not know.
    Other {
        /// Its arguments as they came.
        args: serde_json::Value,
    },
}

/// Where a container has the workspace.
pub const WORKSPACE: &str = "/workspace";

/// What a container may do with the workspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sees {
    /// It does not see it.
    #[default]
    Nothing,
    /// Look at it.
    Reads,
    /// Change it.
    Changes,
}

impl Sees {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

impl Action {
    /// Canonical JSON (RFC 8785): equal calls have equal bytes on every machine.
    ///
    /// Never fails for a value made by [`Action::parse`] or read by serde: it holds no number outside ±2^53, no map with keys
    /// other than text.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_value(self).and_then(|value| canonical::to_vec(&value)).expect("an action is plain JSON")
    }

    /// SHA-256 over [`Action::canonical`] in the domain `wardkeep/action/v1`.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Self::digest_of(&self.canonical())
    }

    /// The same where the canonical bytes are at hand.
    #[must_use]
    pub fn digest_of(canonical: &[u8]) -> Digest {
        Digest::of(DIGEST_DOMAIN, canonical)
    }
}
