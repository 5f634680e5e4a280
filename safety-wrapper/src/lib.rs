//! The gate: judging, approving, running and recording one tool call.
//!
//! * **Owns**: the hook API ([`hook_router`]), the way of one call through [`Gate`] (bytes → `Action` → `Decision` → permit →
//!   run → record), approvals and their documents, the [`runner`] process with its sandbox, the hash-chained [`audit`] log,
//!   and the closed states of the machine ([`PostureBook`]). All of it lies in one SQLite file, `gate.db`, so that "claimed"
//!   and its audit row are one transaction.
//! * **Flows through it**: proposed calls of agents, decisions of people, results of runs; activity rows for the live view.
//! * **Never hears of**: the hub and its wire, LLM formats, the vault's file. Signatures of hub decisions are verified by
//!   whoever calls [`Gate::decide_approval`]; what a passkey signed is verified here.

pub mod answer;
pub mod approval;
pub mod audit;
pub mod call;
mod gate;
mod halt;
mod hooks;
pub mod passkey;
mod posture;
pub mod runner;
mod store;
mod walls;

pub use answer::Answer;
pub use approval::{
    Approval, ApprovalFilter, ApprovalState, NotGranted, Origin, Progress, Ruling, RulingError, Verdict,
};
pub use call::{CallKey, CallResult, RunStatus};
pub use gate::{
    AfterToolCall, BoundLease, BoundStart, EgressNote, Executed, Gate, GateError, GateParts, GivenBy, KnownGrant,
    Lease, Leash, LlmOutput, LockEvent, ModelCall, News, OpenError, Outgoing, OutgoingAnswer, PassedBy, Printed,
    Proposal, Records, RedactRequest, Resumed, ReviewError, RevokeError, RunnerCommand, SessionEnd, SessionStart,
    SessionStarted, Subagents, VaultChange,
};
pub use halt::{Hold, Holder, Moved, Order, Standing};
pub use hooks::{Caller, hook_router, serve_hooks};
pub use passkey::{KnownPasskey, NotProven, PasskeyError, PasskeyOffer, PasskeyState};
pub use posture::PostureBook;
pub use runner::Sandbox;
pub use store::activity::ActivityRow;
pub use store::subagents::Subagent;
pub use walls::{Walls, WallsBook};
