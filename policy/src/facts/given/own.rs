//! Variables that a shell uses itself (bash 5.2, "Shell Variables"): it acts on what they hold, sets them, or says it.

/// Sorted.
const OWN: &[&str] = &[
    "CDPATH",
    "CHILD_MAX",
    "COLUMNS",
    "COMPREPLY",
    "COMP_CWORD",
    "COMP_KEY",
    "COMP_LINE",
    "COMP_POINT",
    "COMP_TYPE",
    "COMP_WORDBREAKS",
    "COMP_WORDS",
    "COPROC",
    "DIRSTACK",
    "EMACS",
    "ENV",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "EUID",
    "EXECIGNORE",
    "FCEDIT",
    "FIGNORE",
    "FUNCNAME",
    "FUNCNEST",
    "GLOBIGNORE",
    "GLOBSORT",
    "GROUPS",
    "HISTCMD",
    "HISTCONTROL",
    "HISTFILE",
    "HISTFILESIZE",
    "HISTIGNORE",
    "HISTSIZE",
    "HISTTIMEFORMAT",
    "HOME",
    "HOSTFILE",
    "HOSTNAME",
    "HOSTTYPE",
    "IFS",
    "IGNOREEOF",
    "INPUTRC",
    "INSIDE_EMACS",
    "LANG",
    "LANGUAGE",
    "LINENO",
    "LINES",
    "MACHTYPE",
    "MAIL",
    "MAILCHECK",
    "MAILPATH",
    "MAPFILE",
    "OLDPWD",
    "OPTARG",
    "OPTERR",
    "OPTIND",
    "OSTYPE",
    "PATH",
    "PIPESTATUS",
    "POSIXLY_CORRECT",
    "PPID",
    "PROMPT_COMMAND",
    "PROMPT_DIRTRIM",
    "PS0",
    "PS1",
    "PS2",
    "PS3",
    "PS4",
    "PWD",
    "RANDOM",
    "REPLY",
    "SECONDS",
    "SHELL",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "TIMEFORMAT",
    "TMOUT",
    "TMPDIR",
    "UID",
    "_",
    "auto_resume",
    "histchars",
];
const OWN_STARTS: &[&str] = &["BASH", "LC_", "READLINE_", "TEXTDOMAIN"];
/// Those of which a run knows what they hold; nothing that a command said before.
const KNOWN: &[&str] = &["HOME", "LANG", "PATH", "PWD", "TMPDIR"];

/// Whether the shell uses a variable of that name itself.
pub(super) fn is_own(name: &str) -> bool {
    OWN.binary_search(&name).is_ok() || OWN_STARTS.iter().any(|start| name.starts_with(start))
}

/// Whether the run, or where it stands, says what it holds.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// Whether it decides where a letter that is not ASCII ends, and so what is a quote and what is half a letter.
pub(super) fn decides_letters(name: &str) -> bool {
    name.starts_with("LANG") || name.starts_with("LC_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_what_is_known_is_the_shells_own() {
        assert!(OWN.is_sorted_by(|a, b| a < b));
        assert!(KNOWN.iter().all(|name| is_own(name)));
    }
}
