//! What was admitted and settled since the tables were last written: one small file that is only ever added to.
//!
//! A request costs two entries, of a line each, here instead of four rows in tables of many pages. Before the tables are read, when the file has
//! grown, and at the end, they are folded into the tables in one transaction that also names the file's number; after
//! it the file begins anew under the next number. So an entry counts once: a file whose number the tables know is over.
//!
//! Entries that were written together are one frame: `length, checksum, lines`. The checksum covers number and place, so that
//! what is left of an earlier turn, or half of a frame, is not read. Nothing is cut off: places that were written before need
//! no room and no change of the file's own record, which makes reaching the disk cheap.
//!
//! A file that the disk has damaged is read as far as checksums go ([`reading`]). One of which nothing can be read is put aside,
//! and a new one begins under a number that none of its frames can have.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Instant;

use ring::digest;
use serde::{Deserialize, Serialize};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::open::Open;
use super::trust::Trust;
use crate::gate_memory::Kept;
use crate::price::Cost;
use crate::usage::Usage;

mod aside;
mod reading;

use reading::{Found, Turn};

/// The first bytes; the last one is the form.
const MAGIC: [u8; 8] = *b"WKUSAGE1";
/// Magic, number, checksum.
const HEAD: usize = 24;
/// Length and checksum before the lines of a frame.
const FRAME: usize = 12;

/// How far the number goes on after a file of which nothing could be read: so many turns no server makes.
const LEAP: u64 = 1 << 32;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Entry<'a> {
    /// A request may go to its provider.
    #[serde(rename = "a")]
    Admit { row: i64, open: Cow<'a, Open> },
    /// It used so much.
    #[serde(rename = "s")]
    Settle { row: i64, usage: Usage, estimated: bool, cost: Cost, at: Timestamp },
    /// It never went there.
    #[serde(rename = "v")]
    Void { row: i64 },
    /// A model asked for these calls, or something was handed in for them.
    #[serde(rename = "c")]
    Calls { agent: Cow<'a, AgentName>, calls: Cow<'a, [Kept]>, at: Timestamp },
}

/// The file.
pub(super) struct Journal {
    file: File,
    number: u64,
    /// Where the next frame goes; 0 when the head is not written yet.
    end: u64,
    /// The next frame, with room for what stands before its lines.
    frame: Vec<u8>,
    fault: Option<io::Error>,
    trust: Trust,
    /// What its disk is like.
    #[cfg(test)]
    pub(super) narrow: Option<std::sync::Arc<Narrow>>,
}

/// A disk that is too small, or slow; by its own word, whatever the one below it is like.
#[cfg(test)]
#[derive(Default)]
pub(super) struct Narrow {
    /// Bytes that it has for the journal.
    pub(super) room: std::sync::atomic::AtomicU64,
    /// What it says that a write takes.
    pub(super) delay_ms: std::sync::atomic::AtomicU64,
}

#[cfg(test)]
impl Narrow {
    fn take(&self, end: u64) -> io::Result<()> {
        let has_room = end <= self.room.load(std::sync::atomic::Ordering::SeqCst);
        has_room.then_some(()).ok_or_else(|| io::ErrorKind::StorageFull.into())
    }

    fn takes(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.delay_ms.load(std::sync::atomic::Ordering::SeqCst))
    }
}

/// What the last process left.
pub(super) struct Left {
    pub(super) number: u64,
    pub(super) entries: Vec<Entry<'static>>,
}

