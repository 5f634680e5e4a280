//! Requests to a model: instructions, tools, and turns full of files, commands and their output.

use serde_json::{Value, json};

use crate::chance::Chance;

/// What the turns are made of.
pub(crate) struct Source<'a> {
    pub(crate) prose: &'a [String],
    pub(crate) code: &'a [String],
    pub(crate) logs: &'a str,
}

/// Requests of `size` bytes, together about `bytes`.
pub(crate) fn requests(source: &Source<'_>, size: usize, bytes: usize) -> Vec<String> {
    (0..bytes.div_ceil(size) as u64).map(|n| request(source, size, 100 + n)).collect()
}

/// One request of about `size` bytes.
pub(crate) fn request(source: &Source<'_>, size: usize, seed: u64) -> String {
    let mut maker = Maker { source, chance: Chance::new(seed) };
    let mut messages = Vec::new();
    let head = json!([{"type": "text", "text": maker.prose(6_000), "cache_control": {"type": "ephemeral"}}]);
    let tools = maker.tools();
    let mut left = size.saturating_sub(head.to_string().len() + tools.to_string().len() + 100);
    while left > 0 {
        for message in maker.turn(left) {
            left = left.saturating_sub(message.to_string().len() + 1);
            messages.push(message);
        }
    }
    json!({
        "model": "large-2026-09",
        "max_tokens": 32_000,
        "stream": true,
        "temperature": 0.2,
        "system": head,
        "tools": tools,
        "messages": messages,
        "metadata": {"user_id": maker.chance.uuid()},
    })
    .to_string()
}

struct Maker<'a> {
    source: &'a Source<'a>,
    chance: Chance,
}

impl Maker<'_> {
    /// What the person says, what the model says and calls, what the tool answers.
    fn turn(&mut self, left: usize) -> Vec<Value> {
        let id =
            format!("toolu_{}", self.chance.letters(b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789", 24));
        let size = left.min(400 + self.chance.below(12_000));
        let (call, output) = match self.chance.below(4) {
            0 | 1 => {
                let (from, file) = (self.chance.below(self.source.code.len()), 1 + self.chance.below(40));
                let text = cut(&self.source.code[from], 0, size).to_owned();
                let lines: String = text.lines().zip(1..).map(|(line, n)| format!("{n:>6}\t{line}\n")).collect();
                (json!({"name": "read", "input": {"path": format!("/srv/agents/office/src/module_{file}.rs")}}), lines)
            }
            2 => {
                let at = self.chance.below(self.source.logs.len());
                let text = cut(self.source.logs, at, size).to_owned();
                (
                    json!({"name": "shell", "input": {"command": "journalctl -u shop --since '1 hour ago' | tail -n 200"}}),
                    text,
                )
            }
            _ => {
                let text = self.prose(size);
                (
                    json!({"name": "edit", "input": {"path": "notes/november.md", "old": "", "new": text}}),
                    "ok".to_owned(),
                )
            }
        };
        let [asked, said] = [self.prose(200), self.prose(500)];
        let mut call = call;
        call["type"] = "tool_use".into();
        call["id"] = id.as_str().into();
        vec![
            json!({"role": "user", "content": asked}),
            json!({"role": "assistant", "content": [{"type": "text", "text": said}, call]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": output}]}]}),
        ]
    }

    fn prose(&mut self, size: usize) -> String {
        let mut text = String::new();
        while text.len() < size {
            text += &self.source.prose[self.chance.below(self.source.prose.len())];
        }
        cut(&text, 0, size).to_owned()
    }

    fn tools(&mut self) -> Value {
        let names = ["read", "edit", "shell", "search", "mail_send", "calendar_add", "browser_open", "wait"];
        let tool = |name: &str, about: String| {
            json!({
                "name": name,
                "description": about,
                "input_schema": {
                    "type": "object",
                    "properties": {
                        "path": {"type": "string", "description": "Absolute path of the file"},
                        "command": {"type": "string", "description": "Command for the shell"},
                        "limit": {"type": "integer", "minimum": 1, "maximum": 2000},
                    },
                    "required": ["path"],
                },
            })
        };
        names.iter().map(|name| tool(name, self.prose(300))).collect()
    }
}

fn cut(text: &str, from: usize, size: usize) -> &str {
    let at = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    &text[at(from)..at(from + size)]
}
