//! What the agent of the soak may do.

use std::net::SocketAddr;

use crate::bodies;
use crate::ways::Model;

/// Budgets that never end.
const BUDGETS: &str = r#"
[[budgets]]
agent = "bench"
limits = [
    { window = "hour", tokens = 1000000000000 },
    { window = "month", micros = 1000000000000000 },
]
requests_per_minute = 1000000
tokens_per_minute = 1000000000000
concurrent = 5000

[[budgets]]
limits = [{ window = "day", micros = 1000000000000000 }]
enforce = false
"#;

/// One for each API and ending, and the one with which the daemon is asked whether it serves.
pub(crate) fn models() -> Vec<String> {
    Model::all().map(Model::name).chain([bodies::MODEL.to_owned()]).collect()
}

/// The budgets, the models, and providers that answer apart from those that fail.
pub(crate) fn policy(provider: SocketAddr) -> String {
    let mut text = BUDGETS.to_owned();
    for (dialect, path) in [("anthropic", ""), ("openai", "/v1"), ("gemini", "")] {
        for trouble in ["", "-trouble"] {
            let waits = if trouble.is_empty() { "" } else { "waits = { idle_ms = 3000 }" };
            text.push_str(&format!(
                "\n[[providers]]\nname = \"{dialect}{trouble}\"\ndialect = \"{dialect}\"\n\
                 base_url = \"http://{provider}{path}\"\nkey = \"llm_key\"\n{waits}\n"
            ));
        }
    }
    let mut model = |name: &str, provider: String| {
        text.push_str(&format!(
            "\n[[models]]\nname = \"{name}\"\nprovider = \"{provider}\"\nupstream_model = \"{name}\"\n\
             price = {{ input = 3000000, output = 15000000, cache_read = 300000, cache_write = 3750000 }}\n"
        ));
    };
    model(bodies::MODEL, "openai".to_owned());
    for one in Model::all() {
        let trouble = if one.ending.is_trouble() { "-trouble" } else { "" };
        model(&one.name(), format!("{}{trouble}", one.api.dialect()));
    }
    text
}
