//! Where a secret may go. A secret without bindings goes nowhere; it is only redacted.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use wardkeep_proto::secret::Destination;

/// The text is not a binding; says what one looks like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{got:?} is not a binding: {why}; write host:api.example.com, host:*.example.com:8443, host:api.example.com:*, \
     tool:shell/psql or tool:shell/*"
)]
pub struct InvalidBinding {
    got: String,
    why: &'static str,
}

/// One place a secret may go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Binding {
    /// `host:PATTERN[:PORT]`. Without a port 443 is meant; `:*` is any port.
    Host {
        /// Which hosts.
        pattern: HostPattern,
        /// Which port; `None` is any.
        port: Option<u16>,
    },
    /// `tool:TOOL/PROGRAM`: environment or standard input of that program, started by that tool; `*` is any program.
    Program {
        /// Tool as actions name it.
        tool: String,
        /// File name of the program; `None` is any.
        program: Option<String>,
    },
}

/// Which hosts a binding means. Lower case, ASCII.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// This name or address only. IPv6 without brackets.
    Exact(String),
    /// `*.example.com`: one or more whole labels before `.example.com`, never `example.com` itself.
    Below(String),
}

impl HostPattern {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.to_ascii_lowercase();
        if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            let address: std::net::Ipv6Addr = inner.parse().map_err(|_| "not an IPv6 address")?;
            return Ok(Self::Exact(address.to_string()));
        }
        if let Some(below) = text.strip_prefix("*.") {
            check_name(below)?;
            if !below.contains('.') {
                return Err("a wildcard needs at least two labels after it");
            }
            if below.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
                return Err("an address cannot have a wildcard");
            }
            return Ok(Self::Below(below.to_owned()));
        }
        check_name(&text)?;
        Ok(Self::Exact(text))
    }

    /// Whether `host` (no port, no trailing dot) is meant.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host.eq_ignore_ascii_case(name),
            Self::Below(name) => {
                let host = host.to_ascii_lowercase();
                // The rest must be whole labels: "x.example.com" ends in ".example.com", "badexample.com" does not.
                host.strip_suffix(name.as_str())
                    .and_then(|rest| rest.strip_suffix('.'))
                    .is_some_and(|labels| check_name(labels).is_ok())
            }
        }
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > 253 {
        return Err("a host name has 1 to 253 characters");
    }
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    if name.split('.').all(label) {
        Ok(())
    } else {
        Err("a host name is labels of letters, digits and hyphens; * stands for whole left labels only")
    }
}

fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b))
}

impl FromStr for Binding {
    type Err = InvalidBinding;

    fn from_str(text: &str) -> Result<Self, InvalidBinding> {
        let bad = |why| InvalidBinding { got: text.chars().take(120).collect(), why };
        if let Some(rest) = text.strip_prefix("host:") {
            let (host, port) = split_port(rest).map_err(bad)?;
            return Ok(Self::Host { pattern: HostPattern::parse(host).map_err(bad)?, port });
        }
        if let Some(rest) = text.strip_prefix("tool:") {
            let (tool, program) = rest.split_once('/').ok_or_else(|| bad("it names no program"))?;
            if !is_word(tool) {
                return Err(bad("the tool is letters, digits and ._+-"));
            }
            let program = match program {
                "*" => None,
                word if is_word(word) => Some(word.to_owned()),
                _ => return Err(bad("the program is a file name without folders, or *")),
            };
            return Ok(Self::Program { tool: tool.to_owned(), program });
        }
        Err(bad("it starts with neither host: nor tool:"))
    }
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match text.rfind(']') {
        Some(end) if text[end + 1..].is_empty() => (text, None),
        Some(end) => (&text[..=end], Some(text[end + 1..].strip_prefix(':').ok_or("after ] comes a port or nothing")?)),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    match port {
        // A credential without a port is meant for HTTPS; anything else has to be said.
        None => Ok((host, Some(443))),
        Some("*") => Ok((host, None)),
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
            Ok(port) if port > 0 => Ok((host, Some(port))),
            _ => Err("a port is 1 to 65535 or *"),
        },
        Some(_) => Err("a port is 1 to 65535 or *"),
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { pattern, port } => {
                match pattern {
                    HostPattern::Exact(name) if name.contains(':') => write!(f, "host:[{name}]")?,
                    HostPattern::Exact(name) => write!(f, "host:{name}")?,
                    HostPattern::Below(name) => write!(f, "host:*.{name}")?,
                }
                match port {
                    Some(443) => Ok(()),
                    Some(port) => write!(f, ":{port}"),
                    None => f.write_str(":*"),
                }
            }
            Self::Program { tool, program } => write!(f, "tool:{tool}/{}", program.as_deref().unwrap_or("*")),
        }
    }
}

impl Binding {
    /// Whether this binding allows `to`.
    #[must_use]
    pub fn allows(&self, to: Destination<'_>) -> bool {
        match (self, to) {
            (Self::Host { pattern, port }, Destination::Host { host, port: asked }) => {
                port.is_none_or(|p| p == asked) && pattern.matches(host)
            }
            (Self::Program { tool, program }, Destination::Program { tool: asked, program: started }) => {
                tool == asked && is_word(started) && program.as_deref().is_none_or(|p| p == started)
            }
            _ => false,
        }
    }
}

/// All places a secret may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bindings(BTreeSet<Binding>);

impl Bindings {
    /// Goes nowhere.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Parses several texts.
    ///
    /// # Errors
    /// The first text that is not a binding.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidBinding> {
        texts.into_iter().map(str::parse).collect()
    }

    /// Whether any of them allows `to`.
    #[must_use]
    pub fn allow(&self, to: Destination<'_>) -> bool {
        self.0.iter().any(|b| b.allows(to))
    }

    /// In a stable order.
    pub fn iter(&self) -> impl Iterator<Item = &Binding> {
        self.0.iter()
    }

    /// Whether the secret goes nowhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Binding> for Bindings {
    fn from_iter<T: IntoIterator<Item = Binding>>(all: T) -> Self {
        Self(all.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
