//! Building a server in named, undoable steps; so far the first path, "bring your own server".
//!
//! * **Owns**: what an installation puts on a customer's server ([`layout`], [`mod@unit`], [`config`]), the [`step`]s that
//!   put it there, the one readable [`script`] made of them, and the [`mod@one_liner`] that an operator pastes.
//! * **Flows through it**: [`InstallParams`] in, text out. The hub serves that text under the paths named here:
//!
//! ```text
//! GET /install/<sha256>.sh                 script::render(&params)       any caller, nothing secret in it
//! GET /install/wardkeep-agent/<sha256>     the bytes of params.binaries  any caller
//! ```
//!
//! * **Never hears of**: HTML, rules, databases, who pays.
//!
//! Trust goes down one chain: the command that the hub printed pins the script's SHA-256, the script pins the binary's,
//! so neither the way of the download nor who serves it matters. The enrolment token is the only secret; it travels on
//! standard input from end to end and is never an argument, a file or part of the script.

pub mod binary;
pub mod config;
pub mod layout;
pub mod one_liner;
pub mod params;
pub mod script;
pub mod step;
pub mod unit;

pub use one_liner::one_liner;
pub use params::{InstallParams, InvalidParams, Limits};
