//! The central hub: it knows every tenant, carries approvals to people, signs policy, counts usage.
//!
//! * **Owns**: organisations, tenants and their certificates, approvals, signed policy bundles, usage totals, audit
//!   checkpoints, the pages and the JSON API.
//! * **Flows through it**: *desired* down (signed bundles, decisions, commands) and *observed* up (status, activity,
//!   approvals, usage), over one link per tenant. Rows are the truth; messages only hurry.
//! * **Never hears of**: how a gate decides, what a vault holds, how a provider is called.

pub mod access;
pub mod api;
pub mod app;
pub mod audit;
pub mod auth;
pub mod background;
pub mod ca;
pub mod config;
pub mod decisions;
pub mod drafts;
pub mod enrol;
pub mod events;
pub mod install;
pub mod keys;
pub mod link;
pub mod orders;
pub mod pages;
pub mod passkeys;
pub mod policies;
pub mod reading;
pub mod reviews;
pub mod seal;
pub mod serve;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;
