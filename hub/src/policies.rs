//! From a person's TOML to a signed bundle that a tenant applies.

use std::time::Duration;

use serde::Deserialize;
use wardkeep_policy::AgentPolicy;
use wardkeep_policy::adapters::{self, AdapterDraft};
use wardkeep_policy::bundle::asking::Asking;
use wardkeep_policy::bundle::budgets::{self, Budget};
use wardkeep_policy::bundle::llm::{ProviderDraft, Route};
use wardkeep_policy::bundle::{Bundle, EgressRule, GateMemory, Granting, HttpHost, LlmConfig, Model, egress};
use wardkeep_policy::containers::{self, Image};
use wardkeep_policy::limits::{self, RunRule};
use wardkeep_policy::signed::{Key, Refused, bundle_digest};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;
use wardkeep_redaction::{Additions, RuleSet};

use crate::app::SharedClock;
use crate::events::{Change, Events};
use crate::keys::{BundleKey, KeyRing, KeysError, Purpose};
use crate::link::Links;
use crate::store::policies::{PolicyVersion, VersionTaken};
use crate::store::{Caller, Store, StoreError};

mod changes;
mod offline;
#[cfg(test)]
mod tests;

pub use changes::{Against, Changes};

/// A bundle counts for this long; then the tenant falls to its built-in strict rules.
pub const BUNDLE_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A bundle with less than this left is signed again: a hub may be away for five days unnoticed by policy.
pub const RENEW_BEFORE: Duration = Duration::from_secs(5 * 24 * 60 * 60);
/// Bytes of a configuration.
const SOURCE_BYTES: usize = 256 * 1024;
/// Who publishes when a bundle is only signed again.
const RENEWER: &str = "the hub";

/// What a person writes for one tenant.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Source {
    /// Oldest daemon that can apply it.
    minimum_agent: Option<String>,
    agents: Vec<AgentPolicy>,
    providers: Vec<ProviderDraft>,
    models: Vec<Model>,
    routes: Vec<Route>,
    llm: LlmSource,
    http: Vec<HttpHost>,
    egress: Vec<EgressRule>,
    redaction: Additions,
    budgets: Vec<Budget>,
    asking: Asking,
    granting: Granting,
    adapters: Vec<AdapterDraft>,
    runs: Vec<RunRule>,
    images: Vec<Image>,
}

/// How the LLM gateway treats every request; [`LlmConfig`] says what each means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LlmSource {
    gate_memory: GateMemory,
    cache_breakpoints: bool,
}

/// What `policy publish` writes for a tenant that has nothing yet: one supervised agent, no models.
pub const EXAMPLE: &str = r#"# Policy of one tenant. Publish with: wardkeep-hub policy publish TENANT --file THIS_FILE
# level: "supervised" asks before each change, "trusted" before external and destructive ones, "autonomous" before external ones.

[[agents]]
name = "assistant"
level = "supervised"
workspace = "/srv/agents/assistant"
# tools = ["shell", "read_file"]        # absent: any tool
# models = ["claude-sonnet"]            # names from [[models]] or [[routes]]
# [[agents.grants]]
# tool = "send_email"
# recipients = ["*@example.com"]
# uses = 50                             # in all, counted on the server; leave it out for no count
# [[agents.grants]]
# tool = "shell"
# commands = [["git", "push", "origin", "main"]]   # exactly these words; never what is red, a wrapper, a shell or an interpreter

[granting]                              # with an approval people may grant the same again; without this section nobody may
hours = 8                               # at most
uses = 20
# domains = true                        # also for everybody at a recipient's domain

# [asking]                              # beyond this, calls of one agent are refused instead of asked
# waiting = 30
# hourly = 100

# [[providers]]
# name = "anthropic"
# kind = "anthropic"                    # or openai, google, openrouter, azure, bedrock, mistral, groq, deepseek, ollama, openai-compatible
# key = "anthropic_api_key"             # name in the tenant's vault

# [[models]]
# name = "claude-sonnet"
# provider = "anthropic"
# upstream_model = "claude-sonnet-4-5"
# price = { input = 3000000, output = 15000000, cache_read = 300000, cache_write = 3750000 }  # 1e-6 USD per million tokens

