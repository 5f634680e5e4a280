//! What a configuration has besides what is written there. OpenClaw has ever more settings that switch a guard off or lead around
//! it: a list of those would be old with each release, so what nobody of ours wrote is named, but for what is listed here.

use serde_json::Value;

/// Where an operator may write what they like, and what OpenClaw notes by itself.
const FREE: &[(&str, &str)] = &[
    ("$schema", "where the form of the file is described"),
    ("meta", "OpenClaw's own commands note which release wrote the file"),
    ("wizard", "OpenClaw's own set-up notes when it ran"),
    ("channels", "by which channels people reach it"),
    ("accessGroups", "which people may"),
    ("messages", "how its answers look"),
    ("ui", "how its pages look"),
    ("mcp.servers", "servers whose tools are decided on one by one; the daemon's own is compared"),
    ("mcp.sessionIdleTtlMs", "how long such a server stands by"),
    ("gateway.http.endpoints", "doors on loopback, behind the gateway's token"),
    ("session.dmScope", "which messages are one conversation"),
    ("session.groupScope", "which messages are one conversation"),
    ("session.identityLinks", "which messages are one conversation"),
    ("session.reset", "when a conversation begins anew"),
    ("session.resetByChannel", "when a conversation begins anew"),
    ("session.resetByType", "when a conversation begins anew"),
    ("session.resetTriggers", "when a conversation begins anew"),
    ("agents.defaults.humanDelay", "how its answers come"),
    ("agents.defaults.mediaMaxMb", "how large a file may be that it reads"),
    ("agents.defaults.thinkingDefault", "how long its model thinks"),
    ("agents.defaults.timeoutSeconds", "how long a run may take"),
    ("agents.defaults.typingIntervalSeconds", "how its answers come"),
    ("agents.defaults.typingMode", "how its answers come"),
    ("agents.defaults.userTimezone", "what time it is"),
];
/// Another file whose content stands for this place: nobody knows who writes it.
const INCLUDE: &str = "$include";

/// The place of every setting of `given` that neither `ours` has nor an operator may add.
pub(super) fn beyond(ours: &Value, given: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(Some(ours), given, "", &mut found);
    found
}

fn look(ours: Option<&Value>, given: &Value, at: &str, found: &mut Vec<String>) {
    // Of what is listed each has the settings that ours has.
    let one = ours.and_then(Value::as_array).and_then(|all| all.first());
    for item in given.as_array().into_iter().flatten().filter(|item| item.is_object()) {
        look(one, item, at, found);
    }
    for (name, value) in given.as_object().into_iter().flatten() {
        let below = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match ours.and_then(|ours| ours.get(name)) {
            _ if FREE.iter().any(|(place, _)| *place == below) => included(value, &below, found),
            None if !(value.is_object() && leads(&below)) => found.push(below),
            of => look(of, value, &below, found),
        }
    }
}

/// Whether something below is free.
fn leads(at: &str) -> bool {
    FREE.iter().any(|(place, _)| place.strip_prefix(at).is_some_and(|rest| rest.starts_with('.')))
}

fn included(value: &Value, at: &str, found: &mut Vec<String>) {
    for item in value.as_array().into_iter().flatten() {
        included(item, at, found);
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let below = format!("{at}.{name}");
        if name == INCLUDE {
            found.push(below);
        } else {
            included(value, &below, found);
        }
    }
}
