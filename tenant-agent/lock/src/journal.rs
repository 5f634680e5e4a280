//! What happened, numbered for ever, until the daemon has taken it into the audit log. The newest thousand are kept.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wardkeep_proto::chance::{Chance, bytes};
use wardkeep_proto::time::Timestamp;

use crate::attempts::Watch;
use crate::file;
use crate::listing::Tried;
use crate::lock::Drift;
use crate::plan::UidRange;

const KEPT: usize = 1000;
/// Events in one answer.
const ROWS: usize = 200;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// From 1.
    pub number: u64,
    /// When it was noticed.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum What {
    /// Somebody locked, or changed who is locked in.
    Applied {
        /// User id by the kernel.
        by: u32,
        /// Who is locked in.
        uids: Vec<UidRange>,
        /// What they reach.
        doors: Vec<SocketAddr>,
    },
    /// Somebody unlocked.
    Removed {
        /// User id by the kernel.
        by: u32,
    },
    /// The kernel's rules were not what they should be, and were put back.
    Mended {
        /// What was wrong.
        drift: Drift,
    },
    /// Packets of a locked user, refused.
    Attempt(Tried),
    /// More destinations at once than are recorded one by one; they follow.
    Flood {
        /// How many wait.
        destinations: usize,
    },
}

/// The journal and its file.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    kept: Kept,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    journal: String,
    last: u64,
    events: VecDeque<Event>,
    watch: Watch,
}

impl Journal {
    /// Reads it. One that cannot be read is put aside and begun anew under another name: records must go on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open(path: PathBuf, chance: &dyn Chance) -> io::Result<Self> {
        let read = file::read(&path).unwrap_or_else(|error| {
            tracing::error!(%error, path = %path.display(), "the lock's journal cannot be read; a new one is begun");
            let _ = std::fs::rename(&path, path.with_extension("damaged"));
            None
        });
        let begun = || Kept {
            journal: data_encoding::HEXLOWER.encode(&bytes::<8>(chance)),
            last: 0,
            events: VecDeque::new(),
            watch: Watch::default(),
        };
        let journal = Self { path, kept: read.unwrap_or_else(begun) };
        journal.write()?;
        Ok(journal)
    }

    /// Its name: another one means that numbers begin anew.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.kept.journal
    }

    /// What was told of destinations.
    pub fn watch(&mut self) -> &mut Watch {
        &mut self.kept.watch
    }

    /// Adds and writes.
    ///
    /// # Errors
    /// When it cannot be written; the events are in memory and go with the next write.
    pub fn add(&mut self, at: Timestamp, what: impl IntoIterator<Item = What>) -> io::Result<()> {
        let before = self.kept.last;
        for what in what {
            self.kept.last += 1;
            self.kept.events.push_back(Event { number: self.kept.last, at, what });
        }
        let surplus = self.kept.events.len().saturating_sub(KEPT);
        self.kept.events.drain(..surplus);
        if self.kept.last == before { Ok(()) } else { self.write() }
    }

    /// The first ones after `number`.
    #[must_use]
    pub fn after(&self, number: u64) -> Vec<Event> {
        self.kept.events.iter().filter(|event| event.number > number).take(ROWS).cloned().collect()
    }

    fn write(&self) -> io::Result<()> {
        file::write(&self.path, &self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fixed;

    impl Chance for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    fn removed(count: u32) -> Vec<What> {
        (0..count).map(|by| What::Removed { by }).collect()
    }

    #[test]
    fn numbers_go_on_after_a_restart_and_the_oldest_go() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("journal.json");
        let mut journal = Journal::open(path.clone(), &Fixed).expect("made");
        journal.add(Timestamp(1), removed(600)).expect("written");
        drop(journal);
        let mut journal = Journal::open(path, &Fixed).expect("read");
        journal.add(Timestamp(2), removed(600)).expect("written");
        let first = journal.after(0);
        assert_eq!((first[0].number, first.len()), (201, ROWS));
        assert_eq!(journal.after(1199), [Event { number: 1200, at: Timestamp(2), what: What::Removed { by: 599 } }]);
        assert_eq!(journal.after(1200), []);
    }

    #[test]
    fn a_damaged_one_is_put_aside() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("journal.json");
        std::fs::write(&path, "{").expect("written");
        assert_eq!(Journal::open(path.clone(), &Fixed).expect("begun").name(), "07".repeat(8));
        assert_eq!(std::fs::read_to_string(path.with_extension("damaged")).expect("kept"), "{");
    }
}
