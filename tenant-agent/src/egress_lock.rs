//! What the network lock is to do, by root's configuration, and where its helper is.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use wardkeep_lock::accounts::{self, NoSuchUser};
use wardkeep_lock::{Nft, Plan, Sockets};

use crate::config::{Config, ConfigError};

/// Where the helper listens.
pub const SOCKET: &str = "/run/wardkeep-helper/helper.sock";
/// The lock that survives a reboot.
pub const SAVED: &str = "/var/lib/wardkeep-helper/egress-lock.json";
/// What happened, until the daemon has taken it.
pub const JOURNAL: &str = "/var/lib/wardkeep-helper/egress-journal.json";

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Somebody else could choose who is locked in.
    #[error("{0} can be written by others than root; as root: chown root {0} && chmod go-w {0}")]
    NotRoots(PathBuf),
    /// Who is who.
    #[error("cannot read {path}")]
    Accounts {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Nobody of that name.
    #[error(transparent)]
    User(#[from] NoSuchUser),
    /// A port that is none.
    #[error(
        "lock.loopback_ports names port 0, which nobody can be reached at; say the port of that server, or leave it out"
    )]
    LoopbackPort,
    /// Not sound.
    #[error(transparent)]
    Plan(#[from] wardkeep_lock::PlanError),
}

/// The system's own.
#[must_use]
pub fn lock() -> wardkeep_lock::Lock {
    wardkeep_lock::Lock::new(Nft::default(), Sockets::default(), SAVED.into())
}

/// The user id of `user`, the daemon's.
///
/// # Errors
/// `Accounts` and `User`.
pub fn daemon(user: &str) -> Result<u32, PlanError> {
    accounts::uid(user, &accounts_file("/etc/passwd")?).ok_or_else(|| NoSuchUser(user.to_owned()).into())
}

/// The group of that user: the workspaces belong to it.
///
/// # Errors
/// `Accounts` and `User`.
pub fn daemon_group(user: &str) -> Result<u32, PlanError> {
    accounts::gid(user, &accounts_file("/etc/passwd")?).ok_or_else(|| NoSuchUser(user.to_owned()).into())
}

/// The plan as the file at `path` has it now, believed only when root alone can write it.
///
/// # Errors
/// All of [`PlanError`].
pub fn plan_of_root(path: &Path, daemon: u32) -> Result<Plan, PlanError> {
    plan(&config_of_root(path)?, daemon)
}

/// The folders beneath which workspaces lie, by the file at `path` as it is now.
///
/// # Errors
/// `Config` and `NotRoots`.
pub fn workspaces_of_root(path: &Path) -> Result<Vec<PathBuf>, PlanError> {
    Ok(config_of_root(path)?.runs.workspaces)
}

/// The Docker engine's socket, by the file at `path` as it is now; `None`: containers are not carried out.
///
/// # Errors
/// `Config` and `NotRoots`.
pub fn engine_of_root(path: &Path) -> Result<Option<PathBuf>, PlanError> {
    Ok(config_of_root(path)?.containers.engine)
}

/// The configuration, believed only when root alone can write it.
fn config_of_root(path: &Path) -> Result<Config, PlanError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("/"));
    for place in [path, folder] {
        let is = std::fs::metadata(place).map_err(unreadable)?;
        if is.uid() != 0 || is.mode() & 0o022 != 0 {
            return Err(PlanError::NotRoots(place.to_owned()));
        }
    }
    Ok(Config::load(path)?)
}

/// The plan of a configuration.
///
/// # Errors
/// `Accounts`, `User`, `LoopbackPort` and `Plan`.
pub fn plan(config: &Config, daemon: u32) -> Result<Plan, PlanError> {
    if config.lock.loopback_ports.contains(&0) {
        return Err(PlanError::LoopbackPort);
    }
    // Few systems have subordinate ids.
    let subuid = match accounts_file("/etc/subuid") {
        Err(PlanError::Accounts { source, .. }) if source.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let uids = accounts::uids(&config.lock.users, &accounts_file("/etc/passwd")?, &subuid)?;
    Ok(Plan::new(uids, doors(config), daemon)?)
}

/// Every port of the daemon that agents use, and those that the operator adds.
fn doors(config: &Config) -> Vec<SocketAddr> {
    let own = [config.hooks.listen.addr(), config.llm.listen.addr(), config.proxy.listen.addr()];
    let more = config.lock.loopback_ports.iter().flat_map(|port| {
        [SocketAddr::from((Ipv4Addr::LOCALHOST, *port)), SocketAddr::from((Ipv6Addr::LOCALHOST, *port))]
    });
    own.into_iter().chain(more).collect()
}

fn accounts_file(path: &str) -> Result<String, PlanError> {
    std::fs::read(path)
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .map_err(|source| PlanError::Accounts { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("agent.toml")).expect("valid")
    }

    #[test]
    fn the_doors_are_the_daemons_ports_and_what_the_operator_adds() {
        let plan = plan(&config("[lock]\nusers = [\"4001\"]\nloopback_ports = [18789]"), 999).expect("sound");
        let doors: Vec<String> = plan.doors().iter().map(ToString::to_string).collect();
        assert_eq!(doors, ["127.0.0.1:7400", "127.0.0.1:7401", "127.0.0.1:7402", "127.0.0.1:18789", "[::1]:18789"]);
    }

    #[test]
    fn what_would_not_hold_says_what_to_set() {
        for (text, says) in [
            ("[lock]\nusers = [\"no-such-user\"]", "lock.users"),
            ("[lock]\nusers = [\"root\"]", "cannot be locked in"),
            ("[lock]\nusers = [\"999\"]", "cannot be locked in"),
            ("[lock]\nusers = []", "lock.users"),
            ("[lock]\nusers = [\"4294967295\"]", "lock.users"),
            ("[lock]\nusers = [\"4001\"]\nloopback_ports = [18789, 0]", "lock.loopback_ports names port 0"),
            ("[lock]\nusers = [\"4001\"]\n[llm]\nlisten = \"127.0.0.1:0\"", "fixed ports"),
        ] {
            let error = plan(&config(text), 999).expect_err(text);
            assert!(error.to_string().contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_configuration_that_others_can_write_is_not_believed() {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join("agent.toml");
        std::fs::write(&file, "[lock]\nusers = [\"4001\"]\n").expect("written");
        let set = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("set");
        for (of_file, of_folder) in [(0o666, 0o755), (0o620, 0o755), (0o644, 0o777)] {
            set(&file, of_file);
            set(dir.path(), of_folder);
            assert!(matches!(plan_of_root(&file, 999), Err(PlanError::NotRoots(_))), "{of_file:o} {of_folder:o}");
        }
        set(&file, 0o644);
        set(dir.path(), 0o755);
        assert_eq!(plan_of_root(&file, 999).is_ok(), rustix::process::geteuid().is_root());
    }
}
