//! What is written is what is looked for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::json;
use wardkeep_policy::Subagents;

use super::check::{Places, differences, look};
use super::files::{Done, Planned, account, writable_by};
use super::given::Given;
use super::layout::{ENVIRONMENT, Layout, Tokens};
use super::*;
use crate::doctor::Level;

fn layout(root: &Path) -> Layout {
    Layout {
        given: Given {
            agent: "office".parse().unwrap(),
            subagents: Subagents::default(),
            tools: vec!["shop_get_order".to_owned()],
            runner: "/usr/bin/wardkeep-agent".into(),
            socket: "/run/wardkeep/hook.sock".into(),
            token_file: root.join("etc/token"),
        },
        user: "agent".to_owned(),
        folder: root.join("etc"),
        plugin_dir: root.join("plugin"),
        home: root.join("home"),
        workspace: "/srv/agents/office".to_owned(),
        models: vec!["assistant".to_owned(), "small".to_owned()],
        llm: "http://127.0.0.1:7400".to_owned(),
        port: 18_789,
        wait_seconds: 120,
    }
}

fn tokens() -> Tokens {
    Tokens { agent: "wka1_secret-of-the-agent".to_owned(), gateway: "secret-of-the-gateway".to_owned() }
}

fn written(root: &Path) -> Layout {
    let layout = layout(root);
    for file in layout.files(&tokens(), None) {
        file.write(None).unwrap();
    }
    for (name, content) in PLUGIN {
        Planned::open(layout.plugin_dir.join(name), *content).write(None).unwrap();
    }
    layout
}

/// Everything but the owners, who depend on whose test this is.
fn wrong(layout: &Layout) -> Vec<String> {
    wrong_for(layout, Some(layout))
}

fn wrong_for(layout: &Layout, of: Option<&Layout>) -> Vec<String> {
    let places = Places { folder: &layout.folder, plugin_dir: &layout.plugin_dir, user: "nobody", layout: of };
    let all = look(&places).into_iter().filter(|f| f.check != "openclaw owners" && f.level != Level::Ok);
    all.map(|f| f.found).collect()
}

