//! What the meter kept of a damaged journal (`docs/operations.md`, usage and budgets).

use super::{Finding, Level, quoted};
use crate::state::StateDir;

/// Says nothing where nothing was kept.
pub(super) fn look(state: &StateDir) -> Option<Finding> {
    let kept = state.usage().with_extension("journal.damaged");
    // Also a link that leads nowhere is something to look at.
    kept.symlink_metadata().ok()?;
    Some(Finding::bad(
        "usage",
        Level::Warning,
        "a usage journal was damaged and nothing in it could be read: usage from just before may be missing from totals and budgets",
        format!(
            "compare that day with the providers' accounts, look after the disk, then remove what was kept: `ls -l {}*`",
            quoted(&kept)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_journal_is_named_until_it_is_removed() {
        let folder = tempfile::tempdir().expect("tempdir");
        let state = StateDir::existing(folder.path());
        std::fs::write(folder.path().join("usage.journal"), "whole").expect("written");
        assert_eq!(look(&state), None);
        let kept = folder.path().join("usage.journal.damaged");
        std::fs::write(&kept, "damaged").expect("written");
        let finding = look(&state).expect("something to do");
        assert_eq!((finding.check.as_str(), finding.level), ("usage", Level::Warning));
        assert!(finding.what_to_do.contains(&kept.display().to_string()), "{finding:?}");
        std::fs::remove_file(&kept).expect("removed");
        assert_eq!(look(&state), None);
    }
}
