//! A write by cookie must come from our own pages: same site, and with the session's CSRF token.

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, header};

use crate::api::error::Refusal;
use crate::app::WebSettings;

/// Header that carries the token.
pub const HEADER: &str = "x-csrf-token";
/// Form field that carries the token when there is no script.
pub const FIELD: &str = "csrf";
/// The largest form holds a policy: 256 KiB, and some of its signs take three bytes.
const FORM_BYTES: usize = 1024 * 1024;

/// The token of a session: derived from the cookie, so that nothing is stored; says nothing about the cookie.
pub(crate) fn token(cookie: &str) -> String {
    BASE64URL_NOPAD.encode(&super::hash("csrf", cookie).0)
}

/// Browsers say where a request comes from; one that names another site is refused whatever else it carries.
pub(crate) fn same_site(headers: &HeaderMap, web: &WebSettings) -> bool {
    let site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    if site.is_some_and(|site| !matches!(site, b"same-origin" | b"none")) {
        return false;
    }
    headers.get(header::ORIGIN).is_none_or(|origin| origin.as_bytes() == web.public_url.as_bytes())
}

/// Gives the request back when it carries `expected`.
pub(crate) async fn check(request: Request, expected: &str, web: &WebSettings) -> Result<Request, Response> {
    let path = request.uri().path().to_owned();
    let refused = || Refusal::Csrf.answer(&path);
    if !same_site(request.headers(), web) {
        return Err(refused());
    }
    if let Some(value) = request.headers().get(HEADER) {
        return if same(value.as_bytes(), expected.as_bytes()) { Ok(request) } else { Err(refused()) };
    }
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if !is_form {
        return Err(refused());
    }
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, FORM_BYTES).await.map_err(|_| refused())?;
    let found = url::form_urlencoded::parse(&bytes)
        .any(|(key, value)| key == FIELD && same(value.as_bytes(), expected.as_bytes()));
    if found { Ok(Request::from_parts(parts, Body::from(bytes))) } else { Err(refused()) }
}

/// Compares digests of both, so that time says nothing about the expected bytes.
fn same(given: &[u8], expected: &[u8]) -> bool {
    use wardkeep_proto::digest::Digest;
    !expected.is_empty() && Digest::of("wardkeep/compare", given) == Digest::of("wardkeep/compare", expected)
}
