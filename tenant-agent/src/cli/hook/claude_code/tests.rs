//! The words of the protocol; the vendor's own program is played by `./dev e2e claude`.

use super::after::instead;
use super::before::{args_of, asked_at_the_terminal, decision, outside};
use super::*;

fn event(tool: &str, input: Value) -> Event {
    serde_json::from_value(json!({
        "hook_event_name": "PreToolUse", "session_id": "s", "tool_name": tool, "tool_input": input,
        "tool_use_id": "toolu_1", "transcript_path": "/x", "permission_mode": "default",
    }))
    .expect("an event")
}

#[test]
fn only_a_plain_yes_allows() {
    let permit = "01890a5d-ac96-774b-bcce-b302099a8057";
    for (answer, want) in [
        (json!({"decision": "allow", "permit": permit}), "allow"),
        (json!({"decision": "allow"}), "deny"),
        (json!({"decision": "pending", "message": "Waiting (A-1)"}), "deny"),
        (json!({"decision": "deny", "message": "no"}), "deny"),
        (json!({"decision": "done", "permit": permit, "result": {"output": "x"}}), "deny"),
        (json!({}), "deny"),
    ] {
        let said = decision(&event("Read", json!({"file_path": "/a"})), &answer, "w exec ", "");
        assert_eq!(said["hookSpecificOutput"]["permissionDecision"], want, "{answer}");
        assert!(said["hookSpecificOutput"].get("updatedInput").is_none());
    }
}

#[test]
fn a_command_is_run_by_the_daemon() {
    let answer = json!({"decision": "allow", "permit": "p"});
    let bash = event("Bash", json!({"command": "printenv", "description": "look"}));
    let said = decision(&bash, &answer, "'/usr/bin/wardkeep-agent' exec ", " --token-file '/t'");
    let input = &said["hookSpecificOutput"]["updatedInput"];
    assert_eq!(input["command"], "'/usr/bin/wardkeep-agent' exec p --token-file '/t'");
    assert_eq!(input["description"], "look");
}

#[test]
fn a_tool_of_our_own_server_gets_the_permit_and_nothing_else() {
    let answer = json!({"decision": "allow", "permit": "p"});
    for (name, ours) in
        [("mcp__wardkeep__shop_write", true), ("mcp__other__shop_write", false), ("mcp__Wardkeep__x", false)]
    {
        let said = decision(&event(name, json!({"to": "a@b.example"})), &answer, "w exec ", "");
        let input = said["hookSpecificOutput"].get("updatedInput");
        assert_eq!(input, ours.then(|| json!({"wardkeep_permit": "p"})).as_ref(), "{name}");
    }
    assert_eq!(tool("mcp__wardkeep__shop_write"), "shop_write");
    assert_eq!(tool("mcp__other__shop_write"), "mcp__other__shop_write");
}

#[test]
fn what_answers_under_our_servers_name_is_not_told() {
    let refused =
        || ClientError::Refused { status: http::StatusCode::CONFLICT, message: "it did not run here".to_owned() };
    for heard in [Err(refused()), Ok(json!({})), Ok(json!({"output": 1}))] {
        let said = instead(heard);
        assert_eq!(said["decision"], "block");
        let told = said["hookSpecificOutput"]["updatedMCPToolOutput"].as_str().expect("words");
        assert!(told.contains("no result of this call"), "{told}");
    }
    let said = instead(Ok(json!({"output": "the daemon's"})));
    assert_eq!(said["hookSpecificOutput"]["updatedMCPToolOutput"], "the daemon's");
    assert!(said.get("decision").is_none());
}

#[test]
fn a_subagents_calls_are_named_as_such() {
    let mut event = event("Read", json!({}));
    assert_eq!(event.session(), "s");
    event.agent_id = Some("a17".to_owned());
    assert_eq!(event.session(), "s:subagent:a17");
}

#[test]
fn words_are_quoted_for_the_shell() {
    assert_eq!(quoted(std::path::Path::new("/a b'c")), r"'/a b'\''c'");
}

#[test]
fn nobody_at_the_terminal_allows_what_came_past_the_hook() {
    let said = asked_at_the_terminal(&event("Write", json!({}))).expect("an answer");
    assert_eq!(said["hookSpecificOutput"]["decision"]["behavior"], "deny");
    assert!(asked_at_the_terminal(&event("AskUserQuestion", json!({}))).is_none());
}

