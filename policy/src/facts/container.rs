//! Containers: what an option takes of the machine, and the words that a tool with fields stands for.

use serde_json::Value;

use super::words::Word;

/// It reaches the machine itself; seen by rules as an option of that name.
pub(super) const HOST: &str = "@host";

/// It may ask an engine on another machine; seen likewise.
pub(super) const ELSEWHERE: &str = "@elsewhere";
/// It takes settings that an option names, and with them programs; seen likewise.
pub(super) const SETTINGS: &str = "@settings";

/// The programs that read such options.
pub(crate) const PROGRAMS: &[&str] = &["docker", "podman", "nerdctl", "docker-compose"];
/// Options that give a container a part of the machine whatever their value is.
const ALWAYS: &[&str] =
    &["--cap-add", "--device", "--device-cgroup-rule", "--use-api-socket", "--grant-all-permissions"];
/// Those that do where it is `host`.
const SPACES: &[&str] = &["--pid", "--net", "--network", "--ipc", "--uts", "--userns", "--cgroupns"];
/// Folders that decide what the machine runs and who may enter.
const MACHINE: &[&str] = &[
    "/etc",
    "/root",
    "/dev",
    "/proc",
    "/sys",
    "/boot",
    "/run",
    "/var/run",
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/var/lib/docker",
    "/var/lib/wardkeep",
    "/var/spool",
];

/// What the options among `args` take of the machine.
pub(super) fn effects(name: &str, args: &[Word]) -> Vec<&'static str> {
    let engine = if name == "docker-compose" { None } else { engine(args) };
    let mut effects: Vec<&str> = engine.into_iter().collect();
    effects.extend(takes_machine(args).then_some(HOST));
    effects
}

/// Options before the order that say where the engine is, with a value and without.
const PLACES: &[&str] = &["-H", "--host", "-c", "--context", "--url", "--connection", "--address", "-a", "--identity"];
const REMOTE: &[&str] = &["-r", "--remote"];
/// Values with which it is the one of this machine.
const LOCAL: &[&str] =
    &["default", "unix:///var/run/docker.sock", "unix:///run/docker.sock", "unix:///run/podman/podman.sock"];
/// Options before the order that change nothing of this, with a value and without.
const VALUES: &[&str] = &["-l", "--log-level", "-n", "--namespace"];
const FLAGS: &[&str] = &["-D", "--debug", "--tls", "--tlsverify", "-v", "--version", "-h", "--help"];

/// What the options before the order say of the engine: those that nobody listed name settings or programs.
fn engine(args: &[Word]) -> Option<&'static str> {
    let mut words = args.iter().map(|word| word.text.as_str());
    let mut found = None;
    while let Some(word) = words.next().filter(|word| word.starts_with('-')) {
        let (mut option, mut value) = match word.split_once('=') {
            Some((option, value)) if word.starts_with("--") => (option.to_owned(), Some(value)),
            _ => (word.to_owned(), None),
        };
        if !word.starts_with("--") {
            // Letters without a value may stand before one with it, and the value behind that.
            let at = word.char_indices().skip(1).find(|(_, c)| !matches!(c, 'D' | 'v' | 'h'));
            let Some((at, letter)) = at else { continue };
            option = format!("-{letter}");
            value = word.get(at + letter.len_utf8()..).filter(|rest| !rest.is_empty());
        }
        let option = option.as_str();
        if PLACES.contains(&option) {
            let value = value.or_else(|| words.next());
            if value.is_none_or(|value| !LOCAL.contains(&value)) {
                found.get_or_insert(ELSEWHERE);
            }
        } else if REMOTE.contains(&option) {
            found.get_or_insert(ELSEWHERE);
        } else if VALUES.contains(&option) {
            if value.is_none() {
                words.next();
            }
        } else if !FLAGS.contains(&option) {
            return Some(SETTINGS);
        }
    }
    found
}

/// Letters of `docker run` and its like without a value.
const LETTERS: [char; 5] = ['d', 'i', 't', 'P', 'q'];

/// Each option of `docker run` and its like with the value that it has, or would have, and its word.
fn given(args: &[Word]) -> impl Iterator<Item = (&str, &str, &str)> {
    args.iter().enumerate().map(|(at, word)| {
        let word = word.text.as_str();
        let next = args.get(at + 1).map_or("", |next| next.text.as_str());
        let (name, value) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, value),
            // `-v/a:/b`, `-itv /a:/b`.
            _ if word.len() > 2
                && word.trim_start_matches('-').trim_start_matches(LETTERS).starts_with('v')
                && !word.starts_with("--")
                && word.starts_with('-') =>
            {
                let at = word.find('v').map_or(word.len(), |at| at + 1);
                ("-v", if at < word.len() { &word[at..] } else { next })
            }
            _ => (word, next),
        };
        (name, value, word)
    })
}

/// What is mounted of this machine, as it is written, but for what is only read.
pub(crate) fn mounted(args: &[Word]) -> impl Iterator<Item = &str> {
    given(args).filter_map(|(name, value, _)| {
        let (source, read_only) = match name {
            "-v" | "--volume" => {
                let (source, behind) = value.split_once(':')?;
                (source, behind.split([':', ',']).skip(1).any(|mode| matches!(mode, "ro" | "readonly")))
            }
            "--mount" => {
                let parts = || value.split(',').map(|part| part.trim_matches('"'));
                let source =
                    parts().find_map(|part| part.strip_prefix("src=").or_else(|| part.strip_prefix("source=")))?;
                (
                    source,
                    parts().any(|part| {
                        matches!(part, "ro" | "readonly" | "ro=true" | "readonly=true" | "ro=1" | "readonly=1")
                    }),
                )
            }
            _ => return None,
        };
        (!read_only).then_some(source)
    })
}

