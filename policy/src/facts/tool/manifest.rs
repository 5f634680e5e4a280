//! Descriptions of containers that a tool is given as a text.

use super::{Tool, words};

/// Words without which a text describes no container.
const MARKS: &[&str] = &["image", "containers", "services", "spec", "volumes"];
/// Lines that are looked at.
const MAX_LINES: usize = 2_000;

impl Tool {
    /// Each `key: value` and each item of a list under its key, as arguments `manifest.key=value`: what a letter says is not taken
    /// for a field of the tool.
    pub(super) fn manifest(&mut self, text: &str) {
        if !text.contains(':') || !MARKS.iter().any(|mark| text.contains(mark)) {
            return;
        }
        let mut above = String::new();
        for line in text.split(['\n', '{', '}', '[', ']', ',']).take(MAX_LINES) {
            let item = line.trim().trim_start_matches("- ").trim();
            let (key, value) = match item.split_once(':') {
                Some((key, value)) if is_key(key) && (value.is_empty() || value.starts_with(' ')) => (Some(key), value),
                // Between braces a key in quotes needs no blank behind it.
                Some((key, value)) if key.starts_with('"') && is_key(key.trim_matches('"')) => (Some(key), value),
                _ => (None, item),
            };
            if let Some(key) = key {
                above = format!("manifest.{}", words(key).join("_"));
            }
            let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
            if !value.is_empty() && !above.is_empty() {
                self.argument(&above, value);
            }
        }
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}
