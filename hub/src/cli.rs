//! The command line. Every command works beside a running `serve`: rows are the truth, `serve` looks at them.

mod agent;
mod approvals;
mod audit;
mod init;
mod keys;
mod people;
mod policy;
mod tenants;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use wardkeep_hub::app::WebSettings;
use wardkeep_hub::config::Config;
use wardkeep_hub::serve::{Hub, Outside, listen_file_in, web_settings};

/// What a new hub needs, in order.
const TO_BEGIN: &str = "To begin: `init`, then `serve`; beside it `user add NAME --operator --login-link` for yourself, and \
                        `tenant add NAME` for each server.";

/// The central hub of Wardkeep: fleet, approvals, policy, usage.
#[derive(Debug, Parser)]
#[command(name = "wardkeep-hub", version, max_term_width = 100, after_help = TO_BEGIN)]
pub(crate) struct Arguments {
    /// Folder of the hub: hub.toml, hub.key, hub.db.
    #[arg(long, global = true, env = "WARDKEEP_HUB_DATA", default_value = "/var/lib/wardkeep-hub")]
    pub(crate) data_dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

impl Arguments {
    /// Whether this is the hub itself, whose words are a log.
    pub(crate) fn serves(&self) -> bool {
        matches!(self.command, Command::Serve)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new hub: folder, configuration, keys.
    Init(init::Init),
    /// Run the hub.
    Serve,
    /// One-time enrolment tokens and tokens of the JSON API.
    #[command(subcommand)]
    Token(people::Token),
    /// People who sign in.
    #[command(subcommand)]
    User(people::User),
    /// Customers' servers.
    #[command(subcommand)]
    Tenant(tenants::Tenant),
    /// What tenants enforce.
    #[command(subcommand)]
    Policy(policy::Policy),
    /// The keys that sign policy and decisions.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Pause, stop and resume agents.
    #[command(subcommand)]
    Agent(agent::Agent),
    /// What tenants signed of their audit logs.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Requests that wait for a decision.
    #[command(subcommand)]
    Approvals(approvals::Approvals),
}

/// Runs one command.
pub(crate) async fn run(arguments: Arguments, outside: Outside, stop: CancellationToken) -> anyhow::Result<ExitCode> {
    let hub = Place { data_dir: arguments.data_dir, outside };
    let done = match arguments.command {
        Command::Policy(policy) => return policy.run(&hub).await,
        Command::Init(init) => init.run(&hub).await,
        Command::Serve => serve(&hub, stop).await,
        Command::Token(token) => token.run(&hub).await,
        Command::User(user) => user.run(&hub).await,
        Command::Tenant(tenant) => tenant.run(&hub).await,
        Command::Keys(keys) => keys.run(&hub).await,
        Command::Agent(agent) => agent.run(&hub).await,
        Command::Audit(audit) => audit.run(&hub).await,
        Command::Approvals(approvals) => approvals.run(&hub).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// The hub that a command works on.
pub(crate) struct Place {
    data_dir: PathBuf,
    outside: Outside,
}

impl Place {
    fn config(&self) -> anyhow::Result<Config> {
        Ok(Config::read(&self.data_dir)?)
    }

    /// How people and daemons reach the hub. Ports of 0 are known while `serve` runs only.
    fn web(&self) -> anyhow::Result<WebSettings> {
        #[derive(serde::Deserialize)]
        struct Listen {
            link: std::net::SocketAddr,
            web: std::net::SocketAddr,
        }
        let read = std::fs::read(listen_file_in(&self.data_dir)).ok();
        let listen: Option<Listen> = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let (link, web) = listen.map_or((0, 0), |listen| (listen.link.port(), listen.web.port()));
        let settings = web_settings(&self.config()?, link, web);
        if settings.link_address.ends_with(":0") || settings.public_url.ends_with(":0") {
            anyhow::bail!("hub.toml leaves the port open; start `wardkeep-hub serve` first");
        }
        Ok(settings)
    }
}

async fn serve(place: &Place, stop: CancellationToken) -> anyhow::Result<()> {
    let hub = Hub::start(&place.data_dir, &place.config()?, &place.outside).await?;
    let WebSettings { public_url, link_address } = hub.settings();
    say(&format!("Wardkeep hub at {public_url}, link at {link_address}"))?;
    say("Sign in with a link from: wardkeep-hub user add NAME --operator --login-link")?;
    hub.run(stop).await?;
    Ok(())
}

/// One line on standard output. A reader that went away is an error like any other.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
