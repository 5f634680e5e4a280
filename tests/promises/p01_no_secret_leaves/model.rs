//! Attacks through the language model: whatever an agent puts into a request, and wherever, no value reaches the provider.

use serde_json::{Value, json};
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::capture::Channel;
use wardkeep_tests::story::disguise::{self, Disguise};
use wardkeep_tests::story::stage::MODEL;

use super::siege::{HARMLESS, Siege};

/// One place of a request in which a text can travel.
pub(super) struct Carrier {
    pub(super) name: &'static str,
    pub(super) fill: fn(&str) -> Value,
    pub(super) reach: Reach,
}

/// What becomes of a harmless text there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It reaches the provider as it is: so would a value that is not seen.
    Provider,
    /// It reaches the provider in a form of its own.
    Changed,
}

use Reach::{Changed, Provider};

pub(super) fn user(content: Value) -> Value {
    json!({"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": content}]})
}

fn with(key: &str, value: Value) -> Value {
    let mut body = user(json!("hello"));
    body[key] = value;
    body
}

/// A whole turn with one tool call, its result, and what else the agent says.
fn called(input: Value, result: Value) -> Value {
    let mut body = user(json!("hello"));
    let use_block = json!({"type": "tool_use", "id": "toolu_1", "name": "shell", "input": input});
    let result_block = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": result});
    body["messages"] = json!([
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [{"type": "text", "text": "I look."}, use_block]},
        {"role": "user", "content": [result_block]},
    ]);
    body
}

