//! Descriptions of containers that a tool, or a program by its input, is given as a text.

use super::{Tool, words};
use crate::facts::http::unescaped;
use crate::facts::words::OPAQUE;

/// Words without which a text describes no container.
const MARKS: &[&str] = &["image", "containers", "services", "spec", "volumes"];
/// Lines of a tool's text that are looked at, empty ones apart.
const MAX_LINES: usize = 2_000;
/// Of what a program is fed: as many as there can be in shell text.
const MAX_FED: usize = 20_000;
/// Signs that end a key or a value in one of the two spellings.
const ENDS: [char; 6] = ['\n', '{', '}', '[', ']', ','];

impl Tool {
    /// Each `key: value` and each item of a list under its key, as arguments `manifest.key=value`: what a letter says is not taken
    /// for a field of the tool.
    pub(super) fn manifest(&mut self, text: &str) {
        if text.contains(':') && MARKS.iter().any(|mark| text.contains(mark)) {
            self.described(text, MAX_LINES);
        }
    }

    /// What a text says that describes containers for sure; `None` if it is too long to be looked at.
    pub(crate) fn of_manifest(text: &str) -> Option<Self> {
        let mut tool = Self::default();
        tool.described(&unescaped(text), MAX_FED).then_some(tool)
    }

    /// Whether all of it was looked at.
    fn described(&mut self, text: &str, most: usize) -> bool {
        let mut above = String::new();
        let mut lines = text.split(ENDS).filter(|line| !line.trim().is_empty());
        for line in lines.by_ref().take(most) {
            let item = line.trim().trim_start_matches("- ").trim_start_matches("? ").trim();
            let pair = item.split_once(':').map(|(key, value)| (key.trim_end(), value));
            let (key, value) = match pair {
                Some((key, value)) if is_key(key) && (value.is_empty() || value.starts_with([' ', '\t'])) => {
                    (Some(key), value)
                }
                // Between braces a key in quotes needs no blank behind it.
                Some((key, value)) if key.starts_with(['"', '\'']) && is_key(key.trim_matches(['"', '\''])) => {
                    (Some(key), value)
                }
                // A key on a line of its own.
                Some(("", value)) => (None, value.trim()),
                None if line.trim_start().starts_with("? ") && is_key(item) => (Some(item), ""),
                _ => (None, item),
            };
            if let Some(key) = key {
                above = format!("manifest.{}", words(key).join("_"));
            }
            let value = value.split(" #").next().unwrap_or_default().trim();
            // What a value is said to be, and the name by which it can be meant again.
            let value = value
                .split_whitespace()
                .find(|word| !word.starts_with(['!', '&']))
                .map_or("", |first| &value[value.len() - value[value.find(first).unwrap_or_default()..].len()..]);
            let plain = value.trim_matches(['"', '\'']);
            if above.is_empty() || plain.is_empty() && above != "manifest.host_path" {
                continue;
            }
            self.argument(&above, plain);
            if matches!(&*plain.to_ascii_lowercase(), "yes" | "y" | "on") {
                self.argument(&above, "true");
            } else if plain.starts_with(OPAQUE) || value.starts_with('*') {
                // It may be the worst.
                for worst in ["true", "host", "/"] {
                    self.argument(&above, worst);
                }
            }
        }
        lines.next().is_none()
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}
