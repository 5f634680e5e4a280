//! The line with which a unit starts the daemon, read by itself.

use std::ffi::OsString;

use super::{Cli, Command};
use crate::config::DEFAULT_PATH;

impl Cli {
    /// The daemon's own line, `[--config FILE] run`, read without making the tree of all commands: that takes 340 KB of
    /// code, which would stay in memory as long as the daemon runs. `None` is any other line, which the tree reads; this
    /// one it would read alike.
    #[must_use]
    pub fn of_daemon(words: &[OsString], config_of_environment: Option<OsString>) -> Option<Self> {
        let (config, command) = match words {
            [command] => (config_of_environment.unwrap_or_else(|| DEFAULT_PATH.into()), command),
            [option, config, command] if option == "--config" => (config.clone(), command),
            _ => return None,
        };
        // What is empty, or may be another option, the tree has words for.
        let is_plain = !config.is_empty() && !config.as_encoded_bytes().starts_with(b"-");
        (is_plain && command == "run").then(|| Self { config: config.into(), command: Command::Run })
    }
}