impl Journal {
    /// Opens or makes the file; also gives the entries of a number above `folded`.
    pub(super) fn open(path: &Path, folded: u64) -> io::Result<(Self, Option<Left>)> {
        let (mut file, bytes) = reach(path)?;
        let left = match reading::find(&bytes, folded) {
            Found::Nothing => None,
            Found::Over => {
                tracing::warn!(
                    "the head of the usage journal is damaged; all that stands in the file was counted before"
                );
                None
            }
            Found::Turn(turn) => {
                turn.warn();
                let Turn { number, entries, .. } = turn;
                Some(Left { number, entries })
            }
            Found::Lost => {
                let kept = aside::put(path)?;
                tracing::error!(
                    kept = %kept.display(),
                    bytes = bytes.len(),
                    "the usage journal is damaged and nothing in it can be read: usage since it was last folded into usage.db \
                     may be missing from totals and budgets, and requests that stand open there are closed as estimates; \
                     compare with the providers' accounts, look after the disk, then remove the file that was kept"
                );
                file = reach(path)?.0;
                Some(Left { number: folded.saturating_add(LEAP), entries: Vec::new() })
            }
        };
        let number = left.as_ref().map_or(folded, |left| left.number) + 1;
        let journal = Self {
            file,
            number,
            end: 0,
            frame: Vec::new(),
            fault: None,
            trust: Trust::default(),
            #[cfg(test)]
            narrow: None,
        };
        Ok((journal, left))
    }

    /// Bytes that are not folded.
    pub(super) fn bytes(&self) -> u64 {
        self.end
    }

    /// The number under which it is written now.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether the next frame may be waited for on the spot.
    pub(super) fn is_quick(&self) -> bool {
        self.trust.holds()
    }

    /// Takes an entry for the next frame. One that cannot be put into words fails the frame.
    pub(super) fn put(&mut self, entry: &Entry<'_>) {
        if self.frame.is_empty() {
            self.frame.resize(if self.end == 0 { HEAD + FRAME } else { FRAME }, 0);
        }
        match serde_json::to_writer(&mut self.frame, entry) {
            Ok(()) => self.frame.push(b'\n'),
            Err(error) => self.fault = Some(error.into()),
        }
    }

    /// Writes the frame and returns once it is on disk; on failure it is as if it had never been.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let mut frame = std::mem::take(&mut self.frame);
        let done = self.fault.take().map_or_else(|| self.write(&mut frame), Err);
        frame.clear();
        self.frame = frame;
        done
    }

    fn write(&mut self, frame: &mut [u8]) -> io::Result<()> {
        if frame.is_empty() {
            return Ok(());
        }
        let head = if self.end == 0 { HEAD } else { 0 };
        let (front, lines) = frame.split_at_mut(head + FRAME);
        let length = u32::try_from(lines.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let at = self.end + head as u64;
        if head > 0 {
            front[..HEAD].copy_from_slice(&head_of(self.number));
        }
        front[head..head + 4].copy_from_slice(&length.to_le_bytes());
        front[head + 4..].copy_from_slice(&checksum(self.number, at, lines));
        let begun = Instant::now();
        let done = self.store(frame);
        let took = begun.elapsed();
        #[cfg(test)]
        let took = self.narrow.as_ref().map_or(took, |narrow| narrow.takes());
        self.trust.saw(took);
        done?;
        self.end += frame.len() as u64;
        Ok(())
    }

    fn store(&self, frame: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        if let Some(narrow) = &self.narrow {
            narrow.take(self.end + frame.len() as u64)?;
        }
        self.file.write_all_at(frame, self.end)?;
        self.file.sync_data()
    }

    /// Its entries are in the tables: begins anew.
    pub(super) fn begin_anew(&mut self) {
        self.number += 1;
        self.end = 0;
    }
}

/// Binds bytes to the turn and the place in which they were written.
fn checksum(number: u64, at: u64, bytes: &[u8]) -> [u8; 8] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&number.to_le_bytes());
    context.update(&at.to_le_bytes());
    context.update(bytes);
    let mut sum = [0; 8];
    sum.copy_from_slice(&context.finish().as_ref()[..8]);
    sum
}

/// Opens or makes the file, and reads it.
fn reach(path: &Path) -> io::Result<(File, Vec<u8>)> {
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut &file, &mut bytes)?;
    if bytes.is_empty() {
        // Its name must outlive a loss of power, too.
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())?;
    }
    Ok((file, bytes))
}

