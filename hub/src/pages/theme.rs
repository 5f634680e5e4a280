//! Light, dark, or as the system says: remembered in a cookie, so that the page comes in the right colours at once.

use axum::Form;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use std::sync::Arc;

use super::links::Link;
use super::shell::Theme;
use super::visit::THEME_COOKIE;
use crate::app::WebSettings;

/// The form of the switch.
#[derive(serde::Deserialize)]
pub(super) struct Choice {
    theme: String,
    #[serde(default)]
    back: String,
}

/// `POST /theme`.
pub(super) async fn choose(State(web): State<Arc<WebSettings>>, Form(choice): Form<Choice>) -> Response {
    let secure = if web.is_https() { "; Secure" } else { "" };
    let theme = Theme::named(&choice.theme);
    let cookie = format!("{THEME_COOKIE}={theme}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000{secure}");
    let mut response = Redirect::to(&own_path(&choice.back)).into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

/// `back` when it is a path of this site, else the fleet: a form must not send people elsewhere.
fn own_path(back: &str) -> String {
    let own = back.starts_with('/')
        && !back.starts_with("//")
        && back.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_'));
    if own { back.to_owned() } else { Link::Fleet.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for bad in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nx: y", "/a//@b", "javascript:1"]
        {
            assert_eq!(own_path(bad), "/fleet", "{bad}");
        }
        assert_eq!(own_path("/tenants/acme"), "/tenants/acme");
    }
}
