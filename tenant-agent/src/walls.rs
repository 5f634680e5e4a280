//! Whether the sandbox of runs holds: tested at the start and now and then, and closed where it does not.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use wardkeep_policy::Closed;
use wardkeep_proto::ids::PermitId;
use wardkeep_safety::runner::{UnitTest, Units, test_units};
use wardkeep_safety::{Gate, PostureBook, Walls, WallsBook};

use crate::channel::chain;
use crate::cli::context::Environment;
use crate::config::{Config, UnitsWanted};
use crate::egress_lock::SOCKET;
use crate::run_units::HelperUnits;

/// Between two tests of walls that hold: systemd may be updated, or the unit of the helper changed.
const AGAIN: Duration = Duration::from_secs(60 * 60);
/// ... of walls that do not.
const MENDED: Duration = Duration::from_secs(10);

/// What is known of a daemon's walls before they were tested.
#[must_use]
pub fn at_start(wanted: UnitsWanted, units: &HelperUnits) -> Walls {
    match wanted {
        UnitsWanted::Off => Walls::Process,
        UnitsWanted::Required => Walls::Untested,
        UnitsWanted::Auto => match units.ready() {
            Ok(()) => Walls::Untested,
            Err(error) => {
                tracing::warn!(error = chain(&error), "runs have no units: they are processes of the daemon's user");
                Walls::Process
            }
        },
    }
}

/// One test of the units on this server. Blocks for a second.
///
/// # Errors
/// What got through, or why that cannot be known.
pub fn test(config: &Config, env: &Environment, units: &dyn Units, ground: &Path) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(ground);
    made.map_err(|error: io::Error| format!("{} cannot be made: {error}", ground.display()))?;
    let permit = || PermitId::new(env.clock.now(), &*env.chance);
    test_units(
        units,
        &UnitTest {
            program: &env.program,
            ground,
            sockets: vec![SOCKET.into(), config.hook_socket(), config.admin_socket()],
            sandbox: config.runs.sandbox,
            permits: [permit(), permit()],
        },
    )
}

/// Whoever keeps testing.
pub struct WallsKeeper {
    book: WallsBook,
    gate: Arc<Gate>,
    posture: PostureBook,
    config: Config,
    env: Environment,
    ground: PathBuf,
}

impl WallsKeeper {
    /// Tests in a folder beneath `state`, writes into `book`, closes in `posture`, and tells the gate's record.
    #[must_use]
    pub fn new(
        book: WallsBook,
        (gate, posture): (Arc<Gate>, PostureBook),
        config: &Config,
        env: &Environment,
        state: &Path,
    ) -> Self {
        Self { book, gate, posture, config: config.clone(), env: env.clone(), ground: state.join("walls") }
    }

    /// Until `stop`; where runs have no units there is nothing to test.
    pub async fn run(self, stop: CancellationToken) {
        if self.book.read() == Walls::Process {
            return stop.cancelled().await;
        }
        loop {
            let found = self.found().await;
            let holds = found == Walls::Unit;
            self.tell(found).await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(if holds { AGAIN } else { MENDED }) => {}
            }
        }
    }

    async fn found(&self) -> Walls {
        let (config, env, units, ground) =
            (self.config.clone(), self.env.clone(), self.book.units(), self.ground.clone());
        let tested = tokio::task::spawn_blocking(move || test(&config, &env, &*units, &ground)).await;
        match tested {
            Ok(Ok(())) => Walls::Unit,
            Ok(Err(why)) => Walls::Broken(why),
            Err(_) => Walls::Broken("the test broke off".to_owned()),
        }
    }

    /// Closed before a run that waits may go on, opened after.
    async fn tell(&self, found: Walls) {
        let why = match &found {
            Walls::Broken(why) => Some(why.clone()),
            _ => None,
        };
        if why.is_some() {
            self.posture.close(Closed::SandboxBroken);
        }
        let is_news = self.book.set(found);
        if why.is_none() {
            self.posture.reopen(Closed::SandboxBroken);
        }
        if !is_news {
            return;
        }
        let summary = match &why {
            None => "The sandbox of commands was tested and holds.".to_owned(),
            Some(why) => format!("The sandbox of commands does not hold: {why}. Only reads are allowed."),
        };
        match &why {
            None => tracing::info!("each run has a unit and a user of its own; that was tested"),
            Some(why) => tracing::error!(why, "the sandbox of runs does not hold: only reads are allowed"),
        }
        let fields = json!({"holds": why.is_none(), "why": why});
        if let Err(error) = self.gate.notice("sandbox", fields, "sandbox", &summary).await {
            tracing::error!(error = chain(&error), "the test of the sandbox is not in the audit log");
        }
    }
}

/// Which limits of runs this kernel enforces; names of those that it does not.
#[must_use]
pub fn limits_not_enforced(controllers: &str) -> Vec<&'static str> {
    let has = |name: &str| controllers.split_ascii_whitespace().any(|one| one == name);
    [("memory", "memory"), ("cpu", "processor")]
        .into_iter()
        .filter(|(name, _)| !has(name))
        .map(|(_, what)| what)
        .collect()
}

/// Where the kernel lists what control groups can do.
pub const CONTROLLERS: &str = "/sys/fs/cgroup/cgroup.controllers";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_that_the_kernel_lists() {
        assert_eq!(limits_not_enforced("cpuset cpu io memory pids\n"), Vec::<&str>::new());
        assert_eq!(limits_not_enforced("cpuset pids\n"), ["memory", "processor"]);
        assert_eq!(limits_not_enforced(""), ["memory", "processor"]);
    }
}
