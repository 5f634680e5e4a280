//! Attacks through the other APIs of a model: Responses, embeddings, counting.

use serde_json::{Value, json};
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::stage::MODEL;

use super::model::{Carrier, Reach, every_place_at};
use super::siege::Siege;

use Reach::{Changed, Provider};

fn input(items: Value) -> Value {
    json!({"model": MODEL, "store": false, "input": items})
}

fn with(key: &str, value: Value) -> Value {
    let mut body = input(json!("hello"));
    body[key] = value;
    body
}

/// The places of a Responses request that other APIs do not have.
const RESPONSES: &[Carrier] = &[
    Carrier { name: "input", fill: |v| input(json!(v)), reach: Provider },
    Carrier { name: "instructions", fill: |v| with("instructions", json!(v)), reach: Provider },
    Carrier {
        name: "part of an input",
        fill: |v| input(json!([{"role": "user", "content": [{"type": "input_text", "text": v}]}])),
        reach: Provider,
    },
    Carrier {
        name: "what the model said",
        fill: |v| {
            let said = json!({"type": "output_text", "text": v, "annotations": []});
            input(json!([{"type": "message", "id": "msg_1", "role": "assistant", "content": [said]}]))
        },
        reach: Provider,
    },
    Carrier {
        name: "arguments of a call, JSON in a string",
        fill: |v| {
            let arguments = json!({"command": v}).to_string();
            input(json!([{"type": "function_call", "call_id": "c", "name": "shell", "arguments": arguments}]))
        },
        reach: Provider,
    },
    Carrier {
        name: "output of a call",
        fill: |v| input(json!([{"type": "function_call_output", "call_id": "c", "output": v}])),
        reach: Provider,
    },
    Carrier {
        name: "input of a custom tool",
        fill: |v| input(json!([{"type": "custom_tool_call", "call_id": "c", "name": "x", "input": v}])),
        reach: Provider,
    },
    Carrier {
        name: "thoughts that nobody signed",
        fill: |v| input(json!([{"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": v}]}])),
        reach: Provider,
    },
    Carrier {
        name: "thoughts that are signed",
        fill: |v| {
            let summary = json!([{"type": "summary_text", "text": v}]);
            input(json!([{"type": "reasoning", "id": "r", "summary": summary, "encrypted_content": "gAAAAB"}]))
        },
        reach: Provider,
    },
    Carrier {
        name: "picture as a data address",
        fill: |v| {
            let data =
                data_encoding::BASE64.encode(&[b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), v.as_bytes()].concat());
            let url = format!("data:image/png;base64,{data}");
            input(json!([{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]))
        },
        reach: Changed,
    },
    Carrier {
        name: "file as a data address",
        fill: |v| {
            let data = data_encoding::BASE64.encode(format!("user,password\nshop,{v}\n").as_bytes());
            let file =
                json!({"type": "input_file", "filename": "x.csv", "file_data": format!("data:text/csv;base64,{data}")});
            input(json!([{"role": "user", "content": [file]}]))
        },
        reach: Changed,
    },
    Carrier {
        name: "schema of a tool",
        fill: |v| {
            let schema = json!({"type": "object", "properties": {"k": {"enum": [v]}}});
            with("tools", json!([{"type": "function", "name": "t", "parameters": schema}]))
        },
        reach: Provider,
    },
    Carrier {
        name: "variable of a stored prompt",
        fill: |v| with("prompt", json!({"id": "pmpt_1", "variables": {"v": v}})),
        reach: Provider,
    },
    Carrier { name: "earlier response", fill: |v| with("previous_response_id", json!(v)), reach: Provider },
    Carrier { name: "unknown key", fill: |v| with("x_unknown", json!({v: true})), reach: Provider },
];

const EMBEDDINGS: &[Carrier] = &[
    Carrier { name: "text", fill: |v| input(json!(v)), reach: Provider },
    Carrier { name: "one of several texts", fill: |v| input(json!(["hello", v])), reach: Provider },
    Carrier { name: "user", fill: |v| with("user", json!(v)), reach: Provider },
];

const COUNTED: &[Carrier] = &[
    Carrier {
        name: "prompt",
        fill: |v| json!({"model": MODEL, "messages": [{"role": "user", "content": v}]}),
        reach: Provider,
    },
    Carrier {
        name: "description of a tool",
        fill: |v| {
            let tool = json!({"name": "t", "description": v, "input_schema": {"type": "object"}});
            json!({"model": MODEL, "messages": [{"role": "user", "content": "hello"}], "tools": [tool]})
        },
        reach: Provider,
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn no_place_of_a_responses_request_carries_a_value() {
    every_place_at(Siege::lay(Dialect::OpenAi).await.at("/v1/responses"), RESPONSES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_vectors_nor_counting_carry_a_value() {
    every_place_at(Siege::lay(Dialect::OpenAi).await.at("/v1/embeddings"), EMBEDDINGS).await;
    every_place_at(Siege::lay(Dialect::Anthropic).await.at("/v1/messages/count_tokens"), COUNTED).await;
}
