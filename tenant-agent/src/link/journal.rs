//! The journal of commands: a command is on disk before it acts, and a repeat is answered from there.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wardkeep_proto::ids::CommandId;
use wardkeep_proto::time::Timestamp;

use crate::state::{read, write_private};

/// Entries kept; the oldest go first. A hub gives up on a command long before a thousand others.
const KEPT: usize = 1000;

/// One file a command under `commands/`.
#[derive(Clone, Debug)]
pub struct Journal {
    dir: PathBuf,
}

/// What is known of one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The hub's id of it.
    pub id: CommandId,
    /// Where it stands.
    pub state: State,
    /// What it said, redacted.
    pub output: String,
    /// When it came to this state.
    pub at: Timestamp,
}

/// Where a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// On disk, perhaps running.
    Received,
    /// Done.
    Succeeded,
    /// Tried in vain.
    Failed,
    /// Not tried: unknown kind or invalid.
    Refused,
    /// Not tried: too late.
    Expired,
}

impl State {
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Received)
    }
}

/// What to do with a command that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Never seen; it is on disk now.
    Act,
    /// Seen, and no end was recorded: the daemon died on the way. Every kind of command may be done again.
    ActAgain,
    /// Ended before: this is the answer.
    Answer(Entry),
}

impl Journal {
    /// The journal in `dir`, which exists.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Puts the command on disk, or finds it there.
    ///
    /// # Errors
    /// What the system said; the command must not act then.
    pub fn begin(&self, id: CommandId, now: Timestamp) -> io::Result<Begin> {
        match self.find(id)? {
            Some(entry) if entry.state.is_final() => Ok(Begin::Answer(entry)),
            Some(_) => Ok(Begin::ActAgain),
            None => {
                self.prune()?;
                self.write(&Entry { id, state: State::Received, output: String::new(), at: now })?;
                Ok(Begin::Act)
            }
        }
    }

    /// Records the end.
    ///
    /// # Errors
    /// What the system said.
    pub fn finish(&self, id: CommandId, state: State, output: String, now: Timestamp) -> io::Result<Entry> {
        let entry = Entry { id, state, output, at: now };
        self.write(&entry)?;
        Ok(entry)
    }

    /// A command by id. A file that cannot be parsed counts as seen and failed: acting again would be a guess.
    ///
    /// # Errors
    /// What the system said.
    pub fn find(&self, id: CommandId) -> io::Result<Option<Entry>> {
        let Some(bytes) = read(&self.path(id))? else { return Ok(None) };
        Ok(Some(serde_json::from_slice(&bytes).unwrap_or_else(|_| Entry {
            id,
            state: State::Failed,
            output: "the journal entry of this command is damaged; send a new command".to_owned(),
            at: Timestamp(0),
        })))
    }

    fn write(&self, entry: &Entry) -> io::Result<()> {
        write_private(&self.path(entry.id), &serde_json::to_vec(entry).map_err(io::Error::other)?)
    }

    fn path(&self, id: CommandId) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }

    /// Ids sort by time, so names do.
    fn prune(&self) -> io::Result<()> {
        let mut names: Vec<_> = std::fs::read_dir(&self.dir)?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "json"))
            .collect();
        if names.len() < KEPT {
            return Ok(());
        }
        names.sort();
        let surplus = names.len() + 1 - KEPT;
        names.iter().take(surplus).try_for_each(|path| crate::state::remove(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Counted;

    fn journal() -> (tempfile::TempDir, Journal) {
        let dir = tempfile::tempdir().expect("tempdir");
        let journal = Journal::new(dir.path().to_owned());
        (dir, journal)
    }

    #[test]
    fn a_duplicate_is_answered_and_does_not_act() {
        let (dir, journal) = journal();
        let id = CommandId::new(Timestamp(1), &Counted::default());
        assert_eq!(journal.begin(id, Timestamp(1)).expect("begins"), Begin::Act);
        assert_eq!(journal.begin(id, Timestamp(2)).expect("begins"), Begin::ActAgain, "no end is known yet");
        let ended = journal.finish(id, State::Failed, "no such agent".into(), Timestamp(3)).expect("written");
        // Another process: the daemon was started again.
        let journal = Journal::new(dir.path().to_owned());
        assert_eq!(journal.begin(id, Timestamp(4)).expect("begins"), Begin::Answer(ended));
    }

    #[test]
    fn a_damaged_entry_never_acts() {
        let (dir, journal) = journal();
        let id = CommandId::new(Timestamp(1), &Counted::default());
        std::fs::write(dir.path().join(format!("{id}.json")), b"{").expect("written");
        let Begin::Answer(entry) = journal.begin(id, Timestamp(1)).expect("begins") else { panic!("it acted") };
        assert_eq!(entry.state, State::Failed);
    }

    #[test]
    fn without_a_disk_nothing_acts() {
        let journal = Journal::new("/nowhere/commands".into());
        assert!(journal.begin(CommandId::new(Timestamp(1), &Counted::default()), Timestamp(1)).is_err());
    }

    #[test]
    fn the_oldest_entries_go() {
        let (dir, journal) = journal();
        let chance = Counted::default();
        let ids: Vec<_> = (0..3).map(|n| CommandId::new(Timestamp(n), &chance)).collect();
        for n in 3..i64::try_from(KEPT).expect("small") {
            let id = CommandId::new(Timestamp(n), &chance);
            std::fs::write(dir.path().join(format!("{id}.json")), b"{}").expect("written");
        }
        for id in &ids {
            journal.begin(*id, Timestamp(1)).expect("begins");
        }
        journal.begin(CommandId::new(Timestamp(9_999_999), &chance), Timestamp(1)).expect("begins");
        assert_eq!(std::fs::read_dir(dir.path()).expect("lists").count(), KEPT);
        assert_eq!(journal.find(ids[0]).expect("reads"), None);
    }
}
