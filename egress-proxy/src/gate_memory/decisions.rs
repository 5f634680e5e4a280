//! What the gate is asked and told: its decisions, and results that came past it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use wardkeep_proto::ids::{AgentName, SessionId};
use wardkeep_proto::time::Timestamp;

/// An answer that the gate takes a while for.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unanswered>> + Send + 'a>>;

/// The gate could not be asked or could not record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the gate's record cannot be read or written; run `wardkeep-agent doctor`")]
pub struct Unanswered;

/// Who knows what the gate decided on.
pub trait Decisions: Send + Sync + 'static {
    /// For each of these ids: when the gate first decided on a call of `agent` under it, whatever it decided.
    fn decided<'a>(&'a self, agent: &'a AgentName, calls: &'a [String]) -> Answering<'a, Vec<Option<Timestamp>>>;

    /// On how many calls of this tool by `agent` the gate decided; for dialects without ids.
    fn decided_for<'a>(&'a self, agent: &'a AgentName, tool: &'a str) -> Answering<'a, u64>;

    /// Records results that came past the gate, and reports them.
    fn passed_by(&self, bypass: Bypass) -> Answering<'_, ()>;
}

/// Nobody decided on anything, and nobody is told.
impl Decisions for () {
    fn decided<'a>(&'a self, _: &'a AgentName, calls: &'a [String]) -> Answering<'a, Vec<Option<Timestamp>>> {
        Box::pin(std::future::ready(Ok(vec![None; calls.len()])))
    }

    fn decided_for<'a>(&'a self, _: &'a AgentName, _: &'a str) -> Answering<'a, u64> {
        Box::pin(std::future::ready(Ok(0)))
    }

    fn passed_by(&self, _: Bypass) -> Answering<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Results that came past the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bypass {
    /// Whose request.
    pub agent: AgentName,
    /// The session that holds the agent's lease.
    pub session: Option<SessionId>,
    /// The request's name in the records.
    pub request: String,
    /// Whether the request was refused.
    pub refused: bool,
    /// The first of them.
    pub results: Vec<Past>,
    /// All of them.
    pub count: usize,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The call's id, or its tool where the dialect has no ids; holds no secret.
    pub call: String,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The gate never decided on its call.
    Undecided,
    /// The gate decided, but no model asked for the call.
    Unasked,
    /// The gate decided so long ago that nobody knows any more whether a model asked for the call.
    Forgotten,
    /// Another result of the same call was handed in before.
    Replayed,
    /// It does not say whose result it is.
    Nameless,
    /// It is said to be of a tool of the provider, which never named it.
    NotOfServer,
}

impl Why {
    /// Its stable name, for records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Undecided => "undecided",
            Self::Unasked => "unasked",
            Self::Forgotten => "forgotten",
            Self::Replayed => "replayed",
            Self::Nameless => "nameless",
            Self::NotOfServer => "not-of-server",
        }
    }

    /// Whether a policy that refuses refuses it: what may be an old, honest call is only told.
    pub(super) const fn is_refused(self) -> bool {
        !matches!(self, Self::Forgotten | Self::NotOfServer)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undecided => {
                "the gate never decided on this call; ask POST /v1/hooks/before-tool-call under the same id before a tool runs, \
                 or begin a new session without this result"
            }
            Self::Unasked => "no model behind this server asked for this call; hand results in under the ids of the model",
            Self::Forgotten => "it is older than what this server remembers of the models' calls",
            Self::Replayed => "another result of this call was handed in before; hand each result in under the id of its own call",
            Self::Nameless => "it does not say of which call it is; hand it in under the call's id",
            Self::NotOfServer => "no provider behind this server said that it made this call",
        })
    }
}
