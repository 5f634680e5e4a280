//! The unit of one run, in words for `systemd-run`.

use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::PermitId;

use crate::protocol::{Access, Limits, RunStart};

/// What every unit has. Landlock and a narrower filter follow from the launcher inside.
const WALLS: &[&str] = &[
    "Type=exec",
    // Whatever it leaves behind goes with it, at once.
    "KillMode=control-group",
    "KillSignal=SIGKILL",
    "TimeoutStopSec=5s",
    "OOMPolicy=continue",
    "OOMScoreAdjust=500",
    "CPUAccounting=yes",
    "MemoryAccounting=yes",
    "MemorySwapMax=0",
    "LimitCORE=0",
    "UMask=0007",
    "WorkingDirectory=/",
    "StandardError=null",
    // A user of its own, which systemd makes and takes back.
    "DynamicUser=yes",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "PrivateNetwork=yes",
    "IPAddressDeny=any",
    "IPAddressAllow=localhost",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    // Only the workspace comes back into view.
    "TemporaryFileSystem=/srv:ro /var:ro /run:ro /mnt:ro /media:ro /boot:ro",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "PrivateIPC=yes",
    "ProtectProc=invisible",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "RemoveIPC=yes",
    "KeyringMode=private",
    "SystemCallArchitectures=native",
    // Landlock and seccomp by name: older systemd has no group for them.
    "SystemCallFilter=@system-service landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp",
    "SystemCallErrorNumber=EPERM",
];

/// The unit's name.
pub(super) fn name(permit: PermitId) -> String {
    format!("wardkeep-run-{permit}.service")
}

/// Arguments of `systemd-run`.
pub(super) fn words(run: &RunStart, group: u32, launcher: &[String]) -> Vec<String> {
    let mut words = ["--pipe", "--wait", "--collect", "--no-ask-password"].map(str::to_owned).to_vec();
    words.push(format!("--unit={}", name(run.permit)));
    words.push(format!("--description=Wardkeep run {}", run.permit));
    let mut property = |text: String| words.push(format!("--property={text}"));
    WALLS.iter().for_each(|wall| property((*wall).to_owned()));
    property(format!("User={}", user(run)));
    property(format!("SupplementaryGroups={group}"));
    let Limits { seconds, memory_mebibytes, processes, cpu_percent, file_mebibytes } = run.limits;
    let mebibytes = |count: u32| u64::from(count) * 1024 * 1024;
    property(format!("RuntimeMaxSec={seconds}s"));
    property(format!("MemoryMax={}", mebibytes(memory_mebibytes)));
    property(format!("TasksMax={processes}"));
    // Counts per user, which is this run's or this agent's alone; holds where there is no control group for processes.
    property(format!("LimitNPROC={processes}"));
    property(format!("CPUQuota={cpu_percent}%"));
    property(format!("LimitFSIZE={}", mebibytes(file_mebibytes)));
    if let Some(path) = &run.workspace {
        let bind = match run.access {
            Access::Reads => "BindReadOnlyPaths",
            Access::Changes => "BindPaths",
        };
        property(format!("{bind}={path}"));
    }
    words.push("--".to_owned());
    words.extend(launcher.iter().cloned());
    words
}

/// A read has a user of its own. What changes files has one for its agent, whose files it must be able to change again.
fn user(run: &RunStart) -> String {
    let (kind, name) = match run.access {
        Access::Reads => ("r", run.permit.to_string()),
        Access::Changes => ("a", run.agent.to_string()),
    };
    let digest = Digest::of("wardkeep/run-user/v1", name.as_bytes()).to_string();
    // systemd takes 31 characters.
    format!("wk{kind}-{}", &digest[..16])
}

/// # Errors
/// Which limit is out of bounds.
pub(crate) fn check(limits: &Limits) -> Result<(), String> {
    let Limits { seconds, memory_mebibytes, processes, cpu_percent, file_mebibytes } = *limits;
    for (what, is, bounds) in [
        ("seconds", seconds, 1..=86_400),
        ("memory", memory_mebibytes, 16..=1_048_576),
        ("processes", processes, 4..=65_536),
        ("processor", cpu_percent, 1..=100_000),
        ("file size", file_mebibytes, 1..=1_048_576),
    ] {
        if !bounds.contains(&is) {
            return Err(format!("the limit of {what} is out of bounds: {is}"));
        }
    }
    Ok(())
}