# [[routes]]                            # one name for several models: the next one answers when the first fails
# name = "sonnet"
# targets = [{ model = "claude-sonnet" }, { model = "claude-sonnet-bedrock" }]

# [llm]
# gate_memory = "report"                # results of tool calls that the gate did not decide on: "refuse" (the default), "report", "off"

# [[budgets]]                           # without agent: all agents together
# agent = "assistant"
# limits = [{ window = "day", micros = 5000000 }, { window = "hour", tokens = 2000000 }]   # 1e-6 USD; hour, day or month, UTC
# brake = { turns = 60, repeats = 5 }   # stops an agent that runs by itself
# enforce = false                       # only reports; leave it out to stop what is over

# [[runs]]                              # what the commands of an agent may use up; without agent: of all
# agent = "assistant"
# seconds = 120                         # these are the defaults
# memory_mebibytes = 2048
# processes = 512
# cpu_percent = 200                     # of one core
# file_mebibytes = 1024                 # each file
# output_kibibytes = 256

# [[images]]                            # what containers are made of (run_container); no other image runs
# name = "pandoc"
# id = "sha256:…"                       # docker image ls --no-trunc --quiet IMAGE

# [[http]]
# host = "api.example.com"

# [[adapters]]                          # tools of an outside service; stacks/*/adapter.toml
# stack = "stripe"                      # its key is in the tenant's vault, bound to the host
# only = ["list_charges", "create_refund"]

# [[adapters]]
# stack = "gitea"
# base_url = "https://git.example.com"

# [[egress]]                            # what tools reach through the forward proxy; nothing else
# host = "*.example.com"
# mode = "inspect"                      # or "tunnel", the default: TLS passes untouched
"#;

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// There is no such tenant, or the caller may not see it.
    #[error("no such tenant")]
    NoTenant,
    /// The text is too long.
    #[error("a policy has at most {SOURCE_BYTES} bytes")]
    TooLong,
    /// The TOML does not say what it should.
    #[error("the policy cannot be read: {0}")]
    Toml(String),
    /// It contradicts itself.
    #[error("{0}")]
    Inconsistent(String),
    /// The bundle did not become JSON.
    #[error("the bundle cannot be written")]
    Json(#[from] serde_json::Error),
    /// What was published before cannot be compared with.
    #[error("version {version}, as it was published, cannot be read: {refused}")]
    Published {
        /// Its number.
        version: u64,
        /// Why.
        #[source]
        refused: Refused,
    },
    /// What was reviewed is not what would be published now.
    #[error(
        "the draft of that digest is not the next version any more: a newer policy was published, or this hub was updated; review it again"
    )]
    NotReviewed,
    /// An envelope that was signed elsewhere is not over this text, or by no listed key.
    #[error("the signed envelope is not published: {0}")]
    Signed(String),
    /// It cannot be signed.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Someone else was faster.
    #[error(transparent)]
    Taken(#[from] VersionTaken),
    /// The database.
    #[error("the policy was not stored")]
    Store(#[from] StoreError),
}

/// A bundle that would be published.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The bundle.
    pub bundle: Bundle,
    /// Its JSON bytes, as they are signed.
    pub json: Vec<u8>,
    /// Digest of these bytes.
    pub digest: Digest,
}

/// Publishes policy; cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    store: Store,
    clock: SharedClock,
    ring: KeyRing,
    events: Events,
    links: Links,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Publisher(..)")
    }
}

impl Publisher {
    /// Publishing over a store, signed with a key of `ring`.
    #[must_use]
    pub const fn new(store: Store, clock: SharedClock, ring: KeyRing, events: Events, links: Links) -> Self {
        Self { store, clock, ring, events, links }
    }

    /// The bundle that `source` would become, without publishing it.
    ///
    /// # Errors
    /// Every reason of [`PublishError`] but the last two.
    pub async fn draft(&self, caller: &Caller, tenant: TenantId, source: &str) -> Result<Draft, PublishError> {
        let now = self.clock.now();
        self.store.tenant(caller, tenant, now).await?.ok_or(PublishError::NoTenant)?;
        let newest = self.store.policy(caller, tenant).await?;
        draft(tenant, source, newest.map(|policy| (policy.version, policy.digest)), now)
    }

