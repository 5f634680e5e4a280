//! What a program is by its name: one table for all that is asked of each command.

use std::sync::LazyLock;

// Not that of the standard library, whose hash takes several times as long.
use hashbrown::HashMap;

use super::interpret::{INTERPRETERS, Interpreter, SHELLS};
use super::wrappers::{WRAPPERS, Wrapper};

/// What is known of a program of some name; nothing of most.
#[derive(Clone, Copy, Default)]
pub(crate) struct Nature {
    pub(super) shell: bool,
    /// What it interprets, shells apart.
    pub(super) interpreter: Option<&'static Interpreter>,
    /// How it names the program that it starts.
    pub(super) wrapper: Option<&'static Wrapper>,
    /// It starts others in a way of its own.
    starts: bool,
}

/// Programs that start others and are neither shells nor interpreters nor wrappers.
const STARTING: &[&str] =
    &["eval", "source", ".", "trap", "su", "runuser", "ssh", "docker", "podman", "watch", "script", "screen", "tmux"];

static BY_NAME: LazyLock<HashMap<&str, Nature>> = LazyLock::new(|| {
    let mut table: HashMap<&str, Nature> = HashMap::new();
    for name in SHELLS {
        table.entry(name).or_default().shell = true;
    }
    // Of two entries with one name the first counts.
    for interpreter in INTERPRETERS {
        for name in interpreter.names {
            table.entry(name).or_default().interpreter.get_or_insert(interpreter);
        }
    }
    for wrapper in WRAPPERS {
        table.entry(wrapper.name).or_default().wrapper.get_or_insert(wrapper);
    }
    for name in STARTING {
        table.entry(name).or_default().starts = true;
    }
    table
});

impl Nature {
    /// Of a program of that name; shells and interpreters with their version or without.
    pub(crate) fn of(name: &str) -> Self {
        let own = BY_NAME.get(name).copied().unwrap_or_default();
        let bare = unversioned(name);
        if bare == name {
            return own;
        }
        let other = BY_NAME.get(bare).copied().unwrap_or_default();
        Self { shell: other.shell, interpreter: own.interpreter.or(other.interpreter), ..own }
    }

    /// The language that it runs, shells apart.
    pub(super) fn language(self) -> Option<&'static str> {
        self.interpreter.map(|interpreter| interpreter.language)
    }

    /// Whether it runs other programs or code, whatever its arguments are.
    pub(crate) fn starts_others(self) -> bool {
        self.runs_code() || self.starts || self.wrapper.is_some()
    }

    /// Whether it reads the code that it runs from a file or an argument.
    pub(crate) fn runs_code(self) -> bool {
        self.shell || self.interpreter.is_some()
    }
}

/// Whether a program of that name reads the code that it runs from a file or an argument.
#[must_use]
pub fn runs_code(name: &str) -> bool {
    Nature::of(name).runs_code()
}

/// Whether a program of that name is a shell.
pub(super) fn is_shell(name: &str) -> bool {
    Nature::of(name).shell
}

/// `mysql` and friends keep their digits; `python3.12` loses them.
pub(super) fn unversioned(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_with_its_version_and_without() {
        for (name, shell, language, starts) in [
            ("", false, None, false),
            ("ls", false, None, false),
            ("pythonista", false, None, false),
            ("ssh2", false, None, false),
            ("nice1", false, None, false),
            ("bash", true, None, true),
            ("bash5.2", true, None, true),
            ("ksh93", true, None, true),
            ("python", false, Some("python"), true),
            ("python3.12", false, Some("python"), true),
            ("sqlite3", false, Some("sql"), true),
            (".", false, None, true),
            ("ssh", false, None, true),
            ("nice", false, None, true),
        ] {
            let nature = Nature::of(name);
            assert_eq!((nature.shell, nature.language(), nature.starts_others()), (shell, language, starts), "{name}");
            assert_eq!(nature.runs_code(), shell || language.is_some(), "{name}");
            assert_eq!(is_shell(name), shell, "{name}");
        }
        assert_eq!(Nature::of("nice").wrapper.map(|wrapper| wrapper.name), Some("nice"));
        assert!(Nature::of("nice1").wrapper.is_none());
    }

    #[test]
    fn every_name_of_every_list_is_found() {
        assert!(SHELLS.iter().all(|name| is_shell(name)));
        assert!(STARTING.iter().all(|name| Nature::of(name).starts_others()));
        for wrapper in WRAPPERS {
            assert!(
                Nature::of(wrapper.name).wrapper.is_some_and(|found| std::ptr::eq(found, wrapper)),
                "{}",
                wrapper.name
            );
        }
        for name in INTERPRETERS.iter().flat_map(|interpreter| interpreter.names) {
            let first = INTERPRETERS.iter().find(|interpreter| interpreter.names.contains(name));
            let found = Nature::of(name).interpreter.map(std::ptr::from_ref);
            assert_eq!(found, first.map(std::ptr::from_ref), "{name}");
        }
    }
}
