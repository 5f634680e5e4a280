//! `./dev demo`: the whole of Wardkeep on one machine, for a person to try or, with `--check`, played and verified.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::plot;
use wardkeep_tests::story::stage::{Opening, RealProvider, Setting, Stage};

/// How long the story waits for somebody to sign in.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays a morning in a small bakery: an agent prepares a newsletter, you decide what may happen.
///
/// Starts a hub and a tenant's daemon, enrols the one with the other, puts a model behind the egress proxy and an agent
/// before it. With ANTHROPIC_API_KEY or OPENAI_API_KEY in the environment the model is the real one.
#[derive(Parser)]
#[command(name = "./dev demo")]
struct Arguments {
    /// Play the story without a browser, decide through the API, verify every step.
    #[arg(long)]
    check: bool,
    /// API that the agent speaks to the simulated model.
    #[arg(long, default_value = "anthropic")]
    api: Dialect,
    /// Keep everything in this empty folder instead of a temporary one.
    #[arg(long)]
    folder: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell_error(&format!("demo: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let temporary = tempfile::Builder::new().prefix("wardkeep-demo-").tempdir()?;
    let folder = arguments.folder.clone().unwrap_or_else(|| temporary.path().to_path_buf());
    std::fs::create_dir_all(&folder)?;
    anyhow::ensure!(folder.read_dir()?.next().is_none(), "{} is not empty", folder.display());
    let mut setting = Setting { dialect: arguments.api, tapped: arguments.check, ..Setting::plain(&folder) };
    if !arguments.check {
        choose_provider(&mut setting);
    }
    let result = perform(setting, arguments.check).await;
    if result.is_err() && arguments.folder.is_none() {
        let kept = temporary.keep();
        tell(&format!("everything is kept in {}", kept.display()));
    }
    result
}

async fn perform(setting: Setting, check: bool) -> anyhow::Result<()> {
    let stop = stop_signal()?;
    tokio::pin!(stop);
    // Before the stage stands, dropping what has been started kills it; afterwards everything is stopped in order.
    let stage = tokio::select! {
        stage = set(setting, check) => stage?,
        () = &mut stop => return Ok(()),
    };
    let result = tokio::select! {
        result = checked(&stage), if check => result,
        result = shown(&stage), if !check => result,
        () = &mut stop => Ok(()),
    };
    let ended = stage.strike().await;
    result.and(ended)
}

async fn set(setting: Setting, check: bool) -> anyhow::Result<Stage> {
    let opening = Opening::new(setting, &tell).await?;
    if !check {
        invite(&opening).await?;
    }
    opening.complete(&tell).await
}

/// Prints the link and waits a while for somebody to use it, so that they see the tenant come online.
async fn invite(opening: &Opening) -> anyhow::Result<()> {
    let link = opening.hub.login_link().await?;
    say(&format!(
        "\n  Open this once, within 15 minutes:\n\n    {link}\n\n  A tenant comes online when you have signed in (or in a \
         minute). Then look at the approvals:\n  the agent will ask to publish a newsletter (approve it) and to delete two \
         folders (deny it).\n  Ctrl-C ends everything.\n"
    ));
    let give_up = tokio::time::Instant::now() + PATIENCE;
    while !opening.hub.is_spent(&link).await? && tokio::time::Instant::now() < give_up {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

async fn checked(stage: &Stage) -> anyhow::Result<()> {
    let last_words = plot::play(stage, &tell).await?;
    for line in plot::verify(stage, &last_words).await? {
        tell(&format!("holds: {line}"));
    }
    tell("demo check passed");
    Ok(())
}

async fn shown(stage: &Stage) -> anyhow::Result<()> {
    tell("the tenant is online; the agent begins");
    let said = stage.start_agent()?.wait_for_ever().await?;
    say(&format!("\n  The agent is done and says: {}\n  Look around; Ctrl-C ends everything.", said.trim()));
    std::future::pending().await
}

/// A real model when the environment has a key for one.
fn choose_provider(setting: &mut Setting) {
    let real = [
        ("ANTHROPIC_API_KEY", Dialect::Anthropic, "https://api.anthropic.com", "claude-sonnet-4-5"),
        ("OPENAI_API_KEY", Dialect::OpenAi, "https://api.openai.com", "gpt-5-mini"),
    ];
    for (variable, dialect, base_url, model) in real {
        #[expect(clippy::disallowed_methods, reason = "this is main")]
        if let Ok(key) = std::env::var(variable)
            && !key.is_empty()
        {
            tell(&format!("{variable} is set: the agent talks to the real model {model}"));
            setting.dialect = dialect;
            setting.provider = Some(RealProvider { base_url: base_url.to_owned(), key, model: model.to_owned() });
            return;
        }
    }
}

/// Listens from now on; ends at the first Ctrl-C or SIGTERM.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        say("\n  stopping");
    })
}

fn tell(text: &str) {
    tell_error(&format!("  {text}"));
}

#[expect(clippy::print_stderr, reason = "progress of a command line tool")]
fn tell_error(text: &str) {
    eprintln!("{text}");
}

#[expect(clippy::print_stdout, reason = "the output of a command line tool")]
fn say(text: &str) {
    println!("{text}");
}
