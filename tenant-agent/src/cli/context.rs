//! What every command gets: the configuration, the world passed in by `main`, and where to print.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use wardkeep_proto::chance::Chance;
use wardkeep_proto::secret::SecretValue;
use wardkeep_proto::time::Clock;
use wardkeep_proto::waypoint::Waypoints;
use wardkeep_vault::KeySource;

use crate::config::{Config, ConfigError};

/// The world as `main` found it; nothing else reads the environment.
#[derive(Clone)]
pub struct Environment {
    /// `$CREDENTIALS_DIRECTORY` of systemd.
    pub credentials_dir: Option<PathBuf>,
    /// `$WARDKEEP_AGENT_TOKEN`.
    pub agent_token: Option<SecretValue>,
    /// This program's own file, to start runners from.
    pub program: PathBuf,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
    /// The points of the crash test.
    pub waypoints: Arc<dyn Waypoints>,
}

impl Environment {
    /// Where the vault's key comes from: a systemd credential when systemd hands it over, the key file otherwise.
    #[must_use]
    pub fn vault_key(&self, config: &Config) -> KeySource {
        match (&config.vault.credential, &self.credentials_dir) {
            (Some(name), Some(dir)) => KeySource::Credential(dir.join(name)),
            _ => KeySource::File(config.vault.key_file.clone()),
        }
    }
}

/// One call of the program.
pub struct Context<'a> {
    /// The world.
    pub env: &'a Environment,
    /// The configuration file.
    pub config_path: PathBuf,
    /// Standard output.
    pub out: &'a mut dyn Write,
}

/// Why a command failed; printed with its sources by `main`.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// State directory.
    #[error(transparent)]
    State(#[from] crate::state::StateError),
    /// Identity.
    #[error(transparent)]
    Identity(#[from] crate::identity::IdentityError),
    /// Enrolment.
    #[error(transparent)]
    Enrol(#[from] crate::enrol::EnrolError),
    /// The token's text.
    #[error(transparent)]
    Token(#[from] crate::enrol::token::InvalidToken),
    /// Agents' tokens.
    #[error(transparent)]
    AgentToken(#[from] crate::tokens::TokenError),
    /// The daemon beside us.
    #[error(transparent)]
    Daemon(#[from] crate::unix_http::ClientError),
    /// The daemon itself.
    #[error(transparent)]
    Run(#[from] crate::daemon::RunError),
    /// The ledger of bundles.
    #[error(transparent)]
    Ledger(#[from] crate::bundle_ledger::LedgerError),
    /// The vault's file.
    #[error(transparent)]
    Vault(#[from] wardkeep_vault::OpenError),
    /// The vault's key.
    #[error(transparent)]
    VaultKey(#[from] wardkeep_vault::KeyError),
    /// A secret.
    #[error(transparent)]
    Secret(#[from] wardkeep_vault::VaultError),
    /// A value that redaction could not find.
    #[error("{name} is not stored: {why}")]
    Unsearchable {
        /// Which secret.
        name: wardkeep_proto::ids::SecretName,
        /// What is wrong with its value.
        why: wardkeep_redaction::Unsearchable,
    },
    /// Another key for the vault.
    #[error(transparent)]
    Rekey(#[from] wardkeep_vault::RekeyError),
    /// A file of another password store.
    #[error(transparent)]
    Import(#[from] wardkeep_vault::ImportError),
    /// An encrypted file.
    #[error(transparent)]
    Export(#[from] wardkeep_vault::ExportError),
    /// A file that the user named cannot be made.
    #[error("cannot make {path}; it must not exist yet")]
    Output {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file of an agent's runtime.
    #[error("cannot read or write {path}; run this as root")]
    Place {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A binding.
    #[error(transparent)]
    Binding(#[from] wardkeep_vault::InvalidBinding),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] wardkeep_safety::audit::Broken),
    /// The helper beside us.
    #[error(transparent)]
    Lock(#[from] wardkeep_lock::ClientError),
    /// The helper itself.
    #[error(transparent)]
    Helper(#[from] wardkeep_lock::HelperError),
    /// What the lock is to do.
    #[error(transparent)]
    LockPlan(#[from] crate::egress_lock::PlanError),
    /// The lock after a reboot.
    #[error(transparent)]
    Restore(#[from] wardkeep_lock::lock::LockError),
    /// The redaction index.
    #[error(transparent)]
    Redaction(#[from] wardkeep_redaction::BuildError),
    /// A file that the user named.
    #[error("cannot read {path}")]
    Input {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Input that is not what it should be.
    #[error("{0}")]
    Usage(String),
    /// An import left entries out.
    #[error(
        "{} of the entries were not stored: {}; the reasons stand above, the others are stored; mend these and import again",
        .0.len(),
        .0.join(", ")
    )]
    Skipped(Vec<String>),
    /// Standard input or output.
    #[error("cannot read the input or write the output")]
    Io(#[from] io::Error),
}

impl Context<'_> {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`CliError::Config`].
    pub fn config(&self) -> Result<Config, CliError> {
        Ok(Config::load(&self.config_path)?)
    }

    /// One line to standard output.
    ///
    /// # Errors
    /// [`CliError::Io`].
    pub fn say(&mut self, text: impl std::fmt::Display) -> Result<(), CliError> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// A value as JSON to standard output.
    ///
    /// # Errors
    /// [`CliError::Io`].
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        serde_json::to_writer_pretty(&mut *self.out, value).map_err(io::Error::other)?;
        Ok(writeln!(self.out)?)
    }
}
