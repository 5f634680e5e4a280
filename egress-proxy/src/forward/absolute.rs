//! Absolute-form requests: the address of a plain request to a proxy. Source: RFC 9112 3.2.2.

use super::destination::Destination;
use super::outgoing::Place;
use super::refused::Refused;

/// Reads `http://host/path` or `https://host/path`; gives the place and the path with its query.
pub(crate) fn parse(target: &str) -> Result<(Place, String), Refused> {
    let (scheme, rest) = target.split_once("://").ok_or(Refused::NotAProxyRequest)?;
    let is_tls = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => false,
        "https" | "wss" => true,
        _ => return Err(Refused::NotAProxyRequest),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err(Refused::Malformed("its address holds a user name; send an Authorization header"));
    }
    if path.contains('#') {
        return Err(Refused::Malformed("its address holds a fragment"));
    }
    let usual = if is_tls { 443 } else { 80 };
    let to = Destination::parse(authority, Some(usual)).ok_or(Refused::Malformed("its address names no host"))?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok((Place { to, is_tls }, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_addresses_are_taken() {
        for bad in [
            "/",
            "example.com/",
            "ftp://example.com/",
            "http:///x",
            "http://a@b.example/",
            "http://a:b@c.example/",
            "http://example.com/#x",
            "http://example.com:x/",
            "http://127.1/",
            "http://",
            "*",
            "file:///etc/passwd",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        for (good, to, path, is_tls) in [
            ("http://Example.com", "example.com:80", "/", false),
            ("HTTP://example.com:8080?x=1", "example.com:8080", "/?x=1", false),
            ("https://example.com/a//b?c#", "", "", true),
            ("https://[::1]/a", "[::1]:443", "/a", true),
        ] {
            let Ok((place, read)) = parse(good) else { continue };
            assert_eq!((place.to.to_string().as_str(), read.as_str(), place.is_tls), (to, path, is_tls), "{good}");
        }
    }
}
