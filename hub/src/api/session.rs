//! Who am I?

use axum::Json;
use serde::Serialize;

use super::error::ErrorBody;
use crate::auth::Session;

/// The signed-in person.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Me {
    /// The person's id.
    user: String,
    /// As shown to people.
    name: String,
    /// `operator` or `member`.
    role: &'static str,
    /// To be sent as `x-csrf-token` with every write by cookie; empty for API tokens.
    csrf: String,
}

/// The signed-in person.
#[utoipa::path(get, path = "/api/v1/session", responses((status = 200, body = Me), (status = 401, body = ErrorBody)))]
pub(super) async fn me(session: Session) -> Json<Me> {
    let user = session.user();
    Json(Me {
        user: user.id.to_string(),
        name: user.name.clone(),
        role: user.role.as_str(),
        csrf: session.csrf().to_owned(),
    })
}
