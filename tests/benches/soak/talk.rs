//! What the callers ask: sessions with tools in every API and size, with secrets of the vault in them.

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

use crate::bodies;
use crate::chance::Chance;
use crate::ways::{Api, MARK, Model};

const MODEL: &str = "@MODEL@";
const STREAM: &str = "@STREAM@";
const LAST: &str = "@LAST@";
/// Sizes in KiB, each as often as it stands here, of ten thousand.
const SIZES: [(usize, usize); 4] = [(0, 6_000), (16, 2_900), (100, 1_000), (1_024, 100)];
/// Values of the vault that are said.
pub(crate) const CANARIES: usize = 100;

/// Requests of one API and size.
struct Template {
    api: Api,
    size: usize,
    /// With the marks in it.
    text: String,
}

/// All that can be asked.
pub(crate) struct Talk {
    templates: Vec<Template>,
    secrets: Vec<String>,
}

impl Talk {
    pub(crate) fn new(secrets: &[(String, String)]) -> Self {
        let mut chance = Chance::new(3);
        let mut templates = Vec::new();
        for (size, _) in SIZES {
            let chat = match size {
                0 => json!({"model": MODEL, "messages": []}),
                size => bodies::session(&mut chance, size << 10, if size > 64 { 9_000 } else { 900 }),
            };
            for api in Api::ALL {
                templates.push(Template { api, size, text: told(api, &chat).to_string() });
            }
        }
        Self { templates, secrets: secrets.iter().take(CANARIES).map(|(_, value)| value.clone()).collect() }
    }

    /// A request without its head, and where it goes.
    pub(crate) fn ask(&self, model: Model, number: u64, chance: &mut Chance) -> (String, Vec<u8>) {
        let mut at = chance.below(SIZES.iter().map(|(_, weight)| weight).sum());
        let mut size = 0;
        for (one, weight) in SIZES {
            if at < weight {
                size = one;
                break;
            }
            at -= weight;
        }
        let template = self.templates.iter().find(|one| one.api == model.api && one.size == size);
        let text = template.map_or("", |template| &template.text);
        let last = Value::from(format!("{MARK}{number} {}", self.words(chance))).to_string();
        let stream = if model.ending.streams() { "true" } else { "false" };
        let body = text.replacen(MODEL, &model.name(), 1).replacen(&format!("\"{STREAM}\""), stream, 1).replacen(
            &format!("\"{LAST}\""),
            &last,
            1,
        );
        let path = match model.api {
            Api::Messages => "/v1/messages".to_owned(),
            Api::Chat => "/v1/chat/completions".to_owned(),
            Api::Responses => "/v1/responses".to_owned(),
            Api::Gemini if model.ending.streams() => {
                format!("/v1beta/models/{}:streamGenerateContent?alt=sse", model.name())
            }
            Api::Gemini => format!("/v1beta/models/{}:generateContent", model.name()),
        };
        (path, body.into_bytes())
    }

