//! A provider as a person writes it: `kind` stands for what is left out.
//!
//! The hub resolves it before it signs, so that a daemon sees finished providers only and a later preset changes nothing
//! that is out.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use wardkeep_proto::ids::SecretName;

use super::{Auth, BodyRules, Breaker, Cooldown, Dialect, Endpoint, Framing, Provider, Unscanned, Waits};

/// One `[[providers]]` of a policy.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderDraft {
    /// Its name in this bundle and in usage buckets.
    pub name: String,
    /// Which of [`presets`] stands for the rest.
    kind: Option<String>,
    dialect: Option<Dialect>,
    base_url: Option<String>,
    key: Option<SecretName>,
    #[serde(default)]
    keys: Vec<SecretName>,
    auth: Option<Auth>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    #[serde(default)]
    paths: BTreeMap<Endpoint, String>,
    endpoints: Option<Vec<Endpoint>>,
    body: Option<BodyRules>,
    framing: Option<Framing>,
    #[serde(default)]
    unscanned: Vec<Unscanned>,
    #[serde(default)]
    server_tools: Vec<String>,
    breaker: Option<Breaker>,
    cooldown: Option<Cooldown>,
    #[serde(default)]
    waits: Waits,
}

/// What a `kind` stands for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Where the vendor says so.
    pub source: String,
    /// The API it speaks.
    pub dialect: Dialect,
    /// `None`: each customer has another.
    pub base_url: Option<String>,
    /// What has to be written beside the kind, for the error that says so.
    needs: Option<String>,
    /// Query parameters without which it answers nothing.
    #[serde(default)]
    asks: Vec<String>,
    auth: Option<Auth>,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
    #[serde(default)]
    paths: BTreeMap<Endpoint, String>,
    #[serde(default)]
    body: BodyRules,
    #[serde(default)]
    framing: Framing,
}

/// A draft does not become a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDraft {
    /// No such kind.
    #[error("provider {name:?} has kind {kind:?}, which is not known; use one of {known}")]
    UnknownKind {
        /// Which provider.
        name: String,
        /// What it says.
        kind: String,
        /// What there is.
        known: String,
    },
    /// Neither a kind nor the rest.
    #[error("provider {name:?} lacks {what}; write it, or a kind such as \"anthropic\" that stands for it")]
    Lacks {
        /// Which provider.
        name: String,
        /// What is missing.
        what: &'static str,
    },
    /// A kind that needs more.
    #[error("provider {name:?} of kind {kind:?} needs {needs}")]
    Needs {
        /// Which provider.
        name: String,
        /// Its kind.
        kind: String,
        /// What to write.
        needs: String,
    },
}

/// Every `kind`, `policy/default/providers.toml`, read once per process.
#[must_use]
pub fn presets() -> &'static BTreeMap<String, Preset> {
    static PRESETS: LazyLock<BTreeMap<String, Preset>> = LazyLock::new(|| {
        toml::from_str(include_str!("../../../default/providers.toml")).expect("the shipped kinds are read by a test")
    });
    &PRESETS
}

impl ProviderDraft {
    /// The finished provider. Whether it makes sense is for [`super::LlmConfig::check`].
    ///
    /// # Errors
    /// [`InvalidDraft`].
    pub fn resolve(self) -> Result<Provider, InvalidDraft> {
        let Self {
            name,
            kind,
            dialect,
            base_url,
            key,
            keys,
            auth,
            headers,
            query,
            paths,
            endpoints,
            body,
            framing,
            unscanned,
            server_tools,
            breaker,
            cooldown,
            waits,
        } = self;
        let preset = match &kind {
            None => None,
            Some(kind) => Some(presets().get(kind).ok_or_else(|| InvalidDraft::UnknownKind {
                name: name.clone(),
                kind: kind.clone(),
                known: presets().keys().map(String::as_str).collect::<Vec<_>>().join(", "),
            })?),
        };
        let lacks = |what| InvalidDraft::Lacks { name: name.clone(), what };
        let dialect = dialect.or(preset.map(|preset| preset.dialect)).ok_or_else(|| lacks("a dialect"))?;
        let auth = auth.or_else(|| preset.and_then(|preset| preset.auth.clone()));
        let usual = preset.and_then(|preset| preset.base_url.clone());
        let base_url = match (base_url.or(usual), &auth) {
            (Some(url), Some(Auth::Sigv4(signing))) => Some(url.replace("{region}", &signing.region)),
            (url, _) => url.filter(|url| !url.contains("{region}")),
        };
        let needs = |kind: &String, needs: &String| InvalidDraft::Needs {
            name: name.clone(),
            kind: kind.clone(),
            needs: needs.clone(),
        };
        let short = || match (&kind, preset.and_then(|preset| preset.needs.as_ref())) {
            (Some(kind), Some(what)) => needs(kind, what),
            _ => lacks("a base_url"),
        };
        let base_url = base_url.ok_or_else(short)?;
        if preset.is_some_and(|preset| preset.asks.iter().any(|name| !query.contains_key(name))) {
            return Err(short());
        }
        let mut all_paths = preset.map(|preset| preset.paths.clone()).unwrap_or_default();
        all_paths.extend(paths);
        Ok(Provider {
            name,
            dialect,
            base_url,
            key,
            keys,
            auth,
            headers,
            query,
            paths: all_paths,
            endpoints: endpoints.or_else(|| preset.map(|preset| preset.endpoints.clone())).unwrap_or_default(),
            body: body.or_else(|| preset.map(|preset| preset.body.clone())).unwrap_or_default(),
            framing: framing.or(preset.map(|preset| preset.framing)).unwrap_or_default(),
            unscanned,
            server_tools,
            breaker,
            cooldown,
            waits,
        })
    }
}