fn head_of(number: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..16].copy_from_slice(&number.to_le_bytes());
    head[16..].copy_from_slice(&checksum(number, 0, &MAGIC));
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn void(row: i64) -> Entry<'static> {
        Entry::Void { row }
    }

    fn rows(left: Option<Left>) -> Vec<Entry<'static>> {
        left.map(|left| left.entries).unwrap_or_default()
    }

    /// A journal of number 4 with two frames; gives where the second begins.
    fn two_frames(path: &Path) -> usize {
        let (mut journal, left) = Journal::open(path, 3).unwrap();
        assert!(left.is_none() && journal.number() == 4);
        journal.put(&void(1));
        journal.put(&void(2));
        journal.sync().unwrap();
        let first = journal.bytes();
        journal.put(&void(3));
        journal.sync().unwrap();
        usize::try_from(first).unwrap()
    }

    #[test]
    fn frames_are_read_back_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.journal");
        two_frames(&path);
        assert!(Journal::open(&path, 4).unwrap().1.is_none(), "what is folded is over");
        let (journal, left) = Journal::open(&path, 3).unwrap();
        assert_eq!((journal.number(), rows(left)), (5, vec![void(1), void(2), void(3)]));
    }

    #[test]
    fn a_changed_bit_in_the_head_loses_nothing_and_frees_no_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.journal");
        two_frames(&path);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..HEAD {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            let (journal, left) = Journal::open(&path, 3).unwrap();
            assert_eq!((journal.number(), rows(left)), (5, vec![void(1), void(2), void(3)]), "at {at}");
        }
    }

    #[test]
    fn a_file_of_which_nothing_can_be_read_is_kept_and_never_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.journal");
        let first = two_frames(&path);
        let whole = std::fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        for at in [10, HEAD + 5, first + 5] {
            damaged[at] ^= 1;
        }
        std::fs::write(&path, &damaged).unwrap();
        let (mut journal, left) = Journal::open(&path, 3).unwrap();
        let left = left.expect("the tables must hear the number");
        assert_eq!((left.number, left.entries.len(), journal.number()), (3 + LEAP, 0, 4 + LEAP));
        assert_eq!(std::fs::read(folder.path().join("usage.journal.damaged")).unwrap(), damaged);
        journal.put(&void(7));
        journal.sync().unwrap();
        drop(journal);
        // Even if what was there before comes back behind what is new.
        let mut file = std::fs::read(&path).unwrap();
        assert!(file.len() < first, "it begins anew");
        let new = file.len();
        file.extend_from_slice(&whole[new..]);
        std::fs::write(&path, file).unwrap();
        assert_eq!(rows(Journal::open(&path, left.number).unwrap().1), [void(7)]);
    }

    #[test]
    fn what_an_earlier_turn_left_behind_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.journal");
        let (mut journal, _) = Journal::open(&path, 0).unwrap();
        for row in 0..3 {
            journal.put(&void(row));
            journal.sync().unwrap();
        }
        journal.begin_anew();
        // The same length as before: the old second frame stands right behind it.
        journal.put(&void(7));
        journal.sync().unwrap();
        assert_eq!(rows(Journal::open(&path, 1).unwrap().1), [void(7)]);
    }

    #[test]
    fn a_full_disk_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.journal");
        let (mut journal, _) = Journal::open(&path, 0).unwrap();
        journal.put(&void(1));
        journal.sync().unwrap();
        let narrow = Narrow { room: (journal.bytes() + 1).into(), ..Narrow::default() };
        journal.narrow = Some(std::sync::Arc::new(narrow));
        journal.put(&void(2));
        assert_eq!(journal.sync().unwrap_err().kind(), io::ErrorKind::StorageFull);
        journal.narrow = None;
        journal.put(&void(3));
        journal.sync().unwrap();
        assert_eq!(rows(Journal::open(&path, 0).unwrap().1), [void(1), void(3)]);
    }
}