    /// The key that signs what is published now.
    ///
    /// # Errors
    /// None is held here.
    pub async fn key(&self) -> Result<BundleKey, PublishError> {
        Ok(self.ring.bundle().await?)
    }

    /// Those that signed what was published: all that are listed, and all that ever signed here.
    async fn signers(&self) -> Result<Vec<Key>, PublishError> {
        let mut keys = self.ring.held(Purpose::Bundle).await?;
        keys.extend(self.ring.listed().await?.list.keys);
        Ok(keys)
    }

    /// Signs and stores the next version; the tenant hears of it at once if it is connected.
    ///
    /// # Errors
    /// Every reason of [`PublishError`].
    pub async fn publish(
        &self,
        caller: &Caller,
        by: &str,
        tenant: TenantId,
        source: &str,
    ) -> Result<PolicyVersion, PublishError> {
        let draft = self.draft(caller, tenant, source).await?;
        let key = self.key().await?;
        self.put(by, tenant, source, &draft, (key.seal(&draft.json), key.listed().id)).await
    }

    /// As [`publish`](Self::publish), if that is the very bundle of this digest, as it was drafted at `issued`.
    ///
    /// # Errors
    /// [`PublishError::NotReviewed`]; every reason of [`PublishError`].
    pub async fn publish_reviewed(
        &self,
        caller: &Caller,
        by: &str,
        tenant: TenantId,
        source: &str,
        (issued, digest): (Timestamp, Digest),
    ) -> Result<PolicyVersion, PublishError> {
        self.store.tenant(caller, tenant, self.clock.now()).await?.ok_or(PublishError::NoTenant)?;
        let newest = self.store.policy(caller, tenant).await?.map(|policy| (policy.version, policy.digest));
        let draft = draft(tenant, source, newest, issued)?;
        if draft.digest != digest {
            return Err(PublishError::NotReviewed);
        }
        let key = self.key().await?;
        self.put(by, tenant, source, &draft, (key.seal(&draft.json), key.listed().id)).await
    }

    async fn put(
        &self,
        by: &str,
        tenant: TenantId,
        source: &str,
        draft: &Draft,
        (envelope, signer): (Vec<u8>, String),
    ) -> Result<PolicyVersion, PublishError> {
        let policy = PolicyVersion {
            tenant,
            version: draft.bundle.version,
            digest: draft.digest,
            source: source.to_owned(),
            envelope,
            issued: draft.bundle.issued,
            expires: draft.bundle.expires,
            published_by: by.to_owned(),
            signer: Some(signer),
        };
        self.store.put_policy(policy.clone()).await??;
        self.links.nudge(tenant);
        self.events.tell(tenant, Change::Policy);
        Ok(policy)
    }

    /// Signs again what would expire soon; says how many. A tenant whose text no longer reads keeps what it has.
    ///
    /// # Errors
    /// The database.
    pub async fn renew(&self) -> Result<usize, StoreError> {
        let due = self.store.policies_expiring(self.clock.now().plus(RENEW_BEFORE)).await?;
        Ok(self.renew_all(due).await.0)
    }

    /// Signs again what a key signed that is listed no more, or is held here and stands behind the one that signs now; says how
    /// many, and of how many that failed. What was signed where the hub is not stays as long as its key is listed.
    ///
    /// # Errors
    /// The database, or no key is held here.
    pub async fn sign_again(&self) -> Result<(usize, usize), PublishError> {
        let (signs, held) = (self.key().await?.listed(), self.ring.held(Purpose::Bundle).await?);
        let listed = self.ring.listed().await?.list.keys.into_iter();
        let stay = listed.filter(|key| *key == signs || !held.contains(key)).map(|key| key.id).collect();
        let first = self.ring.first_id().await?;
        let (mut signed, mut failed) = (0, 0);
        for tenant in self.store.policies_not_signed_by(stay, first).await? {
            // One at a time: an envelope is large, and there may be many.
            let policy = self.store.policy(&Caller::Operator, tenant).await?;
            let (done, not) = self.renew_all(policy.into_iter().collect()).await;
            (signed, failed) = (signed + done, failed + not);
        }
        Ok((signed, failed))
    }

