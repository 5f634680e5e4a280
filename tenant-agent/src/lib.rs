//! The daemon of one tenant, and the command line beside it.
//!
//! * **Owns**: the composition ([`daemon`]): gate, LLM gateway, forward proxy, vault, policy, put together and kept in order ([`keeper`]);
//!   the identity towards the hub ([`enrol`], [`renew`], [`identity`]); the link ([`link`]) with its spool ([`spool`]); the
//!   ledger of policy bundles ([`bundle_ledger`]); agents' local tokens; configuration; what the network lock
//!   is to do ([`egress_lock`]); the CLI and `doctor`.
//! * **Flows through it**: the desired configuration down (verified, stored, applied, reported), status, approvals,
//!   activity, usage and checkpoints up until their receipts came; decisions, whose signature is verified here.
//! * **Never hears of**: how a gate judges, how a secret is found in text, SQL, HTML, other tenants.
//!
//! Every file of the state directory is private and replaced whole. What the hub sends is trusted only as far as its
//! signature: bundles by keys that the offline root lists, decisions by the key pinned at enrolment.

pub mod against_hub;
pub mod bundle_book;
pub mod bundle_ledger;
pub mod channel;
pub mod claude_code;
pub mod cli;
pub mod config;
pub mod daemon;
mod decisions;
pub mod doctor;
pub mod egress_audit;
pub mod egress_lock;
pub mod enrol;
pub mod files;
pub mod hub_address;
pub mod identity;
pub mod keeper;
pub mod link;
pub mod lock_audit;
pub mod memory;
pub mod notify;
pub mod observed;
pub mod openclaw;
pub mod renew;
pub mod run_units;
pub mod secrets;
pub mod servers;
pub mod spool;
pub mod state;
pub mod stops;
#[cfg(test)]
mod testing;
pub mod tls;
pub mod tokens;
pub mod unix_http;
pub mod vault_audit;
pub mod walls;
#[cfg(debug_assertions)]
pub mod waypoints;
