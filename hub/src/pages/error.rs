//! The page that says what went wrong and where to go on.

use askama::Template;
use axum::http::StatusCode;

use super::assets;
use super::links::Link;
use super::shell::Bare;

/// What a person sees instead of a page.
#[derive(Template)]
#[template(path = "base/error.html")]
pub struct ErrorPage {
    /// The frame.
    pub shell: Bare,
    code: String,
    title: &'static str,
    text: &'static str,
    to: String,
    words: &'static str,
}

impl ErrorPage {
    /// The page for an answer with `status`.
    #[must_use]
    pub fn of(status: StatusCode, shell: Bare) -> Self {
        let (title, text) = match status {
            StatusCode::NOT_FOUND => ("Nothing is here", "The page does not exist, or it belongs to another customer."),
            StatusCode::FORBIDDEN => (
                "That did not come from this page",
                "The form was too old or came from elsewhere, so nothing was changed. Open the page again and repeat it.",
            ),
            StatusCode::TOO_MANY_REQUESTS => ("Too many attempts", "Please wait a minute and try again."),
            StatusCode::BAD_REQUEST => {
                ("That could not be read", "Some part of the address or form is not as it should be.")
            }
            _ => ("Something went wrong here", "Nothing was changed. Try again; if it stays, the hub's log says why."),
        };
        let code = if status.as_u16() == 0 { String::new() } else { format!("Error {}", status.as_u16()) };
        Self { shell, code, title, text, to: Link::Approvals.to_string(), words: "To the approvals" }
    }

    /// For a page that is not for this person.
    #[must_use]
    pub fn operators_only(shell: Bare) -> Self {
        Self {
            title: "This page is for operators",
            text: "Whoever runs this hub sees it. Ask them for the role if you need it.",
            ..Self::of(StatusCode::FORBIDDEN, shell)
        }
    }

    /// What the service worker shows when the hub cannot be reached.
    #[must_use]
    pub fn offline(shell: Bare) -> Self {
        Self {
            shell,
            code: "Offline".into(),
            title: "The hub cannot be reached",
            text: "Your servers go on: what needs no decision runs, the rest waits. Try again when you are connected.",
            to: Link::Approvals.to_string(),
            words: "Try again",
        }
    }
}
