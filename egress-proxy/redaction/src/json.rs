//! The walk through JSON.

use crate::engine::{Engine, RedactedBytes};

/// Deepest nesting that is scanned.
pub const JSON_DEPTH: usize = 128;
/// Largest document that is scanned, in bytes.
pub const JSON_BYTES: usize = 64 * 1024 * 1024;

/// Why a document could not be scanned. What could not be scanned does not leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unscannable {
    /// Not one complete JSON value in UTF-8.
    #[error("the body is not valid JSON (byte {at})")]
    NotJson {
        /// Offset of the first byte that does not fit.
        at: usize,
    },
    /// Nested deeper than [`JSON_DEPTH`].
    #[error("the body is nested deeper than {JSON_DEPTH} levels")]
    TooDeep,
    /// Larger than [`JSON_BYTES`].
    #[error("the body is larger than {JSON_BYTES} bytes")]
    TooLarge,
    /// A secret stands inside a block that its provider has signed.
    #[error("a block of type {kind} holds a secret and is signed; drop that block from the request")]
    Sealed {
        /// The block's `"type"`.
        kind: String,
    },
}

pub(crate) fn redact<'a>(engine: &Engine, body: &'a [u8], _sealed: &[&str]) -> Result<RedactedBytes<'a>, Unscannable> {
    if body.len() > JSON_BYTES {
        return Err(Unscannable::TooLarge);
    }
    Ok(engine.redact_bytes(body))
}
