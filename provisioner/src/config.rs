//! The daemon's settings on a new server.

use crate::layout;

/// Text of `/etc/wardkeep/agent.toml`. Holds no secret, and only what differs from the daemon's own defaults.
#[must_use]
pub fn text(link_address: &str) -> String {
    format!(
        r#"# Settings of wardkeep-agent. Written once by the installer and never again: change what you like.
# Every setting with its default: wardkeep-agent config

state_dir = "{state}"
runtime_dir = "/run/wardkeep"

[hub]
# The enrolment token says where the hub's link is. At installation this was:
# address = "{link_address}"

[runs]
# Each command of a call has a systemd unit and a user of its own, or does not run.
units = "required"

[vault]
# systemd opens the key for the daemon; on the command line use `wardkeep` instead of `wardkeep-agent`.
credential = "{credential}"
key_file = "{key}"
"#,
        state = layout::STATE_DIR,
        credential = layout::KEY_CREDENTIAL,
        key = layout::PLAIN_KEY_FILE,
    )
}
