//! Paths by their text: normalised without touching a file system.

use std::borrow::Cow;

use super::words::{OPAQUE, Word};

/// What is done with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Its content or names are read.
    Read,
    /// It is made, changed or replaced.
    Write,
    /// It is deleted.
    Delete,
}

/// One path and what is done with it.
#[derive(Clone, Debug, PartialEq)]
pub struct PathUse {
    /// What is done.
    pub access: Access,
    /// The path as written.
    pub path: Word,
    /// The folder it is relative to; empty is the workspace, `None` is unknown.
    pub cwd: Option<String>,
}

/// Where a normalised path lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the workspace.
    Workspace,
    /// Absolute or in a home folder, outside the workspace.
    Outside,
    /// Not known before it runs.
    Unknown,
}

/// A path after normalisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Where it lies.
    pub place: Place,
    /// Absolute (`/…`), home (`~…`), or relative to the workspace without leading `./`; empty is the workspace itself.
    pub text: String,
}

/// `to` seen from the folder `from`.
#[must_use]
pub fn join(from: &str, to: &str) -> String {
    joined(from, to).into_owned()
}

fn joined<'t>(from: &str, to: &'t str) -> Cow<'t, str> {
    if to.starts_with(['/', '~']) || from.is_empty() { to.into() } else { [from, "/", to].concat().into() }
}

impl PathUse {
    /// Where the path lies, given the absolute folder of the workspace (empty: unknown).
    #[must_use]
    pub fn resolve(&self, workspace: &str) -> Resolved {
        resolve(&self.path.text, self.cwd.as_deref(), workspace)
    }
}

/// Where a path lies that is relative to the folder `cwd` (empty: the workspace, `None`: unknown), given that of the workspace.
pub(crate) fn resolve(path: &str, cwd: Option<&str>, workspace: &str) -> Resolved {
    let raw = path.strip_prefix("file://").unwrap_or(path);
    let unknown = cwd.is_none() && !raw.starts_with(['/', '~']);
    if raw.starts_with(OPAQUE) || unknown {
        return Resolved { place: Place::Unknown, text: raw.to_owned() };
    }
    let text = normalise(joined(cwd.unwrap_or_default(), raw));
    if let Some(inside) = below(&text, workspace) {
        return Resolved { place: Place::Workspace, text: inside.to_owned() };
    }
    if text == ".." || text.starts_with("../") {
        // Above the workspace: seen from its folder, or from the root where that is not known.
        let text = normalise(format!("/{workspace}/{text}").into());
        return Resolved { place: Place::Outside, text };
    }
    let outside = text.starts_with(['/', '~']);
    Resolved { place: if outside { Place::Outside } else { Place::Workspace }, text }
}

/// What stands behind the last slash.
pub(crate) fn last_part(path: &str) -> &str {
    path.bytes().rposition(|byte| byte == b'/').map_or(path, |slash| &path[slash + 1..])
}

fn below<'t>(text: &'t str, workspace: &str) -> Option<&'t str> {
    let workspace = workspace.trim_end_matches('/');
    if workspace.is_empty() {
        return None;
    }
    let rest = text.strip_prefix(workspace)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

/// Takes out `.`, `..` and doubled slashes. `..` behind an opaque part stays: it cannot be told what it undoes.
fn normalise(path: Cow<'_, str>) -> String {
    let absolute = path.starts_with('/');
    let relative = if absolute { &path[1..] } else { &path };
    // Most paths hold nothing of the kind.
    if relative.is_empty()
        || !relative.as_bytes().split(|byte| *byte == b'/').any(|part| matches!(part, b"" | b"." | b".."))
    {
        return path.into_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&"..") => parts.push(".."),
                Some(last) if last.contains(OPAQUE) => parts.push(".."),
                Some(last) if last.starts_with('~') && parts.len() == 1 => parts.push(".."),
                Some(_) => {
                    parts.pop();
                }
                None if absolute => {}
                None => parts.push(".."),
            },
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    if absolute { format!("/{joined}") } else { joined }
}
