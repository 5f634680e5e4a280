//! Who is at the other end of an HTTP request: one-time login links, session cookies, API tokens, CSRF tokens.
//!
//! Of every token only a hash is stored, made for one purpose, so that a stolen database signs nobody in.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, HeaderValue, Method, header};
use wardkeep_proto::chance;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::UserId;
use wardkeep_proto::time::Timestamp;

use crate::access::Access;
use crate::api::error::Refusal;
use crate::app::{App, SharedChance, SharedClock, WebSettings};
use crate::store::users::{Role, TokenKind, User};
use crate::store::{Caller, Store, StoreError};

pub mod csrf;
pub mod limiter;
#[cfg(test)]
mod tests;

pub use limiter::LoginLimiter;

/// A login link can be spent for this long.
pub const LOGIN_LINK_LIFE: Duration = Duration::from_secs(15 * 60);
/// A session ends after this long.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// An API token ends after this long.
pub const API_TOKEN_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// What an API token begins with, so that secret scanners find it.
pub const API_TOKEN_PREFIX: &str = "wka_";

/// A signed-in person, as handlers receive it. Only the guard makes one.
#[derive(Clone)]
pub struct Session {
    user: User,
    /// Hash of the cookie; `None` for an API token.
    cookie: Option<Digest>,
    csrf: String,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.user.name)
    }
}

impl Session {
    /// Who it is.
    #[must_use]
    pub const fn user(&self) -> &User {
        &self.user
    }

    /// As the one who asks for rows.
    #[must_use]
    pub fn caller(&self) -> Caller {
        self.user.caller()
    }

    /// What this browser must send with every write, as header `x-csrf-token` or form field `csrf`.
    /// Empty for an API token, which needs none.
    #[must_use]
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Hash of the session's cookie, for [`Logins::sign_out`].
    #[must_use]
    pub const fn cookie_hash(&self) -> Option<Digest> {
        self.cookie
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().cloned().ok_or(Refusal::SignIn)
    }
}

/// A login link that was shown or mailed.
#[derive(Clone)]
pub struct LoginLink {
    /// The token; the path of the link is `/login/{token}`.
    pub token: String,
    /// Until when it can be spent.
    pub expires: Timestamp,
}

impl std::fmt::Debug for LoginLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginLink(..)")
    }
}

/// Login links, sessions and API tokens.
#[derive(Clone)]
pub struct Logins {
    store: Store,
    clock: SharedClock,
    chance: SharedChance,
    web: Arc<WebSettings>,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logins(..)")
    }
}

impl Logins {
    /// Logins over a store.
    #[must_use]
    pub const fn new(store: Store, clock: SharedClock, chance: SharedChance, web: Arc<WebSettings>) -> Self {
        Self { store, clock, chance, web }
    }

