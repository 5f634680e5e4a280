//! Whether a request was meant for this machine: pages in a browser reach loopback, too, under names of their own.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use data_encoding::BASE64;

use super::super::{Failure, Hooks};
use crate::gate::WAIT_MAX;

/// Proof that host and origin are this machine.
pub(in crate::hooks) struct Local;

impl FromRequestParts<Hooks> for Local {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Hooks) -> Result<Self, Failure> {
        let refused = || Failure::new(StatusCode::FORBIDDEN, "not-local", "this server answers to this machine only");
        let one = |name| {
            let mut all = parts.headers.get_all(name).iter();
            match (all.next(), all.next()) {
                (None, _) => Ok(None),
                (Some(value), None) => value.to_str().map(Some).map_err(|_| refused()),
                _ => Err(refused()),
            }
        };
        let host = one(header::HOST)?.or(parts.uri.authority().map(|authority| authority.as_str()));
        if !host.is_some_and(is_local) {
            return Err(refused());
        }
        match one(header::ORIGIN)? {
            None => Ok(Self),
            Some(origin) => {
                let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
                if host.is_some_and(is_local) { Ok(Self) } else { Err(refused()) }
            }
        }
    }
}

/// `localhost`, `127.0.0.1` or `[::1]`, with or without a port, and nothing around it.
fn is_local(authority: &str) -> bool {
    let plain = authority.bytes().all(|b| b.is_ascii_alphanumeric() || b".:[]".contains(&b));
    let host = authority.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_ascii_lowercase));
    plain && host.is_some_and(|host| matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]"))
}

/// A value of `Mcp-Name` out of its coding.
pub(super) fn plain(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(coded) => String::from_utf8(BASE64.decode(coded.as_bytes()).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

/// How long the client wants its calls to wait for a person.
pub(super) fn wait_in(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get("wardkeep-wait")?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for bad in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example:80",
            "0.0.0.0",
            "127.0.0.2",
            "localhost@evil.example",
            "evil.example/localhost",
            "[::]",
            "[::ffff:127.0.0.1]",
            "null",
            "localhost:x y",
            "127.1",
        ] {
            assert!(!is_local(bad), "{bad}");
        }
        for good in ["localhost", "LOCALHOST:7070", "127.0.0.1", "127.0.0.1:7070", "[::1]", "[::1]:7070"] {
            assert!(is_local(good), "{good}");
        }
    }

    #[test]
    fn names_come_out_of_their_coding() {
        assert_eq!(plain("a_b").as_deref(), Some("a_b"));
        assert_eq!(plain("=?base64?w6Q=?=").as_deref(), Some("\u{e4}"));
        assert_eq!(plain("=?base64?%%?="), None);
    }
}
