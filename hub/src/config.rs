//! `hub.toml` in the data directory, one struct per section.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

/// The whole file. It never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The port for daemons.
    pub link: LinkSection,
    /// The port for people.
    pub web: WebSection,
    /// What is served to new servers.
    #[serde(default)]
    pub install: InstallSection,
}

/// The port for daemons.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkSection {
    /// Address to listen on; port 0 takes a free one (see `listen.json`).
    pub listen: SocketAddr,
    /// `host:port` as daemons reach it; its host stands in the certificate. A port of 0 means the one listened on.
    pub public_address: String,
}

/// The port for people.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSection {
    /// Address to listen on; port 0 takes a free one. TLS is the reverse proxy's job.
    pub listen: SocketAddr,
    /// As people reach it; `https` makes cookies secure. A port of 0 means the one listened on.
    pub public_url: String,
}

/// What is served to new servers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InstallSection {
    /// The daemon's binary; `wardkeep-agent` beside this program when absent.
    pub agent_binary: Option<PathBuf>,
}

/// The file as `wardkeep-hub init` writes it.
pub const DEFAULT: &str = r#"# Wardkeep hub. Secrets never stand here; keys are in the database, sealed with hub.key.

[link]
# Daemons connect here (TLS 1.3, client certificates). Port 0 takes a free port, written to listen.json.
listen = "127.0.0.1:7443"
# Host and port as daemons reach it; the host stands in the hub's certificate.
public_address = "127.0.0.1:7443"

[web]
# Pages and API; put a TLS-terminating proxy in front and name its address in public_url. Passkeys need https and a host
# name there, or http://localhost.
listen = "127.0.0.1:7480"
public_url = "http://127.0.0.1:7480"

[install]
# The daemon's binary for new servers; the wardkeep-agent beside this program when absent.
# agent_binary = "/usr/lib/wardkeep/wardkeep-agent"
"#;

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{path} cannot be read; make it with `wardkeep-hub init`")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what this program knows.
    #[error("{path} is not a hub configuration")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// An address in it is none.
    #[error("{path}: {what}")]
    Address {
        /// The file.
        path: PathBuf,
        /// Which, and how it should look.
        what: &'static str,
    },
}

impl Config {
    /// Where the file is.
    #[must_use]
    pub fn file_in(data_dir: &Path) -> PathBuf {
        data_dir.join("hub.toml")
    }

    /// Reads and checks the file.
    ///
    /// # Errors
    /// Every reason of [`ConfigError`].
    pub fn read(data_dir: &Path) -> Result<Self, ConfigError> {
        let path = Self::file_in(data_dir);
        let text =
            std::fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        let config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Invalid { path: path.clone(), source: Box::new(source) })?;
        let wrong = |what| ConfigError::Address { path: path.clone(), what };
        if host_and_port(&config.link.public_address).is_none() {
            return Err(wrong("link.public_address must be host:port"));
        }
        let url = Url::parse(&config.web.public_url).map_err(|_| wrong("web.public_url must be a URL"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || url.path() != "/" {
            return Err(wrong("web.public_url must be http(s)://host[:port] without a path"));
        }
        Ok(config)
    }
}

/// Splits `host:port`; brackets of an IPv6 address are taken off.
#[must_use]
pub fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.strip_prefix('[').map_or(Some(host), |rest| rest.strip_suffix(']'))?;
    (!host.is_empty()).then_some((host.to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_is_a_configuration() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(Config::file_in(dir.path()), DEFAULT).expect("written");
        Config::read(dir.path()).expect("valid");
    }

    #[test]
    fn mistakes_are_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        for (from, to) in [
            ("[install]", "[install]\nagent_binay = \"/x\""),
            ("\"http://127.0.0.1:7480\"", "\"ftp://127.0.0.1\""),
            ("\"http://127.0.0.1:7480\"", "\"http://h/hub\""),
            ("public_address = \"127.0.0.1:7443\"", "public_address = \"hub\""),
        ] {
            assert!(DEFAULT.contains(from), "{from}");
            std::fs::write(Config::file_in(dir.path()), DEFAULT.replace(from, to)).expect("written");
            assert!(Config::read(dir.path()).is_err(), "{to}");
        }
    }
}
