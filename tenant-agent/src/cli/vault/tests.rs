use super::*;
use crate::cli::context::Environment;
use crate::testing::{Counted, TestClock};

fn run_in(dir: &Path, command: VaultCommand) -> (Result<(), CliError>, String) {
    let env = Environment {
        credentials_dir: None,
        agent_token: None,
        program: "/bin/false".into(),
        clock: std::sync::Arc::new(TestClock::new()),
        chance: std::sync::Arc::new(Counted::default()),
        waypoints: std::sync::Arc::new(wardkeep_proto::waypoint::NoWaypoints),
    };
    let mut out = Vec::new();
    let done = run(command, &mut Context { env: &env, config_path: dir.join("agent.toml"), out: &mut out });
    (done, String::from_utf8(out).expect("text"))
}

#[test]
fn an_import_that_left_something_out_fails_after_the_rest_is_stored() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path();
    let config = format!(
        "state_dir = \"{0}/state\"\nruntime_dir = \"{0}/run\"\n[vault]\nkey_file = \"{0}/vault.key\"\n",
        path.display()
    );
    std::fs::write(path.join("agent.toml"), config).expect("written");
    run_in(path, VaultCommand::Init).0.expect("made");
    let import = |text: &str| {
        let file = path.join("input.env");
        std::fs::write(&file, text).expect("written");
        run_in(path, VaultCommand::Import { file })
    };

    let (done, said) = import("FIRST=long-enough-1\nSHORT=hunter2\n_X=long-enough-2\nLAST=long-enough-3\n");
    let error = done.expect_err("two were left out").to_string();
    assert!(error.contains("SHORT") || error.contains("short"), "{error}");
    assert!(error.contains("_X") && error.starts_with("2 of"), "{error}");
    assert!(!error.contains("hunter2") && !said.contains("hunter2") && !error.contains("long-enough"));
    let (listed, names) = run_in(path, VaultCommand::List { json: false });
    listed.expect("lists");
    assert!(names.contains("first") && names.contains("last") && !names.contains("short"), "{names}");

    import("FIRST=long-enough-1\nNEXT=long-enough-4\n").0.expect("nothing was left out");
}
