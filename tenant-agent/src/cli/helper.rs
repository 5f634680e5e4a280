//! `wardkeep-agent helper`: the part that is root.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use wardkeep_lock::{ContainerTerms, Helper, RunTerms, Terms};

use super::HelperArgs;
use super::context::{CliError, Context};
use crate::channel::chain;
use crate::{egress_lock, notify};

/// Serves until `stop`, or restores the lock and ends.
///
/// # Errors
/// Whoever starts it is not root; the daemon's user is not there; socket or journal cannot be made; nft refuses.
pub async fn run(args: &HelperArgs, context: &mut Context<'_>, stop: CancellationToken) -> Result<(), CliError> {
    if !rustix::process::geteuid().is_root() {
        return Err(CliError::Usage("the helper must be root; systemd starts it: wardkeep-helper.service".to_owned()));
    }
    let lock = egress_lock::lock();
    if args.restore {
        return context.say(wardkeep_lock::helper::restore(&lock).await?);
    }
    let (daemon, path) = (egress_lock::daemon(&args.user)?, context.config_path.clone());
    let group = egress_lock::daemon_group(&args.user)?;
    let runs = RunTerms::of_system(&context.env.program, group, {
        let path = path.clone();
        Arc::new(move || egress_lock::workspaces_of_root(&path).map_err(|error| chain(&error)))
    })?;
    let containers = ContainerTerms {
        engine: {
            let path = path.clone();
            Arc::new(move || egress_lock::engine_of_root(&path).map_err(|error| chain(&error)))
        },
        workspaces: Arc::clone(&runs.workspaces),
        group,
    };
    let helper = Helper::open(Terms {
        lock,
        journal: egress_lock::JOURNAL.into(),
        socket: egress_lock::SOCKET.into(),
        daemon,
        plan: Arc::new(move || egress_lock::plan_of_root(&path, daemon).map_err(|error| chain(&error))),
        runs,
        containers,
        every: wardkeep_lock::helper::EVERY,
        clock: context.env.clock.clone(),
        chance: context.env.chance.clone(),
    })?;
    notify::ready("listening");
    helper.run(stop).await;
    Ok(())
}