#[test]
fn the_plugin_is_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../safety-wrapper/openclaw-plugin");
    let mut there: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "test")
        .collect();
    there.sort();
    assert_eq!(there, PLUGIN.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    for (name, content) in PLUGIN.iter().filter(|(name, _)| name.ends_with(".json")) {
        serde_json::from_str::<Value>(content).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn what_was_written_holds_and_each_edit_is_found() {
    let root = tempfile::tempdir().unwrap();
    let layout = written(root.path());
    assert_eq!(wrong(&layout), Vec::<String>::new());
    let path = layout.config_file();
    let good = fs::read_to_string(&path).unwrap();
    for (pointer, value) in [
        ("/plugins/entries/wardkeep/enabled", json!(false)),
        ("/plugins/entries/wardkeep/hooks/allowConversationAccess", json!(false)),
        ("/plugins/allow", json!(["wardkeep", "other"])),
        ("/plugins/load/paths", json!(["/tmp/evil"])),
        ("/gateway/reload/mode", json!("hybrid")),
        ("/tools/toolSearch", json!(true)),
        ("/tools/codeMode", json!("auto")),
        ("/tools/exec/host", json!("node")),
        ("/tools/elevated/enabled", json!(true)),
        ("/gateway/terminal/enabled", json!(true)),
        ("/gateway/tools/deny", json!([])),
        ("/commands/bash", json!(true)),
        ("/cron/enabled", json!(true)),
        ("/tools/exec/security", json!("full")),
        ("/tools/exec/safeBins", json!(["wardkeep-agent", "env"])),
        ("/tools/deny", json!(["process"])),
        ("/models/mode", json!("merge")),
        ("/models/providers", json!({"wardkeep": {}, "openai": {}})),
        ("/agents/defaults/subagents/maxSpawnDepth", json!(5)),
        ("/agents/defaults/subagents/maxChildrenPerAgent", json!(20)),
        ("/mcp/servers/wardkeep/command", json!("/tmp/evil")),
        ("/mcp/servers/wardkeep/args", json!(["mcp", "--agent", "other"])),
        ("/mcp/servers", json!({})),
    ] {
        let mut config: Value = serde_json::from_str(&good).unwrap();
        *config.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        fs::write(&path, config.to_string()).unwrap();
        let said = wrong(&layout).join("; ");
        // Of a server the whole of it is compared.
        let place = if pointer.starts_with("/mcp") { "/mcp/servers/wardkeep" } else { pointer };
        assert!(said.contains(&place[1..].replace('/', ".")), "{pointer}: {said}");
    }
    // Settings that are not there at all loosen what is fixed as well.
    for (under, name, value) in [
        ("/models/providers/wardkeep", "agentRuntime", json!({"id": "codex"})),
        ("/models/providers/wardkeep", "models", json!([{"id": "assistant", "agentRuntime": {"id": "codex"}}])),
        ("/agents/defaults", "models", json!({"wardkeep/*": {"agentRuntime": {"id": "claude-cli"}}})),
        ("/agents/defaults", "models", json!({"wardkeep/assistant": {"codeMode": true}})),
        ("/agents", "entries", json!({"main": {"tools": {"exec": {"host": "node"}}}})),
        ("/agents", "entries", json!({"main": {"runtime": {"type": "acp"}}})),
        ("/agents/defaults", "sandbox", json!({"mode": "all"})),
        ("/tools", "byProvider", json!({"wardkeep": {"allow": ["*"]}})),
        ("/tools", "toolsBySender", json!({"*": {"allow": ["*"]}})),
        ("/tools", "alsoAllow", json!(["process"])),
        ("/tools/exec", "node", json!("laptop")),
        // Alike, once OpenClaw made a name of a tool from it.
        ("/mcp/servers", "Wardkeep", json!({"command": "/tmp/evil"})),
        ("/mcp/servers", " wardkeep", json!({"command": "/tmp/evil"})),
        ("/mcp/servers", "wardkeep_", json!({"command": "/tmp/evil"})),
        ("/mcp/servers", "wardkeep__shop", json!({"url": "https://evil.example/mcp"})),
        ("/mcp/servers/wardkeep", "env", json!({"LD_PRELOAD": "/tmp/evil.so"})),
    ] {
        let mut config: Value = serde_json::from_str(&good).unwrap();
        config.pointer_mut(under).unwrap()[name] = value.clone();
        fs::write(&path, config.to_string()).unwrap();
        let said = wrong(&layout).join("; ");
        assert!(said.contains(&under[1..].replace('/', ".")), "{under}/{name} {value}: {said}");
    }
    fs::write(&path, "{").unwrap();
    assert!(wrong(&layout)[0].contains("no JSON"));
    fs::write(&path, &good).unwrap();
    let kept = layout.folder.join("openclaw.json.bak");
    fs::write(&kept, &good).unwrap();
    assert!(wrong(&layout)[0].contains("openclaw.json.bak"));
    fs::remove_file(kept).unwrap();
    fs::write(layout.plugin_dir.join("gate.mjs"), "").unwrap();
    assert!(wrong(&layout)[0].contains("gate.mjs"));
}

/// The configuration with `value` at `pointer`; what was not there is made.
fn edited(good: &str, pointer: &str, value: Value) -> String {
    let mut config: Value = serde_json::from_str(good).unwrap();
    let mut at = &mut config;
    for name in pointer[1..].split('/') {
        at = at.as_object_mut().unwrap().entry(name).or_insert_with(|| json!({}));
    }
    *at = value;
    config.to_string()
}

#[test]
fn whatever_was_added_or_points_elsewhere_is_found() {
    let root = tempfile::tempdir().unwrap();
    let layout = written(root.path());
    let path = layout.config_file();
    let good = fs::read_to_string(&path).unwrap();
    let edits = [
        ("/plugins/entries/wardkeep/config/socket", json!("/tmp/evil.sock")),
        ("/plugins/entries/wardkeep/config/tokenFile", json!("/tmp/token")),
        ("/plugins/entries/wardkeep/config/runner", json!("/tmp/evil")),
        ("/plugins/entries/wardkeep/config/workspace", json!("/")),
        ("/plugins/entries/wardkeep/config/outgoing", json!("clean")),
        ("/plugins/entries/wardkeep/config/refusalsInARow", json!(100)),
        ("/plugins/entries/wardkeep/config/waitSeconds", json!(601)),
        ("/plugins/entries/wardkeep/hooks/timeouts/message_sending", json!(1)),
        ("/plugins/entries/wardkeep/hooks/timeouts/llm_output", json!(1)),
        ("/plugins/entries/wardkeep/hooks/timeoutMs", json!(1)),
        ("/plugins/entries/other", json!({"enabled": true})),
        ("/plugins/slots", json!({"memory": "evil"})),
        ("/agents/defaults/model/primary", json!("claude-cli/opus")),
        ("/agents/defaults/model/fallbacks", json!(["claude-cli/opus"])),
        ("/agents/defaults/modelPolicy", json!({})),
        ("/agents/defaults/workspace", json!("/")),
        ("/agents/defaults/cwd", json!("/")),
        ("/agents/defaults/cliBackends", json!({"evil": {"command": "/tmp/evil"}})),
        ("/agents/defaults/imageModel", json!("claude-cli/opus")),
        ("/agents/defaults/subagents/allowAgents", json!(["*"])),
        ("/tools/exec/safeBinTrustedDirs", json!(["/tmp"])),
        ("/tools/exec/safeBinTrustedDirs", json!(["/usr/bin", "/tmp"])),
        ("/tools/exec/pathPrepend", json!(["/tmp"])),
        ("/tools/media", json!({"models": [{"type": "cli", "command": "/tmp/evil"}]})),
        ("/models/providers/wardkeep/baseUrl", json!("http://127.0.0.1:9/v1")),
        ("/models/providers/wardkeep/headers", json!({"x": "y"})),
        ("/models/providers/openai", json!({"baseUrl": "https://api.openai.com/v1"})),
        ("/gateway/port", json!(70_000)),
        ("/gateway/nodes", json!({"allowCommands": ["system.run"]})),
        ("/gateway/http/securityHeaders", json!({})),
        ("/acp/enabled", json!(true)),
        ("/env/shellEnv", json!({"enabled": true})),
        ("/env", json!({"vars": {"LD_PRELOAD": "/tmp/evil.so"}})),
        ("/$include", json!("/tmp/evil.json")),
        ("/channels/telegram/$include", json!("/tmp/evil.json")),
        ("/mcp/servers/probe/$include", json!("/tmp/evil.json")),
        ("/agents/$include", json!("/tmp/evil.json")),
        ("/bindings", json!([{"type": "acp"}])),
        ("/hooks/mappings", json!([{"transform": {"module": "/tmp/evil.mjs"}}])),
        ("/skills", json!({"load": {"extraDirs": ["/tmp"]}})),
        ("/secrets", json!({})),
        ("/proxy", json!({"enabled": true})),
        ("/what-the-next-release-brings", json!(true)),
    ];
    for (pointer, value) in edits {
        fs::write(&path, edited(&good, pointer, value.clone())).unwrap();
        let said = wrong(&layout).join("; ");
        // Of what is missing or added the outermost place is named.
        let place = pointer[1..].replace('/', ".");
        let outer = place.rsplit_once('.').map_or("", |(outer, _)| outer);
        assert!(said.contains(&place) || (!outer.is_empty() && said.contains(outer)), "{pointer} {value}: {said}");
    }
    // Nor is it anything else without an agent's policy, but for what the policy gives.
    for (pointer, value) in [
        ("/plugins/entries/wardkeep/config/outgoing", json!("clean")),
        ("/plugins/entries/wardkeep/hooks/timeouts/message_sending", json!(1)),
        ("/agents/defaults/model/primary", json!("claude-cli/opus")),
        ("/agents/defaults/modelPolicy", json!({})),
        ("/models/providers/wardkeep/models", json!([{"id": "a", "agentRuntime": {"id": "codex"}}])),
        ("/models/providers/wardkeep/baseUrl", json!("https://evil.example/v1")),
        ("/plugins/load/paths", json!(["/tmp/evil"])),
        ("/acp", json!({"enabled": true})),
    ] {
        fs::write(&path, edited(&good, pointer, value)).unwrap();
        let said = wrong_for(&layout, None).join("; ");
        assert!(said.contains(&pointer[1..].replace('/', ".")), "{pointer}: {said}");
    }
    let environment = layout.environment_file();
    fs::write(&path, &good).unwrap();
    let text = fs::read_to_string(&environment).unwrap();
    fs::write(&environment, format!("{text}OPENCLAW_CONFIG_PATH=/tmp/evil.json\n")).unwrap();
    assert!(wrong(&layout)[0].contains("OPENCLAW_CONFIG_PATH"));
}

#[test]
fn what_an_operator_chose_and_openclaw_notes_is_no_finding() {
    let root = tempfile::tempdir().unwrap();
    let layout = written(root.path());
    let path = layout.config_file();
    let mut config = fs::read_to_string(&path).unwrap();
    assert_eq!(wrong_for(&layout, None), Vec::<String>::new());
    for (pointer, value) in [
        // As OpenClaw's own `config set` left it.
        ("/meta", json!({"lastTouchedVersion": OPENCLAW, "migrations": {"modelPolicyAllowlist": true}})),
        ("/wizard", json!({"lastRunAt": "2026-11-22T00:00:00.000Z", "lastRunCommand": "doctor"})),
        ("/$schema", json!("https://openclaw.ai/schema.json")),
        ("/channels/telegram", json!({"enabled": true, "groups": {"*": {"requireMention": true}}})),
        ("/messages/responsePrefix", json!("[office]")),
        ("/session/dmScope", json!("per-channel-peer")),
        ("/mcp/servers/probe", json!({"command": "node", "args": ["probe.mjs"]})),
        ("/gateway/http/endpoints/chatCompletions", json!({"enabled": true})),
        ("/gateway/port", json!(4_242)),
        ("/plugins/entries/wardkeep/config/waitSeconds", json!(600)),
        ("/agents/defaults/userTimezone", json!("Europe/Berlin")),
    ] {
        config = edited(&config, pointer, value);
        fs::write(&path, &config).unwrap();
        assert_eq!(wrong(&layout), Vec::<String>::new(), "{pointer}");
    }
}

#[test]
fn what_the_policy_says_of_subagents_stands_in_the_configuration() {
    let root = tempfile::tempdir().unwrap();
    let of = |depth, count| {
        let mut layout = layout(root.path());
        layout.given.subagents = Subagents { depth, count, ..Subagents::default() };
        layout.given.tools.clear();
        layout.config()
    };
    let denied = |config: &Value| config["tools"]["deny"].as_array().unwrap().contains(&json!("sessions_spawn"));
    for (depth, count, wants, none) in [(0, 3, [1, 3], true), (1, 0, [1, 1], true), (2, 7, [2, 7], false)] {
        let config = of(depth, count);
        let bounds = &config["agents"]["defaults"]["subagents"];
        assert_eq!([&bounds["maxSpawnDepth"], &bounds["maxChildrenPerAgent"]], wants, "{depth} {count}");
        assert_eq!(denied(&config), none, "{depth} {count}");
        assert!(config.get("mcp").is_none(), "a server that would offer nothing");
    }
}

#[test]
fn an_environment_without_its_settings_is_found() {
    let root = tempfile::tempdir().unwrap();
    let layout = written(root.path());
    let path = layout.environment_file();
    let good = fs::read_to_string(&path).unwrap();
    for (name, value, _) in ENVIRONMENT {
        fs::write(&path, good.replace(&format!("{name}={value}\n"), "")).unwrap();
        assert!(wrong(&layout)[0].contains(name));
        // Of two lines the later one counts.
        fs::write(&path, format!("{good}{name}=else\n")).unwrap();
        assert!(wrong(&layout)[0].contains(name));
    }
}

#[test]
fn settings_that_the_agents_user_wrote_are_found_and_not_read() {
    let root = tempfile::tempdir().unwrap();
    let layout = written(root.path());
    for name in DOTENV {
        let path = layout.home.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(wrong(&layout), Vec::<String>::new(), "what the service leaves says nothing");
        fs::write(&path, "OPENCLAW_SERVICE_MANAGED_ENV_KEYS=OPENCLAW_CONFIG_PATH\n").unwrap();
        assert!(wrong(&layout)[0].contains(name));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/nowhere", &path).unwrap();
        assert!(wrong(&layout)[0].contains(name), "a link may lead to what is written later");
        fs::remove_file(&path).unwrap();
        let unread = format!("/dev/null:{}", path.display());
        let unit = layout.unit();
        let line = unit.lines().find(|line| line.starts_with("BindReadOnlyPaths=")).unwrap();
        assert!(line.contains(&unread), "{line}");
    }
    assert!(layout.unit().contains("\nWorkingDirectory=/\n"), "its folder's .env is read, too");
}

#[test]
fn what_the_environment_sets_is_nothing_that_its_user_can_say_anew() {
    // Only what is not there at all is taken from a file, so each is there, empty or not.
    let root = tempfile::tempdir().unwrap();
    let text = layout(root.path()).environment(&tokens());
    for (name, value, _) in ENVIRONMENT {
        assert!(text.contains(&format!("{name}={value}\n")), "{name}");
    }
    assert!(
        ENVIRONMENT.iter().any(|(name, value, _)| *name == "OPENCLAW_SERVICE_MANAGED_ENV_KEYS" && value.is_empty())
    );
}

#[test]
fn tokens_stand_only_where_the_group_alone_reads() {
    let root = tempfile::tempdir().unwrap();
    let layout = written(root.path());
    for file in layout.files(&tokens(), Some(root.path())) {
        let secret = file.content.contains("secret-of");
        assert_eq!(file.mode, if secret { 0o640 } else { 0o644 }, "{}", file.path.display());
        let _ = file.write(None).unwrap();
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, file.mode);
    }
    let config = layout.config().to_string();
    assert!(config.contains("${WARDKEEP_AGENT_TOKEN}") && config.contains("wardkeep/assistant"), "{config}");
}

#[test]
fn a_second_run_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let file = Planned::open(root.path().join("a/b"), "x");
    assert_eq!(file.compare().unwrap(), Done::Made);
    assert_eq!([file.write(None).unwrap(), file.write(None).unwrap()], [Done::Made, Done::Kept]);
    assert_eq!(Planned::open(file.path, "y").write(None).unwrap(), Done::Replaced);
}

