//! Hub, daemon and provider for the matrix: the stage of the story with another policy.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use wardkeep_tests::simulators::llm::{Answer, LlmSimulator, Usage};
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::stage::{AGENT, OTHER_AGENT, Setting, Stage};

use crate::columns::{Api, CLAUDE, EMBEDDER, GEMINI, GPT};

/// What runs.
pub(crate) struct World {
    pub(crate) stage: Stage,
    /// Their hooks are alive while they say so.
    hooks: [Hooks; 2],
}

/// What the daemon counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) requests: u64,
    pub(crate) estimated: u64,
    pub(crate) usage: Usage,
}

impl World {
    pub(crate) async fn set(folder: &Path) -> anyhow::Result<Self> {
        let stage = Stage::set(Setting::plain(folder), &|_| ()).await?;
        stage.follow(&policy(&stage)).await?;
        let hooks = [Hooks::of(&stage.tenant)?, Hooks::with_token(&stage.tenant, &stage.tenant.other_token)?];
        Ok(Self { stage, hooks })
    }

    pub(crate) async fn strike(self) -> anyhow::Result<()> {
        self.stage.strike().await
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.stage.setting.folder
    }

    pub(crate) fn provider(&self) -> &LlmSimulator {
        &self.stage.llm
    }

    /// Says this next.
    pub(crate) fn say(&self, text: &str) {
        self.provider().say_next(Answer { text: text.to_owned(), ..Answer::default() });
    }

    /// The token of the agent that may use nothing.
    pub(crate) fn thrifty_token(&self) -> &str {
        &self.stage.tenant.other_token
    }

    /// Where a client looks for its API and its key by itself.
    pub(crate) fn environment(&self, api: Api) -> Vec<(&'static str, String)> {
        let (base, token) = (self.stage.tenant.llm_url.clone(), self.stage.tenant.agent_token.clone());
        match api {
            Api::Messages => vec![("ANTHROPIC_BASE_URL", base), ("ANTHROPIC_API_KEY", token)],
            Api::Chat | Api::Responses => vec![("OPENAI_BASE_URL", format!("{base}/v1")), ("OPENAI_API_KEY", token)],
            Api::Gemini => vec![("GOOGLE_GEMINI_BASE_URL", base), ("GEMINI_API_KEY", token)],
        }
    }

    /// A hook lives for two minutes without a word.
    pub(crate) async fn renew(&self) -> anyhow::Result<()> {
        for hooks in &self.hooks {
            let (status, answer) = hooks.start_session().await?;
            anyhow::ensure!(status.is_success(), "no session: {answer}");
        }
        Ok(())
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, so: impl Fn() -> bool) -> anyhow::Result<()> {
        wait(what, || async { Ok(so().then_some(())) }).await
    }

    /// What the daemon counted, once it is `enough`; the last of it where it never is.
    pub(crate) async fn counted_when(&self, enough: impl Fn(&Counted) -> bool) -> anyhow::Result<Counted> {
        for _ in 0..40 {
            let counted = self.counted().await?;
            if enough(&counted) {
                return Ok(counted);
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        self.counted().await
    }

    /// All that the daemon counted so far.
    pub(crate) async fn counted(&self) -> anyhow::Result<Counted> {
        let said = self.stage.tenant.cli(&["usage", "--by", "agent", "--json"]).await?;
        let said: Value = serde_json::from_str(&said)?;
        let mut all = Counted::default();
        for line in said["usage"].as_array().context("no usage")? {
            let number = |name: &str| line[name].as_u64().unwrap_or_default();
            all.requests += number("requests");
            all.estimated += number("estimated_requests");
            all.usage.input += number("input_tokens");
            all.usage.output += number("output_tokens");
            all.usage.cache_read += number("cache_read_tokens");
            all.usage.cache_write += number("cache_write_tokens");
            all.usage.reasoning += number("reasoning_tokens");
        }
        Ok(all)
    }
}

/// One provider of each vendor, all of them at the simulator; the second agent may use nothing up.
fn policy(stage: &Stage) -> String {
    let url = &stage.tenant.services.llm_url;
    let workspace = stage.tenant.workspace().display().to_string();
    // Clients of the APIs know no gate.
    let mut text = "[llm]\ngate_memory = \"report\"\n\n".to_owned();
    for agent in [AGENT, OTHER_AGENT] {
        text += &format!(
            "[[agents]]\nname = \"{agent}\"\nlevel = \"trusted\"\nmodels = [\"{CLAUDE}\", \"{GPT}\", \"{GEMINI}\", \"{EMBEDDER}\"]\nworkspace = \"{workspace}\"\n\n"
        );
    }
    for kind in ["anthropic", "openai", "google"] {
        text += &format!(
            "[[providers]]\nname = \"{kind}\"\nkind = \"{kind}\"\nbase_url = \"{url}\"\nkey = \"llm_api_key\"\n\n"
        );
    }
    for (model, kind) in [(CLAUDE, "anthropic"), (GPT, "openai"), (GEMINI, "google"), (EMBEDDER, "google")] {
        text += &format!(
            "[[models]]\nname = \"{model}\"\nprovider = \"{kind}\"\nupstream_model = \"{model}-upstream\"\n\
             price = {{ input = 3000000, output = 15000000, cache_read = 300000, cache_write = 3750000 }}\n\n"
        );
    }
    text += &format!("[[budgets]]\nagent = \"{OTHER_AGENT}\"\nlimits = [{{ window = \"day\", tokens = 1 }}]\n");
    text
}