#[test]
fn references_before_a_command_are_its_environment() {
    for (command, rest, env) in [
        ("KEY=SECRET_REF(a) printenv KEY", "printenv KEY", json!({"KEY": "SECRET_REF(a)"})),
        (
            "  A=SECRET_REF(x) B_2=SECRET_REF(y-1)  psql",
            "psql",
            json!({"A": "SECRET_REF(x)", "B_2": "SECRET_REF(y-1)"}),
        ),
        // Anything else stays as it is, and is refused as it was.
        ("KEY=SECRET_REF(a)", "KEY=SECRET_REF(a)", Value::Null),
        ("KEY=SECRET_REF(a); env", "KEY=SECRET_REF(a); env", Value::Null),
        ("KEY=xSECRET_REF(a) env", "KEY=xSECRET_REF(a) env", Value::Null),
        ("KEY=$(SECRET_REF(a) env)", "KEY=$(SECRET_REF(a) env)", Value::Null),
        ("2K=SECRET_REF(a) env", "2K=SECRET_REF(a) env", Value::Null),
        ("echo KEY=SECRET_REF(a) env", "echo KEY=SECRET_REF(a) env", Value::Null),
        ("ls", "ls", Value::Null),
    ] {
        let args = args_of(&event("Bash", json!({"command": command, "description": "d"})));
        assert_eq!((args["command"].as_str(), &args["env"]), (Some(rest), &env), "{command}");
        assert_eq!(args["description"], "d");
    }
    let other = args_of(&event("Write", json!({"command": "KEY=SECRET_REF(a) x"})));
    assert_eq!(other, json!({"command": "KEY=SECRET_REF(a) x"}));
}

#[test]
fn the_runtimes_own_tools_open_files_of_the_workspace() {
    let root = tempfile::tempdir().expect("a folder");
    let workspace = root.path().join("work");
    std::fs::create_dir_all(workspace.join("notes")).expect("made");
    std::fs::write(root.path().join("key"), "x").expect("written");
    std::os::unix::fs::symlink(root.path().join("key"), workspace.join("link")).expect("linked");
    std::os::unix::fs::symlink(root.path().join("later"), workspace.join("dangling")).expect("linked");
    let at = |name: &str| workspace.join(name).display().to_string();
    for (tool, path, refused) in [
        ("Read", root.path().join("key").display().to_string(), true),
        ("Read", at("link"), true),
        ("Write", at("dangling"), true),
        ("Edit", at("notes/../../key"), true),
        ("Read", "/proc/self/environ".to_owned(), true),
        ("Write", "../key".to_owned(), true),
        ("Write", "notes/new/deep.md".to_owned(), false),
        ("Read", at("notes"), false),
        ("mcp__files__read", root.path().join("key").display().to_string(), false),
    ] {
        let mut event = event(tool, json!({"file_path": path}));
        event.cwd = Some(workspace.display().to_string());
        assert_eq!(outside(&event, &workspace).is_some(), refused, "{tool} {path}");
    }
    for (tool, input, refused) in [
        ("Grep", json!({"pattern": "x", "path": "~"}), true),
        ("Grep", json!({"pattern": "x", "path": format!(" {}", root.path().display())}), true),
        ("Grep", json!({"pattern": "x", "path": "link "}), true),
        ("Glob", json!({"pattern": format!("{}/*", root.path().display())}), true),
        ("Glob", json!({"pattern": format!("{}*", workspace.display())}), true),
        ("Glob", json!({"pattern": "~/*"}), true),
        ("Glob", json!({"pattern": "\u{a0}~*"}), true),
        ("Glob", json!({"pattern": "\u{feff}/etc/*"}), true),
        ("Glob", json!({"pattern": " /etc/*", "path": at("notes")}), true),
        ("Grep", json!({"pattern": "/etc/passwd"}), false),
        ("Glob", json!({"pattern": format!("{}/**/*.md", workspace.display())}), false),
        ("Glob", json!({"pattern": "**/*.md"}), false),
    ] {
        let mut event = event(tool, input.clone());
        event.cwd = Some(workspace.display().to_string());
        assert_eq!(outside(&event, &workspace).is_some(), refused, "{tool} {input}");
    }
    assert!(outside(&event("Read", json!({"file_path": at("notes")})), &root.path().join("gone")).is_some());
}
