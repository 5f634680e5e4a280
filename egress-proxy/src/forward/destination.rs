//! Where a request wants to go.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A host and a port, in one spelling only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    /// Lower case, no brackets, no trailing dot.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Destination {
    /// Reads `host:port`; without a port `usual` is meant, if there is one. `None`: not one host that all readers agree on.
    pub(crate) fn parse(text: &str, usual: Option<u16>) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (inner, after) = rest.split_once(']')?;
                let address: Ipv6Addr = inner.parse().ok()?;
                (address.to_string(), if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
            }
            None => match text.split_once(':') {
                Some((host, port)) => (name(host)?, Some(port)),
                None => (name(text)?, None),
            },
        };
        let port = match port {
            // `host:` is the usual port to some and an error to others.
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0') => {
                digits.parse().ok()?
            }
            Some(_) => return None,
            None => usual?,
        };
        Some(Self { host, port })
    }

    /// The address, where the host is one.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// As a `Host` header says it.
    pub(crate) fn authority(&self, usual: u16) -> String {
        let host = self.bracketed();
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.bracketed(), self.port)
    }
}

/// A name or an IPv4 address. Odd spellings of addresses (`127.1`, `0x7f.1`) are neither.
fn name(host: &str) -> Option<String> {
    if host.parse::<std::net::Ipv4Addr>().is_ok() {
        return Some(host.to_owned());
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let plain = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let last = host.rsplit('.').next()?.bytes().next()?;
    (host.len() <= 253 && host.split('.').all(plain) && !last.is_ascii_digit()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_spellings_are_no_destinations() {
        for bad in [
            "",
            ":443",
            "example.com",
            "example.com:",
            "example.com:0",
            "example.com:0443",
            "example.com:65536",
            "example.com:+443",
            "user@example.com:443",
            "a..b:443",
            ".example.com:443",
            "127.1:443",
            "0x7f.1:443",
            "2130706433:443",
            "0177.0.0.1:443",
            "::1:443",
            "[::1]443",
            "[fe80::1%eth0]:443",
            "[127.0.0.1]:443",
            "ex ample.com:443",
            "example.com/:443",
            "b\u{fc}cher.example:443",
            "example.com:443:443",
        ] {
            assert_eq!(Destination::parse(bad, None), None, "{bad}");
        }
    }

    #[test]
    fn one_spelling_for_each() {
        for (text, host, port, shown) in [
            ("API.Example.com:443", "api.example.com", 443, "api.example.com:443"),
            ("example.com.:8443", "example.com", 8443, "example.com:8443"),
            ("127.0.0.1:80", "127.0.0.1", 80, "127.0.0.1:80"),
            ("[0:0::1]:80", "::1", 80, "[::1]:80"),
            ("a_b.example:1", "a_b.example", 1, "a_b.example:1"),
        ] {
            let read = Destination::parse(text, None).expect(text);
            assert_eq!((read.host.as_str(), read.port, read.to_string().as_str()), (host, port, shown));
        }
        let usual = Destination::parse("example.com", Some(80)).expect("valid");
        assert_eq!((usual.authority(80), usual.authority(443)), ("example.com".into(), "example.com:80".into()));
    }
}