    async fn renew_all(&self, due: Vec<PolicyVersion>) -> (usize, usize) {
        let (mut renewed, mut failed) = (0, 0);
        for policy in due {
            match self.publish(&Caller::Operator, RENEWER, policy.tenant, &policy.source).await {
                Ok(_) => renewed += 1,
                Err(error) => {
                    failed += 1;
                    tracing::error!(tenant = %policy.tenant, %error, "the policy was not signed again");
                }
            }
        }
        (renewed, failed)
    }
}

/// The bundle that `text` would become after the newest one.
///
/// # Errors
/// What is wrong with the text.
pub fn draft(
    tenant: TenantId,
    text: &str,
    newest: Option<(u64, Digest)>,
    now: Timestamp,
) -> Result<Draft, PublishError> {
    if text.len() > SOURCE_BYTES {
        return Err(PublishError::TooLong);
    }
    let source: Source = toml::from_str(text).map_err(|error| PublishError::Toml(error.to_string()))?;
    check(&source).map_err(PublishError::Inconsistent)?;
    let providers: Result<Vec<_>, _> = source.providers.into_iter().map(ProviderDraft::resolve).collect();
    let providers = providers.map_err(|error| PublishError::Inconsistent(error.to_string()))?;
    let LlmSource { gate_memory, cache_breakpoints } = source.llm;
    let llm = LlmConfig { providers, models: source.models, routes: source.routes, gate_memory, cache_breakpoints };
    llm.check().map_err(|error| PublishError::Inconsistent(error.to_string()))?;
    budgets::check(&source.budgets, source.agents.iter().map(|agent| &agent.name), &llm)
        .map_err(|error| PublishError::Inconsistent(error.to_string()))?;
    let adapters: Result<Vec<_>, _> = source.adapters.into_iter().map(AdapterDraft::resolve).collect();
    let adapters = adapters.map_err(|error| PublishError::Inconsistent(error.to_string()))?;
    adapters::check(&adapters).map_err(|error| PublishError::Inconsistent(error.to_string()))?;
    limits::check(&source.runs, source.agents.iter().map(|agent| &agent.name))
        .map_err(|error| PublishError::Inconsistent(error.to_string()))?;
    containers::check(&source.images).map_err(|error| PublishError::Inconsistent(error.to_string()))?;
    source.granting.check().map_err(|error| PublishError::Inconsistent(error.to_string()))?;
    let mut bundle = Bundle::default_for(tenant, source.agents, llm, now);
    bundle.version = newest.map_or(1, |(version, _)| version + 1);
    bundle.previous = newest.map(|(_, digest)| digest);
    bundle.expires = now.plus(BUNDLE_LIFE);
    bundle.http = source.http;
    bundle.egress = source.egress;
    bundle.redaction = source.redaction;
    bundle.budgets = source.budgets;
    bundle.asking = source.asking;
    bundle.granting = source.granting;
    bundle.adapters = adapters;
    bundle.runs = source.runs;
    bundle.images = source.images;
    if let Some(minimum) = source.minimum_agent {
        bundle.minimum_agent = minimum;
    }
    let json = bundle.to_json()?;
    let digest = bundle_digest(&json);
    Ok(Draft { bundle, json, digest })
}

/// What serde cannot see: names that lead nowhere, names used twice.
fn check(source: &Source) -> Result<(), String> {
    RuleSet::builtin_with(&source.redaction).map_err(|refused| refused.to_string())?;
    let twice = |kind: &str, names: Vec<&str>| {
        let mut seen = std::collections::BTreeSet::new();
        match names.into_iter().find(|name| !seen.insert(*name)) {
            Some(name) => Err(format!("{kind} {name:?} stands there twice")),
            None => Ok(()),
        }
    };
    twice("agent", source.agents.iter().map(|agent| agent.name.as_str()).collect())?;
    egress::check(&source.egress, &source.agents).map_err(|refused| refused.to_string())?;
    for agent in &source.agents {
        let names = source.models.iter().map(|model| &model.name).chain(source.routes.iter().map(|route| &route.name));
        if let Some(name) = agent.models.iter().find(|name| !names.clone().any(|known| known == *name)) {
            return Err(format!("agent {:?} may use model {name:?}, which is not there", agent.name.as_str()));
        }
        if !agent.workspace.starts_with('/') {
            return Err(format!("workspace of agent {:?} must be an absolute path", agent.name.as_str()));
        }
    }
    Ok(())
}
