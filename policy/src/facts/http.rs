//! Facts about one HTTP request.

use url::Url;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `http` or `https`.
    pub scheme: String,
    /// Lower case, IDNA form, no port, no trailing dot.
    pub host: String,
    /// The port, given or implied.
    pub port: u16,
    /// The path, percent-encoded, without query.
    pub path: String,
    /// Whether the URL carries a user name or password.
    pub has_credentials: bool,
}

/// The text is not an absolute http or https URL with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address must be an absolute http or https URL")]
pub struct InvalidTarget;

impl Target {
    /// Reads a URL as the executor's HTTP client does (WHATWG).
    ///
    /// # Errors
    /// [`InvalidTarget`]: not absolute, another scheme, or no host.
    pub fn parse(text: &str) -> Result<Self, InvalidTarget> {
        let url = Url::parse(text).map_err(|_| InvalidTarget)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidTarget);
        }
        let host = url.host_str().ok_or(InvalidTarget)?;
        let host = host.strip_suffix('.').unwrap_or(host);
        if host.is_empty() {
            return Err(InvalidTarget);
        }
        Ok(Self {
            scheme: url.scheme().to_owned(),
            host: host.to_ascii_lowercase(),
            port: url.port_or_known_default().ok_or(InvalidTarget)?,
            path: url.path().to_owned(),
            has_credentials: !url.username().is_empty() || url.password().is_some(),
        })
    }
}
