//! Folders beneath which paths of a list lie: whoever reads all of `/etc` reads `/etc/shadow`.

use super::PathList;

/// Where homes lie.
const HOMES: &[&str] = &["/home", "/users"];
/// Below it each process shows its own environment.
const PROCESSES: &str = "/proc";

/// Folders above those of a list.
#[derive(Default)]
pub(super) struct Above {
    /// Whole, sorted: `/etc` of `/etc/ssl/private`.
    folders: Vec<String>,
    /// By their last part, sorted: `.config` of `.config/gh`.
    parts: Vec<String>,
}

impl Above {
    pub(super) fn new<'d>(lists: impl Iterator<Item = &'d PathList>) -> Self {
        let mut out = Self::default();
        for list in lists {
            for folder in &list.under {
                let above = folder.match_indices('/').map(|(at, _)| &folder[..at.max(1)]);
                out.folders.extend(above.filter(|above| *above != folder).map(str::to_owned));
            }
            let first = list.part.iter().filter_map(|part| Some(part.split_once('/')?.0));
            out.parts.extend(first.map(str::to_owned));
        }
        for list in [&mut out.folders, &mut out.parts] {
            list.sort_unstable();
            list.dedup();
        }
        out
    }

    /// Whether a normalised folder is one of those, holds homes, or is one.
    pub(super) fn holds(&self, folder: &str) -> bool {
        let lower = folder.to_ascii_lowercase();
        let folder = match lower.trim_end_matches(['*', '.']).trim_end_matches('/') {
            "" if lower.starts_with('/') => "/",
            plain => plain,
        };
        let last = folder.rsplit('/').next().unwrap_or_default();
        let home = |homes: &&str| {
            folder.strip_prefix(*homes).is_some_and(|rest| rest.is_empty() || rest.rfind('/') == Some(0))
        };
        folder == "/"
            || folder.starts_with('~') && !folder.contains('/')
            || HOMES.iter().any(home)
            || folder.strip_prefix(PROCESSES).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            || self.folders.iter().any(|above| above == folder)
            || self.parts.iter().any(|part| part == last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_holds_what_lies_beneath_it() {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let list = PathList {
            under: own(&["/etc/ssl/private", "/root"]),
            part: own(&[".ssh", ".config/gh"]),
            last: own(&["*.pem"]),
            ..PathList::default()
        };
        let above = Above::new(std::iter::once(&list));
        for folder in [
            "/",
            "/*",
            "/etc",
            "/ETC",
            "/etc/ssl",
            "/etc/*",
            "~",
            "~/*",
            "~/.*",
            "~bob",
            "/home",
            "/home/*",
            "/home/bob",
            "~/.config",
            "a/.config",
            "/proc/7",
        ] {
            assert!(above.holds(folder), "{folder}");
        }
        for folder in [
            "",
            ".",
            "src",
            "*",
            "/usr/share",
            "/etc/nginx",
            "/home/bob/src",
            "~/src",
            "/procs",
            "/homes/bob",
            "config",
        ] {
            assert!(!above.holds(folder), "{folder}");
        }
    }
}
