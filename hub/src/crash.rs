//! The crash test's hook: in debug builds `WARDKEEP_KILL_AT=<waypoint>:<marker path>` kills the process there, once.

use std::sync::Arc;

use wardkeep_proto::waypoint::{NoWaypoints, Waypoints};

/// What `main` passes to the parts: nothing in release builds.
pub(crate) fn waypoints() -> anyhow::Result<Arc<dyn Waypoints>> {
    #[cfg(debug_assertions)]
    {
        use anyhow::Context as _;
        #[expect(clippy::disallowed_methods, reason = "only the program itself reads the environment")]
        let wish = std::env::var("WARDKEEP_KILL_AT");
        if let Ok(wish) = wish {
            let (at, marker) = wish.split_once(':').context("WARDKEEP_KILL_AT is <waypoint>:<marker path>")?;
            return Ok(Arc::new(armed::KillAt { at: at.parse()?, marker: marker.into() }));
        }
    }
    Ok(Arc::new(NoWaypoints))
}

#[cfg(debug_assertions)]
mod armed {
    use std::path::PathBuf;

    use rustix::process::{Signal, getpid, kill_process};
    use wardkeep_proto::waypoint::{Waypoint, Waypoints};

    /// Kills the process at one point, the first time only.
    pub(super) struct KillAt {
        pub(super) at: Waypoint,
        /// Exists once the process was killed.
        pub(super) marker: PathBuf,
    }

    impl Waypoints for KillAt {
        fn pass(&self, at: Waypoint) {
            let first = || std::fs::OpenOptions::new().write(true).create_new(true).open(&self.marker).is_ok();
            if at == self.at && first() {
                // When the signal cannot be sent the story goes on, and the crash test sees that nothing was killed.
                let _ = kill_process(getpid(), Signal::KILL);
            }
        }
    }
}
