//! The token of the admin API. A run has the daemon's user id, so the kernel's word about the peer is not enough: only who
//! can read the state directory, which runs cannot, may decide and pause.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use wardkeep_proto::chance::{Chance, bytes};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::secret::SecretValue;
use zeroize::Zeroizing;

use super::admin::Refusal;
use crate::state::{read, write_private};

const DOMAIN: &str = "wardkeep/admin-token/v1";
/// Hex digits of 32 bytes.
const DIGITS: usize = 64;

/// The token's file cannot be read or made.
#[derive(Debug, thiserror::Error)]
#[error("cannot read or write the token of the admin socket, {path}")]
pub struct AdminTokenError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// What the daemon keeps of the token: enough to know it again.
#[derive(Clone, Copy)]
pub struct AdminToken(Digest);

impl AdminToken {
    /// The token in `path`. Made when it is missing, and made anew when it is none or others could have read it.
    ///
    /// # Errors
    /// [`AdminTokenError`]
    pub fn take_up(path: &Path, chance: &dyn Chance) -> Result<Self, AdminTokenError> {
        let failed = |source| AdminTokenError { path: path.to_owned(), source };
        if let Some(token) = read_token(path).map_err(failed)? {
            let mode = path.symlink_metadata().map_err(failed)?.permissions().mode();
            if mode & 0o077 == 0 && sound(token.expose()) {
                return Ok(Self::of(token.expose()));
            }
            tracing::warn!(path = %path.display(), "the token of the admin socket was damaged or readable by others; it is made anew");
        }
        let random = Zeroizing::new(bytes::<32>(chance));
        let token = SecretValue::new(HEXLOWER.encode(&*random));
        write_private(path, token.expose().as_bytes()).map_err(failed)?;
        Ok(Self::of(token.expose()))
    }

    fn of(token: &str) -> Self {
        Self(Digest::of(DOMAIN, token.as_bytes()))
    }

    /// Takes the same time whatever is presented.
    fn is(&self, presented: &str) -> bool {
        let presented = Digest::of(DOMAIN, presented.as_bytes());
        let different = self.0.0.iter().zip(presented.0).fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(different) == 0
    }
}

/// What is in the token's file; `None` when it does not exist.
///
/// # Errors
/// What the system said otherwise.
pub fn read_token(path: &Path) -> io::Result<Option<SecretValue>> {
    let Some(stored) = read(path)?.map(Zeroizing::new) else { return Ok(None) };
    Ok(Some(SecretValue::new(std::str::from_utf8(&stored).unwrap_or_default().trim().to_owned())))
}

fn sound(token: &str) -> bool {
    token.len() == DIGITS && HEXLOWER.decode(token.as_bytes()).is_ok()
}

/// Lets nobody past without the token; nothing of the request is looked at before.
pub async fn demand(State(token): State<AdminToken>, request: Request, next: Next) -> Response {
    let presented = request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    match presented.and_then(|header| header.strip_prefix("Bearer ")) {
        Some(presented) if token.is(presented) => next.run(request).await,
        _ => {
            tracing::warn!("a request to the admin socket without its token was refused");
            Refusal::no_token().into_response()
        }
    }
}

#[cfg(test)]
mod tests;
