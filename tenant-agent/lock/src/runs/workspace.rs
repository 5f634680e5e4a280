//! Which folder a run may see: one that root's configuration has room for, and no way around it.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};

/// Longest path, bytes.
const LONGEST: usize = 512;

/// # Errors
/// Why that folder is shown to no run, and what to do.
pub(crate) fn check(path: &str, roots: &[PathBuf]) -> Result<(), String> {
    // What means something to systemd, between paths or in them, stands in none.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+@".contains(&b) || !b.is_ascii();
    if path.len() > LONGEST || !path.bytes().all(plain) {
        return Err("a workspace has a path of at most 512 letters, digits and ./_-+@; rename the folder".to_owned());
    }
    let path = Path::new(path);
    let normal = path.is_absolute()
        && path.components().skip(1).all(|part| matches!(part, Component::Normal(_)))
        && path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
    let beneath = |root: &PathBuf| path.strip_prefix(root).is_ok_and(|inner| inner.components().next().is_some());
    if !normal || !roots.iter().any(beneath) {
        return Err(format!(
            "{} does not lie beneath a folder for workspaces; see runs.workspaces in the configuration",
            path.display()
        ));
    }
    no_link_leads_there(path)
        .map_err(|error| format!("{} is no folder that can be shown to a run: {error}", path.display()))
}

/// # Errors
/// As [`check`]; also for a folder that somebody else could exchange for a link after this look.
pub(crate) fn check_fixed(path: &str, roots: &[PathBuf]) -> Result<(), String> {
    check(path, roots)?;
    let movable = || format!("{path} could be exchanged by others: the folders above it must be root's alone");
    let trusted = |uid: u32| uid == 0 || uid == rustix::process::geteuid().as_raw();
    let look = |path: &Path| std::fs::symlink_metadata(path).map_err(|error| format!("{}: {error}", path.display()));
    for inner in Path::new(path).ancestors() {
        let Some(outer) = inner.parent() else { break };
        let (inner, outer) = (look(inner)?, look(outer)?);
        // In a folder like /tmp an entry is its owner's to rename.
        let kept = outer.mode() & 0o022 == 0 || (outer.mode() & 0o1000 != 0 && trusted(inner.uid()));
        if !trusted(outer.uid()) || !kept {
            return Err(movable());
        }
    }
    Ok(())
}

/// Part by part, each one a folder itself.
fn no_link_leads_there(path: &Path) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder = openat(CWD, "/", flags, Mode::empty())?;
    for part in path.components().skip(1) {
        folder = openat(&folder, part.as_os_str(), flags, Mode::empty())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_that_others_could_exchange_is_not_fixed() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("tempdir");
        let root = std::fs::canonicalize(dir.path()).expect("real").join("agents");
        let workspace = root.join("office/deep");
        std::fs::create_dir_all(&workspace).expect("made");
        let mode =
            |mode| std::fs::set_permissions(root.join("office"), std::fs::Permissions::from_mode(mode)).expect("set");
        let of = || check_fixed(workspace.to_str().expect("text"), std::slice::from_ref(&root));
        for open in [0o775, 0o757, 0o2770, 0o2777] {
            mode(open);
            assert!(of().is_err(), "{open:o}");
        }
        mode(0o755);
        assert_eq!(of(), Ok(()));
        assert!(check_fixed("/etc", std::slice::from_ref(&root)).is_err());
    }

    #[test]
    fn only_a_real_folder_beneath_a_listed_one() {
        let dir = tempfile::tempdir().expect("tempdir");
        let base = std::fs::canonicalize(dir.path()).expect("real");
        let root = base.join("agents");
        std::fs::create_dir_all(root.join("office/deep")).expect("made");
        std::fs::create_dir_all(root.join("straße")).expect("made");
        std::fs::create_dir_all(root.join("a:b")).expect("made");
        std::fs::create_dir_all(base.join("agents-not")).expect("made");
        std::fs::write(root.join("file"), "").expect("written");
        symlink("/etc", root.join("link")).expect("linked");
        symlink(root.join("office"), root.join("inner-link")).expect("linked");
        let text = |path: PathBuf| path.to_str().expect("text").to_owned();
        let of = |path: &str| check(path, std::slice::from_ref(&root));
        for bad in [
            "/",
            "/etc",
            "",
            "agents/office",
            "/srv/agents/../../etc",
            &text(root.clone()),
            &text(root.join("office/..")),
            &text(root.join("./office")),
            &text(root.join("office/")),
            &text(root.join("link")),
            &text(root.join("link/ssh")),
            &text(root.join("inner-link")),
            &text(root.join("file")),
            &text(root.join("missing")),
            &text(base.join("agents-not")),
            &text(root.join("a:b")),
            &format!("{} /etc", text(root.join("office"))),
            &format!("{}:/etc", text(root.join("office"))),
            &format!("{}\n/etc", text(root.join("office"))),
            &format!("{}%n", text(root.join("office"))),
            &format!("{}\\x2f", text(root.join("office"))),
            &format!("-{}", text(root.join("office"))),
            &text(root.join("x".repeat(600))),
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
        for good in [root.join("office"), root.join("office/deep"), root.join("straße")] {
            assert_eq!(of(&text(good)), Ok(()));
        }
        assert!(check(&text(root.join("office")), &[]).is_err());
    }
}
