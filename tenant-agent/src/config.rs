//! The configuration file: one struct a section, read once before ports open.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use wardkeep_safety::Sandbox;

use crate::hub_address::HubAddress;

/// The commented default file; `wardkeep-agent config` prints it, a test keeps it equal to [`Config::default`].
pub const DEFAULT_FILE: &str = include_str!("../agent.toml");

/// Where the file is when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/wardkeep/agent.toml";

/// Everything that an operator may set. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Identity, vault, gate, usage: what must survive.
    pub state_dir: PathBuf,
    /// Sockets and `listen.json`.
    pub runtime_dir: PathBuf,
    /// Section `[hub]`.
    pub hub: HubSection,
    /// Section `[hooks]`.
    pub hooks: HooksSection,
    /// Section `[llm]`.
    pub llm: LlmSection,
    /// Section `[proxy]`.
    pub proxy: ProxySection,
    /// Section `[vault]`.
    pub vault: VaultSection,
    /// Section `[link]`.
    pub link: LinkSection,
    /// Section `[runs]`.
    pub runs: RunsSection,
    /// Section `[containers]`.
    pub containers: ContainersSection,
    /// Section `[disk]`.
    pub disk: DiskSection,
    /// Section `[lock]`.
    pub lock: LockSection,
}

/// The network lock: who is under it, and what they reach beside the daemon's own ports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LockSection {
    /// Names, or user ids.
    pub users: Vec<String>,
    /// Ports on loopback.
    pub loopback_ports: Vec<u16>,
}

/// Who makes the containers of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContainersSection {
    /// The Docker engine's socket; absent: containers are not carried out.
    pub engine: Option<PathBuf>,
}

/// What holds the programs that approved calls start.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunsSection {
    /// `landlock` or `off`.
    pub sandbox: Sandbox,
    /// Whether each run has a systemd unit and a user of its own.
    pub units: UnitsWanted,
    /// The helper shows a run its workspace only if it lies beneath one of these.
    pub workspaces: Vec<PathBuf>,
}

/// Whether runs are held in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitsWanted {
    /// Where the helper answers at the start and can make them.
    Auto,
    /// Always; without a helper nothing beyond Green is allowed.
    Required,
    /// Never; `doctor` says it aloud.
    Off,
}

/// Where the hub is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HubSection {
    /// Address of the link; the one learned at enrolment when absent.
    pub address: Option<HubAddress>,
}

/// The hook API on loopback.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HooksSection {
    /// Loopback address; port 0 picks one.
    pub listen: Loopback,
}

/// The LLM gateway.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LlmSection {
    /// Loopback address; port 0 picks one.
    pub listen: Loopback,
    /// Of agents, at the same time; those that rest go first.
    pub connections: NonZeroU16,
    /// Certificate authorities for providers instead of the machine's own, PEM.
    pub upstream_ca_file: Option<PathBuf>,
}

/// The forward proxy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProxySection {
    /// Loopback address; port 0 picks one.
    pub listen: Loopback,
    /// Certificate authorities for inspected hosts instead of the machine's own, PEM.
    pub upstream_ca_file: Option<PathBuf>,
}

/// Where the vault's key comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VaultSection {
    /// A file of mode 0600.
    pub key_file: PathBuf,
    /// Name of a systemd credential; wins whenever systemd hands credentials over.
    pub credential: Option<String>,
}

/// Behaviour of the link to the hub.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkSection {
    /// Seconds without the hub after which the tenant counts as away.
    pub away_after_seconds: u32,
}

/// How much room must stay.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskSection {
    /// Free MiB in `state_dir` below which the disk counts as full.
    pub floor_mebibytes: u32,
}

/// A socket address of this machine only: the gates trust whoever can reach them with a token, so no other address is
/// accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "SocketAddr")]
pub struct Loopback(SocketAddr);

impl Loopback {
    /// The address.
    #[must_use]
    pub const fn addr(self) -> SocketAddr {
        self.0
    }

    const fn port(port: u16) -> Self {
        Self(SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port))
    }
}

/// The address can be reached from other machines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} can be reached from other machines; use 127.0.0.1 or [::1]")]
pub struct NotLoopback(SocketAddr);

impl TryFrom<SocketAddr> for Loopback {
    type Error = NotLoopback;

