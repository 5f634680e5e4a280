//! Anthropic Messages. Source: the types of the official Python package, version 2.11.

pub(super) mod answer;
pub(super) mod emit;
pub(super) mod events;
pub(super) mod failure;
pub(super) mod messages;
pub(super) mod request;
pub(super) mod write;
