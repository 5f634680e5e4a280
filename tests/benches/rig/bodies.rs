//! What agents ask: the same in every run.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::chance::Chance;

/// As the gateways know it.
pub const MODEL: &str = "mock";

const WORDS: &[&str] = &[
    "fn", "let", "mut", "return", "if", "else", "match", "struct", "impl", "self", "value", "error", "result",
    "config", "server", "client", "request", "response", "budget", "agent", "tenant", "hub", "task", "queue", "file",
    "path",
];

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Some 0.3 KiB.
    Small,
    /// 16 KiB, half of it tools.
    Mid,
    /// 100 KiB with results of tools.
    K100,
    /// 1 MiB of them.
    M1,
}

impl Shape {
    /// The smallest first.
    pub const ALL: [Self; 4] = [Self::Small, Self::Mid, Self::K100, Self::M1];

    /// As tables and options name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Mid => "16 KiB",
            Self::K100 => "100 KiB",
            Self::M1 => "1 MiB",
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Mid => "16k",
            Self::K100 => "100k",
            Self::M1 => "1m",
        }
    }
}

/// How it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In one piece.
    Plain,
    /// As fast as the provider can.
    Burst,
    /// A piece of text every four to five milliseconds.
    Paced,
}

impl Way {
    /// As tables name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Burst => "stream",
            Self::Paced => "paced",
        }
    }
}

/// The file with a body, once [`write()`] was called.
pub fn file(folder: &Path, shape: Shape, way: Way) -> PathBuf {
    folder.join(format!("{}{}.json", shape.file(), way.name()))
}

/// Writes all bodies.
pub fn write(folder: &Path) -> anyhow::Result<()> {
    for shape in Shape::ALL {
        for way in [Way::Plain, Way::Burst, Way::Paced] {
            let mut body = body(shape);
            if way != Way::Plain {
                body["stream"] = true.into();
                body["stream_options"] = json!({"include_usage": true});
            }
            if way == Way::Paced {
                body["user"] = "pace_us=4000 ".into();
            }
            std::fs::write(file(folder, shape, way), body.to_string())?;
        }
    }
    Ok(())
}

fn body(shape: Shape) -> Value {
    let mut chance = Chance::new(7);
    match shape {
        Shape::Small => {
            let text = "Say hello to the world and tell me in two sentences what a proxy does. ".repeat(3);
            json!({"model": MODEL, "messages": [{"role": "user", "content": text}]})
        }
        Shape::Mid => session(&mut chance, 16 << 10, 600),
        Shape::K100 => session(&mut chance, 100 << 10, 4_000),
        Shape::M1 => session(&mut chance, 1 << 20, 24_000),
    }
}

/// A session of `total` bytes whose tools answer with about `result` bytes.
pub fn session(chance: &mut Chance, total: usize, result: usize) -> Value {
    let mut messages = vec![
        json!({"role": "system", "content": output(chance, 4_000)}),
        json!({"role": "user", "content": "Find the fault and fix it."}),
    ];
    let tools = tools(chance);
    let mut size = tools.to_string().len() + messages.iter().map(|m| m.to_string().len() + 1).sum::<usize>() + 40;
    while size < total {
        let room = result.min((total - size).saturating_sub(200)).max(200);
        for message in turn(chance, messages.len(), room) {
            size += message.to_string().len() + 1;
            messages.push(message);
        }
    }
    json!({"model": MODEL, "messages": messages, "tools": tools})
}

/// A call and what it gave.
pub fn turn(chance: &mut Chance, number: usize, bytes: usize) -> [Value; 2] {
    let id = format!("call_{number}");
    let arguments = json!({"path": format!("src/{}.rs", chance.one(WORDS))}).to_string();
    let function = json!({"name": format!("tool_{}", number % 16), "arguments": arguments});
    [
        json!({"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function", "function": function}]}),
        json!({"role": "tool", "tool_call_id": id, "content": output(chance, bytes)}),
    ]
}

fn tools(chance: &mut Chance) -> Value {
    let one = |n: usize, chance: &mut Chance| {
        let members: serde_json::Map<String, Value> =
            (0..4).map(|_| (words(chance, 1), json!({"type": "string", "description": words(chance, 4)}))).collect();
        json!({"type": "function", "function": {"name": format!("tool_{n}"), "description": words(chance, 30),
            "parameters": {"type": "object", "properties": members}}})
    };
    (0..16).map(|n| one(n, chance)).collect()
}

fn words(chance: &mut Chance, count: usize) -> String {
    (0..count).map(|_| chance.one(WORDS)).collect::<Vec<_>>().join(" ")
}

/// What tools print: code, log lines, JSON, some hashes.
fn output(chance: &mut Chance, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 200);
    while text.len() < bytes {
        let line = match chance.below(20) {
            0..12 => {
                let (indent, count) = (chance.below(5), 3 + chance.below(10));
                format!("{}{};", "    ".repeat(indent), words(chance, count))
            }
            12..16 => format!(
                "2026-03-{:02}T10:{:02}:{:02}Z INFO module::{} request_id={} took={}ms",
                1 + chance.below(28),
                chance.below(60),
                chance.below(60),
                words(chance, 1),
                chance.hex(32),
                1 + chance.below(900)
            ),
            16..19 => json!({words(chance, 1): chance.below(9999), "of": words(chance, 1), "ok": true}).to_string(),
            _ => format!("commit {} \"{}\"", chance.hex(40), words(chance, 1)),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text.truncate(bytes);
    text
}
