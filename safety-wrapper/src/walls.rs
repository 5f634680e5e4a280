//! What holds the programs of runs on this server, as it is known now.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;
use wardkeep_proto::ids::PermitId;

use crate::runner::{ContainerLine, ContainerOfRun, ForwardProxy, UnitLine, UnitOfRun, Units};

/// The outer wall of a run; Landlock and the system call filter are within it in each case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Walls {
    /// It is being found out; runs wait for it.
    Untested,
    /// A process of the daemon's user: there is no helper or no systemd.
    Process,
    /// A systemd unit and a user of its own, which has proved that it holds.
    Unit,
    /// A unit, which does not hold or cannot be made; why, in words for people.
    Broken(String),
}

/// Shared by whoever tests the walls and the gate. Cheap to clone; every clone sees the same.
#[derive(Clone)]
pub struct WallsBook {
    known: Arc<watch::Sender<Walls>>,
    units: Arc<dyn Units>,
    proxy: Arc<OnceLock<ForwardProxy>>,
}

impl WallsBook {
    /// A book that starts with `walls`; `units` ends units that are left over.
    #[must_use]
    pub fn new(walls: Walls, units: Arc<dyn Units>) -> Self {
        Self { known: Arc::new(watch::Sender::new(walls)), units, proxy: Arc::default() }
    }

    /// Of a server that has no units.
    #[must_use]
    pub fn processes() -> Self {
        Self::new(Walls::Process, Arc::new(NoUnits))
    }

    /// What holds at this moment.
    #[must_use]
    pub fn read(&self) -> Walls {
        self.known.borrow().clone()
    }

    /// Waits until it was found out.
    pub(crate) async fn known(&self) {
        // The sender lives as long as this book.
        let _ = self.known.subscribe().wait_for(|walls| *walls != Walls::Untested).await;
    }

    /// Says where the forward proxy listens: the one way out of units. Once; before that they have none.
    pub fn set_proxy(&self, proxy: ForwardProxy) {
        let _ = self.proxy.set(proxy);
    }

    pub(crate) fn proxy(&self) -> Option<ForwardProxy> {
        self.proxy.get().cloned()
    }

    /// Who starts and ends units.
    #[must_use]
    pub fn units(&self) -> Arc<dyn Units> {
        Arc::clone(&self.units)
    }

    /// Says what was found; `true` if it is news.
    pub fn set(&self, walls: Walls) -> bool {
        self.known.send_if_modified(|known| {
            let is_news = *known != walls;
            *known = walls;
            is_news
        })
    }
}

/// Where there is no helper.
struct NoUnits;

const NOBODY: &str = "there is no helper here";

impl Units for NoUnits {
    fn start(&self, _: UnitOfRun, _: BorrowedFd<'_>, _: Option<BorrowedFd<'_>>) -> Result<Box<dyn UnitLine>, String> {
        Err(NOBODY.to_owned())
    }

    fn start_container(&self, _: &ContainerOfRun, _: BorrowedFd<'_>) -> Result<Box<dyn ContainerLine>, String> {
        Err(NOBODY.to_owned())
    }

    fn end_container(&self, _: PermitId) -> Result<(), String> {
        Err(NOBODY.to_owned())
    }

    fn end(&self, _: PermitId) -> Result<(), String> {
        Err(NOBODY.to_owned())
    }
}
