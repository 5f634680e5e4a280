//! Whether what was written still holds.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::layout::Layout;
use crate::doctor::{Finding, Level};
use crate::openclaw::check::differences;
use crate::openclaw::files::{account, writable_by};
use crate::openclaw::given::OWN_SERVER;

const CONFIGURE: &str =
    "write it anew with `wardkeep-agent claude-code configure AGENT`, and end the sessions that run";

/// Looks at every file; asks nobody.
#[must_use]
pub fn look(layout: &Layout, user: &str) -> Vec<Finding> {
    vec![settings(layout), others(layout), servers(layout), owners(layout, user)]
}

fn read(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{} is no JSON (line {})", path.display(), error.line()))
}

fn settings(layout: &Layout) -> Finding {
    const CHECK: &str = "claude-code settings";
    let path = layout.settings_file();
    let there = match read(&path) {
        Ok(there) => there,
        Err(why) => return Finding::bad(CHECK, Level::Error, why, CONFIGURE),
    };
    let (wanted, mut wrong) = (layout.settings(), Vec::new());
    differences(&wanted, &there, String::new(), &mut wrong);
    differences(&there, &wanted, String::new(), &mut wrong);
    wrong.sort();
    wrong.dedup();
    if wrong.is_empty() {
        return Finding::ok(CHECK, format!("{} has every setting that it needs", path.display()));
    }
    Finding::bad(CHECK, Level::Error, format!("{} differs in: {}", path.display(), wrong.join(", ")), CONFIGURE)
}

/// Other managed settings count as much as ours; of two the one whose file is read later.
fn others(layout: &Layout) -> Finding {
    const CHECK: &str = "claude-code other settings";
    let mut wrong = Vec::new();
    for path in other_files(layout) {
        match read(&path) {
            Ok(other) => contradicted(&layout.settings(), &other, String::new(), &mut |at| {
                wrong.push(format!("{at} in {}", path.display()));
            }),
            Err(why) => wrong.push(why),
        }
    }
    if wrong.is_empty() {
        let found = format!("nothing else in {} says otherwise", layout.managed_dir.display());
        return Finding::ok(CHECK, found);
    }
    let todo = "take it out of there: what is managed in two ways holds in one of them";
    Finding::bad(CHECK, Level::Error, format!("other managed settings differ: {}", wrong.join(", ")), todo)
}

fn other_files(layout: &Layout) -> Vec<PathBuf> {
    let ours = layout.settings_file();
    let beside = ours.parent().and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let beside = beside.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|kind| kind == "json"));
    let main = layout.managed_dir.join("managed-settings.json");
    let mut all: Vec<_> = beside.chain(main.exists().then_some(main)).filter(|path| *path != ours).collect();
    all.sort();
    all
}

/// Every single value of ours that `other` has otherwise. Lists add up.
fn contradicted(ours: &Value, other: &Value, at: String, see: &mut impl FnMut(String)) {
    match (ours, other) {
        (Value::Object(ours), Value::Object(other)) => {
            for (name, value) in ours {
                let below = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                if let Some(other) = other.get(name) {
                    contradicted(value, other, below, see);
                }
            }
        }
        (Value::Array(_), Value::Array(_)) => {}
        (ours, other) if ours == other => {}
        _ => see(at),
    }
}

fn servers(layout: &Layout) -> Finding {
    const CHECK: &str = "claude-code servers";
    let path = layout.servers_file();
    let there = match read(&path) {
        Ok(there) => there,
        Err(why) => return Finding::bad(CHECK, Level::Error, why, CONFIGURE),
    };
    if there["mcpServers"].get(OWN_SERVER) == layout.own_server().as_ref() && there["mcpServers"].is_object() {
        return Finding::ok(CHECK, format!("{} alone says which tool servers there are", path.display()));
    }
    let found = format!("{} has another server {OWN_SERVER} than the policy gives", path.display());
    Finding::bad(CHECK, Level::Error, found, CONFIGURE)
}

fn owners(layout: &Layout, user: &str) -> Finding {
    const CHECK: &str = "claude-code owners";
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let Some((uid, _, gids)) = account(user, &passwd, &groups) else {
        let found = format!("there is no user {user} on this server");
        return Finding::bad(CHECK, Level::Error, found, "name the agent's user with --user");
    };
    if uid == 0 {
        let todo = "run Claude Code as a user of its own, as `wardkeep-agent claude-code configure --user` names it";
        return Finding::bad(CHECK, Level::Error, "the agent's user is root, from whom no file is kept", todo);
    }
    let Layout { given, .. } = layout;
    let mut files = vec![layout.settings_file(), layout.servers_file(), given.token_file.clone(), given.runner.clone()];
    files.extend(other_files(layout));
    let mut open: Vec<String> = files
        .iter()
        .filter_map(|path| writable_by(path, uid, &gids).ok().flatten())
        .map(|path| path.display().to_string())
        .collect();
    if open.is_empty() {
        return Finding::ok(CHECK, format!("{user} can change neither settings nor token nor hook"));
    }
    open.sort();
    open.dedup();
    let found = format!("{user} can change {}", open.join(", "));
    Finding::bad(CHECK, Level::Error, found, "make root their owner: `chown root` and `chmod go-w`")
}
