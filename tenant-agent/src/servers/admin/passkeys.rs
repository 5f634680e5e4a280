//! Whose passkeys approve critical calls: said by whoever sits at this server.

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use wardkeep_passkey::Code;
use wardkeep_safety::{KnownPasskey, PasskeyError, PasskeyState};

use super::{AdminState, Refusal};
use crate::servers::peer::Peer;

/// What the command line is told. The code of a key that is only offered is not among it: it must come from the person who
/// made the key, or a hub could have any key pinned by offering it.
fn shown(key: &KnownPasskey) -> Value {
    let mut shown = json!({
        "state": key.state, "name": key.name, "owner": key.owner, "algorithm": key.passkey.public_key.algorithm(),
        "site": key.passkey.origin, "since_ms": key.since, "by": key.by, "used_ms": key.used,
    });
    if key.state != PasskeyState::Offered {
        shown["code"] = json!(key.code());
    }
    shown
}

pub(super) async fn list(State(state): State<AdminState>) -> Result<Json<Vec<Value>>, Refusal> {
    Ok(Json(state.gate.passkeys().await?.iter().map(shown).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pin {
    code: Code,
    #[serde(default)]
    name: Option<String>,
}

pub(super) async fn pin(
    State(state): State<AdminState>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(Pin { code, name }): Json<Pin>,
) -> Result<Json<Value>, Refusal> {
    let key = state.gate.pin_passkey(code, name.as_deref(), &by(peer)).await?;
    Ok(Json(shown(&key)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remove {
    code: Code,
}

pub(super) async fn remove(
    State(state): State<AdminState>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(Remove { code }): Json<Remove>,
) -> Result<Json<Value>, Refusal> {
    let key = state.gate.remove_passkey(code, &by(peer)).await?;
    Ok(Json(shown(&key)))
}

/// The kernel says who it is, not the caller.
fn by(peer: Peer) -> String {
    format!("local:uid-{}", peer.uid)
}

impl From<PasskeyError> for Refusal {
    fn from(error: PasskeyError) -> Self {
        let (status, code) = match &error {
            PasskeyError::Unknown => (StatusCode::NOT_FOUND, "unknown"),
            PasskeyError::Pinned | PasskeyError::TooMany(_) => (StatusCode::CONFLICT, "passkey"),
            PasskeyError::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        Self(status, code, crate::channel::chain(&error))
    }
}
