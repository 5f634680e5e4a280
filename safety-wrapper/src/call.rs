//! One tool call as the gate keeps it: its key, its state, its result.

use std::fmt;

use serde::{Deserialize, Serialize};
use wardkeep_proto::ids::{AgentName, CallId, PermitId, SessionId};
use wardkeep_proto::time::Timestamp;

use crate::approval::Ruling;

/// Names one call for ever: who, in which session, which call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallKey {
    /// Who calls.
    pub agent: AgentName,
    /// In which session of the agent's runtime.
    pub session: SessionId,
    /// Which call of that session.
    pub call: CallId,
}

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.agent, self.session, self.call)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It did what was asked.
    Ok,
    /// It ran and failed, or could not be started; nothing is unknown.
    Failed,
    /// The runner vanished; what it did is unknown and it is never run again.
    Interrupted,
}

/// What came of a run; the output is redacted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallResult {
    /// How it ended.
    pub status: RunStatus,
    /// Of a program that ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Of an HTTP request that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// What it printed, answered or read; or why it failed.
    pub output: String,
    /// The output was longer than the cap.
    pub truncated: bool,
    /// Files that a person saw with the approval and that another one stood for, or that were written, when the run ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// From start to end, milliseconds.
    pub duration_ms: u64,
    /// Of the processor, by all it started, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// Most memory of all it started at the same time, where the kernel counts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_peak_bytes: Option<u64>,
}

/// What begins the result of a run that was killed.
const STOPPED: &str =
    "[stopped: a person stopped this agent while the call ran; what it did until then is not undone]\n";

impl CallResult {
    /// What is said of it to whoever asked for it.
    pub(crate) fn words(&self) -> String {
        let mut said = String::new();
        if let Some(status) = self.http_status.filter(|status| *status >= 400) {
            said.push_str(&format!("HTTP {status}\n"));
        }
        if let Some(code) = self.exit_code.filter(|code| *code != 0) {
            said.push_str(&format!("exit code {code}\n"));
        }
        said.push_str(&self.output);
        if self.truncated {
            said.push_str("\n[cut here: the output is longer than is kept]");
        }
        said
    }

    /// A run that failed before it did anything.
    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Self {
            status: RunStatus::Failed,
            exit_code: None,
            signal: None,
            http_status: None,
            output: why.into(),
            truncated: false,
            changed: Vec::new(),
            duration_ms: 0,
            cpu_ms: None,
            memory_peak_bytes: None,
        }
    }

    /// The same run, ended by the kill switch: what it had said until then, and no end of its own.
    pub(crate) fn stopped(self) -> Self {
        let output = format!("{STOPPED}{}", self.output);
        Self { status: RunStatus::Interrupted, exit_code: None, signal: None, output, ..self }
    }

    /// A run whose end nobody saw.
    pub(crate) fn interrupted() -> Self {
        Self {
            status: RunStatus::Interrupted,
            output:
                "The run was interrupted. What it did is unknown and it is not run again; look before you repeat it."
                    .to_owned(),
            ..Self::failed("")
        }
    }
}

/// Who carries a call out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Executor {
    /// The daemon's runner, from the stored copy.
    Runner,
    /// The agent's runtime, which reports the result: messages on its channels, tools that only it has.
    Runtime,
}

/// Where a call stands. Each state carries what only that state has; `permitted` and `approved` alone lead to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum CallState {
    /// May run now, once.
    Permitted { permit: PermitId, use_by: Timestamp },
    /// A person decides first.
    Pending { approve_by: Timestamp },
    /// A person said yes; it starts by itself.
    Approved { permit: PermitId, ruling: Ruling, use_by: Timestamp },
    /// The permit is spent; it runs, or ran. `to`: under which id the runtime was told to carry it out; an equal call that
    /// waits for the same decision is told to no other.
    Claimed {
        permit: PermitId,
        at: Timestamp,
        by: Executor,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<CallId>,
    },
    /// It ran.
    Done { permit: PermitId, result: CallResult },
    /// It ran and failed, or could not be started.
    Failed { permit: PermitId, result: CallResult },
    /// The runner vanished.
    Interrupted { permit: PermitId, result: CallResult },
    /// A rule or a person said no.
    Denied { reasons: Vec<String>, ruling: Option<Ruling> },
    /// Nobody decided in time, or it did not start in time.
    Expired { why: String },
    /// The world changed between approval and launch, or the agent was stopped.
    Superseded { why: String },
    /// The same call waits already; that one counts.
    Folded { into: CallKey },
}

impl CallState {
    /// The name in rows.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Permitted { .. } => "permitted",
            Self::Pending { .. } => "pending",
            Self::Approved { .. } => "approved",
            Self::Claimed { .. } => "claimed",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
            Self::Interrupted { .. } => "interrupted",
            Self::Denied { .. } => "denied",
            Self::Expired { .. } => "expired",
            Self::Superseded { .. } => "superseded",
            Self::Folded { .. } => "folded",
        }
    }

    /// Whether a call may go from here to `next`. The only way to change a row.
    pub(crate) const fn leads_to(&self, next: &Self) -> bool {
        matches!(
            (self, next),
            (Self::Permitted { .. }, Self::Claimed { .. } | Self::Superseded { .. } | Self::Expired { .. })
                | (
                    Self::Pending { .. },
                    Self::Approved { .. } | Self::Denied { .. } | Self::Expired { .. } | Self::Superseded { .. }
                )
                | (Self::Approved { .. }, Self::Claimed { .. } | Self::Superseded { .. } | Self::Expired { .. })
                | (Self::Claimed { .. }, Self::Done { .. } | Self::Failed { .. } | Self::Interrupted { .. })
        )
    }

    /// Whether the runtime was told to carry it out as `asked`; before ids were kept, as `own`.
    pub(crate) fn is_given_to(&self, asked: &CallId, own: &CallId) -> bool {
        matches!(self, Self::Claimed { by: Executor::Runtime, to, .. } if to.as_ref().unwrap_or(own) == asked)
    }

    /// The permit, where one was minted.
    pub(crate) const fn permit(&self) -> Option<PermitId> {
        match self {
            Self::Permitted { permit, .. }
            | Self::Approved { permit, .. }
            | Self::Claimed { permit, .. }
            | Self::Done { permit, .. }
            | Self::Failed { permit, .. }
            | Self::Interrupted { permit, .. } => Some(*permit),
            _ => None,
        }
    }

    /// The state that a result leads to.
    pub(crate) fn ended(permit: PermitId, result: CallResult) -> Self {
        match result.status {
            RunStatus::Ok => Self::Done { permit, result },
            RunStatus::Failed => Self::Failed { permit, result },
            RunStatus::Interrupted => Self::Interrupted { permit, result },
        }
    }

    /// Whether nothing will happen to it any more.
    #[cfg(test)]
    pub(crate) const fn is_final(&self) -> bool {
        !matches!(self, Self::Permitted { .. } | Self::Pending { .. } | Self::Approved { .. } | Self::Claimed { .. })
    }
}

#[cfg(test)]
mod tests;
