//! Turns of a session: the first body is searched, of each later one only what changed.

use std::hint::black_box;

use serde_json::{Value, json};
use wardkeep_redaction::{Engine, JsonMemo};

use crate::inputs::Inputs;
use crate::measure::{Times, seconds};

/// Blocks that nobody may change.
const SEALED: [&str; 2] = ["thinking", "redacted_thinking"];
/// Turns behind the first.
const TURNS: usize = 30;

/// Measures, and prints when `say`.
pub(crate) fn measure(inputs: &Inputs, engine: &Engine, say: bool) -> anyhow::Result<Value> {
    if say {
        println!(
            "\nturns of a session, µs        first  later: median, longest   whole  compare and copy   searched, bytes"
        );
    }
    let mut report = serde_json::Map::new();
    for (name, size, body) in
        [("16 KiB", 16, &inputs.bodies[0]), ("100 KiB", 100, &inputs.bodies[0]), ("1 MiB", 1024, &inputs.bodies[1])]
    {
        for last in [false, true] {
            let row = session(engine, &bodies(body, size * 1024, last)?);
            let name = format!("{name}{}", if last { ", tools last" } else { "" });
            if say {
                let figure = |of: &str| row[of].as_f64().unwrap_or_default();
                println!(
                    "{name:<26} {:>8.0} {:>14.1} {:>8.1} {:>8.0} {:>17.1} {:>17.0}",
                    figure("first"),
                    figure("later"),
                    figure("longest"),
                    figure("whole"),
                    figure("floor"),
                    figure("searched"),
                );
            }
            report.insert(name, row);
        }
    }
    Ok(Value::Object(report))
}

/// Bodies of about `size` bytes, each with two more messages than the one before.
fn bodies(body: &str, size: usize, tools_last: bool) -> anyhow::Result<Vec<String>> {
    let mut document: Value = serde_json::from_str(body)?;
    let messages = document["messages"].as_array().cloned().unwrap_or_default();
    let tools = document["tools"].take();
    let mut history: Vec<String> = Vec::new();
    let mut left = size.saturating_sub(tools.to_string().len() + document["system"].to_string().len());
    for message in messages.iter().cycle() {
        let text = message.to_string();
        if text.len() > left {
            break;
        }
        left -= text.len();
        history.push(text);
    }
    let (system, text) = (&document["system"], body.replace(['"', '\\'], " "));
    let whole = |history: &[String]| {
        let history = history.join(",");
        if tools_last {
            format!(r#"{{"model":"m","messages":[{history}],"system":{system},"tools":{tools},"max_tokens":32000}}"#)
        } else {
            format!(r#"{{"model":"m","system":{system},"tools":{tools},"messages":[{history}],"max_tokens":32000}}"#)
        }
    };
    let mut bodies = vec![whole(&history)];
    for turn in 0..TURNS {
        let said: String = text.chars().skip(1_000 * turn).take(1_000).collect();
        let call =
            json!({"type": "tool_use", "id": format!("toolu_{turn}"), "name": "read", "input": {"path": "a.rs"}});
        history.push(json!({"role": "assistant", "content": [call]}).to_string());
        let result = json!({"type": "tool_result", "tool_use_id": format!("toolu_{turn}"), "content": said});
        history.push(json!({"role": "user", "content": [result]}).to_string());
        bodies.push(whole(&history));
    }
    Ok(bodies)
}

fn session(engine: &Engine, bodies: &[String]) -> Value {
    let mut memo = JsonMemo::default();
    let mut again = |body: &[u8]| {
        let took = seconds(|| {
            let compared = memo.compare(body);
            black_box(engine.redact_json_again(compared, &SEALED, &mut memo).expect("JSON").bytes.len());
        });
        (took, memo.searched())
    };
    let (first, _) = again(bodies[0].as_bytes());
    let later: Vec<(f64, usize)> = bodies[1..].iter().map(|body| again(body.as_bytes())).collect();
    let searched = later.iter().map(|(_, searched)| *searched).max().unwrap_or_default();
    let later = Times::new(later.into_iter().map(|(took, _)| took).collect());
    let whole = bodies[1..].iter().step_by(5);
    let whole = whole.map(|body| seconds(|| drop(black_box(engine.redact_json_sealing(body.as_bytes(), &SEALED)))));
    let floor = bodies.windows(2).map(|two| {
        let mut copy = Vec::new();
        seconds(|| {
            black_box(two[1].as_bytes()[..two[0].len() - 100] == two[0].as_bytes()[..two[0].len() - 100]);
            copy = black_box(two[1].as_bytes().to_vec());
        })
    });
    let us = |seconds: f64| seconds * 1e6;
    json!({
        "first": us(first),
        "later": us(later.median()),
        "longest": us(later.longest()),
        "whole": us(Times::new(whole.collect()).median()),
        "floor": us(Times::new(floor.collect()).median()),
        "searched": searched,
    })
}