#[test]
fn a_deny_list_may_be_longer_and_no_other() {
    let wanted = json!({"tools": {"deny": ["a"], "exec": {"safeBins": ["w"]}}});
    let said = |given: Value| {
        let mut wrong = Vec::new();
        differences(&wanted, &given, String::new(), &mut wrong);
        wrong
    };
    assert!(said(json!({"tools": {"deny": ["b", "a"], "exec": {"safeBins": ["w"]}}, "more": 1})).is_empty());
    assert_eq!(
        said(json!({"tools": {"deny": ["b"], "exec": {"safeBins": ["w", "x"]}}})),
        ["tools.deny", "tools.exec.safeBins"]
    );
    assert_eq!(said(json!([])), ["tools.deny", "tools.exec.safeBins"]);
}

#[test]
fn who_can_change_a_file_is_found_in_the_folders_above_it() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("a/b");
    fs::create_dir(root.path().join("a")).unwrap();
    fs::write(&file, "x").unwrap();
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(root.path(), 0o755);
    assert_eq!(writable_by(&file, 4_000_000, &[4_000_000]).unwrap(), None);
    mode(&file, 0o646);
    assert_eq!(writable_by(&file, 4_000_000, &[]).unwrap(), Some(fs::canonicalize(&file).unwrap()));
    mode(&file, 0o644);
    mode(&root.path().join("a"), 0o757);
    assert_eq!(writable_by(&file, 4_000_000, &[]).unwrap(), Some(fs::canonicalize(root.path()).unwrap().join("a")));
}

#[test]
fn accounts_are_read_with_all_their_groups() {
    let passwd = "root:x:0:0:root:/root:/bin/sh\nagent:x:990:991::/srv:/bin/false\n";
    let groups = "agent:x:991:\nwardkeep-hooks:x:500:other,agent\nelse:x:7:agents\n";
    assert_eq!(account("agent", passwd, groups), Some((990, 991, vec![991, 500])));
    assert_eq!(account("nobody", passwd, groups), None);
}
