//! `OpenAI` Chat Completions. Source: the types of the official Python package, version 3.52.

pub(super) mod answer;
mod calls;
pub(super) mod chunks;
pub(super) mod emit;
pub(super) mod failure;
pub(super) mod messages;
pub(super) mod request;
pub(super) mod write;
