//! Whether what was written still holds.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::files::{account, writable_by};
use super::given::{Given, servers};
use super::layout::ENVIRONMENT;
use super::{BACKUPS, DOTENV, PLUGIN, hardened};
use crate::doctor::{Finding, Level};

/// Where it was written, and for whom.
pub struct Places<'a> {
    /// Configuration, environment and token.
    pub folder: &'a Path,
    /// The plugin.
    pub plugin_dir: &'a Path,
    /// The agent's user.
    pub user: &'a str,
    /// What its policy gives; without it that is not compared.
    pub given: Option<&'a Given>,
}

/// Looks at every file; asks nobody.
#[must_use]
pub fn look(places: &Places<'_>) -> Vec<Finding> {
    let mut findings = vec![plugin(places.plugin_dir)];
    let config = places.folder.join("openclaw.json");
    match fs::read_to_string(&config).map_err(|error| error.to_string()).and_then(|text| parsed(&text)) {
        Ok(given) => findings.push(configuration(&config, &given, places)),
        Err(why) => findings.push(Finding::bad(
            "openclaw configuration",
            Level::Error,
            format!("{} cannot be read: {why}", config.display()),
            CONFIGURE,
        )),
    }
    findings.push(backups(places.folder));
    let environment = places.folder.join("environment");
    match fs::read_to_string(&environment) {
        Ok(text) => findings.extend([settings(&environment, &text), dotenv(&text)]),
        Err(error) => {
            let found = format!("{} cannot be read: {error}", environment.display());
            findings.push(Finding::bad("openclaw environment", Level::Error, found, CONFIGURE));
        }
    }
    findings.push(owners(places));
    findings
}

const CONFIGURE: &str = "write it anew with `wardkeep-agent openclaw configure AGENT` and restart OpenClaw";
const INSTALL: &str = "write it anew with `wardkeep-agent openclaw install` and restart OpenClaw";

fn parsed(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON (line {})", error.line()))
}

fn plugin(dir: &Path) -> Finding {
    let changed: Vec<&str> = PLUGIN
        .iter()
        .filter(|(name, content)| fs::read(dir.join(name)).ok().as_deref() != Some(content.as_bytes()))
        .map(|(name, _)| *name)
        .collect();
    if changed.is_empty() {
        return Finding::ok("openclaw plugin", format!("{} files in {} are ours", PLUGIN.len(), dir.display()));
    }
    let found = format!("in {} these differ or are missing: {}", dir.display(), changed.join(", "));
    Finding::bad("openclaw plugin", Level::Error, found, INSTALL)
}

fn configuration(path: &Path, given: &Value, places: &Places<'_>) -> Finding {
    let mut wrong = Vec::new();
    let fixed = places.given.map_or_else(hardened, Given::fixed);
    differences(&fixed, given, String::new(), &mut wrong);
    loosened(&fixed, given, "", &mut wrong);
    wrong.extend(servers(given, places.given));
    let loads = given.pointer("/plugins/load/paths").and_then(Value::as_array);
    let ours = Value::from(places.plugin_dir.display().to_string());
    if loads.is_none_or(|paths| *paths != [ours]) {
        wrong.push("plugins.load.paths".to_owned());
    }
    let providers = given.pointer("/models/providers").and_then(Value::as_object);
    if providers.is_none_or(|all| all.keys().ne(["wardkeep"])) {
        wrong.push("models.providers".to_owned());
    }
    if wrong.is_empty() {
        return Finding::ok("openclaw configuration", format!("{} has every setting that it needs", path.display()));
    }
    let found = format!("{} differs in: {}", path.display(), wrong.join(", "));
    Finding::bad("openclaw configuration", Level::Error, found, CONFIGURE)
}

/// Every setting of `wanted` that `given` lacks or has otherwise. A list may hold more, but for those that allow.
pub(crate) fn differences(wanted: &Value, given: &Value, at: String, wrong: &mut Vec<String>) {
    match (wanted, given) {
        (Value::Object(wanted), _) => {
            for (name, value) in wanted {
                let below = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                differences(value, given.get(name).unwrap_or(&Value::Null), below, wrong);
            }
        }
        (Value::Array(wanted), Value::Array(given)) if at.ends_with(".deny") => {
            if !wanted.iter().all(|one| given.contains(one)) {
                wrong.push(at);
            }
        }
        (wanted, given) if wanted == given => {}
        _ => wrong.push(at),
    }
}

/// Settings by which a part of the configuration may differ from what holds for all: another loop that asks no hook, another
/// place for commands, more tools for one agent, provider or sender.
const LOOSENING: &[&str] = &[
    "agentRuntime",
    "alsoAllow",
    "byProvider",
    "codeMode",
    "elevated",
    "exec",
    "node",
    "runtime",
    "sandbox",
    "toolSearch",
    "tools",
    "toolsBySender",
];

