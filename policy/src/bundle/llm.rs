//! Providers and models of the LLM gateway, as data: which API a provider speaks, where, and how it wants to be asked.
//!
//! Everything that was added after the first format is optional and left out when it says nothing, so that an older bundle
//! keeps its bytes. What a person writes is shorter, see [`draft`]: a `kind` stands for the rest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wardkeep_proto::ids::SecretName;

use super::{DatedPrice, Price};

mod check;
mod draft;
mod route;
#[cfg(test)]
mod tests;

pub use check::InvalidLlm;
pub use draft::{InvalidDraft, Preset, ProviderDraft, presets};
pub use route::{Breaker, Choice, Cooldown, Retry, Route, Target, Waits};

/// Providers and models of the LLM gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LlmConfig {
    /// Where models live.
    pub providers: Vec<Provider>,
    /// What agents may ask for.
    pub models: Vec<Model>,
    /// Further names that agents may ask for, for one or several of these models.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// What becomes of the result of a tool call that the gate did not decide on.
    #[serde(default, skip_serializing_if = "GateMemory::is_refuse")]
    pub gate_memory: GateMemory,
    /// Anthropic's cache is told where the part of a request ends that stays the same from turn to turn, where the agent does
    /// not say so itself.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cache_breakpoints: bool,
}

/// What becomes of a request that holds the result of a tool call which the gate did not decide on: a hook was passed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateMemory {
    /// It is refused, recorded and reported.
    #[default]
    Refuse,
    /// It goes on; it is recorded and reported.
    Report,
    /// Nobody looks.
    Off,
}

impl GateMemory {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    const fn is_refuse(&self) -> bool {
        matches!(self, Self::Refuse)
    }
}

impl LlmConfig {
    /// The model that agents call `name`.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.name == name)
    }

    /// The route called `name`.
    #[must_use]
    pub fn route(&self, name: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.name == name)
    }

    /// The models that may answer to `name`, the first one first: the targets of a route, or the model itself.
    pub fn answering<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Model> {
        let route = self.route(name);
        let targets = route.into_iter().flat_map(|route| &route.targets).filter_map(|one| self.model(&one.model));
        targets.chain(self.model(name).filter(|_| route.is_none()))
    }

    /// The provider called `name`.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name == name)
    }
}

/// One LLM provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name in this bundle and in usage buckets.
    pub name: String,
    /// The API it speaks.
    pub dialect: Dialect,
    /// `https://…` without the path of an endpoint.
    pub base_url: String,
    /// The vault's name of its API key; `None` where [`Self::auth`] needs none or names its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretName>,
    /// Further keys of the same account or of others, for a pool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<SecretName>,
    /// How the key is shown; `None` is what the dialect's own vendor wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Headers that go with each request, in place of the caller's of the same name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Query parameters that go with each request, in place of the caller's of the same name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// Where an endpoint is, if not where the dialect's own vendor has it; `{model}` stands for the upstream model.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub paths: BTreeMap<Endpoint, String>,
    /// What it serves; empty is every endpoint of its dialect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// What is different in its bodies.
    #[serde(default, skip_serializing_if = "BodyRules::is_empty")]
    pub body: BodyRules,
    /// How its streams are framed.
    #[serde(default, skip_serializing_if = "Framing::is_sse")]
    pub framing: Framing,
    /// Files that may go there although their text cannot be read here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unscanned: Vec<Unscanned>,
    /// Tools that the provider may run by itself, past the gate: their `type` as it is or without what comes behind a `_`
    /// (`web_search`, `mcp`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server_tools: Vec<String>,
    /// When it is left alone; absent: only among several targets of a route, see [`Breaker::default`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
    /// How long a key is left alone; absent: [`Cooldown::default`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Cooldown>,
    /// How long it is waited for.
    #[serde(default, skip_serializing_if = "Waits::is_usual")]
    pub waits: Waits,
}

impl Provider {
    /// A provider as its dialect's own vendor is one: everything else by default.
    #[must_use]
    pub fn new(name: &str, dialect: Dialect, base_url: &str, key: Option<SecretName>) -> Self {
        Self {
            name: name.to_owned(),
            dialect,
            base_url: base_url.to_owned(),
            key,
            keys: Vec::new(),
            auth: None,
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
            paths: BTreeMap::new(),
            endpoints: Vec::new(),
            body: BodyRules::default(),
            framing: Framing::default(),
            unscanned: Vec::new(),
            server_tools: Vec::new(),
            breaker: None,
            cooldown: None,
            waits: Waits::default(),
        }
    }

    /// How the key is shown.
    #[must_use]
    pub fn auth(&self) -> Auth {
        self.auth.clone().unwrap_or(match self.dialect {
            Dialect::Anthropic => Auth::XApiKey,
            Dialect::OpenAi => Auth::Bearer,
            Dialect::Gemini => Auth::XGoogApiKey,
        })
    }

    /// Every key of the pool, the first one first.
    pub fn every_key(&self) -> impl Iterator<Item = &SecretName> {
        self.key.iter().chain(&self.keys)
    }

    /// Where `endpoint` is, with `{model}` still in it; `None` if this provider does not serve it.
    #[must_use]
    pub fn path(&self, endpoint: Endpoint) -> Option<&str> {
        if endpoint == Endpoint::MessagesStream && !self.paths.contains_key(&endpoint) {
            return self.path(Endpoint::Messages);
        }
        if endpoint.dialect() != self.dialect || !(self.endpoints.is_empty() || self.endpoints.contains(&endpoint)) {
            return None;
        }
        Some(self.paths.get(&endpoint).map_or_else(|| endpoint.usual_path(), String::as_str))
    }
}

