//! Errors of providers, in the words of the other API.
//!
//! Sources: the error pages of both APIs, and the retry rules of both official clients, which go by the status.

use super::json::Text;

/// What went wrong; one row of the table below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Invalid,
    /// The prompt does not fit into the model; agents shorten it when they are told in these words.
    ContextLength,
    Authentication,
    Billing,
    Permission,
    NotFound,
    Conflict,
    TooLarge,
    RateLimit,
    Timeout,
    Overloaded,
    Internal,
}

/// An error as its provider told it.
pub(super) struct Failure<'a> {
    pub(super) kind: Kind,
    pub(super) message: Message<'a>,
}

pub(super) enum Message<'a> {
    Told(Text<'a>),
    Ours(&'a str),
}

/// Where a provider told that something failed and no more.
pub(super) const UNTOLD: Message<'static> = Message::Ours("The provider reported an error and did not say which.");

/// The names of a kind: Anthropic's `type`, `OpenAI`'s `type` and `code`.
pub(super) struct Names {
    pub(super) anthropic: &'static str,
    pub(super) openai: &'static str,
    pub(super) code: Option<&'static str>,
}

impl Kind {
    #[rustfmt::skip]
    pub(super) fn names(self) -> Names {
        let (anthropic, openai, code) = match self {
            Self::Invalid        => ("invalid_request_error", "invalid_request_error", None),
            Self::ContextLength  => ("invalid_request_error", "invalid_request_error", Some("context_length_exceeded")),
            Self::Authentication => ("authentication_error",  "invalid_request_error", Some("invalid_api_key")),
            Self::Billing        => ("billing_error",         "insufficient_quota",    Some("insufficient_quota")),
            Self::Permission     => ("permission_error",      "invalid_request_error", Some("permission_denied")),
            Self::NotFound       => ("not_found_error",       "invalid_request_error", Some("not_found")),
            Self::Conflict       => ("conflict_error",        "invalid_request_error", Some("conflict")),
            Self::TooLarge       => ("request_too_large",     "invalid_request_error", Some("request_too_large")),
            Self::RateLimit      => ("rate_limit_error",      "rate_limit_error",      Some("rate_limit_exceeded")),
            Self::Timeout        => ("timeout_error",         "server_error",          Some("timeout")),
            Self::Overloaded     => ("overloaded_error",      "server_error",          Some("server_is_overloaded")),
            Self::Internal       => ("api_error",             "server_error",          None),
        };
        Names { anthropic, openai, code }
    }

    /// By the status, where the document says nothing better.
    pub(super) fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            402 => Self::Billing,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            429 => Self::RateLimit,
            503 | 529 => Self::Overloaded,
            400..500 => Self::Invalid,
            _ => Self::Internal,
        }
    }

    /// By the word with which Anthropic names it.
    pub(super) fn of_anthropic(word: &str, message: Option<&str>) -> Option<Self> {
        Some(match word {
            "invalid_request_error" if message.is_some_and(|text| text.starts_with(TOO_LONG)) => Self::ContextLength,
            "invalid_request_error" => Self::Invalid,
            "authentication_error" => Self::Authentication,
            "billing_error" => Self::Billing,
            "permission_error" => Self::Permission,
            "not_found_error" => Self::NotFound,
            "conflict_error" => Self::Conflict,
            "request_too_large" => Self::TooLarge,
            "rate_limit_error" => Self::RateLimit,
            "timeout_error" => Self::Timeout,
            "overloaded_error" => Self::Overloaded,
            "api_error" => Self::Internal,
            _ => return None,
        })
    }

    /// By one of the words with which `OpenAI`, and providers like it, name it: a `code` or a `type`.
    pub(super) fn of_openai(word: &str) -> Option<Self> {
        Some(match word {
            "context_length_exceeded" => Self::ContextLength,
            "invalid_api_key" | "authentication_error" => Self::Authentication,
            "insufficient_quota" | "credit_balance_exhausted" | "billing_error" => Self::Billing,
            "permission_denied" | "permission_error" => Self::Permission,
            "model_not_found" | "not_found" | "not_found_error" => Self::NotFound,
            "rate_limit_exceeded" | "rate_limit_error" | "requests" | "tokens" => Self::RateLimit,
            "server_is_overloaded" | "slow_down" | "service_unavailable_error" | "overloaded_error" => Self::Overloaded,
            "timeout" | "timeout_error" => Self::Timeout,
            _ => return None,
        })
    }

    /// The status in the other API: the same one, but for the one that only Anthropic has.
    pub(super) fn status(self, status: u16, towards_anthropic: bool) -> u16 {
        match (self, status) {
            (Self::Overloaded, 503) if towards_anthropic => 529,
            (_, 529) if !towards_anthropic => 503,
            _ => status,
        }
    }
}

/// How Anthropic begins the message of a prompt that does not fit.
pub(super) const TOO_LONG: &str = "prompt is too long";
