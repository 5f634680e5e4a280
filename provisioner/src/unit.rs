//! The hardened systemd units: the daemon, its helper that is root, and the network lock at boot.

use crate::params::Limits;

/// Stands where the script puts how this server hands over the vault's key.
pub(crate) const KEY_PLACE: &str = "@VAULT_KEY@";

/// Text of the helper's unit.
pub const HELPER: &str = include_str!("steps/wardkeep-helper.service");

/// Text of the unit that restores the network lock at boot.
pub const LOCK: &str = include_str!("steps/wardkeep-lock.service");

/// Text of the daemon's unit, with the line that loads the vault's key given as `key`: `LoadCredentialEncrypted=…` or
/// `LoadCredential=…`.
#[must_use]
pub fn text(limits: Limits, key: &str) -> String {
    include_str!("steps/wardkeep-agent.service")
        .replace("@MEMORY_MAX_MIB@", &limits.memory_max_mib.to_string())
        .replace("@TASKS_MAX@", &limits.tasks_max.to_string())
        .replace(KEY_PLACE, key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout;

    #[test]
    fn the_unit_keeps_its_walls() {
        let unit = text(Limits::default(), "LoadCredential=vault-key:/etc/wardkeep/vault.key");
        for line in [
            "Type=notify",
            "User=wardkeep",
            "KillMode=process",
            "OOMPolicy=continue",
            "LoadCredential=vault-key:/etc/wardkeep/vault.key",
            "MemoryMax=1024M",
            "TasksMax=512",
            "LimitMEMLOCK=infinity",
            "LimitCORE=0",
            "NoNewPrivileges=yes",
            "CapabilityBoundingSet=",
            "ProtectSystem=strict",
            "ProtectHome=yes",
            "TemporaryFileSystem=/tmp:mode=1777,nosuid,nodev,size=256M /var/tmp:mode=1777,nosuid,nodev,size=256M",
            "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        ] {
            assert!(unit.lines().any(|own| own == line), "missing: {line}");
        }
        assert!(unit.contains("WatchdogSec="));
        assert!(unit.contains("SystemCallFilter=@system-service"));
        // No place is left unfilled.
        assert_eq!(unit.matches('@').count(), 1, "{unit}");
    }

    #[test]
    fn the_part_that_is_root_has_few_rights() {
        for line in [
            "CapabilityBoundingSet=CAP_NET_ADMIN CAP_CHOWN",
            "RestrictAddressFamilies=AF_UNIX AF_NETLINK",
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "StateDirectory=wardkeep-helper",
            "RuntimeDirectory=wardkeep-helper",
        ] {
            assert!(HELPER.lines().any(|own| own == line), "missing: {line}");
        }
        assert!(HELPER.lines().any(|own| own == format!("ExecStart={} helper", layout::BINARY_LINK)));
    }

    #[test]
    fn the_lock_is_there_before_the_network_and_whatever_needs_it() {
        for line in [
            "DefaultDependencies=no",
            "Wants=network-pre.target",
            "Before=network-pre.target wardkeep-helper.service wardkeep-agent.service shutdown.target",
            "After=local-fs.target nftables.service",
            "WantedBy=sysinit.target",
            "StateDirectory=wardkeep-helper",
        ] {
            assert!(LOCK.lines().any(|own| own == line), "missing: {line}");
        }
        assert!(LOCK.lines().any(|own| own == format!("ExecStart={} helper --restore", layout::BINARY_LINK)));
        assert!(LOCK.contains(&format!("ConditionPathExists={}/egress-lock.json\n", layout::HELPER_STATE_DIR)));
    }

    #[test]
    fn names_are_those_of_the_layout() {
        let unit = text(Limits::default(), "");
        let state = layout::STATE_DIR.trim_start_matches("/var/lib/");
        for line in [
            format!("User={}", layout::DAEMON_USER),
            format!("Group={}", layout::WORK_GROUP),
            format!("StateDirectory={state}"),
            format!("ReadWritePaths=-{}", layout::WORKSPACES),
            format!("ExecStart={} run", layout::BINARY_LINK),
        ] {
            assert!(unit.lines().any(|own| own == line), "missing: {line}");
        }
    }
}
