//! Containers: what an option takes of the machine, and the words that a tool with fields stands for.

use serde_json::Value;

use super::words::Word;

/// It reaches the machine itself; seen by rules as an option of that name.
pub(super) const HOST: &str = "@host";

/// The programs that read such options.
pub(super) const PROGRAMS: &[&str] = &["docker", "podman", "nerdctl", "docker-compose"];
/// Options that give a container a part of the machine whatever their value is.
const ALWAYS: &[&str] = &["--cap-add", "--device", "--device-cgroup-rule"];
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
pub(super) fn effects(args: &[Word]) -> Vec<&'static str> {
    let mut words = args.iter().map(|word| word.text.as_str()).peekable();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, value),
            _ if word.starts_with("-v") && !word.starts_with("--") && word.len() > 2 => ("-v", &word[2..]),
            _ => (word, words.peek().copied().unwrap_or_default()),
        };
        let takes = match name {
            "--privileged" => !matches!(word, "--privileged=false"),
            "-v" | "--volume" => is_machine(value.split(':').next().unwrap_or_default()),
            "--mount" => value.split(',').any(|part| {
                part.split_once('=').is_some_and(|(key, path)| matches!(key, "src" | "source") && is_machine(path))
            }),
            "--security-opt" => ["unconfined", "disable", "=false"].iter().any(|off| value.contains(off)),
            _ => ALWAYS.contains(&name) || SPACES.contains(&name) && value == "host",
        };
        if takes {
            return vec![HOST];
        }
    }
    Vec::new()
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
