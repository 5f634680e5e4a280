//! `claude-code …`, in words.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use wardkeep_proto::ids::AgentName;

use crate::claude_code::{FOLDER, MANAGED_DIR};
use crate::cli::openclaw::args::TellArgs;

/// `claude-code …`
#[derive(Debug, Subcommand)]
pub enum ClaudeCodeCommand {
    /// Write managed settings with the hooks, the list of tool servers, and the agent's token.
    ///
    /// They hold for every user of this server who starts Claude Code. What is there and right stays; a token that exists is kept,
    /// as are other managed settings and servers.
    Configure(ConfigureArgs),
    /// Find out whether the settings are as they were written, uncontradicted, and out of the agent's reach.
    ///
    /// The exit code is 1 when anything is wrong.
    Doctor(DoctorArgs),
}

/// Where the files are, and for whom.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// The agent, as the policy names it.
    pub agent: AgentName,
    /// Folder of the agent's token.
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    pub folder: PathBuf,
    /// Where Claude Code looks for managed settings.
    #[arg(long, value_name = "DIR", default_value = MANAGED_DIR)]
    pub managed_dir: PathBuf,
    /// The user that Claude Code runs as.
    #[arg(long, default_value = "agent")]
    pub user: String,
    /// How long a call waits for a person before its model is told to come back; to doctor, as it was said to configure.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u16).range(0..=600))]
    pub wait: u16,
}

/// Arguments of `claude-code configure`.
#[derive(Debug, Args)]
pub struct ConfigureArgs {
    /// Where the files are, and for whom.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// End the agent's token and make another.
    #[arg(long)]
    pub rotate: bool,
    /// How it is told.
    #[command(flatten)]
    pub tell: TellArgs,
}

/// Arguments of `claude-code doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Where the files are, and for whom.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
