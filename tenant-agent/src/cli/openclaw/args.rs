//! `openclaw …`, in words.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use wardkeep_proto::ids::AgentName;

use crate::openclaw::{FOLDER, PLUGIN_DIR};

/// `openclaw …`
#[derive(Debug, Subcommand)]
pub enum OpenclawCommand {
    /// Write the plugin, owned by whoever runs this (root), readable by all.
    Install(InstallArgs),
    /// Write the hardened configuration, the environment and the token of an agent's OpenClaw.
    ///
    /// Workspace and models come from the policy in force. What is there and right stays; tokens that exist are kept.
    /// The service is written too, and neither enabled nor started.
    Configure(ConfigureArgs),
    /// Find out whether plugin and configuration are as they were written, out of the agent's reach, and alive.
    ///
    /// The exit code is 1 when anything is wrong.
    Doctor(DoctorArgs),
}

/// Where the plugin is kept.
#[derive(Debug, Args)]
pub struct PluginArgs {
    /// The plugin's folder.
    #[arg(long, value_name = "DIR", default_value = PLUGIN_DIR)]
    pub plugin_dir: PathBuf,
}

/// Where an agent's files are kept, and for whom.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// Folder of configuration, environment and token.
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    pub folder: PathBuf,
    /// The user that OpenClaw runs as.
    #[arg(long, default_value = "agent")]
    pub user: String,
    /// The plugin.
    #[command(flatten)]
    pub plugin: PluginArgs,
}

/// How what was done is told.
#[derive(Debug, Args)]
pub struct TellArgs {
    /// Say what would be done and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `openclaw install`.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// The plugin.
    #[command(flatten)]
    pub plugin: PluginArgs,
    /// How it is told.
    #[command(flatten)]
    pub tell: TellArgs,
}

/// Arguments of `openclaw configure`.
#[derive(Debug, Args)]
pub struct ConfigureArgs {
    /// The agent, as the policy names it.
    pub agent: AgentName,
    /// Where its files are kept.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// OpenClaw's own state, which its user writes.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/openclaw")]
    pub home: PathBuf,
    /// Port of its gateway on loopback.
    #[arg(long, default_value_t = 18_789)]
    pub port: u16,
    /// How long a call waits for a person before its model is told to come back.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u16).range(0..=600))]
    pub wait: u16,
    /// End the agent's token and make another.
    #[arg(long)]
    pub rotate: bool,
    /// Where the service is written.
    #[arg(long, value_name = "DIR", default_value = "/etc/systemd/system")]
    pub unit_dir: PathBuf,
    /// How it is told.
    #[command(flatten)]
    pub tell: TellArgs,
}

/// Arguments of `openclaw doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The agent whose hook must be alive; without it, files only.
    pub agent: Option<AgentName>,
    /// Where its files are kept.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