/// Every such setting of `given` that is not among the fixed ones, at whatever depth.
fn loosened(fixed: &Value, given: &Value, at: &str, wrong: &mut Vec<String>) {
    for item in given.as_array().into_iter().flatten() {
        loosened(&Value::Null, item, at, wrong);
    }
    for (name, value) in given.as_object().into_iter().flatten() {
        // Of a tool server or a channel these words say other things.
        if at.is_empty() && !["agents", "models", "tools"].contains(&name.as_str()) {
            continue;
        }
        let below = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match fixed.get(name) {
            None if LOOSENING.contains(&name.as_str()) => wrong.push(below),
            fixed => loosened(fixed.unwrap_or(&Value::Null), value, &below, wrong),
        }
    }
}

/// Copies that OpenClaw's own commands leave beside the configuration. Where it may write there, it puts the configuration back
/// from them as it starts.
fn backups(folder: &Path) -> Finding {
    const CHECK: &str = "openclaw backups";
    let there = BACKUPS.iter().map(|name| folder.join(name)).filter(|path| path.symlink_metadata().is_ok());
    let there: Vec<String> = there.map(|path| path.display().to_string()).collect();
    if there.is_empty() {
        return Finding::ok(CHECK, "there is no older configuration that OpenClaw could put back".to_owned());
    }
    let found = format!("OpenClaw may put back what stands in {}", there.join(", "));
    let todo = "change the configuration with `wardkeep-agent openclaw configure` alone, which removes them";
    Finding::bad(CHECK, Level::Warning, found, todo)
}

fn settings(path: &Path, text: &str) -> Finding {
    let missing: Vec<String> = ENVIRONMENT
        .iter()
        .filter(|(name, value, _)| last(text, name) != Some(value))
        .map(|(name, value, why)| format!("{name}={value} ({why})"))
        .collect();
    if missing.is_empty() {
        return Finding::ok("openclaw environment", format!("{} sets what is needed", path.display()));
    }
    let found = format!("{} lacks {}", path.display(), missing.join(", "));
    Finding::bad("openclaw environment", Level::Error, found, CONFIGURE)
}

/// Files of the agent's user that OpenClaw takes settings from. Our service keeps it from reading them; that one stands there says
/// that somebody tries, or that an operator believes it to count. An empty one is what the service itself leaves.
fn dotenv(environment: &str) -> Finding {
    const CHECK: &str = "openclaw settings of its user";
    let Some(home) = last(environment, "HOME").map(Path::new) else {
        let found = "the environment does not say where OpenClaw's state is";
        return Finding::bad(CHECK, Level::Error, found, CONFIGURE);
    };
    let holds = |path: &PathBuf| path.symlink_metadata().is_ok_and(|meta| !meta.is_file() || meta.len() > 0);
    let there = DOTENV.iter().map(|name| home.join(name)).filter(holds);
    let there: Vec<String> = there.map(|path| path.display().to_string()).collect();
    if there.is_empty() {
        return Finding::ok(CHECK, format!("no file in {} says what root has not said", home.display()));
    }
    let found = format!("OpenClaw's user wrote settings that could replace root's: {}", there.join(", "));
    let todo = "look at what it says and who wrote it, remove it, and start OpenClaw by the service that `wardkeep-agent openclaw configure` writes";
    Finding::bad(CHECK, Level::Error, found, todo)
}

/// The value that counts: of two lines systemd takes the later one.
fn last<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().filter_map(|line| line.split_once('=')).rfind(|(key, _)| *key == name).map(|(_, value)| value)
}

fn owners(places: &Places<'_>) -> Finding {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let Some((uid, _, gids)) = account(places.user, &passwd, &groups) else {
        let found = format!("there is no user {} on this server", places.user);
        return Finding::bad("openclaw owners", Level::Error, found, "name the agent's user with --user");
    };
    if uid == 0 {
        let todo = "run OpenClaw as a user of its own, as `wardkeep-agent openclaw configure --user` names it";
        return Finding::bad(
            "openclaw owners",
            Level::Error,
            "the agent's user is root, from whom no file is kept",
            todo,
        );
    }
    let files = PLUGIN.iter().map(|(name, _)| places.plugin_dir.join(name));
    let files = files.chain(["openclaw.json", "environment", "token"].map(|name| places.folder.join(name)));
    let open: Vec<String> = files
        .filter_map(|path| writable_by(&path, uid, &gids).ok().flatten())
        .map(|path| path.display().to_string())
        .collect();
    if open.is_empty() {
        return Finding::ok("openclaw owners", format!("{} can change neither plugin nor configuration", places.user));
    }
    let mut open = open;
    open.sort();
    open.dedup();
    let found = format!("{} can change {}", places.user, open.join(", "));
    Finding::bad("openclaw owners", Level::Error, found, "make root their owner: `chown root` and `chmod go-w`")
}