/// How the unit ended, by what `systemd-run` says; `None` when it never began.
pub(super) fn result_in(said: &str) -> Option<String> {
    let result = said.lines().find_map(|line| line.trim().strip_prefix("Finished with result: "))?;
    let known = !result.is_empty() && result.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    Some(if known { result.to_owned() } else { "unknown".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(access: Access, permit: &str, agent: &str) -> RunStart {
        RunStart {
            permit: permit.parse().expect("a permit"),
            agent: agent.parse().expect("an agent"),
            access,
            workspace: Some("/srv/agents/office".to_owned()),
            limits: Limits {
                seconds: 120,
                memory_mebibytes: 512,
                processes: 64,
                cpu_percent: 200,
                file_mebibytes: 100,
            },
        }
    }

    const ONE: &str = "00000000-0000-7000-8000-000000000001";
    const TWO: &str = "00000000-0000-7000-8000-000000000002";

    #[test]
    fn nothing_of_a_unit_is_chosen_by_whoever_asks_but_these() {
        let launcher = ["/opt/wardkeep/wardkeep-agent", "launcher"].map(str::to_owned);
        let words = words(&run(Access::Changes, ONE, "office"), 997, &launcher);
        let (before, after) = words.split_at(words.iter().position(|word| word == "--").expect("an end"));
        assert_eq!(after[1..], launcher);
        assert!(before.iter().all(|word| word.starts_with("--")), "{before:?}");
        for wall in WALLS {
            assert!(before.contains(&format!("--property={wall}")));
        }
        for own in [
            "--unit=wardkeep-run-00000000-0000-7000-8000-000000000001.service",
            "--property=SupplementaryGroups=997",
            "--property=RuntimeMaxSec=120s",
            "--property=MemoryMax=536870912",
            "--property=TasksMax=64",
            "--property=CPUQuota=200%",
            "--property=BindPaths=/srv/agents/office",
        ] {
            assert!(before.iter().any(|word| word == own), "{own}: {before:?}");
        }
        // systemd-run's own four, the name, the words for people; user, group, six limits and the workspace.
        assert_eq!(before.len(), 6 + WALLS.len() + 9);
    }

    #[test]
    fn a_read_cannot_write_and_shares_its_user_with_nobody() {
        let read = words(&run(Access::Reads, ONE, "office"), 997, &[]);
        assert!(read.contains(&"--property=BindReadOnlyPaths=/srv/agents/office".to_owned()));
        assert!(!read.iter().any(|word| word.contains("BindPaths=/")));
        let user = |access, permit, agent| user(&run(access, permit, agent));
        assert_ne!(user(Access::Reads, ONE, "office"), user(Access::Reads, TWO, "office"));
        assert_eq!(user(Access::Changes, ONE, "office"), user(Access::Changes, TWO, "office"));
        assert_ne!(user(Access::Changes, ONE, "office"), user(Access::Changes, ONE, "shop"));
        assert_ne!(user(Access::Changes, ONE, "office"), user(Access::Reads, ONE, "office"));
        assert!(user(Access::Reads, ONE, "office").len() < 32);
    }

    #[test]
    fn limits_out_of_bounds_are_refused() {
        let good = run(Access::Reads, ONE, "office").limits;
        assert_eq!(check(&good), Ok(()));
        for bad in [
            Limits { seconds: 0, ..good },
            Limits { seconds: 86_401, ..good },
            Limits { memory_mebibytes: 1, ..good },
            Limits { processes: 0, ..good },
            Limits { cpu_percent: 0, ..good },
            Limits { file_mebibytes: u32::MAX, ..good },
        ] {
            assert!(check(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn how_it_ended_is_read_and_a_start_that_failed_is_none() {
        let said = "Running as unit: wardkeep-run-1.service\nFinished with result: oom-kill\nService runtime: 1s\n";
        assert_eq!(result_in(said).as_deref(), Some("oom-kill"));
        assert_eq!(result_in("Finished with result: \u{1b}[31m\n").as_deref(), Some("unknown"));
        assert_eq!(result_in("Failed to start transient service unit: Unit already exists.\n"), None);
    }
}
