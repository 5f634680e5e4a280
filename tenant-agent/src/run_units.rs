//! The units that hold runs, by way of the helper.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use wardkeep_lock::{
    Access, ClientError, ContainerOver, ContainerStart, Cut, Hidden, Limits, Request, RunLine, RunStart, Shown,
    ask_blocking, start_container, start_run,
};
use wardkeep_policy::RunLimits;
use wardkeep_proto::ids::PermitId;
use wardkeep_safety::runner::{ContainerEnd, ContainerLine, ContainerOfRun, NoEnd, UnitLine, UnitOfRun, Units};

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

    /// Whether the helper answers and can run containers here.
    ///
    /// # Errors
    /// As [`ask_blocking`].
    pub fn containers_ready(&self) -> Result<(), ClientError> {
        ask_blocking(&self.socket, &Request::ContainerReady {}).map(drop)
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

    fn start_container(
        &self,
        asked: &ContainerOfRun,
        output: BorrowedFd<'_>,
    ) -> Result<Box<dyn ContainerLine>, String> {
        let started = start_container(&self.socket, container(asked)?, output).map_err(|error| chain(&error))?;
        Ok(Box::new(OfContainer(started)))
    }

    fn end_container(&self, permit: PermitId) -> Result<(), String> {
        ask_blocking(&self.socket, &Request::ContainerEnd { permit }).map(drop).map_err(|error| chain(&error))
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

struct OfContainer(wardkeep_lock::ContainerLine);

impl ContainerLine for OfContainer {
    fn over(self: Box<Self>, within: Duration) -> Result<ContainerEnd, NoEnd> {
        let over = self.0.over(within).map_err(|error| match error {
            ClientError::Refused(why) => NoEnd::Refused(why),
            error => NoEnd::Lost(chain(&error)),
        });
        let ContainerOver { exit_code, out_of_memory, cut } = over?;
        Ok(ContainerEnd { exit_code, out_of_memory, out_of_time: cut == Some(Cut::Time) })
    }
}

fn container(asked: &ContainerOfRun) -> Result<ContainerStart, String> {
    let shown = asked.workspace.as_ref().map(|(path, reads)| {
        let path = path.to_str().ok_or("the workspace has no plain name")?.to_owned();
        Ok::<_, String>(Shown { path, access: if *reads { Access::Reads } else { Access::Changes } })
    });
    Ok(ContainerStart {
        permit: asked.permit,
        agent: asked.agent.clone(),
        image: asked.image.clone(),
        argv: asked.argv.clone(),
        env: asked.env.iter().map(|(name, value)| (name.clone(), Hidden::new(value))).collect(),
        workdir: asked.workdir.clone(),
        workspace: shown.transpose()?,
        limits: limits(asked.limits),
    })
}

fn limits(limits: RunLimits) -> Limits {
    let RunLimits { seconds, memory_mebibytes, processes, cpu_percent, file_mebibytes, output_kibibytes: _ } = limits;
    Limits { seconds, memory_mebibytes, processes, cpu_percent, file_mebibytes }
}

fn asked(unit: UnitOfRun) -> Result<RunStart, String> {
    let UnitOfRun { permit, agent, reads, workspace, limits: most } = unit;
    let text = |path: PathBuf| path.into_os_string().into_string().map_err(|_| "the workspace has no plain name");
    Ok(RunStart {
        permit,
        agent,
        access: if reads { Access::Reads } else { Access::Changes },
        workspace: workspace.map(text).transpose()?,
        limits: limits(most),
    })
}
