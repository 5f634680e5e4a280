//! Whether what was written still holds.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wardkeep_policy::Subagents;

use super::beyond::beyond;
use super::files::{account, writable_by};
use super::given::{Given, servers};
use super::layout::{ENVIRONMENT, Layout};
use super::{BACKUPS, DOTENV, PLUGIN};
use crate::doctor::{Finding, Level};

/// Where it was written, and for whom.
pub struct Places<'a> {
    /// Configuration, environment and token.
    pub folder: &'a Path,
    /// The plugin.
    pub plugin_dir: &'a Path,
    /// The agent's user.
    pub user: &'a str,
    /// What was written for the agent; without it what its policy gives is not compared.
    pub layout: Option<&'a Layout>,
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
        Ok(text) => findings.extend([settings(&environment, &config, &text), dotenv(&text)]),
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
    let known = places.layout.map_or(UNKNOWN, |_| CHOSEN);
    let ours = places.layout.cloned().unwrap_or_else(|| anybody(places)).config();
    let mut wanted = ours.clone();
    for (place, fits) in known {
        // What only the file itself says is taken from there, where it is of a form that can do no harm.
        if let (Some(one), Some(theirs)) = (wanted.pointer_mut(place), given.pointer(place).filter(|value| fits(value)))
        {
            one.clone_from(theirs);
        }
    }
    let mut wrong = Vec::new();
    differences(&wanted, given, String::new(), &mut wrong);
    wrong.extend(servers(given, places.layout.map(|layout| &layout.given)));
    let besides = beyond(&ours, given);
    let told = [("differs in", wrong), ("has besides", besides)];
    let told: Vec<String> = told
        .into_iter()
        .filter(|(_, all)| !all.is_empty())
        .map(|(how, all)| format!("{how}: {}", all.join(", ")))
        .collect();
    if !told.is_empty() {
        let found = format!("{} {}", path.display(), told.join("; it "));
        return Finding::bad("openclaw configuration", Level::Error, found, CONFIGURE);
    }
    let less =
        if places.layout.is_some() { "" } else { "; name the agent to have those compared that its policy gives" };
    Finding::ok(
        "openclaw configuration",
        format!("{} has every setting that it needs, and no other{less}", path.display()),
    )
}

/// Whether a value is of the form that an operator may choose.
type Fits = fn(&Value) -> bool;

/// What an operator chose when the configuration was written. No value of this form loosens anything.
const CHOSEN: &[(&str, Fits)] = &[
    ("/gateway/port", |value| value.as_u64().is_some_and(|port| u16::try_from(port).is_ok())),
    ("/plugins/entries/wardkeep/config/waitSeconds", |value| value.as_u64().is_some_and(|wait| wait <= 600)),
];

/// What a policy and the daemon's settings give besides, which are not known where no agent is named.
const UNKNOWN: &[(&str, Fits)] = &[
    CHOSEN[0],
    CHOSEN[1],
    ("/agents/defaults/model/primary", |value| value.as_str().is_some_and(|name| name.starts_with("wardkeep/"))),
    ("/agents/defaults/subagents/maxChildrenPerAgent", Value::is_u64),
    ("/agents/defaults/subagents/maxSpawnDepth", Value::is_u64),
    ("/agents/defaults/workspace", Value::is_string),
    ("/models/providers/wardkeep/baseUrl", |value| {
        value.as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:"))
    }),
    ("/models/providers/wardkeep/models", Value::is_array),
    ("/plugins/entries/wardkeep/config/runner", Value::is_string),
    ("/plugins/entries/wardkeep/config/socket", Value::is_string),
    ("/plugins/entries/wardkeep/config/workspace", Value::is_string),
    ("/tools/exec/safeBinTrustedDirs", Value::is_array),
];

/// A layout of nobody in particular, for which settings there are at all.
///
/// # Panics
/// Never: the name is one, and every test without an agent reads it.
fn anybody(places: &Places<'_>) -> Layout {
    Layout {
        given: Given {
            agent: "anybody".parse().expect("a name"),
            subagents: Subagents { depth: 1, count: 1, ..Subagents::default() },
            tools: Vec::new(),
            runner: PathBuf::new(),
            socket: PathBuf::new(),
            token_file: places.folder.join("token"),
        },
        user: places.user.to_owned(),
        folder: places.folder.to_owned(),
        plugin_dir: places.plugin_dir.to_owned(),
        home: PathBuf::new(),
        workspace: String::new(),
        models: vec![String::new()],
        llm: String::new(),
        port: 0,
        wait_seconds: 0,
    }
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

fn settings(path: &Path, config: &Path, text: &str) -> Finding {
    let config = config.display().to_string();
    let own =
        [("OPENCLAW_CONFIG_PATH", config.as_str(), "the configuration that is looked at here is the one that counts")];
    let missing: Vec<String> = ENVIRONMENT
        .iter()
        .chain(&own)
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
