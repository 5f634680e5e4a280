//! Every way in which the forward proxy says no.
//!
//! Sources for the statuses: RFC 9110 section 15. A refusal by policy is 403, which no client repeats.

use std::net::IpAddr;

use wardkeep_policy::Closed;
use wardkeep_policy::bundle::egress::NotListed;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::secret::NotGiven;
use wardkeep_redaction::Unscannable;

use super::destination::Destination;

/// Why a request goes nowhere. The texts hold no byte of the request but host and port.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    // The caller's.
    #[error("the request cannot be read: {0}")]
    Malformed(&'static str),
    #[error("this is a forward proxy; ask it for CONNECT host:port or for an absolute http:// address")]
    NotAProxyRequest,
    #[error("the head of the request is larger than {} KiB", super::wire::HEAD_BYTES / 1024)]
    HeadTooLarge,
    #[error("the request stopped arriving")]
    Stalled,
    #[error(
        "name yourself: the local token of an agent as password of the proxy's address, http://AGENT:TOKEN@host:port"
    )]
    UnknownToken,
    #[error("the body is compressed; send it without content-encoding, so that it can be scanned")]
    Encoded,
    #[error("the request cannot be scanned and therefore does not leave: {0}")]
    Unscannable(#[from] Unscannable),
    #[error("the method, or the name of a host or of a header, holds a secret")]
    SecretInName,
    #[error("the upload holds a secret far behind its beginning, when its length is told already; send it chunked")]
    LengthTold,
    #[error("this agent has too many connections open; close some")]
    Crowded,
    // The policy's.
    #[error(
        "agent {0} has no live hook: its runtime must load the Wardkeep hook and call session-start before its tools reach anything"
    )]
    NoLease(AgentName),
    #[error("closed ({}): {}; {}", .0.as_str(), .0.why(), .0.what_to_do())]
    Closed(Closed),
    #[error("the policy does not list {0} for this agent; add it to [[egress]] on the hub")]
    Unlisted(Destination),
    #[error("{0}")]
    NotListed(#[from] NotListed),
    #[error("plain http passes only where the policy says mode = \"inspect\"; a tunnel carries TLS")]
    InClear,
    #[error(
        "the name leads to {0}, which is inside or special; the policy must call the host private = true, and metadata stays closed"
    )]
    Address(IpAddr),
    #[error("the TLS client asks for another name than the proxy was asked for")]
    OtherName,
    #[error("the TLS client hides the name it asks for (encrypted client hello), so it cannot be compared")]
    HiddenName,
    #[error("{0}")]
    NotGiven(#[from] NotGiven),
    #[error("a secret is never put into plain http to another machine; use https")]
    SecretInClear,
    #[error("the value of secret {0} holds characters that cannot stand there")]
    UnfitValue(String),
    // The machine's and the outside's.
    #[error("what was asked cannot be recorded, so nothing is sent")]
    NotRecorded,
    #[error("the name cannot be resolved")]
    Unresolved,
    #[error("the host cannot be reached from this server")]
    Unreachable,
    #[error("the host has no certificate that this server trusts for this name")]
    Untrusted,
    #[error("the host did not answer in time")]
    Silent,
    #[error("the host closed the connection before it answered")]
    Broken,
    #[error("the host's answer cannot be passed on: {0}")]
    BadAnswer(&'static str),
}

impl Refused {
    /// The stable name, for clients, records and tests.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::NotAProxyRequest => "not-a-proxy-request",
            Self::HeadTooLarge => "head-too-large",
            Self::Stalled => "stalled",
            Self::UnknownToken => "unknown-token",
            Self::Encoded => "encoded",
            Self::Unscannable(_) => "unscannable",
            Self::SecretInName => "secret-in-name",
            Self::LengthTold => "length-told",
            Self::Crowded => "too-many-connections",
            Self::NoLease(_) => "no-lease",
            Self::Closed(closed) => closed.as_str(),
            Self::Unlisted(_) => "unlisted-host",
            Self::NotListed(NotListed::Method) => "unlisted-method",
            Self::NotListed(NotListed::Path) => "unlisted-path",
            Self::NotListed(NotListed::Ambiguous) => "ambiguous-path",
            Self::InClear => "in-clear",
            Self::Address(_) => "forbidden-address",
            Self::OtherName => "other-name",
            Self::HiddenName => "hidden-name",
            Self::NotGiven(NotGiven::Locked) => "vault-locked",
            Self::NotGiven(NotGiven::NotBound { .. }) => "secret-not-bound",
            Self::NotGiven(_) => "secret-not-given",
            Self::SecretInClear => "secret-in-clear",
            Self::UnfitValue(_) => "unfit-value",
            Self::NotRecorded => "not-recorded",
            Self::Unresolved => "unresolved",
            Self::Unreachable => "unreachable",
            Self::Untrusted => "untrusted",
            Self::Silent => "silent",
            Self::Broken => "broken",
            Self::BadAnswer(_) => "bad-answer",
        }
    }

    /// Status and reason phrase.
    pub(crate) fn status(&self) -> (u16, &'static str) {
        match self {
            Self::Malformed(_) | Self::NotAProxyRequest | Self::Unscannable(_) | Self::SecretInName => {
                (400, "Bad Request")
            }
            Self::UnknownToken => (407, "Proxy Authentication Required"),
            Self::Stalled => (408, "Request Timeout"),
            Self::Encoded => (415, "Unsupported Media Type"),
            Self::HeadTooLarge => (431, "Request Header Fields Too Large"),
            Self::NotRecorded | Self::Crowded => (503, "Service Unavailable"),
            Self::Unresolved | Self::Unreachable | Self::Untrusted | Self::Broken | Self::BadAnswer(_) => {
                (502, "Bad Gateway")
            }
            Self::Silent => (504, "Gateway Timeout"),
            Self::LengthTold
            | Self::NoLease(_)
            | Self::Closed(_)
            | Self::Unlisted(_)
            | Self::NotListed(_)
            | Self::InClear
            | Self::Address(_)
            | Self::OtherName
            | Self::HiddenName
            | Self::NotGiven(_)
            | Self::SecretInClear
            | Self::UnfitValue(_) => (403, "Forbidden"),
        }
    }

    /// The whole answer; the connection ends with it.
    pub(crate) fn answer(&self) -> Vec<u8> {
        let (status, reason) = self.status();
        let body = format!("Wardkeep: {self}\n");
        let ask =
            if matches!(self, Self::UnknownToken) { "proxy-authenticate: Basic realm=\"wardkeep\"\r\n" } else { "" };
        format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
             x-wardkeep-refusal: {}\r\n{ask}connection: close\r\n\r\n{body}",
            body.len(),
            self.code()
        )
        .into_bytes()
    }
}