/// The API a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Anthropic Messages.
    Anthropic,
    /// `OpenAI`: Chat Completions, Responses, Embeddings.
    #[serde(rename = "openai")]
    OpenAi,
    /// Google's `generateContent` and its like.
    Gemini,
}

/// One thing that a provider can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Anthropic: one turn in one piece, and streamed where there is no other path for that.
    Messages,
    /// Anthropic: a streamed turn, where that has a path of its own.
    MessagesStream,
    /// Anthropic: the input of a turn counted.
    MessagesCountTokens,
    /// Anthropic: a file for later turns.
    AnthropicFiles,
    /// `OpenAI`: one turn, plain or streamed.
    ChatCompletions,
    /// `OpenAI`: one turn of the newer API, plain or streamed.
    Responses,
    /// `OpenAI`: text as vectors.
    Embeddings,
    /// `OpenAI`: a file for later turns.
    OpenaiFiles,
    /// Gemini: one turn in one piece.
    GenerateContent,
    /// Gemini: one turn streamed.
    StreamGenerateContent,
    /// Gemini: the input of a turn counted.
    CountTokens,
    /// Gemini: text as a vector.
    EmbedContent,
    /// Gemini: several texts as vectors.
    BatchEmbedContents,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Messages,
        Self::MessagesStream,
        Self::MessagesCountTokens,
        Self::AnthropicFiles,
        Self::ChatCompletions,
        Self::Responses,
        Self::Embeddings,
        Self::OpenaiFiles,
        Self::GenerateContent,
        Self::StreamGenerateContent,
        Self::CountTokens,
        Self::EmbedContent,
        Self::BatchEmbedContents,
    ];

    /// Whose API it belongs to.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Messages | Self::MessagesStream | Self::MessagesCountTokens | Self::AnthropicFiles => {
                Dialect::Anthropic
            }
            Self::ChatCompletions | Self::Responses | Self::Embeddings | Self::OpenaiFiles => Dialect::OpenAi,
            Self::GenerateContent
            | Self::StreamGenerateContent
            | Self::CountTokens
            | Self::EmbedContent
            | Self::BatchEmbedContents => Dialect::Gemini,
        }
    }

    /// Where the API's own vendor has it, from the version on.
    #[must_use]
    pub const fn usual_path(self) -> &'static str {
        match self {
            Self::Messages | Self::MessagesStream => "/v1/messages",
            Self::MessagesCountTokens => "/v1/messages/count_tokens",
            Self::AnthropicFiles | Self::OpenaiFiles => "/v1/files",
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Embeddings => "/v1/embeddings",
            Self::GenerateContent => "/v1beta/models/{model}:generateContent",
            Self::StreamGenerateContent => "/v1beta/models/{model}:streamGenerateContent",
            Self::CountTokens => "/v1beta/models/{model}:countTokens",
            Self::EmbedContent => "/v1beta/models/{model}:embedContent",
            Self::BatchEmbedContents => "/v1beta/models/{model}:batchEmbedContents",
        }
    }
}

/// How a provider wants to be shown its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// `x-api-key: KEY`, as Anthropic.
    XApiKey,
    /// `authorization: Bearer KEY`, as `OpenAI`.
    Bearer,
    /// `api-key: KEY`, as Azure.
    ApiKey,
    /// `x-goog-api-key: KEY`, as Google.
    XGoogApiKey,
    /// Not at all: a provider of this machine.
    None,
    /// A signature over the request, as AWS.
    Sigv4(SigV4),
}

/// What an AWS signature is made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigV4 {
    /// e.g. `eu-central-1`.
    pub region: String,
    /// e.g. `bedrock`.
    #[serde(default = "bedrock")]
    pub service: String,
    /// The vault's name of the access key's id.
    pub access_key_id: SecretName,
    /// The vault's name of the secret access key.
    pub secret_access_key: SecretName,
    /// The vault's name of a session's token, for keys that are not for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<SecretName>,
}

fn bedrock() -> String {
    "bedrock".to_owned()
}

/// What is different in the bodies of a provider; members of the top level, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyRules {
    /// Taken out: the provider has them elsewhere and refuses them here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omit: Vec<String>,
    /// Put in where the caller has none: text by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub add: BTreeMap<String, String>,
    /// Refused: they would lead around this policy, to another model for instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forbid: Vec<String>,
    /// Refused with any other text: prices are for these alone, a dearer tier for instance is not among them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub only: BTreeMap<String, Vec<String>>,
    /// Comma-separated headers that become a list of texts here, member by header.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub from_headers: BTreeMap<String, String>,
    /// Streams name their usage unasked, and `stream_options` may be refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub usage_unasked: bool,
    /// The bound of the output is called `max_tokens` in Chat Completions, not `max_completion_tokens`; for what comes from
    /// another API.
    #[serde(default, skip_serializing_if = "is_false")]
    pub max_tokens: bool,
}

impl BodyRules {
    /// Whether nothing is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A kind of file whose text a scan does not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unscanned {
    /// PDF.
    Pdf,
    /// Any: office documents, archives, sound, moving pictures, PDF.
    Any,
}

/// How the events of a stream are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// Server-sent events, or whatever the caller asked for.
    #[default]
    Sse,
    /// AWS's binary event stream around the same events.
    AwsEventStream,
}

impl Framing {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    const fn is_sse(&self) -> bool {
        matches!(self, Self::Sse)
    }
}

/// One model as agents ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What agents write into a request.
    pub name: String,
    /// [`Provider::name`].
    pub provider: String,
    /// What the provider is asked for.
    pub upstream_model: String,
    /// What it costs; absent: not known, which is not free. See [`LlmConfig::tariff`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// What it costs from later days on, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prices: Vec<DatedPrice>,
    /// Most output tokens of one answer, where a request names no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u64>,
}
