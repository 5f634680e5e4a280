//! `GET /v1/models` and one of them: what this agent may ask for, in the dialect of the caller.

use serde_json::{Value, json};
use wardkeep_policy::{Bundle, Dialect, Endpoint, Provider};
use wardkeep_proto::ids::AgentName;

use crate::api::Api;

/// Gemini's methods, as its models name them.
const METHODS: [(Endpoint, &str); 5] = [
    (Endpoint::GenerateContent, "generateContent"),
    (Endpoint::StreamGenerateContent, "streamGenerateContent"),
    (Endpoint::CountTokens, "countTokens"),
    (Endpoint::EmbedContent, "embedContent"),
    (Endpoint::BatchEmbedContents, "batchEmbedContents"),
];

/// The models of `agent` that a caller of `dialect` can ask for.
pub(crate) fn list(bundle: &Bundle, agent: &AgentName, dialect: Dialect) -> Vec<u8> {
    let names = names(bundle, agent, dialect);
    let data: Vec<Value> = names.iter().map(|name| model(bundle, dialect, name)).collect();
    let document = match dialect {
        Dialect::Anthropic => {
            json!({"data": data, "has_more": false, "first_id": names.first(), "last_id": names.last()})
        }
        Dialect::OpenAi => json!({"object": "list", "data": data}),
        Dialect::Gemini => json!({ "models": data }),
    };
    document.to_string().into_bytes()
}

/// The model called `name`, if it is one of those.
pub(crate) fn one(bundle: &Bundle, agent: &AgentName, dialect: Dialect, name: &str) -> Option<Vec<u8>> {
    names(bundle, agent, dialect).contains(&name).then(|| model(bundle, dialect, name).to_string().into_bytes())
}

fn names<'b>(bundle: &'b Bundle, agent: &AgentName, dialect: Dialect) -> Vec<&'b str> {
    let allowed = bundle.agents.iter().find(|policy| &policy.name == agent).map_or(&[][..], |policy| &policy.models);
    let models = bundle.llm.models.iter().map(|model| model.name.as_str());
    let all = models.chain(bundle.llm.routes.iter().map(|route| route.name.as_str()));
    let answers = |name: &&str| {
        let mut providers = bundle.llm.answering(name).filter_map(|model| bundle.llm.provider(&model.provider));
        providers.any(|provider| speaks(provider, dialect))
    };
    all.filter(|name| allowed.iter().any(|one| one == name)).filter(answers).collect()
}

/// Whether it speaks `dialect`, or what is said in a turn can be told it.
fn speaks(provider: &Provider, dialect: Dialect) -> bool {
    let told = || Api::turn_of(dialect).towards(provider.dialect);
    provider.dialect == dialect || told().is_some_and(|api| provider.path(api.endpoint(false)).is_some())
}

fn model(bundle: &Bundle, dialect: Dialect, name: &str) -> Value {
    match dialect {
        Dialect::Anthropic => {
            json!({"type": "model", "id": name, "display_name": name, "created_at": bundle.issued.to_string()})
        }
        Dialect::OpenAi => {
            json!({"id": name, "object": "model", "created": bundle.issued.millis() / 1000, "owned_by": "wardkeep"})
        }
        Dialect::Gemini => {
            let provider = bundle.llm.answering(name).find_map(|model| bundle.llm.provider(&model.provider));
            let served = |endpoint| provider.is_some_and(|provider| provider.path(endpoint).is_some());
            let methods: Vec<&str> = METHODS.iter().filter(|(of, _)| served(*of)).map(|(_, name)| *name).collect();
            json!({"name": format!("models/{name}"), "displayName": name, "supportedGenerationMethods": methods})
        }
    }
}
