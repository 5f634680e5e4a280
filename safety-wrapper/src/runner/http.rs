//! One HTTP request, no redirect followed, no proxy asked.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, Url, redirect};
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use super::Raw;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(15);
/// Headers that the client itself must set: with them a request could be smuggled, or sent to another than its URL says.
const OURS: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Sends one request and reads the answer, at most `most` bytes of its body.
pub(super) fn request(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: Option<&str>,
    most: usize,
    limit: Duration,
) -> Raw {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            match tokio::time::timeout(limit, send(method, url, headers, body, most)).await {
                Ok(Ok(raw)) => raw,
                Ok(Err(why)) => Raw::failed(why),
                Err(_) => Raw::failed(format!(
                    "no whole answer within {} s; whether it arrived is not known",
                    limit.as_secs_f32()
                )),
            }
        }),
        Err(error) => Raw::failed(format!("no runtime: {error}")),
    }
}

/// The URL, if a request may go there.
///
/// # Errors
/// Why not, in words for the agent.
pub(crate) fn target(url: &str) -> Result<Url, String> {
    let url = Url::parse(url).map_err(|e| format!("the URL cannot be read: {e}"))?;
    let loopback = match url.host() {
        Some(url::Host::Ipv4(ip)) if ip.is_link_local() => {
            return Err("link-local addresses, where clouds keep credentials, are never reached".to_owned());
        }
        Some(url::Host::Ipv6(ip)) if ip.is_unicast_link_local() => {
            return Err("link-local addresses are never reached".to_owned());
        }
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => return Err("the URL names no host".to_owned()),
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        "http" => Err("plain http is for this machine only; use https".to_owned()),
        other => Err(format!("{other} is not http or https")),
    }
}

async fn send(
    method: &str,
    url: &str,
    headers: &[(String, String)],
    body: Option<&str>,
    most: usize,
) -> Result<Raw, String> {
    let url = target(url)?;
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| format!("{method:?} is no HTTP method"))?;
    let mut request = client(&url)?.request(method, url).headers(header_map(headers)?);
    if let Some(body) = body {
        request = request.body(body.to_owned());
    }
    let mut answer = request.send().await.map_err(|error| say(&error))?;
    let status = answer.status();
    let mut output = Zeroizing::new(Vec::new());
    if status.is_redirection() {
        // Not followed: the agent may ask for it, and it is judged then.
        let to = answer.headers().get(LOCATION).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
        output.extend_from_slice(format!("[redirect, not followed: {}]\n", to.unwrap_or_default()).as_bytes());
    }
    let mut cut = false;
    while let Some(chunk) = answer.chunk().await.map_err(|error| say(&error))? {
        let room = most.saturating_sub(output.len());
        output.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            cut = true;
            break;
        }
    }
    let ok = status.is_success() || status.is_redirection();
    Ok(Raw { ok, http_status: Some(status.as_u16()), output, cut, ..Raw::default() })
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().map_err(|_| format!("{name:?} is no header name"))?;
        if OURS.contains(&name.as_str()) {
            return Err(format!("the header {name} cannot be set"));
        }
        // The value may be a secret: it is not quoted.
        let mut value =
            HeaderValue::from_str(value).map_err(|_| format!("the value of {name} cannot stand in a header"))?;
        value.set_sensitive(true);
        map.append(name, value);
    }
    Ok(map)
}

fn client(url: &Url) -> Result<reqwest::Client, String> {
    let mut roots = RootCertStore::empty();
    if url.scheme() == "https" {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err("this system has no root certificates; install ca-certificates".to_owned());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS: {e}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT)
        .user_agent(concat!("wardkeep/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| say(&e))
}

/// The error with its causes and without the URL, which may be long and is known.
fn say(error: &reqwest::Error) -> String {
    let mut text = "the request failed".to_owned();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_requests_never_go() {
        for bad in [
            "http://example.com/",
            "http://169.254.169.254/latest/meta-data",
            "https://169.254.169.254/",
            "https://[fe80::1]/",
            "http://localhost.evil.example/",
            "http://10.0.0.1/",
            "ftp://localhost/",
            "file:///etc/passwd",
            "unix:/run/x.sock",
            "not a url",
        ] {
            assert!(target(bad).is_err(), "{bad}");
        }
        for good in ["https://api.example.com/x", "http://127.0.0.1:9/", "http://[::1]/", "http://localhost:80/"] {
            assert!(target(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn headers_that_would_lead_elsewhere_are_refused() {
        for name in ["Host", "content-length", "Transfer-Encoding", "x y", "Proxy-Authorization"] {
            assert!(header_map(&[(name.to_owned(), "1".to_owned())]).is_err(), "{name}");
        }
        let split = header_map(&[("x-key".to_owned(), "hidden-value\r\nHost: evil".to_owned())]).unwrap_err();
        assert!(!split.contains("hidden-value"), "{split}");
        assert!(header_map(&[("X-Api-Key".to_owned(), "v".to_owned())]).is_ok());
    }
}
