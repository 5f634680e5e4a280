use std::ffi::OsString;

use clap::{CommandFactory as _, Parser as _};

use super::*;

fn parse(line: &str) -> Result<Command, clap::error::ErrorKind> {
    let words = std::iter::once("wardkeep-agent").chain(line.split_whitespace());
    Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| error.kind())
}

#[test]
fn the_definition_holds_together_and_every_command_has_words() {
    let mut command = Cli::command();
    command.build();
    command.clone().debug_assert();
    fn walk(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{} has no help", command.get_name());
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some() || argument.is_hide_set(),
                "{}: {}",
                command.get_name(),
                argument.get_id()
            );
        }
        command.get_subcommands().filter(|c| c.get_name() != "help").for_each(walk);
    }
    walk(&command);
}

#[test]
fn the_daemons_own_line_is_read_as_the_tree_reads_it() {
    const VARIABLE: &str = "/etc/elsewhere.toml";
    let short = |line: &str, variable: Option<&str>| {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        Cli::of_daemon(&words, variable.map(OsString::from))
    };
    for line in [
        "",
        "status",
        "runs",
        "RUN",
        "--config",
        "run run",
        "run --config /a.toml",
        "--config=/a.toml run",
        "--config /a.toml",
        "--config /a.toml status",
        "--config  run",
        "--config -x run",
        "--config --help run",
        "--help run",
        "-c /a.toml run",
        "--config /a.toml run --help",
    ] {
        assert!(short(line, None).is_none() && short(line, Some(VARIABLE)).is_none(), "{line}");
    }
    assert!(short("run", Some("")).is_none() && short("run", Some("-x")).is_none());
    for line in ["run", "--config /a.toml run", "--config a run"] {
        let own = short(line, None).expect("the daemon's");
        let words = std::iter::once("wardkeep-agent").chain(line.split(' '));
        let tree = Cli::try_parse_from(words).expect("a line of the tree");
        assert_eq!((&own.config, matches!(own.command, Command::Run)), (&tree.config, true), "{line}");
        assert!(matches!(tree.command, Command::Run));
    }
    let named = |line| short(line, Some(VARIABLE)).map(|cli| cli.config);
    assert_eq!(named("run"), Some(VARIABLE.into()));
    assert_eq!(named("--config /a.toml run"), Some("/a.toml".into()));
    // As the installed unit calls it.
    let unit = include_str!("../../../provisioner/src/steps/wardkeep-agent.service");
    let called = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/wardkeep-agent "));
    assert!(called.is_some_and(|line| short(line, None).is_some()), "{called:?}");
}

#[test]
fn secrets_have_no_place_on_the_command_line() {
    use clap::error::ErrorKind::{MissingRequiredArgument, UnknownArgument};
    for (line, kind) in [
        ("enrol wke1.abc", UnknownArgument),
        ("enrol --token wke1.abc", UnknownArgument),
        ("vault set name value", UnknownArgument),
        ("exec 01890000-0000-7000-8000-000000000001 --token x", UnknownArgument),
        ("hook call token", UnknownArgument),
        ("vault bind name", MissingRequiredArgument),
    ] {
        assert_eq!(parse(line).expect_err(line), kind, "{line}");
    }
}

#[test]
fn names_are_checked_before_anything_is_done() {
    for line in [
        "vault set Bad-Name",
        "hook token UPPER",
        "exec not-a-permit",
        "pause a_b",
        "stop *",
        "status --wait-online soon",
    ] {
        assert_eq!(parse(line).expect_err(line), clap::error::ErrorKind::ValueValidation, "{line}");
    }
}

#[test]
fn the_usual_lines_are_understood() {
    for line in [
        "enrol",
        "enrol --token-file /tmp/t",
        "run --config /etc/wardkeep/agent.toml",
        "status --json --wait-online 30",
        "vault init",
        "vault set api_key --to host:api.example.com --to tool:shell/curl",
        "vault list --json",
        "vault rm a",
        "vault bind a host:b.example",
        "vault unbind a host:b.example",
        "vault import .env",
        "approvals list --all --json",
        "approvals show A-1f2e3d4c",
        "approvals approve A-1f2e3d4c --note fine",
        "approvals deny A-1f2e3d4c",
        "audit verify",
        "audit verify --against-hub --json",
        "audit show --last 5 --json",
        "audit show --follow --agent office --since 2h --until 2026-12-01 --class red --decision denied --text mail",
        "audit export --format ocsf --kind vault- --offline",
        "policy show --json",
        "policy verify",
        "pause office",
        "stop office --reason loud --json",
        "stop --all",
        "resume office --reason quiet",
        "resume --all --reason quiet --json",
        "exec 01890000-0000-7000-8000-000000000001 --token-file t",
        "hook token office --rotate",
        "hook call",
        "classify --explain",
        "classify ls",
        "classify --jsonl",
        "redact --vault v --jsonl --report",
        "egress lock --dry-run",
        "egress unlock --yes",
        "egress status --json",
        "helper --restore",
        "doctor --json",
        "config",
        "runner",
        "launcher",
        "probe",
    ] {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
    }
}
