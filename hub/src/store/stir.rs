//! Wakes when any process has written to the database: who waits for a row need not look for it again and again.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::io::unix::AsyncFd;

/// Between two looks where the system does not tell of writes.
const LOOK: Duration = Duration::from_millis(100);
/// A busy hub writes all the time: who waits looks no oftener than this.
const BREATH: Duration = Duration::from_millis(10);

/// A watch over the folder of a database.
#[derive(Debug)]
pub struct Stir(Option<AsyncFd<OwnedFd>>);

impl Stir {
    /// Watches from now on: what is written after this, [`wait`](Self::wait) tells of, however late that is called.
    #[must_use]
    pub fn over(data_dir: &Path) -> Self {
        #[expect(
            deprecated,
            reason = "sound for a descriptor that is owned; what takes its place is unsafe to call, and we forbid that"
        )]
        let watch = || -> std::io::Result<AsyncFd<OwnedFd>> {
            let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            inotify::add_watch(&fd, data_dir, WatchFlags::MODIFY | WatchFlags::CREATE)?;
            AsyncFd::new(fd)
        };
        // Out of watches is no reason not to serve.
        Self(watch().inspect_err(|error| tracing::debug!(%error, "writes of others are looked for by time")).ok())
    }

    /// Returns once something was written, or after `at_most`.
    pub async fn wait(&mut self, at_most: Duration) {
        match &self.0 {
            Some(watch) => {
                if let Ok(Ok(mut ready)) = tokio::time::timeout(at_most, watch.readable()).await {
                    tokio::time::sleep(BREATH.min(at_most)).await;
                    let mut events = [0_u8; 4096];
                    while rustix::io::read(watch.get_ref(), &mut events[..]).is_ok_and(|read| read > 0) {}
                    ready.clear_ready();
                }
            }
            None => tokio::time::sleep(LOOK.min(at_most)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_wakes_also_when_it_came_before_the_wait() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut stir = Stir::over(dir.path());
        std::fs::write(dir.path().join("hub.db-wal"), "x").expect("written");
        // Far longer than any test may take: only the write ends it.
        let long = Duration::from_secs(3600);
        stir.wait(long).await;
        let file = dir.path().join("hub.db-wal");
        let writer = std::thread::spawn(move || std::fs::write(file, "more"));
        stir.wait(long).await;
        writer.join().expect("ended").expect("written");
        // Nobody writes: it ends by time.
        stir.wait(Duration::from_millis(1)).await;
        let mut blind = Stir::over(&dir.path().join("nowhere"));
        blind.wait(Duration::from_millis(1)).await;
    }
}
