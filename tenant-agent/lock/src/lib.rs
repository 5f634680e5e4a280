//! What needs root: the network lock, by which users reach the daemon's doors on loopback and nothing else, and the units
//! and containers that hold permitted calls ([`runs`], [`containers`]).
//!
//! * **Owns**: the [`Plan`] (which users, which doors), the [`ruleset`] made of it, what the kernel has of it ([`listing`]),
//!   the end of connections from before ([`sockets`]),
//!   the saved wish that survives a reboot ([`lock`]), the [`helper`] that runs as root, its [`protocol`] and [`client`],
//!   the [`journal`] of what was locked, unlocked, mended and tried, and the walls of a run's unit.
//! * **Flows through it**: a few verbs down to the helper; status, numbered events and the end of each run up. What a run
//!   does goes over a socket that is only handed on.
//! * **Never hears of**: policy, agents' tokens, the hub, commands but those of containers, which the engine must be told. The helper takes its plan and the folders that runs
//!   may see from whoever starts it, never from whoever asks.

pub mod accounts;
pub mod attempts;
pub mod client;
pub mod containers;
mod file;
pub mod helper;
pub mod journal;
pub mod listing;
pub mod lock;
mod mark;
pub mod nft;
pub mod passing;
pub mod plan;
pub mod protocol;
pub mod ruleset;
pub mod runs;
pub mod sockets;

pub use client::{ClientError, ContainerLine, RunLine, ask, ask_blocking, start_container, start_run};
pub use containers::ContainerTerms;
pub use helper::{Helper, HelperError, Terms};
pub use lock::Lock;
pub use nft::Nft;
pub use plan::{Plan, PlanError, UidRange};
pub use protocol::{
    Access, Answer, ContainerOver, ContainerStart, Cut, Hidden, Limits, Request, RunStart, Shown, State, Status,
};
pub use runs::RunTerms;
pub use sockets::Sockets;