fn takes_machine(args: &[Word]) -> bool {
    for (name, value, word) in given(args) {
        let takes = match name {
            "--privileged" => !matches!(word, "--privileged=false"),
            "-v" | "--volume" => is_machine(value.split(':').next().unwrap_or_default()),
            "--mount" => value.split(',').any(|part| {
                part.trim_matches('"').split_once('=').is_some_and(|(key, path)| match key {
                    "src" | "source" => is_machine(path),
                    "volume-opt" => is_device(path),
                    _ => false,
                })
            }),
            "-o" | "--opt" => is_device(value),
            "--rootfs" => is_machine(value),
            "--allow" | "--security" => {
                ["insecure", "network.host", "device"].iter().any(|right| value.contains(right))
            }
            "--buildkitd-flags" => value.contains("insecure"),
            "--security-opt" => ["unconfined", "disable", "=false"].iter().any(|off| value.contains(off)),
            _ => ALWAYS.contains(&name) || SPACES.contains(&name) && value == "host",
        };
        if takes {
            return true;
        }
    }
    false
}

/// `device=/etc` of a volume: what is mounted for it.
fn is_device(option: &str) -> bool {
    option.strip_prefix("device=").is_some_and(is_machine)
}

/// Whether a path outside is the machine's own, or all of it.
fn is_machine(path: &str) -> bool {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    let mut clean: Vec<&str> = Vec::new();
    for part in parts {
        if part == ".." {
            clean.pop();
        } else {
            clean.push(part);
        }
    }
    let clean = format!("/{}", clean.join("/"));
    let within = |folder: &str| clean.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path.contains(".sock") || path.starts_with('/') && (clean == "/" || MACHINE.iter().any(|folder| within(folder)))
}

/// The command line for which a tool's fields stand; `None` when the tool is about no containers.
pub(super) fn argv(words: &[String], args: &Value) -> Option<Vec<String>> {
    const ABOUT: &[&str] = &["docker", "podman", "nerdctl", "container", "containers"];
    if !words.iter().any(|word| ABOUT.contains(&word.as_str())) {
        return None;
    }
    let plain = |word: &&String| !ABOUT.contains(&word.as_str()) && !matches!(word.as_str(), "mcp" | "tool" | "tools");
    let mut line = vec!["docker".to_owned()];
    line.extend(words.iter().filter(plain).cloned());
    let mut operands = Vec::new();
    for (key, value) in args.as_object().into_iter().flatten() {
        let key = super::tool::words(key).join("_");
        let flag = value.as_bool() == Some(true) || value.as_str() == Some("true");
        match key.as_str() {
            "privileged" if flag => line.push("--privileged".to_owned()),
            "force" | "f" if flag => line.push("--force".to_owned()),
            "volumes" | "volume" | "binds" | "bind" | "mounts" | "mount" => {
                line.extend(mounts(value).into_iter().flat_map(|mount| ["--volume".to_owned(), mount]));
            }
            "network" | "network_mode" | "net" => option(&mut line, "--network", value),
            "pid" | "pid_mode" => option(&mut line, "--pid", value),
            "ipc" | "ipc_mode" => option(&mut line, "--ipc", value),
            "uts" | "uts_mode" => option(&mut line, "--uts", value),
            "userns" | "userns_mode" => option(&mut line, "--userns", value),
            "cgroupns" | "cgroupns_mode" => option(&mut line, "--cgroupns", value),
            "cap_add" | "capabilities" => option(&mut line, "--cap-add", value),
            "devices" | "device" => option(&mut line, "--device", value),
            "security_opt" | "security_opts" => option(&mut line, "--security-opt", value),
            "host_network" if flag => line.extend(["--network", "host"].map(str::to_owned)),
            "host_pid" if flag => line.extend(["--pid", "host"].map(str::to_owned)),
            "host_config" => {
                // The engine's own interface has them one level deeper.
                let inner = argv(&["docker".to_owned()], value).unwrap_or_default();
                line.extend(inner.into_iter().skip(1));
            }
            "image" | "container" | "container_id" | "name" | "id" | "volume_name" => operands.extend(texts(value)),
            _ => {}
        }
    }
    line.extend(operands);
    Some(line)
}

fn option(line: &mut Vec<String>, name: &str, value: &Value) {
    line.extend(texts(value).into_iter().flat_map(|value| [name.to_owned(), value]));
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// `source:target` for each mount, however it is spelt.
fn mounts(value: &Value) -> Vec<String> {
    const FROM: &[&str] = &["source", "Source", "src", "host", "host_path", "hostPath", "from"];
    const TO: &[&str] =
        &["target", "Target", "destination", "dst", "container", "container_path", "containerPath", "bind"];
    let named =
        |value: &Value, names: &[&str]| names.iter().find_map(|name| value.get(name)?.as_str().map(str::to_owned));
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(mounts).collect(),
        Value::Object(map) => match named(value, FROM) {
            Some(from) => vec![format!("{from}:{}", named(value, TO).unwrap_or_default())],
            // As Python's library has it: the source is the name.
            None => map.keys().map(|from| format!("{from}:")).collect(),
        },
        _ => Vec::new(),
    }
}
