//! The named steps of an installation, in their order.
//!
//! A step is four functions of one file under `steps/`: `probe_NAME` succeeds when there is nothing to do and changes
//! nothing; `apply_NAME` does it; `undo_NAME` takes back what *this run* did, also when `apply` broke off half way;
//! `remove_NAME` is its part of an uninstallation.

/// One step.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Name of its file and suffix of its functions.
    pub name: &'static str,
    /// What people read while it runs.
    pub title: &'static str,
    /// What to do when it fails.
    pub hint: &'static str,
    /// Its functions.
    pub text: &'static str,
}

macro_rules! steps {
    ($($name:ident: $title:literal, $hint:literal;)+) => {
        [$(Step {
            name: stringify!($name),
            title: $title,
            hint: $hint,
            text: include_str!(concat!("steps/", stringify!($name), ".sh")),
        }),+]
    };
}

/// All steps, first to last; undone and removed last to first.
pub const STEPS: [Step; 12] = steps! {
    preflight: "check this server",
        "nothing was changed; mend what is named above and run the command again.";
    packages: "packages curl, ca-certificates and nftables",
        "run apt-get update by hand, mend what it complains about, and run the command again.";
    users: "users wardkeep and agent",
        "look at /etc/passwd and /etc/group for entries named wardkeep or agent, then run the command again.";
    directories: "directories in /etc, /opt, /srv and /var/lib",
        "check that the disk is writable and not full, then run the command again.";
    binary: "program, downloaded and verified",
        "check that this server reaches the hub; when the SHA-256 differs, make a new command on the hub.";
    config: "settings in /etc/wardkeep/agent.toml",
        "check that the disk is writable and not full, then run the command again.";
    vault_key: "key of the vault",
        "check that the disk is writable and not full, then run the command again.";
    unit: "hardened systemd services",
        "see what systemctl daemon-reload complains about, then run the command again.";
    enrol: "enrolment with the hub",
        "tokens live for 30 minutes and work once: make a new command on the hub, and check that the link port of the hub is reachable.";
    vault: "encrypted vault",
        "see the lines above, then run the command again.";
    start: "start of helper and daemon",
        "see the lines above; run the command with --keep-on-failure to look at the server as it is.";
    heartbeat: "first heartbeat, answered by the hub",
        "check that this server reaches the link port of the hub and that its clock is right, then try again.";
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_four_functions() {
        for step in STEPS {
            for part in ["probe", "apply", "undo", "remove"] {
                let function = format!("\n{part}_{}() {{\n", step.name);
                assert!(format!("\n{}", step.text).contains(&function), "{function}");
            }
        }
    }

    #[test]
    fn words_for_people_are_plain_text() {
        for step in STEPS {
            for text in [step.title, step.hint] {
                assert!(!text.contains(['\'', '$', '`', '\\', '"']), "{text}");
            }
        }
    }
}
