//! The story's stage with another policy, another model, and Claude Code as the agent.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use wardkeep_proto::chance::{SystemChance, bytes};
use wardkeep_tests::simulators::newsletter::adapter::{BEARER, adapter};
use wardkeep_tests::story::people::{Person, rows, wait};
use wardkeep_tests::story::playbook::Playbook;
use wardkeep_tests::story::stage::{AGENT, Binaries, MODEL, Setting, Stage};

use crate::program::{Place, Session, installed};

/// The release that is pinned beside this file.
pub(crate) const CLAUDE_CODE: &str = "2.1.330";
/// How long a call waits for a person, seconds.
const WAIT: &str = "6";
/// A secret that one program alone is given.
pub(crate) const SECRET: &str = "shop_api_key";
/// What the agent may ask for.
const TOOLS: &str = r#""bash", "read_file", "write_file", "Edit", "Agent", "SendMessage", "news_account", "news_create", "news_debug", "news_get""#;
/// What of the machine's own `/etc` a session needs.
const OF_THIS_MACHINE: &[&str] = &["passwd", "group", "hosts", "nsswitch.conf", "resolv.conf", "ld.so.cache"];

/// Everything that runs.
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) model: Playbook,
    pub(crate) secret: String,
    person: Arc<Person>,
    program: PathBuf,
    folder: PathBuf,
    /// The managed settings as they were written.
    settings: String,
    /// Sessions so far: each has a prompt of its own, and so calls with ids of their own.
    sessions: u32,
}

impl World {
    pub(crate) async fn set(folder: &Path) -> anyhow::Result<Self> {
        let program = installed()?;
        let model = Playbook::with_children("Agent", &["child", "busy", "thief"]);
        let setting = Setting { script: Some(Arc::new(model.clone())), ..Setting::plain(folder) };
        let stage = Stage::set(setting, &|_| ()).await?;
        let secret = format!("shop_{}", data_encoding::HEXLOWER.encode(&bytes::<16>(&SystemChance::new())));
        stage.tenant.cli_told(&["vault", "set", SECRET, "--to", "tool:bash/printenv"], &secret).await?;
        stage.follow(&policy(&stage)).await?;
        let person = Arc::new(Person::new(stage.hub.url.clone(), stage.hub.api_token().await?)?);
        let mut world = Self {
            stage,
            model,
            secret,
            person,
            program,
            folder: folder.to_owned(),
            settings: String::new(),
            sessions: 0,
        };
        world.configure().await.context("write Claude Code's settings")?;
        Ok(world)
    }

    /// Writes everything with the product's own command.
    async fn configure(&mut self) -> anyhow::Result<()> {
        for dir in [self.etc(), self.home(), self.folder.join("wardkeep")] {
            fs::create_dir_all(dir)?;
        }
        for name in OF_THIS_MACHINE {
            // What this machine does not have a session does not miss.
            let _ = fs::copy(Path::new("/etc").join(name), self.etc().join(name));
        }
        fs::write(self.folder.join("wardkeep/token"), &self.stage.tenant.agent_token)?;
        self.command("configure", &[]).await?;
        self.settings = fs::read_to_string(self.settings_file())?;
        Ok(())
    }

    async fn command(&self, verb: &str, more: &[&str]) -> anyhow::Result<String> {
        let managed = self.etc().join("claude-code").display().to_string();
        let folder = self.folder.join("wardkeep").display().to_string();
        let words = ["claude-code", verb, AGENT, "--managed-dir", &managed, "--folder", &folder, "--user", "root"];
        self.stage.tenant.cli(&[&words[..], &["--wait", WAIT], more].concat()).await
    }

    fn etc(&self) -> PathBuf {
        self.folder.join("etc")
    }

    pub(crate) fn settings_file(&self) -> PathBuf {
        self.etc().join("claude-code/managed-settings.d/wardkeep.json")
    }

