//! The pages: server-rendered, live by refetching fragments, complete without script.
//!
//! One file is one page: its view, its handler. What a page shows comes from the store as rows that its person may see;
//! what an agent wrote passes through [`exact`] or the templates' escaping, and no template turns that off.

pub mod approval;
pub mod approvals;
pub mod assets;
pub mod call;
pub mod card;
pub mod document;
pub mod error;
pub mod events;
pub mod exact;
pub mod fleet;
pub mod grant;
pub mod links;
pub mod login;
pub mod parts;
pub mod passkeys;
pub mod policy;
pub mod review;
pub mod samples;
pub mod shell;
pub mod standing;
pub mod tenant;
#[cfg(test)]
mod tests;
pub mod theme;
pub mod usage;
pub mod visit;
pub mod words;

use askama::Template;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, RETRY_AFTER,
};
use axum::http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use crate::access::{Access, HttpLine, Routes};
use crate::api::error::{Refusal, chain};
use crate::store::StoreError;
use error::ErrorPage;
use links::paths;
use shell::{Bare, Theme};

/// What a page may load and where its forms may go. No inline script or style, nothing from elsewhere.
pub const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; \
    connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The pages' lines of the table of who may call what.
pub const HTTP: &[HttpLine] = &[
    (Method::GET, paths::HOME, Access::Person),
    (Method::GET, paths::FLEET, Access::Person),
    (Method::GET, paths::TENANT, Access::Person),
    (Method::POST, paths::STANDING, Access::Person),
    (Method::POST, paths::GRANTS, Access::Person),
    (Method::GET, paths::APPROVALS, Access::Person),
    (Method::GET, paths::APPROVALS_COUNT, Access::Person),
    (Method::GET, paths::APPROVAL, Access::Person),
    (Method::POST, paths::DECISION, Access::Person),
    (Method::GET, paths::USAGE, Access::Person),
    (Method::GET, paths::PASSKEYS, Access::Person),
    (Method::POST, paths::PASSKEY_REMOVAL, Access::Person),
    (Method::GET, paths::POLICY, Access::Operator),
    (Method::POST, paths::POLICY, Access::Operator),
    (Method::GET, paths::REVIEW, Access::Operator),
    (Method::GET, paths::EVENTS, Access::Person),
    (Method::POST, paths::THEME, Access::Person),
    (Method::POST, paths::LOGOUT, Access::Person),
    (Method::GET, paths::LOGIN, Access::TokenHolder),
    (Method::POST, paths::LOGIN, Access::TokenHolder),
    (Method::GET, paths::LOGIN_TOKEN, Access::TokenHolder),
    (Method::GET, paths::OFFLINE, Access::Anyone),
    (Method::GET, paths::ASSET, Access::Anyone),
    (Method::GET, paths::FAVICON, Access::Anyone),
    (Method::GET, paths::MANIFEST, Access::Anyone),
    (Method::GET, paths::SERVICE_WORKER, Access::Anyone),
];

/// Adds every page.
#[must_use]
pub fn routes(routes: Routes) -> Routes {
    routes
        .get(paths::HOME, Access::Person, home)
        .get(paths::FLEET, Access::Person, fleet::show)
        .get(paths::TENANT, Access::Person, tenant::show)
        .post(paths::STANDING, Access::Person, standing::order)
        .post(paths::GRANTS, Access::Person, grant::revoke)
        .get(paths::APPROVALS, Access::Person, approvals::show)
        .get(paths::APPROVALS_COUNT, Access::Person, approvals::show_count)
        .get(paths::APPROVAL, Access::Person, approval::show)
        .post(paths::DECISION, Access::Person, approval::decide)
        .get(paths::USAGE, Access::Person, usage::show)
        .get(paths::PASSKEYS, Access::Person, passkeys::show)
        .post(paths::PASSKEY_REMOVAL, Access::Person, passkeys::remove)
        .get(paths::POLICY, Access::Operator, policy::show)
        .post(paths::POLICY, Access::Operator, policy::ask)
        .get(paths::REVIEW, Access::Operator, review::show)
        .get(paths::EVENTS, Access::Person, events::stream)
        .post(paths::THEME, Access::Person, theme::choose)
        .post(paths::LOGOUT, Access::Person, login::sign_out)
        .get(paths::LOGIN, Access::TokenHolder, login::ask)
        .post(paths::LOGIN, Access::TokenHolder, login::sign_in)
        .get(paths::LOGIN_TOKEN, Access::TokenHolder, login::show)
        .get(paths::OFFLINE, Access::Anyone, offline)
        .get(paths::ASSET, Access::Anyone, assets::serve)
        .get(paths::FAVICON, Access::Anyone, assets::favicon)
        .get(paths::MANIFEST, Access::Anyone, assets::manifest)
        .get(paths::SERVICE_WORKER, Access::Anyone, assets::service_worker)
}

async fn home() -> Redirect {
    Redirect::to(paths::FLEET)
}

async fn offline() -> Response {
    answer(StatusCode::OK, &ErrorPage::offline(Bare { theme: Theme::System }))
}

/// For every path that is no route.
pub async fn not_found() -> Response {
    refusal(&Refusal::NotFound)
}

/// A refusal as a page.
#[must_use]
pub fn refusal(refusal: &Refusal) -> Response {
    if let Refusal::Internal(error) = refusal {
        tracing::error!(error = %chain(error), "page failed");
    }
    let shell = Bare { theme: Theme::System };
    let page = match refusal {
        Refusal::Forbidden => ErrorPage::operators_only(shell),
        _ => ErrorPage::of(refusal.status(), shell),
    };
    let mut response = answer(refusal.status(), &page);
    if matches!(refusal, Refusal::TooMany) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
    }
    response
}

/// Why a page is not shown; answers with a page.
struct Failed(Refusal);

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self(Refusal::from(error))
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        refusal(&self.0)
    }
}

/// A template as an answer, with the headers of every page.
fn answer(status: StatusCode, template: &impl Template) -> Response {
    let (status, body) = match template.render() {
        Ok(body) => (status, body),
        Err(error) => {
            tracing::error!(%error, "a template did not render");
            (StatusCode::INTERNAL_SERVER_ERROR, "The page could not be made.".to_owned())
        }
    };
    let mut response = (status, body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The referrer stays: without it browsers send `Origin: null`, and forms could not be told from those of other sites.
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, CSP),
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "same-origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];
