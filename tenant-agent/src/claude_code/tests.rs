//! What is written is what is looked for.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use wardkeep_policy::Subagents;

use super::check::look;
use super::layout::{EVENTS, Layout};
use crate::doctor::Level;
use crate::openclaw::given::Given;

fn layout(root: &Path) -> Layout {
    Layout {
        given: Given {
            agent: "office".parse().unwrap(),
            subagents: Subagents::default(),
            tools: vec!["shop_get_order".to_owned()],
            runner: "/usr/bin/wardkeep-agent".into(),
            socket: "/run/wardkeep/hook.sock".into(),
            token_file: root.join("etc/o'ffice/token"),
        },
        managed_dir: root.join("managed"),
        workspace: "/srv/agents/office".into(),
        model: "assistant".to_owned(),
        llm: "http://127.0.0.1:7400".to_owned(),
        wait_seconds: 45,
    }
}

fn written(root: &Path) -> Layout {
    let layout = layout(root);
    for file in layout.files("wka1_secret-of-the-agent") {
        file.write(None).unwrap();
    }
    layout
}

/// Everything but the owners, who depend on whose test this is.
fn wrong(layout: &Layout) -> Vec<String> {
    let all = look(layout, "nobody").into_iter().filter(|f| f.check != "claude-code owners" && f.level != Level::Ok);
    all.map(|f| f.found).collect()
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

#[test]
fn whatever_becomes_of_the_hook_ends_in_a_yes_or_a_no() {
    let root = tempfile::tempdir().unwrap();
    let settings = layout(root.path()).settings();
    for event in EVENTS {
        let hook = &settings["hooks"][event][0];
        assert!(hook.get("matcher").is_none(), "every tool is asked about");
        let command = hook["hooks"][0]["command"].as_str().unwrap();
        assert!(command.starts_with("'/usr/bin/wardkeep-agent' hook claude-code ") && command.ends_with(" || exit 2"));
        assert!(command.contains(r"o'\''ffice/token'"), "{command}");
        assert!(hook["hooks"][0]["timeout"].as_u64().unwrap() > 45 + 15);
    }
    // A real shell takes it so: no program, and the code is the one that refuses.
    let gone = settings["hooks"]["PreToolUse"][0]["hooks"][0]["command"].as_str().unwrap();
    let gone = gone.replace("/usr/bin/wardkeep-agent", "/nonexistent/wardkeep-agent");
    let status = std::process::Command::new("sh").args(["-c", &gone]).stderr(std::process::Stdio::null()).status();
    assert_eq!(status.unwrap().code(), Some(2));
}

#[test]
fn what_was_written_holds_and_no_token_stands_where_all_may_read() {
    let root = tempfile::tempdir().unwrap();
    let layout = written(root.path());
    assert_eq!(wrong(&layout), Vec::<String>::new());
    for open in [layout.settings_file(), layout.servers_file()] {
        assert!(!fs::read_to_string(open).unwrap().contains("wka1_"));
    }
}

#[test]
fn every_loosened_setting_is_found() {
    for (change, at) in [
        (json!({"disableAllHooks": true}), "disableAllHooks"),
        (json!({"allowManagedHooksOnly": false}), "allowManagedHooksOnly"),
        (json!({"permissions": {"disableBypassPermissionsMode": "disable", "allow": ["Bash"]}}), "permissions.allow"),
        (json!({"hooks": {}}), "hooks.PreToolUse"),
        (json!({"apiKeyHelper": "cat /tmp/x"}), "apiKeyHelper"),
        (json!({"statusLine": {"type": "command", "command": "x"}}), "statusLine"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let layout = written(root.path());
        edit(&layout.settings_file(), |settings| {
            let map = settings.as_object_mut().unwrap();
            map.extend(change.as_object().unwrap().clone());
        });
        let found = wrong(&layout);
        assert!(found.len() == 1 && found[0].contains(at), "{at}: {found:?}");
    }
}

#[test]
fn settings_beside_ours_count_too() {
    let root = tempfile::tempdir().unwrap();
    let layout = written(root.path());
    let beside = layout.managed_dir.join("managed-settings.d/zz.json");
    fs::write(&beside, json!({"companyAnnouncements": ["hello"], "env": {"FOO": "x"}}).to_string()).unwrap();
    assert_eq!(wrong(&layout), Vec::<String>::new());
    fs::write(&beside, json!({"disableAllHooks": true, "env": {"LD_PRELOAD": "/x.so"}}).to_string()).unwrap();
    let found = wrong(&layout);
    assert!(found[0].contains("disableAllHooks in") && found[0].contains("env.LD_PRELOAD in"), "{found:?}");
    fs::remove_file(&beside).unwrap();
    fs::write(layout.managed_dir.join("managed-settings.json"), "{").unwrap();
    assert!(wrong(&layout)[0].contains("is no JSON"));
}

#[test]
fn servers_of_an_administrator_stay_and_ours_is_ours() {
    let root = tempfile::tempdir().unwrap();
    let layout = written(root.path());
    edit(&layout.servers_file(), |file| {
        file["mcpServers"]["tickets"] = json!({"type": "stdio", "command": "/usr/bin/tickets"});
        file["mcpServers"]["wardkeep"]["command"] = "/tmp/another".into();
    });
    assert!(wrong(&layout)[0].contains("another server wardkeep"));
    let layout = written(root.path());
    assert_eq!(wrong(&layout), Vec::<String>::new());
    let file: Value = serde_json::from_slice(&fs::read(layout.servers_file()).unwrap()).unwrap();
    assert_eq!(file["mcpServers"]["tickets"]["command"], "/usr/bin/tickets");
    let mut none = layout;
    none.given.tools.clear();
    assert!(wrong(&none)[0].contains("another server wardkeep"), "the policy gives no tools any more");
}