    /// Claude Code's own state: all that it wrote down.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.stage.tenant.workspace()
    }

    /// The settings are what they were, and nothing is left of what a scene put into home and workspace.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        Self::person(self).deny_all().await?;
        // So many refusals pause an agent.
        self.stage.tenant.cli(&["resume", AGENT, "--reason", "another scene"]).await?;
        fs::write(self.settings_file(), &self.settings)?;
        for left in [".claude", ".mcp.json"] {
            let path = self.workspace().join(left);
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
        let _ = fs::remove_file(self.home().join(".claude/settings.json"));
        Ok(())
    }

    /// Changes the managed settings, as nobody but root could.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Value)) -> anyhow::Result<()> {
        let mut settings = serde_json::from_str(&self.settings)?;
        change(&mut settings);
        Ok(fs::write(self.settings_file(), settings.to_string())?)
    }

    /// Writes settings into the workspace, where an agent could have put them.
    pub(crate) fn in_workspace(&self, name: &str, content: &Value) -> anyhow::Result<()> {
        let path = self.workspace().join(name);
        fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        Ok(fs::write(path, content.to_string())?)
    }

    /// Plays the scene `name` in a new session.
    pub(crate) async fn play(&mut self, name: &str) -> anyhow::Result<Session> {
        self.play_with(name, &[], &[]).await
    }

    /// The same with flags and more in its environment.
    pub(crate) async fn play_with(
        &mut self,
        name: &str,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Session> {
        self.sessions += 1;
        let prompt = format!("Please do it, number {}. [[{name}]]", self.sessions);
        self.session(&prompt, flags, environment).await
    }

    /// The customer, who looks and decides beside what happens here.
    pub(crate) fn person(world: &Self) -> Decider {
        Decider(Arc::clone(&world.person))
    }

    /// Plays a session that begins with these very words.
    pub(crate) async fn play_prompt(&self, prompt: &str) -> anyhow::Result<Session> {
        self.session(prompt, &[], &[]).await
    }

    async fn session(&self, prompt: &str, flags: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Session> {
        let (etc, home, workspace) = (self.etc(), self.home(), self.workspace());
        let place = Place { program: &self.program, etc: &etc, home: &home, workspace: &workspace };
        place.play(prompt, flags, environment).await
    }

    /// Runs the hook command as the runtime would: exit code, standard output, standard error.
    pub(crate) async fn hook(
        &self,
        input: &str,
        socket: Option<&str>,
        token: Option<&str>,
    ) -> anyhow::Result<(Option<i32>, String)> {
        use tokio::io::AsyncWriteExt as _;
        let own = self.folder.join("tenant/run/hook.sock").display().to_string();
        let mut child = tokio::process::Command::new(Binaries::find()?.daemon)
            .args(["hook", "claude-code", "--wait", "0", "--socket", socket.unwrap_or(&own)])
            .env("WARDKEEP_AGENT_TOKEN", token.unwrap_or(&self.stage.tenant.agent_token))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().context("a pipe was asked for")?;
        // It may have refused already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await??;
        Ok((output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
    }

    /// `claude-code doctor`; its findings, whatever its exit code.
    pub(crate) async fn doctor(&self) -> Vec<Value> {
        // Its findings stand in the error's text when there are bad ones.
        let said = self.command("doctor", &["--json"]).await.unwrap_or_else(|error| format!("{error:#}"));
        let from = said.find('[').unwrap_or(0);
        let until = said.rfind(']').map_or(said.len(), |at| at + 1);
        serde_json::from_str(&said[from..until]).unwrap_or_default()
    }

    /// Waits until `true`.
    pub(crate) async fn until<F: Future<Output = anyhow::Result<bool>>>(
        &self,
        what: &str,
        is: impl Fn() -> F,
    ) -> anyhow::Result<()> {
        wait(what, || async { Ok(is().await?.then_some(())) }).await
    }

    /// How many requests reached the provider.
    pub(crate) fn asked(&self) -> usize {
        self.stage.llm.requests().len()
    }

    /// A value in anything that Claude Code wrote down, or that the provider was told.
    pub(crate) fn leaks(&self, value: &str) -> anyhow::Result<Vec<String>> {
        self.stage.leaks(value, &[self.home()])
    }

    pub(crate) async fn strike(self) {
        // A scene may have killed the daemon for good.
        let _ = self.stage.strike().await;
    }
}

/// A person who decides.
pub(crate) struct Decider(Arc<Person>);

impl Decider {
    /// The next call that waits.
    pub(crate) async fn pending(&self) -> anyhow::Result<Value> {
        self.0.wait_for_pending(|_| true).await
    }

    /// Says yes to the next call that waits; what it would take away is `there` until then.
    pub(crate) async fn approve(&self, there: &Path) -> anyhow::Result<()> {
        let asked = self.pending().await?;
        anyhow::ensure!(there.exists(), "it ran before anybody said yes");
        self.decide(&asked, "approved").await
    }

    /// What waits at this moment.
    async fn now(&self) -> anyhow::Result<Vec<Value>> {
        Ok(rows(&self.0.get("/approvals?state=pending").await?, "approvals"))
    }

    pub(crate) async fn decide(&self, asked: &Value, verdict: &str) -> anyhow::Result<()> {
        self.0.decide(asked["digest"].as_str().context("a digest")?, verdict).await
    }

    /// Nothing waits any more.
    pub(crate) async fn deny_all(&self) -> anyhow::Result<()> {
        for asked in self.now().await? {
            self.decide(&asked, "denied").await?;
        }
        Ok(())
    }
}

fn policy(stage: &Stage) -> String {
    let services = &stage.tenant.services;
    let workspace = stage.tenant.workspace().display().to_string();
    let news = adapter("news", &stage.newsletter.base_url(), BEARER, &["account", "create", "debug", "get"]);
    format!(
        r#"
[[agents]]
name = "{AGENT}"
level = "trusted"
tools = [{TOOLS}]
models = ["{MODEL}"]
workspace = "{workspace}"
subagents = {{ level = "supervised", count = 1 }}
{news}
[[providers]]
name = "provider"
dialect = "anthropic"
base_url = "{}"
key = "llm_api_key"

[[models]]
name = "{MODEL}"
provider = "provider"
upstream_model = "{}"
price = {{ input = 3000000, output = 15000000 }}
"#,
        services.llm_url, services.upstream_model
    )
}
