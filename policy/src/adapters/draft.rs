//! An adapter as a person writes it: one that we ship with what is the tenant's own, or a whole one.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Adapter, Auth, Tool, shipped};

/// What stands in a policy.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdapterDraft {
    /// One that we ship: `stripe`. Absent: all is said here.
    pub stack: Option<String>,
    /// As in [`Adapter`]; two of one stack need different ones.
    pub id: Option<String>,
    /// As in [`Adapter`].
    pub title: Option<String>,
    /// As in [`Adapter`].
    pub source: Option<String>,
    /// As in [`Adapter`]; needed for what a tenant hosts itself.
    pub base_url: Option<String>,
    /// As in [`Adapter`].
    pub auth: Option<Auth>,
    /// As in [`Adapter`]; added to those of the stack.
    pub headers: BTreeMap<String, String>,
    /// Names of the stack's tools that are wanted; all when absent.
    pub only: Option<Vec<String>>,
    /// As in [`Adapter`]; added to those of the stack.
    pub tools: Vec<Tool>,
}

/// Why a draft is no adapter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// We ship none of that name.
    #[error("there is no stack {0:?} with an adapter; there are {known}", known = shipped::names().join(", "))]
    NoStack(String),
    /// Something is not said.
    #[error("adapter {id:?} needs {what}")]
    Missing {
        /// Which adapter.
        id: String,
        /// What it lacks.
        what: &'static str,
    },
    /// The stack has no such tool.
    #[error("adapter {id:?} has no tool {tool:?}")]
    NoTool {
        /// Which adapter.
        id: String,
        /// What `only` names.
        tool: String,
    },
}

impl AdapterDraft {
    /// The whole adapter. [`mod@super::check`] says whether it is sound.
    ///
    /// # Errors
    /// [`DraftError`].
    pub fn resolve(self) -> Result<Adapter, DraftError> {
        let base = match &self.stack {
            Some(name) => shipped::find(name).ok_or_else(|| DraftError::NoStack(name.clone()))?,
            None => Self::default(),
        };
        let id = self.id.or(base.id).or(self.stack).unwrap_or_default();
        let missing = |what| DraftError::Missing { id: id.clone(), what };
        let mut tools = base.tools;
        if let Some(only) = &self.only {
            if let Some(tool) = only.iter().find(|name| !tools.iter().any(|tool| tool.name == **name)) {
                return Err(DraftError::NoTool { id, tool: tool.clone() });
            }
            tools.retain(|tool| only.contains(&tool.name));
        }
        tools.extend(self.tools);
        let mut headers = base.headers;
        headers.extend(self.headers);
        Ok(Adapter {
            title: self.title.or(base.title).ok_or_else(|| missing("a title"))?,
            source: self.source.or(base.source).ok_or_else(|| missing("a source: where its API is described"))?,
            base_url: self.base_url.or(base.base_url).ok_or_else(|| missing("a base_url: where this tenant's is"))?,
            auth: self.auth.or(base.auth).unwrap_or_default(),
            headers,
            tools,
            id,
        })
    }
}
