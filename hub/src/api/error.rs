//! Refusals of the HTTP side, grouped by whose fault they are.

use axum::Json;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::store::StoreError;

/// Why a request is not answered as asked. Inner text stays inside; causes are logged here, once.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nobody is signed in.
    #[error("sign in first, or send a valid API token")]
    SignIn,
    /// Signed in, but not allowed.
    #[error("you may not do this")]
    Forbidden,
    /// The CSRF token is missing or wrong, or the request comes from another site.
    #[error("the page is out of date or the request came from elsewhere; load the page again")]
    Csrf,
    /// Too many attempts.
    #[error("too many attempts; wait a minute")]
    TooMany,
    /// There is no such thing, or it belongs to someone else.
    #[error("not found")]
    NotFound,
    /// The request does not say what it should.
    #[error("{0}")]
    Invalid(String),
    /// It cannot be done any more, or not in this state.
    #[error("{message}")]
    Conflict {
        /// A word for programs.
        code: &'static str,
        /// A sentence for people.
        message: String,
    },
    /// Our fault.
    #[error("the hub has a problem; try again and look at its log")]
    Internal(#[source] StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Internal(error)
    }
}

/// `{"error":{"code","message"}}`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong, for programs and for people.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ErrorDetail {
    /// A stable word.
    pub code: &'static str,
    /// A sentence that says what to do next.
    pub message: String,
}

impl Refusal {
    /// Status for HTTP.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::Csrf => StatusCode::FORBIDDEN,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A stable word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Forbidden => "forbidden",
            Self::Csrf => "csrf",
            Self::TooMany => "too_many",
            Self::NotFound => "not_found",
            Self::Invalid(_) => "invalid",
            Self::Conflict { code, .. } => code,
            Self::Internal(_) => "internal",
        }
    }

    /// The answer for a request to `path`: JSON under `/api`, a page elsewhere; who must sign in there is sent to `/login`.
    #[must_use]
    pub fn answer(self, path: &str) -> Response {
        if path.starts_with("/api/") {
            return self.into_response();
        }
        match self {
            Self::SignIn => Redirect::to("/login").into_response(),
            other => crate::pages::refusal(&other),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if let Self::Internal(error) = &self {
            tracing::error!(error = %chain(error), "request failed");
        }
        let body = ErrorBody { error: ErrorDetail { code: self.code(), message: self.to_string() } };
        let mut response = (self.status(), Json(body)).into_response();
        if matches!(self, Self::TooMany) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response
    }
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(cause) = at {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        at = cause.source();
    }
    text
}
