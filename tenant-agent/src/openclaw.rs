//! OpenClaw under Wardkeep: the plugin, the hardened configuration, and the proof that both are as they were written.
//!
//! The plugin runs in OpenClaw's own process and can be switched off there, so what counts is held outside: LLM traffic needs
//! its lease, and configuration and plugin belong to root. `hardened.json` says what is fixed, key by key; [`check`] compares
//! a configuration with it.

mod beyond;
pub mod check;
pub mod files;
pub mod given;
pub mod layout;
#[cfg(test)]
mod tests;

use serde_json::Value;

/// The release of OpenClaw that the plugin and the configuration were proven with.
pub const OPENCLAW: &str = "2026.9.6";
/// Where the plugin is kept.
pub const PLUGIN_DIR: &str = "/usr/lib/wardkeep/openclaw-plugin";
/// Where configuration, environment and token are kept.
pub const FOLDER: &str = "/etc/wardkeep/openclaw";

/// What OpenClaw keeps beside its configuration, to put it back.
pub const BACKUPS: &[&str] = &["openclaw.json.bak", "openclaw.json.last-good"];

/// Files beneath the folder that OpenClaw's user writes, from which it takes settings of its environment without asking whether they
/// are its operator's (`src/infra/dotenv-global.ts` of the pinned release). Another configuration, another plugin among those
/// that it brings, and a recorder of prompts can be had by them.
pub const DOTENV: &[&str] = &["state/.env", ".openclaw/.env", ".config/openclaw/gateway.env"];

/// A file of the plugin, by its name.
macro_rules! plugin {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../safety-wrapper/openclaw-plugin/", $name)))),*]
    };
}

/// The plugin as this program brings it.
pub const PLUGIN: &[(&str, &str)] = plugin![
    "calls.mjs",
    "children.mjs",
    "client.mjs",
    "gate.mjs",
    "index.mjs",
    "lease.mjs",
    "messages.mjs",
    "names.mjs",
    "openclaw.plugin.json",
    "package.json",
    "paths.mjs",
    "prefix.mjs",
    "results.mjs",
    "sends.mjs",
    "settings.mjs",
    "sync-worker.mjs",
    "sync.mjs",
    "tickets.mjs",
    "words.mjs",
];

/// What every configuration has, whatever agent it is for.
///
/// # Panics
/// Never: the text is part of the program, and a test reads it.
#[must_use]
pub fn hardened() -> Value {
    serde_json::from_str(include_str!("openclaw/hardened.json")).expect("a test reads it")
}

/// Puts `more` into `base`, object by object; other values are replaced.
pub(crate) fn overlay(base: &mut Value, more: Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (name, value) in more {
                overlay(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, more) => *base = more,
    }
}
