//! The command line: what can be asked, in words. What is done stands in one file per group.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use wardkeep_proto::ids::{AgentName, PermitId};

use crate::config::DEFAULT_PATH;

pub mod approvals;
pub mod audit;
pub mod claude_code;
pub mod context;
pub mod egress;
pub mod grants;
pub mod helper;
pub mod hook;
pub mod mcp;
pub mod openclaw;
mod own_line;
pub mod passkey;
pub mod pipes;
pub mod policy;
mod runtime;
pub mod server;
pub mod standing;
pub mod status;
pub mod usage;
pub mod vault;

pub use claude_code::args::ClaudeCodeCommand;
pub use openclaw::args::OpenclawCommand;
pub use vault::args::{VaultArgs, VaultCommand};

/// What whoever works on a server has to know first.
const AS_OPERATOR: &str = "On a server that the hub's command set up, type `wardkeep` instead of `wardkeep-agent`: it is the same \
                           program as the daemon's user, with the vault's key.";

/// Names the configuration file where the command line does not.
pub const CONFIG_VARIABLE: &str = "WARDKEEP_AGENT_CONFIG";

/// The daemon of one tenant, and everything that can be asked of it.
///
/// Stands between AI agents and what they can touch: classifies every tool call, asks a person where that is needed,
/// keeps secrets away from agents and models, and records everything.
#[derive(Debug, Parser)]
#[command(name = "wardkeep-agent", version, propagate_version = true, after_help = AS_OPERATOR)]
pub struct Cli {
    /// The configuration file.
    #[arg(long, global = true, default_value = DEFAULT_PATH, env = CONFIG_VARIABLE, value_name = "FILE")]
    pub config: PathBuf,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Enrol this server with its hub, by the one-time token that the hub showed.
    ///
    /// The token is read from standard input or a file, never from the command line, where other users could see it.
    /// Safe to repeat after a crash with the same token.
    Enrol(EnrolArgs),
    /// Run the daemon (systemd does this).
    Run,
    /// Show whether the daemon runs, is connected, and what is closed.
    Status(StatusArgs),
    /// Show what agents used, by what their providers counted.
    Usage(UsageArgs),
    /// Keep the secrets that agents use but never see.
    Vault(VaultArgs),
    /// Look at waiting calls and decide them on this server, also without the hub.
    #[command(subcommand)]
    Approvals(ApprovalsCommand),
    /// Look at what the policy lets pass without asking, and take it back on this server.
    #[command(subcommand)]
    Grants(GrantsCommand),
    /// Say whose passkeys may approve critical calls.
    #[command(subcommand)]
    Passkey(PasskeyCommand),
    /// Check and read the record of everything that was decided.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Look at the signed policy in force.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Let nothing but reads of an agent begin until it is resumed.
    Pause(HaltArgs),
    /// End everything of an agent now, and let nothing of it begin until it is resumed, not even reads.
    ///
    /// Running calls are killed with all they started, its requests to models and hosts are cut, calls that wait for a
    /// person are over. It answers when nothing runs any more, and counts over restarts.
    Stop(HaltArgs),
    /// Let an agent go on that was paused or stopped, by the hub, by denials or here.
    Resume(ResumeArgs),
    /// Run a permitted call once, through the daemon, and print its redacted output.
    ///
    /// The exit code is the call's own. Meant for agents' runtimes: secrets stay in the daemon.
    Exec(ExecArgs),
    /// What agents' runtimes use to ask before a tool call.
    #[command(subcommand)]
    Hook(HookCommand),
    /// Serve MCP on standard input and output for one agent: its tools, each call decided on by the daemon.
    Mcp(McpArgs),
    /// Put OpenClaw under this daemon: plugin, hardened configuration, and the proof that they hold.
    #[command(subcommand)]
    Openclaw(OpenclawCommand),
    /// Put Claude Code under this daemon: managed settings with its hooks, and the proof that they hold.
    #[command(subcommand)]
    ClaudeCode(ClaudeCodeCommand),
    /// Keep agents' users off the network: they reach the daemon's ports on loopback and nothing else.
    #[command(subcommand)]
    Egress(EgressCommand),
    /// Run the part that needs root (systemd does this): it holds the network lock.
    Helper(HelperArgs),
    /// Say how a tool call would be classified by the rules in force.
    Classify(ClassifyArgs),
    /// Replace secrets in text: standard input to standard output, as it streams.
    Redact(RedactArgs),
    /// Find out what is wrong, and say what to do.
    ///
    /// The exit code is 1 when there is any error.
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the commented default configuration.
    Config,
    /// One tool call in a process of its own; the daemon starts it.
    #[command(hide = true)]
    Runner,
    /// The first process in the unit of a run; the helper has systemd start it.
    #[command(hide = true)]
    Launcher,
    /// Become one of the programs that a run which only reads keeps from starting others; runs start it.
    #[command(hide = true)]
    Leaf {
        /// The program's name and its arguments.
        #[arg(last = true)]
        words: Vec<std::ffi::OsString>,
    },
    /// Try in a run's unit what no run may; the self-test starts it.
    #[command(hide = true)]
    Probe,
}

