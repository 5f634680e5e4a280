//! What is known of secrets, without their values.

use serde_json::{Value, json};
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::time::Timestamp;
use wardkeep_vault::{Change, Entry, Vault};

use super::super::context::{CliError, Context};
use super::ago;

pub(super) fn list(vault: &Vault, as_json: bool, context: &mut Context<'_>) -> Result<(), CliError> {
    let entries = vault.list()?;
    if as_json {
        return context.json(&entries.iter().map(entry_json).collect::<Vec<_>>());
    }
    if entries.is_empty() {
        return context.say("no secrets yet; store one with `wardkeep-agent vault set NAME`");
    }
    let now = context.env.clock.now();
    let mut rows = vec![["NAME", "VERSION", "CHANGED", "LAST USED", "ENDS", "MAY GO TO"].map(str::to_owned)];
    rows.extend(entries.iter().map(|entry| {
        let ends = match entry.expires {
            Some(at) if at <= now => format!("ENDED {}", ago::from(now, at)),
            Some(at) => ago::from(now, at),
            None => "never".to_owned(),
        };
        let used = entry.used.map_or_else(|| "never".to_owned(), |at| ago::from(now, at));
        let (name, version) = (entry.name.to_string(), format!("v{}", entry.version));
        [name, version, ago::from(now, entry.updated), used, ends, places(entry)]
    }));
    for line in columns(&rows) {
        context.say(line)?;
    }
    Ok(())
}

/// Rows with each column as wide as its widest cell.
fn columns<const N: usize>(rows: &[[String; N]]) -> impl Iterator<Item = String> {
    let widths: [usize; N] =
        std::array::from_fn(|n| rows.iter().map(|row| row[n].chars().count()).max().unwrap_or_default());
    rows.iter().map(move |row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    })
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
    let now = context.env.clock.now();
    let said = |at: Timestamp| format!("{at} ({})", ago::from(now, at));
    let or = |at: Option<Timestamp>, none: &str| at.map_or_else(|| none.to_owned(), said);
    context.say(format_args!("name      {name}"))?;
    context.say(format_args!("version   {}", entry.version))?;
    context.say(format_args!("goes to   {}", places(&entry)))?;
    context.say(format_args!("created   {}", said(entry.created)))?;
    context.say(format_args!("changed   {}", said(entry.updated)))?;
    context.say(format_args!("ends      {}", or(entry.expires, "never")))?;
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
