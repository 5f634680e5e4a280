//! What an agent may do: the action model, the rules, the decision, and the signed bundle that carries them.
//!
//! * **Owns**: [`action`] (one canonical tool call and its digest), [`adapters`] (tools of outside services as data), [`facts`] (what a call would do, read out of shell text,
//!   arguments and URLs), [`rules`] (typed matchers over those facts), [`classify()`], [`decide()`], [`render()`] (a call in words
//!   for people), [`bundle`] and [`signed`] (its DSSE envelope, the keys, rollback protection). `policy/default/*.toml` are
//!   the rules we ship.
//! * **Flows through it**: JSON arguments → [`Action`] → facts → [`Verdict`] → [`Decision`]. Every function is pure: the same
//!   call, bundle, posture and moment give the same answer on every machine.
//! * **Never hears of**: sockets, clocks, SQL, the file system. A path is judged by its text; who runs a call resolves it
//!   again beneath the workspace.

pub mod action;
pub mod adapters;
pub mod agents;
pub mod bundle;
pub mod canonical;
pub mod class;
pub mod classify;
pub mod compare;
pub mod containers;
pub mod decide;
pub mod facts;
pub mod jsonl;
pub mod limits;
pub mod metadata;
pub mod posture;
pub mod render;
pub mod review;
pub mod rules;
pub mod signed;

pub use action::{Action, Call, InvalidAction, MisplacedRef, Place, SecretRef};
pub use adapters::{Adapter, AdapterDraft};
pub use agents::{AgentPolicy, Grant, Subagents, Unfit, grantable};
pub use bundle::budgets::{Brake, Budget, Limit, Window};
pub use bundle::llm::{Auth, Endpoint, Framing};
pub use bundle::{
    Asking, Bundle, DatedPrice, Dialect, EgressMode, EgressRule, GateMemory, Granting, HostKind, HttpHost, LlmConfig,
    Model, Price, Provider, Tariff,
};
pub use class::{Class, Level};
pub use classify::{Fired, Verdict, classify};
pub use compare::{Difference, Effect, compare};
pub use containers::Image;
pub use decide::{Decision, Factor, decide, decide_for};
pub use limits::{RunLimits, RunRule};
pub use posture::{Closed, Posture};
pub use render::{Rendered, render};
pub use review::Review;
pub use rules::{RuleSet, default_rules};
