//! Adapters: the tools of outside services, described by data.
//!
//! A tool is a name, a schema of its arguments and the one HTTP request that they fill. No argument leaves its place: a path
//! segment, a query value, a field of the body. What a call becomes is [`Call::Adapter`]: the exact arguments and the request
//! they give, credentials as references, so that digest, approval, grant and audit hold for it as for any other call.

mod check;
mod draft;
mod fill;
mod reference;
mod schema;
mod shipped;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wardkeep_proto::ids::{AgentName, SessionId};

use crate::action::{Action, Call, InvalidAction};
use crate::bundle::Bundle;
use crate::class::Class;
use crate::containers;

pub use check::{InvalidAdapter, check};
pub use draft::{AdapterDraft, DraftError};
pub use reference::Reference;
pub use schema::input_schema;
pub use shipped::shipped;

/// One service and the tools that agents have there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// Lower-case letters and digits; begins the name of each tool: `stripe` in `stripe_list_charges`.
    pub id: String,
    /// The service, for people: `Stripe`.
    pub title: String,
    /// Where its API is described.
    pub source: String,
    /// `https://host[:port][/path]`; every request goes below it.
    pub base_url: String,
    /// How it is told who asks.
    #[serde(default)]
    pub auth: Auth,
    /// Sent with each request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// What can be asked.
    pub tools: Vec<Tool>,
}

/// How a service is told who asks. Values are resolved when the request leaves, and only where they are bound to its host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// Not at all.
    #[default]
    None,
    /// A header.
    Header {
        /// Its name.
        name: String,
        /// What stands before the value: `Bearer `.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        before: String,
        /// The value.
        value: Reference,
    },
    /// `Authorization: Basic`.
    Basic {
        /// A plain name, or a reference.
        user: String,
        /// The password.
        password: Reference,
    },
    /// A value in the query, for services that know nothing better.
    Query {
        /// Its name.
        name: String,
        /// The value.
        value: Reference,
    },
}

/// One tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Lower-case letters, digits, underscores.
    pub name: String,
    /// What it does, in a few words for people: `Refund a payment`.
    pub title: String,
    /// What a model should know of it.
    pub description: String,
    /// Capitals.
    pub method: String,
    /// Below [`Adapter::base_url`]; `{name}` stands for a whole segment.
    pub path: String,
    /// The least that it counts as; rules may raise it.
    pub class: Class,
    /// Whether somebody outside receives what it sends.
    #[serde(default, skip_serializing_if = "is_false")]
    pub external: bool,
    /// Parameters that name who receives it; grants are compared with their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// What the request carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// Values that no argument changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<Fixed>,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
    /// What of the answer is given back.
    #[serde(default, skip_serializing_if = "Reply::is_plain")]
    pub reply: Reply,
}

/// The form of a request's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// An object; `as` of a parameter is the way to its field.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// One parameter as it is.
    Text {
        /// Its media type.
        media_type: String,
    },
}

/// Where a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A segment of the path.
    Path,
    /// The query.
    Query,
    /// The body.
    Body,
}

/// A value that no argument changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// Query or body.
    #[serde(rename = "in")]
    pub place: Place,
    /// As in [`Param::to`].
    #[serde(rename = "as")]
    pub to: Vec<String>,
    /// A text, a number or a truth value.
    pub value: Value,
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// As the agent names it.
    pub name: String,
    /// Where it goes.
    #[serde(rename = "in")]
    pub place: Place,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// For the model.
    pub description: String,
    /// Whether it must be given.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// The service's own name for it; several are the way into a JSON object. Its own name when empty.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// The only texts it may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    /// What a text looks like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Characters, at most; [`MAX_LENGTH`] when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Least number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// Greatest number; of a list, most entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// Each entry of a list becomes an object with this one field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<String>,
}

/// Characters of a text whose parameter names no other limit.
pub const MAX_LENGTH: u32 = 1_000;

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One line of text.
    String,
    /// Text with line ends.
    Text,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// Yes or no.
    Boolean,
    /// Several segments of a path.
    Path,
    /// Several lines of text.
    List,
}

/// What a line of text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One plain address.
    Email,
    /// `2026-11-21`.
    Date,
    /// `2026-11-21T18:00:00Z`, with any offset.
    DateTime,
    /// Letters, digits, `_`, `-`, `.`.
    Id,
}

/// What of an answer is given back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// Bytes, at most; what a run keeps at most when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u32>,
    /// Fields of a JSON answer, `data.id` within objects and lists; all of it when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
}

impl Reply {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// The request of one call, with references in place of secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterRequest {
    /// Capitals.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Fixed by the adapter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Added when it leaves.
    pub auth: Auth,
    /// What it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What of the answer is given back.
    #[serde(default, skip_serializing_if = "Reply::is_plain")]
    pub reply: Reply,
}

impl Bundle {
    /// The adapter and tool that `name` means: `stripe_list_charges`, in exactly these letters.
    #[must_use]
    pub fn adapter_tool(&self, name: &str) -> Option<(&Adapter, &Tool)> {
        find(&self.adapters, name)
    }

    /// Reads a tool call: an adapter's tool by its description, any other as [`Action::parse`] does.
    ///
    /// # Errors
    /// [`InvalidAction`], for the agent to read.
    pub fn read_action(
        &self,
        agent: AgentName,
        session: SessionId,
        tool: &str,
        args: &Value,
        cwd: Option<&str>,
    ) -> Result<Action, InvalidAction> {
        if let Some(call) = containers::read(&self.images, tool, args) {
            return Action { agent, session, tool: tool.to_owned(), call: call?, cwd: None }.within_limits();
        }
        match self.adapter_tool(tool) {
            None => Action::parse(agent, session, tool, args, cwd),
            Some((adapter, described)) => {
                let call = fill::call(adapter, described, args)?;
                Action { agent, session, tool: tool.to_owned(), call, cwd: None }.within_limits()
            }
        }
    }

    /// Whether `action` is what its tool makes of its arguments today; true of every tool that no adapter has.
    #[must_use]
    pub(crate) fn is_as_described(&self, action: &Action) -> bool {
        match (self.adapter_tool(&action.tool), &action.call) {
            (Some((adapter, tool)), Call::Adapter { args, .. }) => {
                fill::call(adapter, tool, args).as_ref() == Ok(&action.call)
            }
            (None, Call::Adapter { .. }) | (Some(_), _) => false,
            (None, Call::Container { image, id, .. }) => {
                action.tool == containers::TOOL
                    && containers::find(&self.images, image).is_some_and(|now| now.id == *id)
            }
            (None, _) => true,
        }
    }
}

/// As [`Bundle::adapter_tool`].
pub(crate) fn find<'a>(adapters: &'a [Adapter], name: &str) -> Option<(&'a Adapter, &'a Tool)> {
    // An id has no underscore: the first one ends it.
    let (id, name) = name.split_once('_')?;
    let adapter = adapters.iter().find(|adapter| adapter.id == id)?;
    Some((adapter, adapter.tools.iter().find(|tool| tool.name == name)?))
}

impl Tool {
    /// What it counts as whatever the rules say.
    #[must_use]
    pub fn floor(&self) -> Class {
        if self.external { self.class.max(Class::YellowExternal) } else { self.class }
    }
}

impl Adapter {
    /// Under which name agents call `tool`.
    #[must_use]
    pub fn name_of(&self, tool: &Tool) -> String {
        format!("{}_{}", self.id, tool.name)
    }
}

impl Param {
    /// The way to its place in query or body.
    fn way(&self) -> &[String] {
        if self.to.is_empty() { std::slice::from_ref(&self.name) } else { &self.to }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests;
