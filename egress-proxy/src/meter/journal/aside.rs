//! Where a journal goes of which nothing can be read, for a person to look at.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Names the file `….damaged`, or `….damaged.2` and so on where there is one already. Moved, not copied: a full disk has room for
/// that, and nothing stays that could be read again.
pub(super) fn put(path: &Path) -> io::Result<PathBuf> {
    let names = std::iter::once(".damaged".to_owned()).chain((2_u32..).map(|n| format!(".damaged.{n}")));
    for name in names {
        let mut kept = path.as_os_str().to_owned();
        kept.push(name);
        let kept = PathBuf::from(kept);
        // Nobody else writes here: the tables, which were opened before, are one process's.
        match kept.symlink_metadata() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
                std::fs::rename(path, &kept)?;
                return Ok(kept);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_before_stays_and_only_the_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.journal");
        for (text, name) in
            [("one", "usage.journal.damaged"), ("two", "usage.journal.damaged.2"), ("three", "usage.journal.damaged.3")]
        {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
            assert_eq!(put(&path).unwrap(), folder.path().join(name));
            assert!(!path.exists());
        }
        for (text, name) in [("one", ".damaged"), ("two", ".damaged.2"), ("three", ".damaged.3")] {
            let kept = folder.path().join(format!("usage.journal{name}"));
            assert_eq!(std::fs::read_to_string(&kept).unwrap(), text);
            assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
