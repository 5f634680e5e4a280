//! Where the hub's link is: `https://host:port`, nothing else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Port of the link when the address names none.
const DEFAULT_PORT: u16 = 443;

/// Host and port of the hub's link. Always TLS; no path, no user.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HubAddress {
    host: String,
    port: u16,
}

/// The text is not an address of a hub.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a hub address; the form is https://host:port")]
pub struct InvalidHubAddress(String);

impl HubAddress {
    /// Host name or address, lower case, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// `host:port` as it stands in a URI.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for HubAddress {
    type Err = InvalidHubAddress;

    /// `https://host[:port]`; the scheme may be left out, another one is refused.
    fn from_str(text: &str) -> Result<Self, InvalidHubAddress> {
        let invalid = || InvalidHubAddress(text.chars().take(120).collect());
        let rest = match text.split_once("://") {
            Some(("https", rest)) => rest,
            Some(_) => return Err(invalid()),
            None => text,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let authority: http::uri::Authority = rest.parse().map_err(|_| invalid())?;
        if authority.as_str().contains('@') {
            return Err(invalid());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        // A name that rustls cannot check would only fail later, with a worse message.
        if host.is_empty() || rustls::pki_types::ServerName::try_from(host.as_str()).is_err() {
            return Err(invalid());
        }
        // Not `Authority::port`: it takes a port that is no number for none at all.
        let after_host = authority.as_str().strip_prefix(authority.host()).ok_or_else(invalid)?;
        let port = match after_host.strip_prefix(':') {
            Some(port) if !port.starts_with('+') => port.parse().ok().filter(|port| *port != 0).ok_or_else(invalid)?,
            None if after_host.is_empty() => DEFAULT_PORT,
            _ => return Err(invalid()),
        };
        Ok(Self { host, port })
    }
}

impl TryFrom<String> for HubAddress {
    type Error = InvalidHubAddress;

    fn try_from(text: String) -> Result<Self, InvalidHubAddress> {
        text.parse()
    }
}

impl From<HubAddress> for String {
    fn from(address: HubAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for HubAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

impl fmt::Debug for HubAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_but_https_host_port_is_refused() {
        for bad in [
            "",
            "http://hub:1",
            "ftp://hub",
            "https://",
            "https://hub/path",
            "https://u:p@hub",
            "hub:99999",
            "hub:",
            "hub:0",
            "hub:+1",
            "a b",
            "https://hub?x",
            "https://hub:1:2",
        ] {
            assert!(bad.parse::<HubAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_usual_forms_are_one() {
        for (text, shown) in [
            ("https://Hub.Example.com:7443", "https://hub.example.com:7443"),
            ("hub.example.com:7443", "https://hub.example.com:7443"),
            ("https://hub.example.com/", "https://hub.example.com:443"),
            ("https://127.0.0.1:9", "https://127.0.0.1:9"),
            ("https://[::1]:9", "https://[::1]:9"),
        ] {
            assert_eq!(text.parse::<HubAddress>().expect(text).to_string(), shown);
        }
    }
}