    /// Makes a one-time link for `user`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn new_link(&self, user: UserId) -> Result<LoginLink, StoreError> {
        let (token, now) = (self.token(), self.clock.now());
        let expires = now.plus(LOGIN_LINK_LIFE);
        self.store.add_login_link(user, hash("login", &token), now, expires).await?;
        Ok(LoginLink { token, expires })
    }

    /// Whose link it is. Spends nothing: link previews fetch links too. For the page with the button.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn peek(&self, token: &str) -> Result<Option<User>, StoreError> {
        self.store.peek_login_link(hash("login", token), self.clock.now()).await
    }

    /// Spends the link; answers with the person and the `Set-Cookie` value of the new session, or `None` for a link that
    /// is unknown, spent or expired. For the POST behind the button.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sign_in(&self, token: &str) -> Result<Option<(User, HeaderValue)>, StoreError> {
        let (cookie, now) = (self.token(), self.clock.now());
        let until = now.plus(SESSION_LIFE);
        let spent = self.store.spend_login_link(hash("login", token), hash("session", &cookie), now, until).await?;
        Ok(spent.map(|user| (user, self.cookie(&cookie, SESSION_LIFE))))
    }

    /// Ends the session; answers with the `Set-Cookie` value that removes the cookie.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sign_out(&self, session: &Session) -> Result<HeaderValue, StoreError> {
        if let Some(hash) = session.cookie {
            self.store.end_session(hash).await?;
        }
        Ok(self.cookie("", Duration::ZERO))
    }

    /// Makes a token for the JSON API; it is shown once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn new_api_token(&self, user: UserId, label: &str) -> Result<String, StoreError> {
        let (token, now) = (format!("{API_TOKEN_PREFIX}{}", self.token()), self.clock.now());
        self.store.add_api_token(user, hash("api", &token), label, now, now.plus(API_TOKEN_LIFE)).await?;
        Ok(token)
    }

    /// The person behind a request; `None` without a valid cookie or token. A request with both is judged by its token.
    async fn session(&self, headers: &HeaderMap) -> Result<Option<Session>, StoreError> {
        let now = self.clock.now();
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let Some(token) = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")) else {
                return Ok(None);
            };
            let user = self.store.user_of_token(TokenKind::Api, hash("api", token), now).await?;
            return Ok(user.map(|user| Session { user, cookie: None, csrf: String::new() }));
        }
        let Some(cookie) = cookie_of(headers, self.cookie_name()) else { return Ok(None) };
        let hashed = hash("session", cookie);
        let user = self.store.user_of_token(TokenKind::Session, hashed, now).await?;
        Ok(user.map(|user| Session { user, cookie: Some(hashed), csrf: csrf::token(cookie) }))
    }

    fn cookie_name(&self) -> &'static str {
        // The prefix makes browsers refuse the cookie from sub-domains and plain HTTP.
        if self.web.is_https() { "__Host-wardkeep" } else { "wardkeep" }
    }

    fn cookie(&self, value: &str, life: Duration) -> HeaderValue {
        let secure = if self.web.is_https() { "; Secure" } else { "" };
        let (name, seconds) = (self.cookie_name(), life.as_secs());
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
        // Made of a constant name, base64url and digits.
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// 256 random bits as text.
    fn token(&self) -> String {
        BASE64URL_NOPAD.encode(&chance::bytes::<32>(self.chance.as_ref()))
    }
}

/// What is stored of a token: a digest of its own purpose. 256 random bits need no slow hash.
pub(crate) fn hash(purpose: &str, token: &str) -> Digest {
    Digest::of(&format!("wardkeep/token/{purpose}/v1"), token.as_bytes())
}

fn cookie_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let pairs = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value)
}

/// Lets a request through to its handler, or answers for it. It also stands before the answer to a method that the path
/// does not have, so it is told which one the route is for.
pub(crate) async fn guard(app: App, (method, access): (Method, Access), mut request: Request, next: Next) -> Response {
    let refuse = |refusal: Refusal, request: &Request| refusal.answer(request.uri().path());
    let write = request.method() != Method::GET && request.method() != Method::HEAD;
    if access == Access::TokenHolder {
        if write && !csrf::same_site(request.headers(), &app.web) {
            return refuse(Refusal::Csrf, &request);
        }
        // What reaches no handler tries no token.
        if write && *request.method() == method && !app.limiter.admit(limiter::peer(&request), app.clock.now()) {
            return refuse(Refusal::TooMany, &request);
        }
    }
    let session = match app.logins.session(request.headers()).await {
        Ok(session) => session,
        Err(error) => return refuse(Refusal::from(error), &request),
    };
    let needs_person = match access {
        Access::Anyone | Access::TokenHolder => false,
        Access::Person | Access::Operator => true,
        // Certificates are shown on the other port only.
        Access::Tenant => return refuse(Refusal::NotFound, &request),
    };
    match session {
        None if needs_person => return refuse(Refusal::SignIn, &request),
        None => {}
        Some(session) => {
            if access == Access::Operator && session.user.role != Role::Operator {
                return refuse(Refusal::Forbidden, &request);
            }
            if write && needs_person && session.cookie.is_some() {
                request = match csrf::check(request, &session.csrf, &app.web).await {
                    Ok(request) => request,
                    Err(refused) => return refused,
                };
            }
            request.extensions_mut().insert(session);
        }
    }
    next.run(request).await
}