/// Every place of an Anthropic request, known fields and unknown ones.
pub(super) const MESSAGES: &[Carrier] = &[
    Carrier { name: "prompt", fill: |v| user(json!(v)), reach: Provider },
    Carrier {
        name: "prompt inside words",
        fill: |v| user(json!(format!("The key is {v}, keep it."))),
        reach: Provider,
    },
    Carrier { name: "text block", fill: |v| user(json!([{"type": "text", "text": v}])), reach: Provider },
    Carrier { name: "system prompt", fill: |v| with("system", json!(v)), reach: Provider },
    Carrier {
        name: "system block with a cache mark",
        fill: |v| with("system", json!([{"type": "text", "text": v, "cache_control": {"type": "ephemeral"}}])),
        reach: Provider,
    },
    Carrier { name: "tool input", fill: |v| called(json!({"command": v}), json!("ok")), reach: Provider },
    Carrier { name: "key of a tool input", fill: |v| called(json!({v: "x"}), json!("ok")), reach: Provider },
    Carrier { name: "deep tool input", fill: |v| called(json!({"a": [{"b": [[v]]}]}), json!("ok")), reach: Provider },
    Carrier { name: "tool result", fill: |v| called(json!({}), json!(v)), reach: Provider },
    Carrier {
        name: "tool result block",
        fill: |v| called(json!({}), json!([{"type": "text", "text": v}])),
        reach: Provider,
    },
    Carrier {
        name: "environment dump in a tool result",
        fill: |v| called(json!({}), json!(format!("HOME=/root\nSHOP_PW={v}\nLANG=C\n"))),
        reach: Changed,
    },
    Carrier {
        name: "shell trace in a tool result",
        fill: |v| called(json!({}), json!(format!("+ curl -u shop:{v} https://shop.example/\n"))),
        reach: Changed,
    },
    Carrier {
        name: "diff in a tool result",
        fill: |v| called(json!({}), json!(format!("@@ -1 +1 @@\n-password: old\n+password: {v}\n"))),
        reach: Changed,
    },
    Carrier {
        name: "file name in a listing",
        fill: |v| called(json!({}), json!(format!("drafts/\n{v}.txt\nnotes/\n"))),
        reach: Provider,
    },
    Carrier {
        name: "name of a tool",
        fill: |v| with("tools", json!([{"name": v, "input_schema": {"type": "object"}}])),
        reach: Provider,
    },
    Carrier {
        name: "description of a tool",
        fill: |v| with("tools", json!([{"name": "t", "description": v, "input_schema": {"type": "object"}}])),
        reach: Provider,
    },
    Carrier {
        name: "schema of a tool",
        fill: |v| {
            let schema = json!({"type": "object", "properties": {"k": {"enum": [v]}}});
            with("tools", json!([{"name": "t", "input_schema": schema}]))
        },
        reach: Provider,
    },
    Carrier {
        name: "property of a schema",
        fill: |v| {
            let schema = json!({"type": "object", "properties": {v: {"type": "string"}}, "required": [v]});
            with("tools", json!([{"name": "t", "input_schema": schema}]))
        },
        reach: Provider,
    },
    Carrier {
        name: "name of the chosen tool",
        fill: |v| with("tool_choice", json!({"type": "tool", "name": v})),
        reach: Provider,
    },
    Carrier {
        name: "id of a tool call",
        fill: |v| {
            let mut body = called(json!({}), json!("ok"));
            body["messages"][1]["content"][1]["id"] = json!(v);
            body["messages"][2]["content"][0]["tool_use_id"] = json!(v);
            body
        },
        reach: Provider,
    },
    Carrier {
        name: "name of a called tool",
        fill: |v| {
            let mut body = called(json!({}), json!("ok"));
            body["messages"][1]["content"][1]["name"] = json!(v);
            body
        },
        reach: Provider,
    },
    Carrier { name: "user id in the metadata", fill: |v| with("metadata", json!({"user_id": v})), reach: Provider },
    Carrier { name: "stop sequence", fill: |v| with("stop_sequences", json!([v])), reach: Provider },
    Carrier {
        name: "prefill of the answer",
        fill: |v| {
            let mut body = user(json!("go on"));
            body["messages"] = json!([{"role": "user", "content": "go on"}, {"role": "assistant", "content": v}]);
            body
        },
        reach: Provider,
    },
    Carrier {
        name: "thinking that a provider signed",
        fill: |v| {
            let mut body = called(json!({}), json!("ok"));
            body["messages"][1]["content"][0] = json!({"type": "thinking", "thinking": v, "signature": "EqQB"});
            body
        },
        reach: Provider,
    },
    Carrier {
        name: "signature of thinking",
        fill: |v| {
            let mut body = called(json!({}), json!("ok"));
            body["messages"][1]["content"][0] = json!({"type": "thinking", "thinking": "so", "signature": v});
            body
        },
        reach: Provider,
    },
    Carrier {
        name: "data of redacted thinking",
        fill: |v| {
            let mut body = called(json!({}), json!("ok"));
            body["messages"][1]["content"][0] = json!({"type": "redacted_thinking", "data": v});
            body
        },
        reach: Provider,
    },
    Carrier {
        name: "image",
        fill: |v| {
            let data = data_encoding::BASE64
                .encode(&[b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), v.as_bytes(), b"\0IEND"].concat());
            user(json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}]))
        },
        reach: Changed,
    },
    Carrier {
        name: "address of an image",
        fill: |v| {
            user(json!([{"type": "image", "source": {"type": "url", "url": format!("https://x.example/{v}.png")}}]))
        },
        reach: Provider,
    },
    Carrier {
        name: "document as base64",
        fill: |v| {
            let data = data_encoding::BASE64.encode(format!("%PDF-1.7\n(password {v}) Tj\n").as_bytes());
            user(
                json!([{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}}]),
            )
        },
        reach: Changed,
    },
    Carrier {
        name: "document as text",
        fill: |v| {
            user(json!([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": v}}]))
        },
        reach: Provider,
    },
    Carrier {
        name: "title of a document",
        fill: |v| {
            let source = json!({"type": "text", "media_type": "text/plain", "data": "x"});
            user(json!([{"type": "document", "source": source, "title": v, "context": v}]))
        },
        reach: Provider,
    },
    Carrier {
        name: "token of a tool server",
        fill: |v| {
            with(
                "mcp_servers",
                json!([{"type": "url", "url": "https://x.example", "name": "x", "authorization_token": v}]),
            )
        },
        reach: Changed,
    },
    Carrier { name: "container", fill: |v| with("container", json!(v)), reach: Provider },
    Carrier { name: "unknown field", fill: |v| with("x_unknown", json!({"a": {"b": v}})), reach: Provider },
    Carrier { name: "unknown key", fill: |v| with("x_unknown", json!({v: true})), reach: Provider },
    Carrier { name: "key at the top", fill: |v| with(v, json!(1)), reach: Provider },
    Carrier {
        name: "JSON in JSON",
        fill: |v| user(json!(json!({"deep": json!({"k": v}).to_string()}).to_string())),
        reach: Changed,
    },
    Carrier {
        name: "two parts of one message",
        fill: |v| {
            let parts = pieces(v, 2);
            user(json!([{"type": "text", "text": parts[0]}, {"type": "text", "text": parts[1]}]))
        },
        reach: Changed,
    },
    Carrier {
        name: "two parts of a tool result",
        fill: |v| {
            let parts = pieces(v, 2);
            called(json!({}), json!([{"type": "text", "text": parts[0]}, {"type": "text", "text": parts[1]}]))
        },
        reach: Changed,
    },
];

/// The places of an `OpenAI` request that differ.
const COMPLETIONS: &[Carrier] = &[
    Carrier { name: "prompt", fill: |v| user(json!(v)), reach: Provider },
    Carrier { name: "developer message", fill: |v| said(json!({"role": "developer", "content": v})), reach: Provider },
    Carrier {
        name: "name of who speaks",
        fill: |v| said(json!({"role": "user", "name": v, "content": "x"})),
        reach: Provider,
    },
    Carrier {
        name: "refusal",
        fill: |v| said(json!({"role": "assistant", "refusal": v, "content": null})),
        reach: Provider,
    },
    Carrier {
        name: "arguments, JSON in a string",
        fill: |v| {
            let function = json!({"name": "shell", "arguments": json!({"command": v}).to_string()});
            said(json!({"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": function}]}))
        },
        reach: Provider,
    },
    Carrier {
        name: "tool message",
        fill: |v| said(json!({"role": "tool", "tool_call_id": "c", "content": v})),
        reach: Provider,
    },
    Carrier {
        name: "id of a tool message",
        fill: |v| said(json!({"role": "tool", "tool_call_id": v, "content": "x"})),
        reach: Provider,
    },
    Carrier {
        name: "audio",
        fill: |v| {
            let data = data_encoding::BASE64.encode(format!("RIFFxxxxWAVE{v}").as_bytes());
            user(json!([{"type": "input_audio", "input_audio": {"format": "wav", "data": data}}]))
        },
        reach: Changed,
    },
    Carrier {
        name: "file as a data address",
        fill: |v| {
            let data = data_encoding::BASE64.encode(format!("%PDF-1.7 {v}").as_bytes());
            let data = format!("data:application/pdf;base64,{data}");
            user(json!([{"type": "file", "file": {"filename": "x.pdf", "file_data": data}}]))
        },
        reach: Changed,
    },
    Carrier {
        name: "name of a file",
        fill: |v| user(json!([{"type": "file", "file": {"filename": v, "file_id": "f"}}])),
        reach: Provider,
    },
    Carrier { name: "user", fill: |v| with("user", json!(v)), reach: Provider },
    Carrier { name: "safety identifier", fill: |v| with("safety_identifier", json!(v)), reach: Provider },
    Carrier { name: "key of the prompt cache", fill: |v| with("prompt_cache_key", json!(v)), reach: Provider },
    Carrier { name: "stop", fill: |v| with("stop", json!(v)), reach: Provider },
    Carrier { name: "metadata", fill: |v| with("metadata", json!({"k": v})), reach: Provider },
    Carrier { name: "token of the logit bias", fill: |v| with("logit_bias", json!({v: 1})), reach: Provider },
    Carrier {
        name: "prediction",
        fill: |v| with("prediction", json!({"type": "content", "content": v})),
        reach: Provider,
    },
    Carrier {
        name: "schema of the answer",
        fill: |v| {
            let schema = json!({"name": "s", "schema": {"type": "object", "title": v}});
            with("response_format", json!({"type": "json_schema", "json_schema": schema}))
        },
        reach: Provider,
    },
    Carrier {
        name: "options of the stream",
        fill: |v| {
            let mut body = with("stream_options", json!({"note": v}));
            body["stream"] = json!(true);
            body
        },
        reach: Provider,
    },
];

