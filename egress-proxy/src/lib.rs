//! The LLM gateway, the one way from an agent to a model, and the forward proxy, the one way from its tools to anything else.
//!
//! * **Owns**: the forward proxy ([`serve_forward`]); the gateway on loopback ([`serve`]), the request's way through it (who
//!   asks, may they, redaction, key injection), the relay of the answer, the metering of tokens
//!   ([`Meter`]) and the budgets that end them ([`Stop`]).
//! * **Flows through it**: an agent's request in one of the APIs of Anthropic, `OpenAI` or Gemini → refusal, or
//!   the same bytes without secrets → the provider → its answer byte for byte → usage → an hourly bucket.
//! * **Never hears of**: the hub, tool calls and their gates, the vault's file.
//!
//! What was not redacted reaches the provider as the agent wrote it; only what names the model, asks for usage or suits
//! the provider is spliced. Every refusal is a document of the caller's dialect. Nothing here prints, logs or answers a value
//! of the vault.

mod api;
mod attachments;
mod auth;
mod body;
mod budget;
mod client;
mod exchange;
mod forward;
mod frames;
mod gate_memory;
mod gateway;
mod headers;
mod leash;
mod memo;
mod meter;
mod models;
mod multipart;
mod outline;
mod prefix;
mod prepare;
mod price;
mod references;
mod refusal;
mod relay;
mod request;
mod routing;
mod server;
mod sheaf;
mod signs;
mod sse;
mod strict;
mod trace;
mod translate;
mod usage;
mod withhold;
mod within;

#[cfg(test)]
mod tests;

pub use budget::{Amount, Cap, Over, Reason, Reports, Stop};
pub use client::{Roots, RootsError};
pub use forward::{
    EgressLedger, EgressOutcome, EgressRecord, Forward, ForwardError, ForwardParts, ForwardTimeouts, Lookup,
    NotRecorded, Recording, Resolver, SystemResolver, serve_forward,
};
pub use gate_memory::{Answering, Bypass, Decisions, Past, Unanswered, Why};
pub use gateway::{Gateway, LeaseBook, Parts, PostureSource, Timeouts};
pub use leash::Leash;
pub use meter::{
    Admission, Admitted, Amounts, Bucket, BucketKey, By, Line, Meter, MeterError, NotAdmitted, Run, Settlement, Total,
};
pub use prefix::PrefixChange;
pub use price::Cost;
pub use request::BODY_BYTES;
pub use routing::{CoolingKey, ProviderState};
pub use server::{serve, serve_apart};
pub use trace::Trace;
pub use usage::Usage;
