//! Claude Code under Wardkeep: managed settings, and whether they hold.
//!
//! Its hooks are commands, and where one is not there, fails or takes too long the runtime goes on by its own rules; its settings
//! may also come from the user's home and from the workspace, which the agent writes. So what counts stands in the managed settings,
//! which are root's and which no other settings and no flag take back, and each hook turns whatever goes wrong into a no.

pub mod check;
pub mod layout;
#[cfg(test)]
mod tests;

/// The release that hooks and settings were proven with.
pub const CLAUDE_CODE: &str = "2.1.330";
/// Where the agent's token is kept.
pub const FOLDER: &str = "/etc/wardkeep/claude-code";
/// Where Claude Code looks for managed settings.
pub const MANAGED_DIR: &str = "/etc/claude-code";
