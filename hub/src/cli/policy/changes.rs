//! `policy diff`.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use wardkeep_hub::policies::Changes;
use wardkeep_hub::store::Caller;
use wardkeep_policy::{Difference, Effect};
use wardkeep_proto::ids::TenantName;

use super::super::tenants::find;
use super::super::{Place, say};
use super::{Desk, LOOSENS, Text};

/// Characters of a value; all of it stands in the JSON.
const VALUE: usize = 160;
/// Differences that are printed, unless all are asked for.
const MOST: usize = 40;

#[derive(Debug, Args)]
pub(in super::super) struct Diff {
    /// Which tenant.
    tenant: TenantName,
    #[command(flatten)]
    text: Text,
    /// Print every difference.
    #[arg(long)]
    all: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Diff {
    pub(super) async fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let source = self.text.read()?;
        let desk = Desk::open(place).await?;
        let tenant = find(&desk.store, &self.tenant, place.outside.clock.now()).await?;
        let changes = desk.publisher.changes(&Caller::Operator, tenant.id, &source).await?;
        if self.json {
            let against =
                changes.against.map(|against| json!({"version": against.version, "in_force": against.in_force}));
            say(&json!({"against": against, "loosens": changes.loosen(), "differences": changes.differences})
                .to_string())?;
        } else {
            print(&changes, self.all)?;
        }
        Ok(if changes.loosen() { ExitCode::from(LOOSENS) } else { ExitCode::SUCCESS })
    }
}

pub(super) fn print(changes: &Changes, all: bool) -> anyhow::Result<()> {
    match changes.against {
        None => return say("nothing was published before"),
        Some(against) if against.in_force => say(&format!("against version {}, which is in force:", against.version))?,
        Some(against) => say(&format!("against version {}, the newest; the server runs none yet:", against.version))?,
    }
    if changes.differences.is_empty() {
        return say("  nothing differs");
    }
    let shown = if all { changes.differences.len() } else { MOST };
    for difference in changes.differences.iter().take(shown) {
        say(&line(difference))?;
    }
    match changes.differences.len().checked_sub(shown) {
        Some(more) if more > 0 => say(&format!("  and {more} more; `policy diff --all` prints them")),
        _ => Ok(()),
    }
}

fn line(difference: &Difference) -> String {
    let Difference { effect, what, how, before, after } = difference;
    let mark = match effect {
        Effect::Loosens => "LOOSENS ",
        Effect::Tightens => "tightens",
        Effect::Neutral => "        ",
    };
    let of = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), |value| short(&value.to_string()));
    match how.as_str() {
        // Its whole text is its name, or too long to read here.
        "added" | "removed" => format!("  {mark}  {}: {how}", short(what)),
        _ => format!("  {mark}  {}: {how} {} -> {}", short(what), of(before), of(after)),
    }
}

fn short(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { '.' } else { c }).collect();
    match text.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
