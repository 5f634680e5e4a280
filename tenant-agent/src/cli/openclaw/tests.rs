//! The commands on files of their own; what the daemon and the hub bring is played by `./dev e2e openclaw`.

use clap::Parser as _;
use serde_json::Value;

use super::*;
use crate::cli::{Cli, Command};

fn parsed(words: &[&str]) -> OpenclawCommand {
    match Cli::parse_from([&["wardkeep-agent", "openclaw"], words].concat()).command {
        Command::Openclaw(command) => command,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_dry_run_of_the_installation_writes_nothing_and_a_second_run_changes_nothing() {
    let root = tempfile::tempdir().expect("tempdir");
    let dir = root.path().join("plugin").display().to_string();
    let env = crate::testing::environment();
    let said = |words: &[&str]| {
        let mut out = Vec::new();
        let mut context = Context { env: &env, config_path: root.path().join("none.toml"), out: &mut out };
        let OpenclawCommand::Install(args) = parsed(words) else { panic!("install") };
        install(&args, &mut context).expect("installed");
        String::from_utf8(out).expect("text")
    };
    assert!(said(&["install", "--plugin-dir", &dir, "--dry-run"]).contains("would be written"));
    assert!(!Path::new(&dir).exists());
    assert!(said(&["install", "--plugin-dir", &dir]).lines().all(|line| line.starts_with("written")));
    assert!(said(&["install", "--plugin-dir", &dir]).lines().all(|line| line.starts_with("as it was")));
    let json: Value = serde_json::from_str(&said(&["install", "--plugin-dir", &dir, "--json"])).expect("JSON");
    assert_eq!(json["files"].as_array().map(Vec::len), Some(PLUGIN.len()));
}

#[test]
fn its_state_and_the_workspace_are_apart() {
    let root = tempfile::tempdir().expect("tempdir");
    let made = |name: &str| {
        let path = root.path().join(name);
        fs::create_dir_all(&path).expect("folder");
        path
    };
    let (workspace, beside) = (made("srv/office"), made("srv/office-state"));
    std::os::unix::fs::symlink(&workspace, root.path().join("link")).expect("link");
    for home in
        [made("srv/office/state"), workspace.clone(), made("srv"), root.path().join("link"), workspace.join("new")]
    {
        assert!(matches!(apart(&home, &workspace), Err(CliError::Usage(_))), "{}", home.display());
    }
    apart(&beside, &workspace).expect("apart");
    apart(&root.path().join("not-there-yet"), &workspace).expect("apart");
}
