//! Programs that start the program which their arguments name, and the options that stand before it.

/// How to find the command behind a wrapper. An option that is not listed is refused: it might take the next word.
pub(super) struct Wrapper {
    pub(super) name: &'static str,
    /// Short options with a value.
    pub(super) values: &'static str,
    /// Short options without.
    pub(super) flags: &'static str,
    /// Long options with a value in the next word or after `=`.
    pub(super) long_values: &'static [&'static str],
    /// Long options without, or with a value after `=` only.
    pub(super) long_flags: &'static [&'static str],
    /// Operands before the command.
    pub(super) skip: usize,
}

const fn wrapper(
    name: &'static str,
    values: &'static str,
    flags: &'static str,
    long_values: &'static [&'static str],
    long_flags: &'static [&'static str],
    skip: usize,
) -> Wrapper {
    Wrapper { name, values, flags, long_values, long_flags, skip }
}

/// One line per program; options as in coreutils 9, util-linux 2.40, sudo 1.9, findutils 4.10.
pub(super) static WRAPPERS: &[Wrapper] = &[
    wrapper("nice", "n", "0123456789", &["adjustment"], &[], 0),
    wrapper("nohup", "", "", &[], &[], 0),
    wrapper("setsid", "", "cfw", &[], &["ctty", "fork", "wait"], 0),
    wrapper("timeout", "ks", "fpv", &["kill-after", "signal"], &["foreground", "preserve-status", "verbose"], 1),
    wrapper("stdbuf", "ioe", "", &["input", "output", "error"], &[], 0),
    wrapper("ionice", "cn", "t", &["class", "classdata"], &["ignore"], 0),
    wrapper("chrt", "TPD", "abfiorRv", &[], &["all-tasks", "batch", "fifo", "idle", "other", "rr"], 1),
    wrapper("taskset", "", "ac", &[], &["all-tasks", "cpu-list"], 1),
    wrapper("time", "fo", "apqv", &["format", "output"], &["append", "portability", "quiet", "verbose"], 0),
    wrapper("command", "", "p", &[], &[], 0),
    wrapper("builtin", "", "", &[], &[], 0),
    wrapper("exec", "a", "cl", &[], &[], 0),
    wrapper("env", "uC", "0iv", &["unset", "chdir"], &["ignore-environment", "null", "debug"], 0),
    wrapper("doas", "uC", "nL", &[], &[], 0),
    wrapper("chronic", "", "ev", &[], &[], 0),
    wrapper("unbuffer", "", "p", &[], &[], 0),
    wrapper("setarch", "", "RZ", &[], &[], 1),
    wrapper("fakeroot", "", "", &[], &[], 0),
    wrapper("busybox", "", "", &[], &[], 0),
    wrapper("toybox", "", "", &[], &[], 0),
    wrapper("pkexec", "", "", &["user"], &["disable-internal-agent"], 0),
    wrapper("flatpak-spawn", "", "", &[], &["host"], 0),
    wrapper(
        "sudo",
        "ughpCDRTrtU",
        "AbEHknNPSB",
        &["user", "group", "host", "prompt", "close-from", "chdir", "chroot", "command-timeout", "role", "type"],
        &["askpass", "background", "preserve-env", "set-home", "reset-timestamp", "non-interactive", "stdin", "bell"],
        0,
    ),
    wrapper(
        "xargs",
        "adEILnPs",
        "0rtxpo",
        &["arg-file", "delimiter", "max-args", "max-procs", "max-chars"],
        &["null", "no-run-if-empty", "verbose", "exit", "interactive", "open-tty", "replace", "eof", "max-lines"],
        0,
    ),
    wrapper(
        "parallel",
        "jnNIaLs",
        "0kmXtqu",
        &["jobs", "max-args", "delay", "timeout", "arg-file"],
        &["null", "keep-order", "bar", "progress", "eta", "dry-run", "halt", "joblog", "will-cite", "verbose"],
        0,
    ),
];
