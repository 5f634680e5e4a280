//! The network lock: users under it reach the daemon's doors on loopback and nothing else, on any protocol.
//!
//! * **Owns**: the [`Plan`] (which users, which doors), the [`ruleset`] made of it, what the kernel has of it ([`listing`]),
//!   the saved wish that survives a reboot ([`lock`]), the [`helper`] that runs as root, its [`protocol`] and [`client`],
//!   and the [`journal`] of what was locked, unlocked, mended and tried.
//! * **Flows through it**: verbs without arguments down to the helper; status and numbered events up.
//! * **Never hears of**: policy, agents' tokens, HTTP, the hub. The helper takes its plan from whoever starts it, never
//!   from whoever asks.

pub mod accounts;
pub mod attempts;
pub mod client;
mod file;
pub mod helper;
pub mod journal;
pub mod listing;
pub mod lock;
pub mod nft;
pub mod plan;
pub mod protocol;
pub mod ruleset;

pub use client::{ClientError, ask};
pub use helper::{Helper, HelperError, Terms};
pub use lock::Lock;
pub use nft::Nft;
pub use plan::{Plan, PlanError, UidRange};
pub use protocol::{Answer, Request, State, Status};
