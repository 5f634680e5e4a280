//! The one container that can be asked for, in the engine's words. What is not a field of the request stands here and nowhere
//! else: a daemon that was taken over cannot ask for more.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{AgentName, PermitId};

use crate::protocol::{Access, ContainerStart, Limits};

/// Where the workspace is in a container.
pub(super) const WORKSPACE: &str = "/workspace";
/// Names the permit on the engine's own record of a container.
pub(super) const LABEL: &str = "wardkeep.permit";
/// User ids that no machine gives to anybody: between what systemd sets aside for containers and for foreign files.
const USERS: u32 = 0x7000_0000;
/// How many of them agents share by chance.
const SPREAD: u32 = 0x07FF_FFFF;
/// Longest of words, names and paths, together with their number.
const WORDS: usize = 1_000;

/// The container's name.
pub(super) fn name(permit: PermitId) -> String {
    format!("wardkeep-run-{permit}")
}

/// The body of the engine's "create a container". `volumes`: the folders that the image declares as such.
pub(super) fn of(asked: &ContainerStart, group: u32, volumes: &[String]) -> Value {
    let Limits { seconds: _, memory_mebibytes, processes, cpu_percent, file_mebibytes } = asked.limits;
    let mebibytes = |count: u32| u64::from(count) * 1024 * 1024;
    let memory = mebibytes(memory_mebibytes);
    let file = mebibytes(file_mebibytes);
    let env: Vec<String> = asked.env.iter().map(|(name, value)| format!("{name}={}", value.expose())).collect();
    // Without words of the call the image's own command runs; with them nothing of it does.
    let (entrypoint, cmd) = match asked.argv.split_first() {
        None => (Value::Null, Value::Null),
        Some((program, rest)) => (json!([program]), json!(rest)),
    };
    // Memory, which counts: nothing that a container writes is on the disk but in the workspace.
    let scratch = format!("rw,nosuid,nodev,mode=1777,size={memory}");
    let tmpfs: BTreeMap<&str, &str> =
        volumes.iter().map(String::as_str).chain(["/tmp"]).map(|path| (path, scratch.as_str())).collect();
    let mounts: Vec<Value> = asked
        .workspace
        .iter()
        .map(|shown| {
            json!({
                "Type": "bind",
                "Source": shown.path,
                "Target": WORKSPACE,
                "ReadOnly": shown.access == Access::Reads,
                "BindOptions": {"Propagation": "rprivate"},
            })
        })
        .collect();
    let held = json!({
        "NetworkMode": "none",
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "PidMode": "",
        "UTSMode": "",
        "UsernsMode": "",
        "Privileged": false,
        "PublishAllPorts": false,
        "CapAdd": [],
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": true,
        "Devices": [],
        "Binds": [],
        "Mounts": mounts,
        "Tmpfs": tmpfs,
        "Memory": memory,
        // No swap beside it.
        "MemorySwap": memory,
        "OomKillDisable": false,
        "OomScoreAdj": 500,
        "PidsLimit": processes,
        "NanoCpus": u64::from(cpu_percent) * 10_000_000,
        "Ulimits": [
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "fsize", "Soft": file, "Hard": file},
        ],
        "RestartPolicy": {"Name": "no"},
        // Its end is looked at first; then it is removed.
        "AutoRemove": false,
        // What it prints goes to whoever asked, and to no file of the engine.
        "LogConfig": {"Type": "none"},
    });
    json!({
        "Image": asked.image,
        "Entrypoint": entrypoint,
        "Cmd": cmd,
        "Env": env,
        "User": format!("{}:{group}", user(&asked.agent)),
        "WorkingDir": asked.workdir,
        "Hostname": "container",
        "AttachStdin": false,
        "AttachStdout": true,
        "AttachStderr": true,
        "OpenStdin": false,
        "Tty": false,
        "NetworkDisabled": true,
        // What an image has run now and then is no part of the call.
        "Healthcheck": {"Test": ["NONE"]},
        "Labels": {LABEL: asked.permit, "wardkeep.agent": asked.agent},
        "HostConfig": held,
    })
}

/// The containers of one agent are one user, and never root; files of the workspace are its group's.
fn user(agent: &AgentName) -> u32 {
    let digest = Digest::of("wardkeep/container-user/v1", agent.as_str().as_bytes());
    let [a, b, c, d, ..] = digest.0;
    USERS + (u32::from_be_bytes([a, b, c, d]) & SPREAD)
}