    fn try_from(addr: SocketAddr) -> Result<Self, NotLoopback> {
        if addr.ip().is_loopback() { Ok(Self(addr)) } else { Err(NotLoopback(addr)) }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            state_dir: "/var/lib/wardkeep".into(),
            runtime_dir: "/run/wardkeep".into(),
            hub: HubSection::default(),
            hooks: HooksSection::default(),
            llm: LlmSection::default(),
            proxy: ProxySection::default(),
            vault: VaultSection::default(),
            link: LinkSection::default(),
            runs: RunsSection::default(),
            containers: ContainersSection::default(),
            disk: DiskSection::default(),
            lock: LockSection::default(),
        }
    }
}

impl Default for HooksSection {
    fn default() -> Self {
        Self { listen: Loopback::port(7401) }
    }
}

impl Default for LlmSection {
    fn default() -> Self {
        // Ten thousand that rest, and some that work.
        const CONNECTIONS: NonZeroU16 = NonZeroU16::new(12_288).expect("it is not zero");
        Self { listen: Loopback::port(7400), connections: CONNECTIONS, upstream_ca_file: None }
    }
}

impl Default for ProxySection {
    fn default() -> Self {
        Self { listen: Loopback::port(7402), upstream_ca_file: None }
    }
}

impl Default for VaultSection {
    fn default() -> Self {
        Self { key_file: "/etc/wardkeep/vault.key".into(), credential: None }
    }
}

impl Default for LinkSection {
    fn default() -> Self {
        Self { away_after_seconds: 60 }
    }
}

impl LinkSection {
    /// The same as a duration.
    #[must_use]
    pub fn away_after(&self) -> Duration {
        Duration::from_secs(u64::from(self.away_after_seconds))
    }
}

impl Default for RunsSection {
    fn default() -> Self {
        Self { sandbox: Sandbox::Landlock, units: UnitsWanted::Auto, workspaces: vec!["/srv/agents".into()] }
    }
}

impl Default for LockSection {
    fn default() -> Self {
        Self { users: vec!["agent".to_owned()], loopback_ports: Vec::new() }
    }
}

impl Default for DiskSection {
    fn default() -> Self {
        Self { floor_mebibytes: 64 }
    }
}

impl DiskSection {
    /// The floor in bytes.
    #[must_use]
    pub fn floor_bytes(&self) -> u64 {
        u64::from(self.floor_mebibytes) * 1024 * 1024
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}; name the file with --config, or make one with `wardkeep-agent config > {path}`")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path} is not a valid configuration")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Line, column and reason.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The credential's name would leave the credentials directory.
    #[error("vault.credential {0:?} is not a plain file name")]
    Credential(String),
    /// Paths must not depend on where the daemon was started.
    #[error("{0} must be an absolute path")]
    Relative(PathBuf),
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// All of [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Parses `text`; `path` only serves the message.
    ///
    /// # Errors
    /// All of [`ConfigError`] but `Unreadable`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)
            .map_err(|source| ConfigError::Invalid { path: path.to_owned(), source: Box::new(source) })?;
        if let Some(name) = &config.vault.credential
            && (name.is_empty() || name.contains('/') || name.starts_with('.'))
        {
            return Err(ConfigError::Credential(name.clone()));
        }
        let engine = config.containers.engine.iter();
        for path in [&config.state_dir, &config.runtime_dir, &config.vault.key_file].into_iter().chain(engine) {
            if path.is_relative() {
                return Err(ConfigError::Relative(path.clone()));
            }
        }
        Ok(config)
    }

    /// The socket that agents' hooks use.
    #[must_use]
    pub fn hook_socket(&self) -> PathBuf {
        self.runtime_dir.join("hook.sock")
    }

    /// The socket that the CLI uses.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.runtime_dir.join("admin.sock")
    }

    /// Where the daemon writes the certificate by which inspected hosts are read.
    #[must_use]
    pub fn proxy_ca_file(&self) -> PathBuf {
        self.runtime_dir.join("proxy-ca.pem")
    }

    /// Where the daemon writes the ports it really listens on.
    #[must_use]
    pub fn listen_file(&self) -> PathBuf {
        self.runtime_dir.join("listen.json")
    }
}

#[cfg(test)]
mod tests;
