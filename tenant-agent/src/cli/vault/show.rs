//! What is known of secrets, without their values.

use serde_json::{Value, json};
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::time::Timestamp;
use wardkeep_vault::{Change, Entry, Vault};

use super::super::context::{CliError, Context};

pub(super) fn list(vault: &Vault, as_json: bool, context: &mut Context<'_>) -> Result<(), CliError> {
    let entries = vault.list()?;
    if as_json {
        return context.json(&entries.iter().map(entry_json).collect::<Vec<_>>());
    }
    if entries.is_empty() {
        return context.say("no secrets yet; store one with `wardkeep-agent vault set NAME`");
    }
    let now = context.env.clock.now();
    for entry in entries {
        let mut line =
            format!("{:<32} v{:<4} {}  {}", entry.name.as_str(), entry.version, entry.updated, places(&entry));
        if let Some(at) = entry.expires {
            line += &format!("  {} {at}", if at <= now { "EXPIRED" } else { "expires" });
        }
        line += &entry.used.map_or_else(|| "  never used".to_owned(), |at| format!("  used {at}"));
        context.say(line)?;
    }
    Ok(())
}

fn places(entry: &Entry) -> String {
    let to: Vec<String> = entry.bindings.iter().map(ToString::to_string).collect();
    if to.is_empty() { "(nowhere)".to_owned() } else { to.join(" ") }
}

fn entry_json(entry: &Entry) -> Value {
    let Entry { name, bindings, created, updated, version, expires, used, context } = entry;
    let text = |at: &Option<Timestamp>| at.map(|at| at.to_string());
    json!({ "name": name, "bindings": bindings.iter().map(ToString::to_string).collect::<Vec<_>>(), "version": version,
        "created": created.to_string(), "updated": updated.to_string(), "expires": text(expires), "used": text(used),
        "context": context.as_ref().map(ToString::to_string) })
}

pub(super) fn one(vault: &Vault, name: &SecretName, as_json: bool, context: &mut Context<'_>) -> Result<(), CliError> {
    let entry = vault.show(name)?;
    if as_json {
        return context.json(&entry_json(&entry));
    }
    let or = |at: Option<Timestamp>, none: &str| at.map_or_else(|| none.to_owned(), |at| at.to_string());
    context.say(format_args!("name      {name}"))?;
    context.say(format_args!("version   {}", entry.version))?;
    context.say(format_args!("goes to   {}", places(&entry)))?;
    context.say(format_args!("created   {}", entry.created))?;
    context.say(format_args!("updated   {}", entry.updated))?;
    context.say(format_args!("expires   {}", or(entry.expires, "never")))?;
    context.say(format_args!("used      {}", or(entry.used, "never")))?;
    match &entry.context {
        Some(words) => context.say(format_args!("redacted  after {words} only")),
        None => context.say("redacted  everywhere"),
    }
}

pub(super) fn history(
    vault: &Vault,
    name: &SecretName,
    as_json: bool,
    context: &mut Context<'_>,
) -> Result<(), CliError> {
    let rows = vault.history(name)?;
    if as_json {
        let row = |Change { number, at, kind, name, version, by, note }: &Change| {
            json!({ "number": number, "at": at.to_string(), "kind": kind.as_str(), "name": name, "version": version,
                "by": by, "note": note })
        };
        return context.json(&rows.iter().map(row).collect::<Vec<_>>());
    }
    if rows.is_empty() {
        return context.say("it was stored by an earlier version of this program, which kept no history");
    }
    for Change { at, kind, version, by, note, .. } in rows {
        let version = version.map_or_else(String::new, |version| format!("v{version}"));
        let kind = kind.as_str().trim_start_matches("vault-");
        context.say(format_args!("{at}  {kind:<9} {version:<5} {by}  {note}").to_string().trim_end())?;
    }
    Ok(())
}