    fn words(&self, chance: &mut Chance) -> String {
        let secret = &self.secrets[chance.below(self.secrets.len())];
        match chance.below(8) {
            0..3 => "What does this do?".to_owned(),
            3 => format!("The password is {secret}, use it."),
            4 => format!("config: {}", json!({"password": secret})),
            5 => format!("authorization: Basic {}", BASE64.encode(format!("app:{secret}").as_bytes())),
            6 => format!("dump {} end", HEXLOWER.encode(secret.as_bytes())),
            _ => format!("?key={}", percent(secret)),
        }
    }
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What must not be found where it does not belong, in the forms in which it is said.
pub(crate) fn needles(secrets: &[(String, String)]) -> Vec<String> {
    let mut all: Vec<String> = secrets.iter().map(|(_, value)| value.clone()).collect();
    for (_, value) in secrets.iter().take(CANARIES) {
        all.push(HEXLOWER.encode(value.as_bytes()));
        all.push(percent(value));
        // Behind `app:`, without what the neighbours decide.
        let encoded = BASE64.encode(format!("app:{value}").as_bytes());
        all.push(encoded[8..encoded.len() / 4 * 4 - 4].to_owned());
        all.push(Value::from(value.as_str()).to_string().trim_matches('"').to_owned());
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// A session of Chat Completions in the words of `api`, with a last message that is to be filled in.
fn told(api: Api, chat: &Value) -> Value {
    let said: &[Value] = chat["messages"].as_array().map_or(&[], Vec::as_slice);
    let system = said.iter().find(|one| one["role"] == "system").map_or("Be brief.", |one| text(one));
    let turns = said.iter().filter(|one| one["role"] != "system");
    let tools: Vec<&Value> = chat["tools"].as_array().into_iter().flatten().map(|tool| &tool["function"]).collect();
    match api {
        Api::Messages => {
            let mut messages: Vec<Value> = turns.map(anthropic).collect();
            messages.push(json!({"role": "user", "content": LAST}));
            let tools: Vec<Value> = tools
                .iter()
                .map(|f| json!({"name": f["name"], "description": f["description"], "input_schema": f["parameters"]}))
                .collect();
            json!({"model": MODEL, "max_tokens": 4096, "stream": STREAM, "system": system, "tools": tools, "messages": messages})
        }
        Api::Chat => {
            let mut messages = vec![json!({"role": "system", "content": system})];
            messages.extend(turns.cloned());
            messages.push(json!({"role": "user", "content": LAST}));
            let tools = chat["tools"].clone();
            let mut body = json!({"model": MODEL, "stream": STREAM, "messages": messages});
            if tools.is_array() {
                body["tools"] = tools;
            }
            body
        }
        Api::Responses => {
            let mut input: Vec<Value> = turns.map(item).collect();
            input.push(json!({"role": "user", "content": LAST}));
            let tools: Vec<Value> = tools
                .iter()
                .map(|f| json!({"type": "function", "name": f["name"], "description": f["description"], "parameters": f["parameters"]}))
                .collect();
            json!({"model": MODEL, "stream": STREAM, "instructions": system, "tools": tools, "input": input})
        }
        Api::Gemini => {
            let mut contents: Vec<Value> = turns.map(content).collect();
            contents.push(json!({"role": "user", "parts": [{"text": LAST}]}));
            let mut body = json!({"systemInstruction": {"parts": [{"text": system}]}, "contents": contents});
            if !tools.is_empty() {
                body["tools"] = json!([{"functionDeclarations": tools}]);
            }
            body
        }
    }
}

fn text(message: &Value) -> &str {
    message["content"].as_str().unwrap_or_default()
}

fn call(message: &Value) -> Option<(&Value, &Value, Value)> {
    let call = message["tool_calls"].get(0)?;
    let arguments = call["function"]["arguments"].as_str().unwrap_or("{}");
    Some((&call["id"], &call["function"]["name"], serde_json::from_str(arguments).unwrap_or_default()))
}

fn anthropic(message: &Value) -> Value {
    if let Some((id, name, input)) = call(message) {
        return json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": name, "input": input}]});
    }
    match &message["tool_call_id"] {
        Value::Null => json!({"role": "user", "content": text(message)}),
        id => {
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text(message)}]})
        }
    }
}

fn item(message: &Value) -> Value {
    if let Some((id, name, input)) = call(message) {
        return json!({"type": "function_call", "call_id": id, "name": name, "arguments": input.to_string()});
    }
    match &message["tool_call_id"] {
        Value::Null => json!({"role": "user", "content": text(message)}),
        id => json!({"type": "function_call_output", "call_id": id, "output": text(message)}),
    }
}

fn content(message: &Value) -> Value {
    if let Some((_, name, input)) = call(message) {
        return json!({"role": "model", "parts": [{"functionCall": {"name": name, "args": input}}]});
    }
    match &message["tool_call_id"] {
        Value::Null => json!({"role": "user", "parts": [{"text": text(message)}]}),
        _ => {
            json!({"role": "user", "parts": [{"functionResponse": {"name": "tool", "response": {"output": text(message)}}}]})
        }
    }
}
