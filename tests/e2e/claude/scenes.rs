//! What happens, in this order: the last one leaves the stage as nobody could go on with.

mod calls;
mod closed;
mod held;
mod subagents;

use std::future::Future;
use std::pin::Pin;

use crate::world::World;
use calls::{
    adapter_failure, adapter_tool, allow, deny, failed_call, own_files, parallel, redacted_result, secret_injection,
    unfit_calls,
};
use closed::{another_server, flags, gone_hook, hook_refuses, killed_daemon, no_hook, silent_hook, workspace_settings};
use held::{approve_from_the_hub, deny_from_the_hub, expiry, own_settings, session_end, skip_permissions};
use subagents::{sub_agent, sub_agent_bounds, sub_agent_steers};

type Played<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;
type Scene = fn(&mut World) -> Played<'_>;

/// A table of scenes, each an asynchronous function of the world.
macro_rules! scenes {
    ($($name:ident: $shows:literal,)*) => {
        /// Name, what it shows, and how.
        pub(crate) const SCENES: &[(&str, &str, Scene)] =
            &[$((stringify!($name), $shows, |world| Box::pin($name(world)))),*];
    };
}

scenes! {
    allow: "an allowed command runs in the daemon's runner, not in Claude Code",
    deny: "a tool that is not in the manifest and a misplaced reference are refused, and the model reads why",
    own_files: "files are read, written and edited by Claude Code itself, each after a decision, each result on record",
    failed_call: "a command that fails says so with its code, and the conversation goes on",
    unfit_calls: "tools that do not exist and arguments that do not fit have a decision all the same, and the conversation goes on",
    parallel: "of three calls at once one runs, one is refused, and one waits for a person and then runs once",
    approve_from_the_hub: "a red command waits; a person says yes on the hub; it runs once",
    deny_from_the_hub: "a person says no; nothing runs, and nobody is asked again",
    expiry: "nobody decides in time: told to come back; approved later; the same call again brings the result, run once",
    secret_injection: "a bound secret is put in where the command runs; Claude Code and the model never see it",
    redacted_result: "a file with a password reaches neither model nor Claude Code's transcript",
    adapter_tool: "a tool of an adapter is approved from the hub and carried out by the daemon: nobody sees the key",
    adapter_failure: "a tool of an adapter that fails says so in the daemon's words, and the conversation goes on",
    sub_agent: "a sub-agent is judged by its lower level: it waits where its agent would not",
    sub_agent_bounds: "one sub-agent more than may be, and one below a sub-agent, are refused",
    sub_agent_steers: "a sub-agent sends nothing to other sessions",
    session_end: "with its session the lease ends: the next request to the model is refused at once",
    skip_permissions: "under --dangerously-skip-permissions a refusal is a refusal",
    own_settings: "the agent asks to write Claude Code's settings and tool servers: that is Red, and waits",
    workspace_settings: "settings in workspace and home switch no hook off, put nothing into its process, and lead nowhere else",
    flags: "no flag of the command line and no variable goes past the hook",
    another_server: "a tool server of the workspace named wardkeep is not started",
    gone_hook: "with the hook's program gone nothing is allowed",
    silent_hook: "with a hook that never answers nothing that needs leave runs, and what ran without a decision ends the turn",
    no_hook: "without the managed settings the model is not asked",
    hook_refuses: "the hook ends with 2 on what it cannot read, with another's token, and without a daemon",
    killed_daemon: "the daemon is killed: no prompt goes on, nothing runs",
}
