//! One session of Claude Code, headless, from its prompt to its end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

/// How long a session may take; a busy machine needs a while.
const SESSION: Duration = Duration::from_secs(180);

/// What was installed.
pub(crate) fn installed() -> anyhow::Result<PathBuf> {
    let folder = std::env::var_os("WARDKEEP_CLAUDE").map(PathBuf::from);
    let modules = folder.context("run this through ./dev e2e claude")?.join("node_modules/@anthropic-ai");
    let names = ["claude-code-linux-x64", "claude-code-linux-arm64"];
    let program = names.map(|name| modules.join(name).join("claude")).into_iter().find(|path| path.exists());
    program.context("no Claude Code for this machine was installed")
}

/// Where a session runs.
pub(crate) struct Place<'a> {
    pub(crate) program: &'a Path,
    /// What it sees as `/etc`.
    pub(crate) etc: &'a Path,
    /// Its user's home.
    pub(crate) home: &'a Path,
    pub(crate) workspace: &'a Path,
}

/// What a session said, line by line.
#[derive(Debug, Default)]
pub(crate) struct Session {
    lines: Vec<Value>,
    errors: String,
}

impl Place<'_> {
    /// Plays a session that begins with `prompt`.
    pub(crate) async fn play(
        &self,
        prompt: &str,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Session> {
        let mut command = tokio::process::Command::new("unshare");
        command.arg("--mount");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        // Everything after the script's own name is the program and its words.
        command.args(["sh", "-c", r#"mount --bind "$0" /etc && exec "$@""#]).arg(self.etc).arg(self.program);
        command.args(["-p", prompt, "--output-format", "stream-json", "--verbose"]).args(flags);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        // Root may skip permissions where it says that it is in a sandbox; what then holds is ours.
        command.env("HOME", self.home).env("IS_SANDBOX", "1").envs(environment.iter().copied());
        command.current_dir(self.workspace).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = tokio::time::timeout(SESSION, command.output()).await.context("a session took too long")??;
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Session { lines, errors: String::from_utf8_lossy(&output.stderr).into_owned() })
    }
}

impl Session {
    /// Its id, by which it is gone on with.
    pub(crate) fn id(&self) -> anyhow::Result<&str> {
        self.lines.iter().find_map(|line| line["session_id"].as_str()).with_context(|| format!("no session: {self}"))
    }

    /// What it said at its end.
    pub(crate) fn said(&self) -> &str {
        self.lines.iter().rev().find_map(|line| line["result"].as_str()).unwrap_or_default()
    }

    /// How its last turn ended, in the program's own word.
    pub(crate) fn ended(&self) -> &str {
        self.lines.iter().rev().find_map(|line| line["terminal_reason"].as_str()).unwrap_or_default()
    }

    /// What its calls gave, in the order of their results: whether it is an error, and the words.
    pub(crate) fn results(&self) -> Vec<(bool, String)> {
        let blocks = self.lines.iter().filter(|line| line["type"] == "user");
        let blocks = blocks.filter_map(|line| line["message"]["content"].as_array()).flatten();
        let results = blocks.filter(|block| block["type"] == "tool_result");
        results.map(|block| (block["is_error"] == Value::Bool(true), words(&block["content"]))).collect()
    }

    /// Tool servers that were there, and their state.
    pub(crate) fn servers(&self) -> Vec<(String, String)> {
        let init = self.lines.iter().find(|line| line["subtype"] == "init");
        let servers = init.and_then(|line| line["mcp_servers"].as_array()).into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        servers.map(|server| (text(&server["name"]), text(&server["status"]))).collect()
    }
}

impl std::fmt::Display for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "said {:?}, ended {:?}, results {:?}, errors {:?}",
            self.said(),
            self.ended(),
            self.results(),
            self.errors
        )
    }
}

fn words(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}
