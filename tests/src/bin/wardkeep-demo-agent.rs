//! The demo's agent: a real loop around a language model, as small as one can be.
//!
//! It speaks the Anthropic Messages or the `OpenAI` Chat Completions API with tools through the egress proxy, asks the
//! hook API before each tool, and holds nothing but its local token. It survives restarts of the daemon by asking again.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use wardkeep_tests::story::agent::{Agent, Dialect, Door};

/// Runs one task to its end and prints what it said last.
#[derive(Parser)]
struct Arguments {
    /// Base URL of the LLM gateway, e.g. `http://127.0.0.1:7400`.
    #[arg(long)]
    llm: String,
    /// Base URL of the hook API, e.g. `http://127.0.0.1:7401`.
    #[arg(long)]
    hooks: String,
    /// `anthropic` or `openai`.
    #[arg(long, default_value = "anthropic")]
    api: Dialect,
    /// Model to ask for.
    #[arg(long)]
    model: String,
    /// Session name; one per task.
    #[arg(long, default_value = "morning")]
    session: String,
    /// Folder the agent works in.
    #[arg(long)]
    workspace: PathBuf,
    /// Where the transcript is kept (JSON lines): all that this process ever saw or said.
    #[arg(long)]
    transcript: Option<PathBuf>,
    /// The task in plain words.
    task: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[expect(
        clippy::disallowed_methods,
        reason = "this is main; a token on the command line would show in the process list"
    )]
    let token = std::env::var("WARDKEEP_AGENT_TOKEN").unwrap_or_default();
    let door = Door { llm: arguments.llm, hooks: arguments.hooks, token };
    let agent =
        Agent::new(door, arguments.api, arguments.model, arguments.session, arguments.workspace, arguments.transcript);
    match agent {
        Ok(agent) => match agent.run(&arguments.task).await {
            Ok(last) => {
                say(&last);
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        },
        Err(error) => fail(&error),
    }
}

#[expect(clippy::print_stdout, reason = "the agent's answer is its output")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a command line tool tells its error there")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("demo agent: {error:#}");
    ExitCode::FAILURE
}
