//! The units that hold runs, by way of the helper.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use wardkeep_lock::{Access, ClientError, Limits, Request, RunLine, RunStart, ask_blocking, start_run};
use wardkeep_policy::RunLimits;
use wardkeep_proto::ids::PermitId;
use wardkeep_safety::runner::{UnitLine, UnitOfRun, Units};

use crate::channel::chain;
use crate::egress_lock::SOCKET;

/// Units that the helper starts.
pub struct HelperUnits {
    socket: PathBuf,
}

impl Default for HelperUnits {
    fn default() -> Self {
        Self { socket: SOCKET.into() }
    }
}

impl HelperUnits {
    /// Whether the helper answers and can make units here.
    ///
    /// # Errors
    /// As [`ask_blocking`].
    pub fn ready(&self) -> Result<(), ClientError> {
        ask_blocking(&self.socket, &Request::RunReady {}).map(drop)
    }
}

impl Units for HelperUnits {
    fn start(
        &self,
        unit: UnitOfRun,
        line: BorrowedFd<'_>,
        door: Option<BorrowedFd<'_>>,
    ) -> Result<Box<dyn UnitLine>, String> {
        let files: Vec<_> = [Some(line), door].into_iter().flatten().collect();
        let started = start_run(&self.socket, asked(unit)?, &files).map_err(|error| chain(&error))?;
        Ok(Box::new(Line(started)))
    }

    fn end(&self, permit: PermitId) -> Result<(), String> {
        ask_blocking(&self.socket, &Request::RunEnd { permit }).map(drop).map_err(|error| chain(&error))
    }
}

struct Line(RunLine);

impl UnitLine for Line {
    fn over(self: Box<Self>, within: Duration) -> Result<String, String> {
        self.0.over(within).map_err(|error| chain(&error))
    }
}

fn asked(unit: UnitOfRun) -> Result<RunStart, String> {
    let UnitOfRun { permit, agent, reads, workspace, limits } = unit;
    let RunLimits { seconds, memory_mebibytes, processes, cpu_percent, file_mebibytes, output_kibibytes: _ } = limits;
    let text = |path: PathBuf| path.into_os_string().into_string().map_err(|_| "the workspace has no plain name");
    Ok(RunStart {
        permit,
        agent,
        access: if reads { Access::Reads } else { Access::Changes },
        workspace: workspace.map(text).transpose()?,
        limits: Limits { seconds, memory_mebibytes, processes, cpu_percent, file_mebibytes },
    })
}
