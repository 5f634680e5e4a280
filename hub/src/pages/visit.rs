//! One person opening one page: session, colours, and whether only the fragment is wanted.

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use wardkeep_proto::time::Timestamp;

use super::shell::{Count, Here, Shell, Theme};
use super::{Failed, answer};
use crate::auth::Session;
use crate::store::users::Role;
use crate::store::{Caller, Store, StoreError};

/// Name of the cookie that remembers light or dark. No secret.
pub(super) const THEME_COOKIE: &str = "wardkeep-theme";

/// What a handler of a page needs to know about its request.
pub(super) struct Visit {
    session: Session,
    theme: Theme,
    fragment: bool,
    path: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let session = Session::from_request_parts(parts, state).await?;
        let fragment = is_fragment(&parts.headers);
        Ok(Self { session, theme: theme_of(&parts.headers), fragment, path: parts.uri.path().to_owned() })
    }
}

impl Visit {
    /// Who asks for rows.
    pub(super) fn caller(&self) -> Caller {
        self.session.caller()
    }

    /// Who is signed in.
    pub(super) const fn session(&self) -> &Session {
        &self.session
    }

    /// Whether that is an operator.
    pub(super) fn is_operator(&self) -> bool {
        self.session.user().role == Role::Operator
    }

    /// What forms carry.
    pub(super) fn csrf(&self) -> &str {
        self.session.csrf()
    }

    /// The fragment alone when the script asks for it, else the page that `page` puts around it.
    pub(super) async fn show<F: Template, P: Template>(
        &self,
        here: Here,
        store: &Store,
        now: Timestamp,
        fragment: F,
        page: impl FnOnce(Shell, F) -> P,
    ) -> Result<Response, Failed> {
        let mut response = if self.fragment {
            answer(StatusCode::OK, &fragment)
        } else {
            let shell = self.shell(here, store, now).await?;
            answer(StatusCode::OK, &page(shell, fragment))
        };
        response.headers_mut().insert(VARY, HeaderValue::from_static("hx-request"));
        Ok(response)
    }

    /// The frame around a page that `show` does not fit.
    pub(super) async fn shell(&self, here: Here, store: &Store, now: Timestamp) -> Result<Shell, StoreError> {
        Ok(Shell {
            user: self.session.user().name.clone(),
            csrf: self.session.csrf().to_owned(),
            theme: self.theme,
            here,
            count: Count { open: store.approvals_waiting(&self.caller(), now).await? },
            back: self.path.clone(),
        })
    }
}

/// Whether the script asks for a fragment.
pub(super) fn is_fragment(headers: &HeaderMap) -> bool {
    headers.get("hx-request").is_some_and(|value| value.as_bytes() == b"true")
}

/// The theme that the browser remembers.
pub(super) fn theme_of(headers: &HeaderMap) -> Theme {
    let pairs = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == THEME_COOKIE).map(|(_, value)| Theme::named(value)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_theme_comes_from_its_cookie_only() {
        for (cookie, theme) in [
            ("wardkeep-theme=dark", Theme::Dark),
            ("a=b; wardkeep-theme=light", Theme::Light),
            ("xwardkeep-theme=dark", Theme::System),
            ("wardkeep-theme=\"><script>", Theme::System),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_static(cookie));
            assert_eq!(theme_of(&headers), theme, "{cookie}");
        }
    }
}
