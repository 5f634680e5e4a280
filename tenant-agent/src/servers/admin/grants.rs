//! Standing permissions: what is left of them, and who takes one back on this server.

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use serde::Deserialize;
use wardkeep_safety::{KnownGrant, RevokeError};

use super::{AdminState, Refusal};
use crate::servers::peer::Peer;

pub(super) async fn list(State(state): State<AdminState>) -> Result<Json<Vec<KnownGrant>>, Refusal> {
    Ok(Json(state.gate.grants().await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoke {
    id: String,
}

pub(super) async fn revoke(
    State(state): State<AdminState>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(Revoke { id }): Json<Revoke>,
) -> Result<Json<KnownGrant>, Refusal> {
    // The kernel says who it is, not the caller.
    Ok(Json(state.gate.revoke_grant(&id, &format!("local:uid-{}", peer.uid)).await?))
}

impl From<RevokeError> for Refusal {
    fn from(error: RevokeError) -> Self {
        match error {
            RevokeError::Unknown => Self(StatusCode::NOT_FOUND, "unknown", error.to_string()),
            RevokeError::Store(error) => error.into(),
        }
    }
}
