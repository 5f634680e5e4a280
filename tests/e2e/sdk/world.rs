//! Hub, daemon and provider for the matrix: the stage of the story with another policy.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use wardkeep_proto::chance::{SystemChance, bytes};
use wardkeep_proto::time::{Clock as _, SystemClock};
use wardkeep_tests::simulators::llm::{Answer, LlmSimulator, Usage};
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::stage::{AGENT, OTHER_AGENT, Opening, Setting, Stage, field};

use crate::columns::{Api, CLAUDE, CLAUDE_OR_GPT, EMBEDDER, GEMINI, GPT, GPT_OR_CLAUDE};
use crate::site::{HOST, Site};

/// Both authorities that clients of the forward proxy meet.
const TRUSTED: &str = "trusted.pem";

/// What runs.
pub(crate) struct World {
    pub(crate) stage: Stage,
    /// What tools reach.
    pub(crate) site: Site,
    /// A key that is bound to the site.
    pub(crate) site_key: String,
    /// Their hooks are alive while they say so.
    hooks: [Hooks; 2],
    /// The forward proxy.
    proxy: String,
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
        let authority = folder.join("site-ca.pem");
        let setting = Setting { upstream_ca: Some(authority.clone()), ..Setting::plain(folder) };
        let opening = Opening::new(setting, &|_| ()).await?;
        let chance = SystemChance::new();
        let identity = opening.hub.keys().await?.ca.server(HOST, SystemClock.now(), &chance)?;
        let site = Site::start(identity, &authority).await?;
        let stage = opening.complete(&|_| ()).await?;
        let site_key = format!("site_{}", data_encoding::HEXLOWER.encode(&bytes::<16>(&chance)));
        let bound = format!("host:{HOST}:{}", site.inspect);
        stage.tenant.cli_told(&["vault", "set", "site_key", "--to", &bound], &site_key).await?;
        stage.follow(&policy(&stage, &site)).await?;
        let hooks = [Hooks::of(&stage.tenant)?, Hooks::with_token(&stage.tenant, &stage.tenant.other_token)?];
        let runtime = folder.join("tenant/run");
        let proxy = field(&std::fs::read_to_string(runtime.join("listen.json"))?, "proxy")?;
        // As the manual has it for hosts of both kinds.
        let both = [std::fs::read(&authority)?, std::fs::read(runtime.join("proxy-ca.pem"))?].concat();
        std::fs::write(folder.join(TRUSTED), both)?;
        Ok(Self { stage, site, site_key, hooks, proxy })
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
    pub(crate) fn environment(&self, api: Api, token: &str) -> Vec<(&'static str, String)> {
        let (base, token) = (self.stage.tenant.llm_url.clone(), token.to_owned());
        match api {
            Api::Messages => vec![("ANTHROPIC_BASE_URL", base), ("ANTHROPIC_API_KEY", token)],
            Api::Chat | Api::Responses => vec![("OPENAI_BASE_URL", format!("{base}/v1")), ("OPENAI_API_KEY", token)],
            Api::Gemini => vec![("GOOGLE_GEMINI_BASE_URL", base), ("GEMINI_API_KEY", token)],
            Api::Web => {
                let proxy = format!("http://{AGENT}:{token}@{}", self.proxy);
                let trusted = self.folder().join(TRUSTED).display().to_string();
                // Programs differ in which they read, and in whose letters are large.
                let proxies =
                    ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"].map(|name| (name, proxy.clone()));
                let trust = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"];
                let trust = trust.map(|name| (name, trusted.clone()));
                let node = [("NODE_USE_ENV_PROXY", "1".to_owned())];
                proxies.into_iter().chain(trust).chain(node).collect()
            }
        }
    }

    /// The agent's runtime asks the gate about a call that a model asked for; what it decides is of no interest here.
    pub(crate) async fn show_the_gate(&self, call: &str, args: &Value) -> anyhow::Result<()> {
        let (_, answer) = self.hooks[0].propose(call, "weather", args.clone()).await?;
        anyhow::ensure!(answer["decision"].is_string(), "the gate did not decide: {answer}");
        Ok(())
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
fn policy(stage: &Stage, site: &Site) -> String {
    let url = &stage.tenant.services.llm_url;
    let workspace = stage.tenant.workspace().display().to_string();
    let mut text = String::new();
    for agent in [AGENT, OTHER_AGENT] {
        text += &format!(
            "[[agents]]\nname = \"{agent}\"\nlevel = \"trusted\"\nmodels = [\"{CLAUDE}\", \"{GPT}\", \"{GEMINI}\", \"{EMBEDDER}\", \"{CLAUDE_OR_GPT}\", \"{GPT_OR_CLAUDE}\"]\nworkspace = \"{workspace}\"\n\n"
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
    for (name, first, second) in [(CLAUDE_OR_GPT, CLAUDE, GPT), (GPT_OR_CLAUDE, GPT, CLAUDE)] {
        text += &format!(
            "[[routes]]\nname = \"{name}\"\ntargets = [{{ model = \"{first}\" }}, {{ model = \"{second}\" }}]\n\n"
        );
    }
    for (port, how) in [
        (site.tunnel, "mode = \"tunnel\""),
        (site.inspect, "mode = \"inspect\"\nmethods = [\"GET\", \"POST\"]"),
        (site.clear, "mode = \"inspect\""),
    ] {
        text += &format!("[[egress]]\nhost = \"{HOST}\"\nports = [{port}]\nprivate = true\n{how}\n\n");
    }
    text += &format!("[[budgets]]\nagent = \"{OTHER_AGENT}\"\nlimits = [{{ window = \"day\", tokens = 1 }}]\n");
    text
}
