//! `GET /v1/models`: what this agent may ask for, in the dialect of the caller.

use serde_json::{Value, json};
use wardkeep_policy::{Bundle, Dialect};
use wardkeep_proto::ids::AgentName;

/// The models of `agent` whose provider speaks `dialect`.
pub(crate) fn document(bundle: &Bundle, agent: &AgentName, dialect: Dialect) -> Vec<u8> {
    let allowed = bundle.agents.iter().find(|policy| &policy.name == agent).map_or(&[][..], |policy| &policy.models);
    let names: Vec<&str> = bundle
        .llm
        .models
        .iter()
        .filter(|model| allowed.contains(&model.name))
        .filter(|model| bundle.llm.provider(&model.provider).is_some_and(|provider| provider.dialect == dialect))
        .map(|model| model.name.as_str())
        .collect();
    let document = match dialect {
        Dialect::Anthropic => {
            let created = bundle.issued.to_string();
            let data: Vec<Value> = names
                .iter()
                .map(|name| json!({"type": "model", "id": name, "display_name": name, "created_at": created}))
                .collect();
            json!({"data": data, "has_more": false, "first_id": names.first(), "last_id": names.last()})
        }
        Dialect::OpenAi => {
            let created = bundle.issued.millis() / 1000;
            let data: Vec<Value> = names
                .iter()
                .map(|name| json!({"id": name, "object": "model", "created": created, "owned_by": "wardkeep"}))
                .collect();
            json!({"object": "list", "data": data})
        }
        Dialect::Gemini => {
            let models: Vec<Value> = names
                .iter()
                .map(|name| {
                    let methods = ["generateContent", "streamGenerateContent", "countTokens"];
                    json!({"name": format!("models/{name}"), "displayName": name, "supportedGenerationMethods": methods})
                })
                .collect();
            json!({ "models": models })
        }
    };
    document.to_string().into_bytes()
}
