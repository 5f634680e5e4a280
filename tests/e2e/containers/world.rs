//! Hub, daemon, helper and engine.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::stage::{AGENT, Binaries, OTHER_AGENT, Service, Setting, Stage, Start};

use crate::engine::Engine;

/// What a container may use up.
const LIMITS: &str = "seconds = 10\nmemory_mebibytes = 32\nprocesses = 16\nfile_mebibytes = 1\n";

/// Names, bindings and values.
pub(crate) const PINS: &[(&str, &str, &str)] = &[
    ("till_pin", "tool:run_container/cat", "9f8e7d6c5b4a-till"),
    ("safe_pin", "tool:shell/psql", "1a2b3c4d5e6f-safe"),
    ("shop_pin", "tool:run_container/*", "5d4c3b2a1f0e-shop"),
];

/// What runs.
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) engine: Engine,
    /// Of the one that may do what is Yellow by itself.
    pub(crate) agent: Hooks,
    /// Of the one that asks for everything.
    pub(crate) asking: Hooks,
    /// The images that the policy names.
    pub(crate) box_id: String,
    helper: Option<Service>,
    calls: u32,
}

impl World {
    pub(crate) async fn set(folder: &Path) -> anyhow::Result<Self> {
        let folder = std::fs::canonicalize(folder)?;
        let mut engine = Engine::at(&folder);
        let more = format!(
            "[runs]\nunits = \"off\"\nworkspaces = [\"{}\"]\n[containers]\nengine = \"{}\"\n",
            folder.join("tenant").display(),
            engine.socket().display()
        );
        let setting = Setting { configuration: more, ..Setting::plain(&folder) };
        let stage = Stage::set(setting, &|_| ()).await?;
        engine.start().await?;
        let box_id = engine.image("box:1", "first", &["VOLUME /data", "CMD [\"cat\", \"/which\"]"])?;
        for (name, to, value) in PINS {
            stage.tenant.cli_told(&["vault", "set", name, "--to", to], value).await?;
        }
        let (agent, asking) = (Hooks::of(&stage.tenant)?, Hooks::with_token(&stage.tenant, &stage.tenant.other_token)?);
        let mut world = Self { stage, engine, agent, asking, box_id, helper: None, calls: 0 };
        world.follow(&world.box_id.clone()).await?;
        for hooks in [&world.agent, &world.asking] {
            hooks.start_session().await?;
        }
        world.start_helper()?;
        world.ready().await?;
        Ok(world)
    }

    /// Has a policy in which `box` is the image of that id.
    pub(crate) async fn follow(&self, id: &str) -> anyhow::Result<()> {
        let workspace = self.stage.tenant.workspace().display().to_string();
        let gone = format!("sha256:{}", "0".repeat(64));
        let policy = format!(
            "[[agents]]\nname = \"{AGENT}\"\nlevel = \"trusted\"\nworkspace = \"{workspace}\"\n\
             [[agents]]\nname = \"{OTHER_AGENT}\"\nlevel = \"supervised\"\nworkspace = \"{workspace}\"\n\
             [[runs]]\n{LIMITS}[[images]]\nname = \"box\"\nid = \"{id}\"\n[[images]]\nname = \"gone\"\nid = \"{gone}\"\n"
        );
        self.stage.follow(&policy).await
    }

    pub(crate) fn start_helper(&mut self) -> anyhow::Result<()> {
        let config = self.stage.setting.folder.join("tenant/agent.toml").display().to_string();
        self.helper = Some(Service::start(Start {
            name: "wardkeep-agent helper",
            program: Binaries::find()?.daemon,
            arguments: ["--config", config.as_str(), "helper", "--user", "root"].map(str::to_owned).into(),
            environment: Vec::new(),
            log: self.stage.setting.folder.join("helper.log"),
        })?);
        Ok(())
    }

    pub(crate) fn helper(&self) -> anyhow::Result<&Service> {
        self.helper.as_ref().context("the helper does not run")
    }

    /// Waits until everything answers.
    pub(crate) async fn ready(&self) -> anyhow::Result<()> {
        // A case that failed may have left another policy behind.
        let shown = self.stage.tenant.cli(&["policy", "show"]).await?;
        if !shown.contains("at most 10 s") || !shown.contains(&format!("image box: {}", self.box_id)) {
            self.follow(&self.box_id).await?;
        }
        wait("containers to be carried out", || async {
            let doctor = self.doctor().await?;
            Ok(doctor.contains("the helper runs the images that the policy names").then_some(()))
        })
        .await?;
        self.agent.start_session().await?;
        self.asking.start_session().await.map(drop)
    }

    /// What the doctor says; that it finds fault with something else of a stage is no matter here.
    pub(crate) async fn doctor(&self) -> anyhow::Result<String> {
        Ok(match self.stage.tenant.cli(&["doctor"]).await {
            Ok(said) => said,
            Err(error) => format!("{error:#}"),
        })
    }

    pub(crate) fn name(&mut self) -> String {
        self.calls += 1;
        format!("container-{}", self.calls)
    }

    /// Runs words in a container of `box`.
    pub(crate) async fn run(&mut self, argv: &[&str]) -> anyhow::Result<Value> {
        self.run_with(json!({"image": "box", "argv": argv})).await
    }

    pub(crate) async fn run_with(&mut self, args: Value) -> anyhow::Result<Value> {
        let call = self.name();
        self.agent.run(&call, "run_container", args).await
    }

    /// Begins a call that is allowed, and waits until its container runs; answers its name and permit.
    pub(crate) async fn begin(&mut self, args: Value) -> anyhow::Result<(String, String)> {
        let call = self.name();
        let (_, proposed) = self.agent.propose(&call, "run_container", args).await?;
        let permit = proposed["permit"].as_str().with_context(|| format!("not allowed: {proposed}"))?.to_owned();
        let (hooks, run) = (Hooks::of(&self.stage.tenant)?, permit.clone());
        tokio::spawn(async move { hooks.exec(&run).await });
        let name = format!("wardkeep-run-{permit}");
        wait("a container to run", || async {
            let state = self.engine.docker(&["inspect", "--format", "{{.State.Running}}", &name]);
            Ok(state.is_ok_and(|running| running == "true").then_some(()))
        })
        .await?;
        Ok((call, permit))
    }

    /// The result of a call, when there is one.
    pub(crate) async fn result(&self, call: &str) -> anyhow::Result<Value> {
        wait("a result", || async {
            let Ok((_, status)) = self.agent.status(call, 0).await else { return Ok(None) };
            Ok((!status["result"].is_null()).then(|| status["result"].clone()))
        })
        .await
    }

    /// No container outlives its call.
    pub(crate) async fn nothing_is_left(&self) -> anyhow::Result<()> {
        let mut left = String::new();
        for _ in 0..100 {
            left = self.engine.containers()?;
            if left.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ensure!(left.is_empty(), "left behind: {left}");
        Ok(())
    }

    pub(crate) async fn strike(mut self) -> anyhow::Result<()> {
        if let Some(helper) = self.helper.take() {
            helper.stop().await?;
        }
        self.stage.strike().await?;
        self.engine.stop()
    }
}
