//! Promises, end to end, simulators, benchmarks: sees all crates, is seen by none.
//!
//! * **Owns**: the [`simulators`] of outside parties, and the tests that attack the promises of `docs/security.md`.
//! * **Flows through it**: real processes and real sockets on loopback.
//! * **Never hears of**: production; nothing here is shipped.

pub mod matrix;
pub mod ports;
#[path = "../simulators/mod.rs"]
pub mod simulators;
pub mod story;
