//! Text that looks like secrets and is none, that is made of escapes, or that has no words.

use std::fmt::Write as _;
use std::path::Path;

use data_encoding::{BASE64, BASE64_MIME};

use super::chat::Source;
use super::{Input, fill};
use crate::chance::Chance;

pub(crate) fn all(source: &Source<'_>, root: &Path, bytes: usize) -> anyhow::Result<Vec<Input>> {
    let chance = &mut Chance::new(4);
    let lines = |chance: &mut Chance, line: &dyn Fn(&mut Chance, &mut String)| {
        let mut text = String::with_capacity(bytes + 256);
        while text.len() < bytes {
            line(chance, &mut text);
        }
        text
    };
    let minified = std::fs::read_to_string(root.join("hub/assets/htmx.min.js"))?;
    let lock = std::fs::read_to_string(root.join("Cargo.lock"))?;
    let prose = fill(source.prose, bytes / 2);
    let nested = serde_json::json!({"body": serde_json::json!({"text": fill(source.code, bytes / 2)}).to_string()});
    Ok(vec![
        Input::of("minified code", &fill(&[minified], bytes)),
        Input::of("git log, lock file", &(lines(chance, &commit) + &fill(&[lock], bytes / 4))),
        Input::of("base64, one line", &BASE64.encode(&chance.bytes(bytes / 4 * 3))),
        Input::of("base64, wrapped", &BASE64_MIME.encode(&chance.bytes(bytes / 4 * 3))),
        Input::of("hex dump", &lines(chance, &dump)),
        Input::of("JSON in JSON, as text", &nested.to_string()),
        Input::of("percent-encoded", &percent(&prose)),
        Input::of("Chinese and emoji", &lines(chance, &chinese)),
        Input::of("UTF-16 as text", &prose.chars().flat_map(|c| [c, '\0']).collect::<String>()),
    ])
}

fn commit(chance: &mut Chance, out: &mut String) {
    *out += &format!(
        "commit {}\nAuthor: Ana <ana@example.com>\nDate:   Fri Nov 20 10:11:12 2026 +0100\n\n",
        chance.hex(40)
    );
    *out += "    Say what the closed vault does now\n\n";
    for _ in 0..3 {
        *out += &format!("100644 blob {}    src/module_{}.rs\n", chance.hex(40), chance.below(99));
    }
}

fn dump(chance: &mut Chance, out: &mut String) {
    *out += &format!("{:08x}  ", out.len() / 78 * 16);
    let bytes = chance.bytes(16);
    for (n, byte) in bytes.iter().enumerate() {
        *out += &format!("{byte:02x}{}", if n == 7 { "  " } else { " " });
    }
    let shown: String = bytes.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect();
    *out += &format!(" |{shown}|\n");
}

fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn chinese(chance: &mut Chance, out: &mut String) {
    for _ in 0..30 {
        match chance.below(12) {
            0 => out.push('，'),
            1 => out.push_str("🙂 "),
            _ => out.extend(char::from_u32(0x4e00 + chance.below(3_000) as u32)),
        }
    }
    *out += "。\n";
}