fn said(message: Value) -> Value {
    let mut body = user(json!("hello"));
    body["messages"] = json!([{"role": "user", "content": "hello"}, message]);
    body
}

/// `text` in `count` parts of about the same length.
pub(super) fn pieces(text: &str, count: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let size = letters.len().div_ceil(count).max(1);
    letters.chunks(size).map(|part| part.iter().collect()).collect()
}

async fn every_place(dialect: Dialect, carriers: &[Carrier]) {
    every_place_at(Siege::lay(dialect).await, carriers).await;
}

pub(super) async fn every_place_at(mut siege: Siege, carriers: &[Carrier]) {
    let secrets = siege.secrets();
    for carrier in carriers {
        // A harmless text first: a place from which nothing gets through shows nothing.
        let reached = siege.ask(carrier.name, &[], (carrier.fill)(HARMLESS).to_string().into_bytes()).await;
        let through = reached.contains(&Channel::Provider);
        assert!(through || carrier.reach == Changed, "{}: nothing got through to the provider", carrier.name);
        for (name, value) in &secrets {
            let body = (carrier.fill)(value).to_string();
            let attack = format!("{}, {name}", carrier.name);
            siege.must_see(name, &attack, body.as_bytes());
            siege.ask(&attack, &[], body.into_bytes()).await;
        }
    }
    siege.lift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_place_of_an_anthropic_request_carries_a_value() {
    every_place(Dialect::Anthropic, MESSAGES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_place_of_an_openai_request_carries_a_value() {
    every_place(Dialect::OpenAi, COMPLETIONS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_disguise_carries_a_value() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let secrets = siege.secrets();
    for Disguise { name: form, apply } in disguise::ALL {
        for (name, value) in &secrets {
            let attack = format!("{form}, {name}");
            // A dump begins with a line of its own.
            let body = user(json!(format!("look:\n{}\n", apply(value)))).to_string();
            siege.must_see(name, &attack, body.as_bytes());
            siege.ask(&attack, &[], body.into_bytes()).await;
        }
    }
    siege.lift().await;
}

/// What is not promised and was not found when this was written; see docs/security.md.
const OPEN: &[&str] = &[
    "base64 of percent",
    "base64 of \\x",
    "base64 of a dump",
    "a dump whose text reads as an escape",
    "a dump in the middle of a line",
    "three quarters",
    "the last three quarters",
    "backwards",
    "a space between",
    "a line each",
    "lines of ten",
    "quoted-printable",
    "hexdump of 16 bit words",
];

/// A form, and a value of which too little may be left in it: whether that is found depends on what was drawn.
const AT_TIMES: (&str, &str) = ("capitals", "foreign");

/// More is found than was promised, and it stays found.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_is_known() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let mut open = Vec::new();
    for Disguise { name: form, apply } in disguise::BEYOND {
        for (name, value) in siege.secrets().into_iter().filter(|(name, _)| AT_TIMES != (*form, *name)) {
            let body = user(json!(format!("look:\n{}\n", apply(&value)))).to_string();
            siege.must_see(name, form, body.as_bytes());
            siege.ask(form, &[], body.into_bytes()).await;
        }
        if siege.forget() {
            open.push(*form);
        }
    }
    open.retain(|form| !OPEN.contains(form));
    assert!(open.is_empty(), "these were found before: {open:?}");
    siege.stage.strike().await.expect("everything stops");
}
