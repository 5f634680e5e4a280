//! The page behind a one-time link. Opening it uses nothing up: mail scanners open links too.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Path, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use super::links::Link;
use super::shell::{Bare, Command};
use super::visit::{Visit, is_fragment, theme_of};
use super::{Failed, answer, assets};
use crate::api::error::Refusal;
use crate::app::SharedClock;
use crate::auth::limiter::peer;
use crate::auth::{LoginLimiter, Logins};

/// `GET /login` and `GET /login/{token}`.
#[derive(Template)]
#[template(path = "login/page.html")]
pub struct LoginPage {
    /// The frame.
    pub shell: Bare,
    /// What stands on it.
    pub state: Stage,
    /// How the operator makes a new link.
    pub command: Command,
}

/// Where the link stands.
pub enum Stage {
    /// No link was opened.
    Ask,
    /// It can be used, with one button.
    Ready {
        /// Whom it signs in.
        who: String,
        /// The secret part of the link.
        token: String,
    },
    /// It names nothing, was used, or its time is over.
    Gone,
}

impl LoginPage {
    /// The page in one of its states.
    #[must_use]
    pub fn of(state: Stage, shell: Bare) -> Self {
        Self { shell, state, command: Command { text: "wardkeep-hub user login NAME".into() } }
    }
}

/// `GET /login`: where people land whose session has ended.
pub(super) async fn ask(headers: HeaderMap) -> Response {
    let mut response = page(StatusCode::OK, Stage::Ask, &headers);
    if is_fragment(&headers) {
        // The script wanted a fragment: it must leave the page instead of putting this one into it.
        response.headers_mut().insert(HeaderName::from_static("hx-redirect"), HeaderValue::from_static("/login"));
    }
    response
}

/// `GET /login/{token}`. A link that opens is no attempt, however often a mail scanner opens it; one that does not is a
/// guess, and guesses share the limit of `POST /login`.
pub(super) async fn show(
    State(logins): State<Logins>,
    State(limiter): State<Arc<LoginLimiter>>,
    State(clock): State<SharedClock>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response, Failed> {
    let (from, now) = (peer(&request), clock.now());
    if !limiter.allows(from, now) {
        return Err(Refusal::TooMany.into());
    }
    let found = logins.peek(&token).await?;
    let headers = request.headers();
    if let Some(user) = found {
        return Ok(page(StatusCode::OK, Stage::Ready { who: user.name, token }, headers));
    }
    // Guesses that were sent together find that out here.
    if !limiter.admit(from, now) {
        return Err(Refusal::TooMany.into());
    }
    Ok(page(StatusCode::GONE, Stage::Gone, headers))
}

/// The form of the button.
#[derive(serde::Deserialize)]
pub(super) struct OneTime {
    token: String,
}

/// `POST /login`: spends the link.
pub(super) async fn sign_in(
    State(logins): State<Logins>,
    headers: HeaderMap,
    Form(link): Form<OneTime>,
) -> Result<Response, Failed> {
    let Some((_, cookie)) = logins.sign_in(&link.token).await? else {
        return Ok(page(StatusCode::GONE, Stage::Gone, &headers));
    };
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&Link::Fleet.to_string())).into_response())
}

/// `POST /logout`.
pub(super) async fn sign_out(visit: Visit, State(logins): State<Logins>) -> Result<Response, Failed> {
    let cookie = logins.sign_out(visit.session()).await?;
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&Link::Login.to_string())).into_response())
}

fn page(status: StatusCode, state: Stage, headers: &HeaderMap) -> Response {
    answer(status, &LoginPage::of(state, Bare { theme: theme_of(headers) }))
}
