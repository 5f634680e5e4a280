//! Names and paths on a customer's server; the script, the unit and the configuration use these and no others.

/// The systemd unit.
pub const UNIT: &str = "wardkeep-agent.service";
/// Where the unit's file is.
pub const UNIT_FILE: &str = "/etc/systemd/system/wardkeep-agent.service";
/// User of the daemon; owns the state and may not log in.
pub const DAEMON_USER: &str = "wardkeep";
/// User of the AI agents; reaches loopback and its workspace only.
pub const AGENT_USER: &str = "agent";
/// Group of both: the workspaces and the hook socket are theirs together, everything else of the daemon is 0700 or 0600.
pub const WORK_GROUP: &str = "wardkeep-work";
/// Settings, readable by all: no secret stands in them.
pub const CONFIG_FILE: &str = "/etc/wardkeep/agent.toml";
/// The vault's key when systemd can seal it to this server.
pub const SEALED_KEY_FILE: &str = "/etc/wardkeep/vault-key.cred";
/// The vault's key otherwise: root only, handed to the daemon by systemd.
pub const PLAIN_KEY_FILE: &str = "/etc/wardkeep/vault.key";
/// Name of the credential in `$CREDENTIALS_DIRECTORY`.
pub const KEY_CREDENTIAL: &str = "vault-key";
/// Identity, vault, gate, usage, audit.
pub const STATE_DIR: &str = "/var/lib/wardkeep";
/// The helper's: the network lock that survives a reboot, root only.
pub const HELPER_STATE_DIR: &str = "/var/lib/wardkeep-helper";
/// Where agents work, a folder each; the only place outside the state that the daemon may write.
pub const WORKSPACES: &str = "/srv/agents";
/// The folder of the agent in a new tenant's first policy.
pub const FIRST_WORKSPACE: &str = "/srv/agents/assistant";
/// Versions of the binary, one folder each.
pub const VERSIONS_DIR: &str = "/opt/wardkeep";
/// The version in force.
pub const BINARY_LINK: &str = "/usr/local/bin/wardkeep-agent";
/// What an operator types: `wardkeep-agent …` as the daemon's user, with the vault's key, which only systemd can open.
pub const OPERATOR_COMMAND: &str = "/usr/local/sbin/wardkeep";