/// Arguments of `enrol`.
#[derive(Debug, Args)]
pub struct EnrolArgs {
    /// Read the token from this file instead of standard input.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Wait this long until the daemon is connected to its hub; exit code 1 when it is not.
    #[arg(long, value_name = "SECONDS")]
    pub wait_online: Option<u32>,
}

/// Arguments of `usage`.
#[derive(Debug, Args)]
pub struct UsageArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// What totals are told apart by. Sessions and runs are forgotten after 90 days.
    #[arg(long, value_enum, default_value_t = UsageBy::Model)]
    pub by: UsageBy,
    /// Look back over so many days; sessions and runs count with all they used when their last request is within.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=36500))]
    pub days: u32,
    /// Print so many lines at most.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub limit: u32,
}

/// By what usage is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UsageBy {
    /// The agent.
    Agent,
    /// The agent and the model.
    Model,
    /// The agent and the session of its hook.
    Session,
    /// The agent, the session, and the run that the caller names by a traceparent header.
    Run,
}

/// Whom the kill switch is about.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct WhomArgs {
    /// The agent.
    pub agent: Option<AgentName>,
    /// Every agent of this server, also later ones.
    #[arg(long)]
    pub all: bool,
}

/// Arguments of `pause` and `stop`.
#[derive(Debug, Args)]
pub struct HaltArgs {
    /// Whom.
    #[command(flatten)]
    pub whom: WhomArgs,
    /// Why, for the record; whoever wonders at the hub reads it.
    #[arg(long, default_value = "ordered on this server")]
    pub reason: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Whom. `--all` takes back what was said of all; agents that were named stay as they are.
    #[command(flatten)]
    pub whom: WhomArgs,
    /// Why it may go on, for the record.
    #[arg(long)]
    pub reason: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `approvals …`
#[derive(Debug, Subcommand)]
pub enum ApprovalsCommand {
    /// Calls that wait; with --all also the decided ones, newest first.
    List {
        /// Decided ones too.
        #[arg(long)]
        all: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Everything about one.
    Show {
        /// Its name (A-1f2e3d4c) or digest.
        approval: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let it run, once. Critical calls need a passkey, on the hub's page, and cannot be approved here.
    Approve(DecisionArgs),
    /// Do not let it run.
    Deny(DecisionArgs),
}

/// `grants …`
#[derive(Debug, Subcommand)]
pub enum GrantsCommand {
    /// Each grant of the policy in force, how often it was used and may still be.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let a grant pass nothing any more on this server, for good.
    Revoke {
        /// Its name, as `list` shows it, or the beginning of it.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `passkey …`
#[derive(Debug, Subcommand)]
pub enum PasskeyCommand {
    /// Keys that count here, keys that the hub offers, and keys that count no more.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let a key approve critical calls.
    ///
    /// The code is shown where the key was made: in the portal, under Passkeys. `list` does not tell it, because what the hub
    /// offers may not be your key.
    Pin {
        /// Five times five letters and digits.
        code: String,
        /// What to call it here.
        #[arg(long)]
        name: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let a key approve nothing any more, from this moment on.
    Remove {
        /// Its code, as `list` shows it.
        code: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Arguments of a decision.
#[derive(Debug, Args)]
pub struct DecisionArgs {
    /// Name (A-1f2e3d4c) or digest of the approval.
    pub approval: String,
    /// A word to the agent, and for the record.
    #[arg(long, default_value = "")]
    pub note: String,
}

/// `audit …`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check the whole hash chain; exit code 1 when it is broken.
    ///
    /// Edited, missing, inserted and exchanged rows are found, and a cut end as far as the hub had confirmed it to this server.
    Verify {
        /// Compare with everything that was signed and sent to the hub: this finds an older copy of the whole folder, too.
        #[arg(long)]
        against_hub: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print rows, oldest first.
    Show {
        /// How many of those that fit, the newest.
        #[arg(long, default_value_t = 50)]
        last: u32,
        /// Then wait for more, until it is interrupted.
        #[arg(long, short)]
        follow: bool,
        /// Print JSON lines.
        #[arg(long)]
        json: bool,
        /// Which rows.
        #[command(flatten)]
        rows: RowArgs,
    },
    /// Print every row that fits, for other systems, as it is read.
    Export {
        /// JSON lines of the rows as they are, hashes included; or events of the Open Cybersecurity Schema Framework.
        #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
        format: ExportFormat,
        /// Which rows.
        #[command(flatten)]
        rows: RowArgs,
    },
}

/// In which words rows leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// JSON lines of the rows as they are.
    Jsonl,
    /// JSON lines of OCSF 1.3 events: API Activity and Process Activity.
    Ocsf,
}

/// Which rows of the audit log; everything that is given must fit.
#[derive(Debug, Args)]
pub struct RowArgs {
    /// About this agent.
    #[arg(long)]
    pub agent: Option<AgentName>,
    /// Not before: 2026-12-01, 2026-12-01T08:30:00Z, or so long ago: 90m, 2h, 3d.
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Before.
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// Calls of this class: green, yellow, yellow_external, red, critical_red.
    #[arg(long)]
    pub class: Option<wardkeep_policy::Class>,
    /// What became of calls.
    #[arg(long, value_enum)]
    pub decision: Option<RowDecision>,
    /// The kind of row begins so: call-denied, vault-, agent-.
    #[arg(long)]
    pub kind: Option<String>,
    /// This text stands in it, in small or capital letters.
    #[arg(long)]
    pub text: Option<String>,
    /// Read the file, without the daemon. What became a secret after it was written is not masked.
    #[arg(long)]
    pub offline: bool,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowDecision {
    /// The rules or a person let it run.
    Allowed,
    /// A person was asked.
    Asked,
    /// It may not run.
    Denied,
    /// Nobody decided, or it did not start, in time.
    Expired,
    /// It began or ended.
    Ran,
}

/// `policy …`
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// What is in force: version, agents, levels, grants, models.
    Show {
        /// Print the whole bundle as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check signature, tenant, version and time of the stored bundle; exit code 1 when it does not count.
    Verify,
    /// The redaction rules in force beside the vault's values, each with who states its format.
    Rules {
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `egress ...`
#[derive(Debug, Subcommand)]
pub enum EgressCommand {
    /// Lock the users of `[lock]` in the configuration, now and after each reboot.
    ///
    /// Repeating it takes over what changed in the configuration; connections that are open end.
    Lock {
        /// Print the rules for nftables and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Print JSON: the status, and whether anything changed.
        #[arg(long, conflicts_with = "dry_run")]
        json: bool,
    },
    /// Let them go. This is recorded.
    Unlock {
        /// Really.
        #[arg(long)]
        yes: bool,
        /// Print JSON: the status, and whether anything changed.
        #[arg(long)]
        json: bool,
    },
    /// Show whether the lock holds, what it counted and what was tried. The exit code is 0 only while it holds.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Arguments of `helper`.
#[derive(Debug, Args)]
pub struct HelperArgs {
    /// Put the lock in force as it was before the reboot, and end.
    #[arg(long)]
    pub restore: bool,
    /// The daemon's user: it is heard, beside root.
    #[arg(long, default_value = "wardkeep", value_name = "USER")]
    pub user: String,
}

/// Where an agent's token comes from.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Read the agent's token from this file; without it, from WARDKEEP_AGENT_TOKEN.
    #[arg(long, value_name = "FILE", env = "WARDKEEP_AGENT_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// The daemon's hook socket, where the configuration cannot be read.
    #[arg(long, value_name = "FILE", env = "WARDKEEP_HOOK_SOCKET")]
    pub socket: Option<PathBuf>,
}

/// Arguments of `exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// The permit of an allowed call.
    pub permit: PermitId,
    /// The agent's token.
    #[command(flatten)]
    pub token: TokenArgs,
}

/// `hook …`
#[derive(Debug, Subcommand)]
pub enum HookCommand {
    /// Make the local token of an agent, print it once, and keep only its hash.
    Token {
        /// The agent, as the policy names it.
        agent: AgentName,
        /// End the present token and make another.
        #[arg(long)]
        rotate: bool,
    },
    /// Ask before a tool call: JSON of before-tool-call on standard input, the answer on standard output.
    ///
    /// Exit code 0: allowed or done; 3: pending; 4: denied.
    Call(TokenArgs),
    /// The hook command of Claude Code and runtimes like it: its JSON on standard input, its answer on standard output.
    ///
    /// `PreToolUse` is decided on: allowed calls go on, refused ones and ones that wait do not. `PostToolUse` is recorded, and given to
    /// the model without secrets. `claude-code configure` registers it for these and for all other events that count. Exit code 2, which
    /// such runtimes take for a refusal, wherever the daemon cannot be asked.
    ClaudeCode(ClaudeCodeArgs),
}

/// Arguments of `hook claude-code`.
#[derive(Debug, Args)]
pub struct ClaudeCodeArgs {
    /// How long a call may wait for a person; shorter than the runtime's own patience with hooks.
    #[arg(long, value_name = "SECONDS", default_value_t = 45, value_parser = clap::value_parser!(u16).range(0..=600))]
    pub wait: u16,
    /// Let the runtime's own tools open files in this folder only; the daemon's runs have it from the policy.
    #[arg(long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// The agent's token.
    #[command(flatten)]
    pub token: TokenArgs,
}

/// Arguments of `mcp`.
#[derive(Debug, Args)]
pub struct McpArgs {
    /// For which agent; its token must be of the same.
    #[arg(long)]
    pub agent: AgentName,
    /// How long a call may wait for a person; without it 45, or 300 where the client wants to hear of progress.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(0..=600))]
    pub wait: Option<u16>,
    /// Hold the agent's lease as long as this runs. Only for a runtime that has no tools but these.
    #[arg(long)]
    pub lease: bool,
    /// The agent's token.
    #[command(flatten)]
    pub token: TokenArgs,
}

/// Arguments of `classify`.
#[derive(Debug, Args)]
pub struct ClassifyArgs {
    /// A command line of a shell; without it the call is read from standard input, as JSON or as a command line.
    #[arg(conflicts_with = "jsonl")]
    pub command: Option<String>,
    /// Say what was seen in the call, and which rules fired and why.
    #[arg(long)]
    pub explain: bool,
    /// Read JSON lines {"id","tool","command"|"args"} and answer each with a JSON line.
    #[arg(long)]
    pub jsonl: bool,
}

/// Arguments of `redact`.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:\n  journalctl -u app | wardkeep-agent redact > app.log\n  \
    wardkeep-agent redact --vault secrets.jsonl --report < dump.txt > clean.txt 2> report.jsonl\n\n\
    What is in the vault file becomes SECRET_REF(name), anything else that looks like a secret [REDACTED:kind:xxxx]. No \
    daemon and no vault are needed.\n\nThe report has a line for each replacement, {\"line\",\"rule\",\"offset\",\"length\"}, and \
    {\"replaced\":COUNT} at the end. `line` counts the input's lines from 1; `offset` and `length` are bytes of the input, \
    with --jsonl bytes of its \"text\", which is named by \"id\" (\"in\":\"id\": of the id). With --jsonl a line that is no such \
    object is left out and named on standard error, {\"line\",\"error\"}; the exit code is then 1. `rule` is a kind, or `vault` with the secret's \"name\". \
    Exit code: 0 done, 1 not done (what left before is redacted), 2 wrong usage.")]
pub struct RedactArgs {
    /// Secrets to replace, one JSON object {"name","value"} a line, with "context" (keywords, separated by commas) for a
    /// value that is replaced beside one of them only; without it, the shipped patterns only.
    #[arg(long, value_name = "FILE")]
    pub vault: Option<PathBuf>,
    /// More rules, in TOML, as in a bundle.
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Each input line is a JSON object {"id","text"}; each answer is {"id","text"}. A text that is a JSON document is joined
    /// over its strings and stays one; without --jsonl, strings of JSON are not joined.
    #[arg(long)]
    pub jsonl: bool,
    /// Report on standard error what was replaced, one JSON object a line, never the values.
    #[arg(long)]
    pub report: bool,
}

#[cfg(test)]
mod tests;
