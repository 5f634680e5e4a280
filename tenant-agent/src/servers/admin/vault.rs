//! The owner's key, given to the daemon and taken back.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use wardkeep_vault::{Key, OpenError};
use zeroize::Zeroizing;

use super::{AdminState, Refusal};
use crate::channel::chain;
use crate::secrets::{Forget, NotLockable};
use crate::servers::peer::Peer;

/// Longest wait after a wrong key; the command line waits 15 seconds for its answer.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Wrong keys in a row. One is tried at a time, and each wrong one makes the next answer later.
#[derive(Clone, Default)]
pub struct Attempts(Arc<Mutex<u32>>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unlock {
    key: String,
}

pub(super) async fn unlock(
    State(state): State<AdminState>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(Unlock { key }): Json<Unlock>,
) -> Result<StatusCode, Refusal> {
    let key = Zeroizing::new(key);
    let mut wrong = state.attempts.0.lock().await;
    let vault = state.vault.clone();
    let opened = tokio::task::spawn_blocking(move || match Key::from_hex(key.as_bytes()) {
        Some(key) => vault.unlock(key).map_err(|error| (is_wrong(&error), chain(&error))),
        None => Err((true, "this is no key; use `wardkeep-agent vault unlock`".to_owned())),
    })
    .await;
    let by = format!("local:uid-{}", peer.uid);
    match opened {
        Ok(Ok(())) => {
            *wrong = 0;
            state.nudge.notify_one();
            state.gate.audit_note("vault-unlocked", json!({ "by": by })).await?;
            Ok(StatusCode::NO_CONTENT)
        }
        Ok(Err((is_wrong, why))) => {
            if is_wrong {
                *wrong = wrong.saturating_add(1);
                state.gate.audit_note("vault-unlock-refused", json!({ "by": by })).await?;
                tokio::time::sleep(wait(*wrong)).await;
            }
            Err(Refusal(StatusCode::FORBIDDEN, "vault-locked", why))
        }
        Err(_) => Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the daemon was interrupted".to_owned())),
    }
}

fn is_wrong(error: &OpenError) -> bool {
    matches!(error, OpenError::WrongKey(_) | OpenError::WrongPassphrase(_))
}

/// 1, 2, 4, … seconds.
fn wait(wrong: u32) -> Duration {
    let seconds = 1_u64.checked_shl(wrong.saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_secs(seconds).min(WAIT_MAX)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lock {
    forget: bool,
}

pub(super) async fn lock(
    State(state): State<AdminState>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(Lock { forget }): Json<Lock>,
) -> Result<StatusCode, Refusal> {
    let vault = state.vault.clone();
    let forget_what = if forget { Forget::Index } else { Forget::Key };
    match tokio::task::spawn_blocking(move || vault.lock(forget_what)).await {
        Ok(Ok(())) => {
            let by = format!("local:uid-{}", peer.uid);
            state.gate.audit_note("vault-locked", json!({ "by": by, "forgotten": forget })).await?;
            Ok(StatusCode::NO_CONTENT)
        }
        Ok(Err(error @ NotLockable)) => Err(Refusal(StatusCode::CONFLICT, "not-lockable", error.to_string())),
        Err(_) => Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the daemon was interrupted".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_key_makes_the_next_answer_later() {
        let waits: Vec<u64> = [1, 2, 3, 5, 6, 100].into_iter().map(|wrong| wait(wrong).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 10, 10, 10]);
    }
}