/// # Errors
/// What of the request is not what it must be.
pub(super) fn check(asked: &ContainerStart) -> Result<(), String> {
    if asked.image.strip_prefix("sha256:").is_none_or(|digits| digits.parse::<Digest>().is_err()) {
        return Err("an image is named by its whole id, sha256: and 64 digits".to_owned());
    }
    let texts = || asked.argv.iter().map(String::as_str).chain(asked.env.values().map(|value| value.expose()));
    if texts().count() > WORDS
        || texts().any(|text| text.contains('\0'))
        || asked.argv.first().is_some_and(String::is_empty)
    {
        return Err(format!("a container takes at most {WORDS} words, the first one a program, none with a zero byte"));
    }
    let head = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let fits =
        |name: &String| name.bytes().next().is_some_and(head) && name.bytes().all(|b| head(b) || b.is_ascii_digit());
    if let Some(bad) = asked.env.keys().find(|name| !fits(name)) {
        return Err(format!("{bad:?} is no name of an environment variable"));
    }
    match &asked.workdir {
        Some(path) if !path.starts_with('/') || path.contains('\0') => {
            Err("the folder to start in is one of the container, from / on".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::{Hidden, Shown};

    pub(in crate::containers) fn asked() -> ContainerStart {
        ContainerStart {
            permit: "00000000-0000-7000-8000-000000000001".parse().expect("a permit"),
            agent: "office".parse().expect("an agent"),
            image: format!("sha256:{}", "0a".repeat(32)),
            argv: vec!["echo".to_owned(), "--privileged".to_owned()],
            env: BTreeMap::from([("TOKEN".to_owned(), Hidden::new("hush"))]),
            workdir: Some(WORKSPACE.to_owned()),
            workspace: Some(Shown { path: "/srv/agents/office".to_owned(), access: Access::Reads }),
            limits: Limits { seconds: 60, memory_mebibytes: 64, processes: 16, cpu_percent: 150, file_mebibytes: 8 },
        }
    }

    #[test]
    fn what_is_no_image_id_no_variable_and_no_folder_is_refused() {
        let with = |change: &dyn Fn(&mut ContainerStart)| {
            let mut asked = asked();
            change(&mut asked);
            check(&asked)
        };
        for image in ["box:1", "box", "", "sha256:", &"0a".repeat(32), &format!("sha256:{}", "0A".repeat(32))] {
            assert!(with(&|asked| asked.image = (*image).to_owned()).is_err(), "{image}");
        }
        let long = format!("sha256:{}/../containers", "0a".repeat(32));
        assert!(with(&|asked| asked.image.clone_from(&long)).is_err());
        for name in ["", "1A", "A B", "A=B", "BASH_FUNC_x%%"] {
            assert!(with(&|asked| drop(asked.env.insert(name.to_owned(), Hidden::new("x")))).is_err(), "{name}");
        }
        for folder in ["", "tmp", "../x", "/a\0b"] {
            assert!(with(&|asked| asked.workdir = Some(folder.to_owned())).is_err(), "{folder}");
        }
        assert!(with(&|asked| asked.argv = vec![String::new()]).is_err());
        assert!(with(&|asked| asked.argv = vec!["a\0b".to_owned()]).is_err());
        assert!(with(&|asked| asked.argv = vec!["a".to_owned(); 1_001]).is_err());
        assert_eq!(with(&|_| ()), Ok(()));
        assert_eq!(with(&|asked| asked.argv.clear()), Ok(()));
    }

    #[test]
    fn nothing_of_a_container_is_chosen_by_whoever_asks_but_these() {
        let body = of(&asked(), 997, &["/data".to_owned()]);
        let host = &body["HostConfig"];
        for (what, is, want) in [
            ("network", &host["NetworkMode"], json!("none")),
            ("privileged", &host["Privileged"], json!(false)),
            ("capabilities", &host["CapDrop"], json!(["ALL"])),
            ("more capabilities", &host["CapAdd"], json!([])),
            ("privileges", &host["SecurityOpt"], json!(["no-new-privileges"])),
            ("root file system", &host["ReadonlyRootfs"], json!(true)),
            ("devices", &host["Devices"], json!([])),
            ("binds", &host["Binds"], json!([])),
            ("processes of others", &host["PidMode"], json!("")),
            ("memory of others", &host["IpcMode"], json!("private")),
            ("users of the machine", &host["UsernsMode"], json!("")),
            ("log", &host["LogConfig"], json!({"Type": "none"})),
            ("restart", &host["RestartPolicy"], json!({"Name": "no"})),
            ("memory", &host["Memory"], json!(67_108_864)),
            ("swap", &host["MemorySwap"], json!(67_108_864)),
            ("processes", &host["PidsLimit"], json!(16)),
            ("processor", &host["NanoCpus"], json!(1_500_000_000)),
            ("program", &body["Entrypoint"], json!(["echo"])),
            ("words", &body["Cmd"], json!(["--privileged"])),
            ("variables", &body["Env"], json!(["TOKEN=hush"])),
        ] {
            assert_eq!(is, &want, "{what}");
        }
        let mounts = host["Mounts"].as_array().expect("a list");
        assert_eq!(mounts.len(), 1);
        let mount = &mounts[0];
        assert_eq!((&mount["Source"], &mount["ReadOnly"]), (&json!("/srv/agents/office"), &json!(true)));
        assert_eq!(host["Tmpfs"].as_object().expect("a map").keys().collect::<Vec<_>>(), ["/data", "/tmp"]);
    }

    #[test]
    fn nobody_is_root_and_agents_are_kept_apart() {
        let user = |agent: &str| user(&agent.parse().expect("an agent"));
        assert!([user("office"), user("root"), user("shop")].iter().all(|id| (USERS..=USERS + SPREAD).contains(id)));
        assert_eq!(user("office"), user("office"));
        assert_ne!(user("office"), user("shop"));
    }

    #[test]
    fn without_words_the_image_says_what_runs_and_without_a_workspace_nothing_is_mounted() {
        let mut asked = asked();
        asked.argv.clear();
        asked.workspace = None;
        let body = of(&asked, 997, &[]);
        assert_eq!((&body["Entrypoint"], &body["Cmd"]), (&Value::Null, &Value::Null));
        assert_eq!(body["HostConfig"]["Mounts"], json!([]));
    }

    #[test]
    fn a_value_is_not_printed() {
        assert!(!format!("{:?}", asked()).contains("hush"));
    }
}
