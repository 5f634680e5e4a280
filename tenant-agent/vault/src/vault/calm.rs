//! What was read of the file, for as long as nobody writes it: asked for with each request, it is read once.
//!
//! A file that was written looks different: size, times or, after an exchange, its number. A clock of files is coarse, so
//! what was read counts only once the file had looked the same for longer than a step of that clock.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::SecretValue;
use wardkeep_proto::time::Timestamp;

use crate::binding::Bindings;

/// Longer than a step of any file system that a vault lives on: the coarsest counts seconds, all others take the time of the
/// kernel's own clock, whose step is ten milliseconds at most.
const SETTLED: Duration = Duration::from_secs(2);
const SETTLED_FINE: Duration = Duration::from_millis(200);

/// How a file looks from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Look {
    /// How it looks now; `None` when it cannot be seen.
    pub(super) fn at(path: &Path) -> Option<Self> {
        let meta = path.symlink_metadata().ok()?;
        Some(Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }

    pub(super) fn file(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// How long it must look the same until a write would have shown. Where seconds are counted, there are never parts of them.
    const fn settled(&self) -> Duration {
        if self.modified.1 != 0 && self.changed.1 != 0 { SETTLED_FINE } else { SETTLED }
    }
}

/// A secret as it may be given.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) value: SecretValue,
    pub(super) expires: Option<Timestamp>,
    pub(super) bindings: Bindings,
}

/// What is known of a file that looks like that.
#[derive(Default)]
pub(super) struct Calm {
    /// Its look, and since when.
    seen: Option<(Look, Instant)>,
    pub(super) generation: Option<u64>,
    /// The vault's name and the number of its last change.
    pub(super) journal: Option<(String, u64)>,
    pub(super) given: HashMap<SecretName, Given>,
}

impl Calm {
    /// Forgets what was read if the file looks otherwise. `true` when what is read now stays true while it looks like that.
    pub(super) fn look(&mut self, look: Look, now: Instant) -> bool {
        match self.seen {
            Some((seen, since)) if seen == look => now.saturating_duration_since(since) > look.settled(),
            _ => {
                *self = Self { seen: Some((look, now)), ..Self::default() };
                false
            }
        }
    }

    /// Whether the file still looks as it did when it was last looked at.
    pub(super) fn is(&self, look: Look) -> bool {
        self.seen.is_some_and(|(seen, _)| seen == look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_counts_once_the_file_has_long_looked_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.db");
        std::fs::write(&path, "one").unwrap();
        let (first, start) = (Look::at(&path).unwrap(), Instant::now());
        let late = start + SETTLED + Duration::from_millis(1);
        let fine = Look { modified: (1, 1), changed: (1, 1), ..first };
        let coarse = [
            Look { modified: (1, 0), ..fine },
            Look { changed: (1, 0), ..fine },
            Look { modified: (1, 0), changed: (1, 0), ..fine },
        ];
        for look in coarse {
            let mut calm = Calm::default();
            assert!(!calm.look(look, start));
            assert!(!calm.look(look, start + SETTLED), "a write within one step of the clock could be missed");
            assert!(calm.look(look, late));
        }
        let mut calm = Calm::default();
        assert!(!calm.look(fine, start) && !calm.look(fine, start + SETTLED_FINE));
        assert!(calm.look(fine, start + SETTLED_FINE + Duration::from_millis(1)));
        let mut calm = Calm::default();
        assert!(!calm.look(first, start) && calm.look(first, late));
        calm.generation = Some(7);
        assert!(calm.look(first, late) && calm.generation == Some(7) && calm.is(first));

        std::fs::write(&path, "three").unwrap();
        let second = Look::at(&path).unwrap();
        assert!(!calm.is(second) && !calm.look(second, late));
        assert_eq!(calm.generation, None, "what was read of another content is forgotten");
        let exchanged = folder.path().join("other");
        std::fs::write(&exchanged, "three").unwrap();
        std::fs::rename(&exchanged, &path).unwrap();
        assert_ne!(Look::at(&path).unwrap().file(), second.file());
    }
}
