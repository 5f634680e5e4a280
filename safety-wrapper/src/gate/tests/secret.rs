//! Secrets: where they go, and that they are nowhere else.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;

#[tokio::test]
async fn a_raw_value_in_a_call_is_refused_and_kept_nowhere() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let encoded = data_encoding::BASE64.encode(SECRET.as_bytes());
    for (id, tool, args) in [
        ("c1", "shell", json!({"command": format!("echo {SECRET}")})),
        ("c2", "write_file", json!({"path": "a", "content": SECRET})),
        ("c3", "http", json!({"method": "POST", "url": "http://127.0.0.1:1/", "headers": {"x-key": SECRET}})),
        ("c4", "http", json!({"url": format!("http://127.0.0.1:1/?k={SECRET}")})),
        ("c5", "shell", json!({"command": "ls", "env": {"TOKEN": SECRET}})),
        ("c6", "some_tool", json!({"deep": [{"er": SECRET}]})),
        ("c7", "some_tool", json!({SECRET: 1})),
        ("c8", "write_file", json!({"path": "a", "content": encoded})),
    ] {
        let answer = gate.before_tool_call(&office(), call(id, tool, args)).await.unwrap();
        let reasons = reasons_of(&answer);
        assert!(reasons.contains("SECRET_REF(token)") && !reasons.contains(SECRET), "{id}: {reasons}");
    }
    assert!(!world.state_holds_the_secret());
    let rows = gate.activity_after(0, 100).await.unwrap();
    assert!(rows.iter().all(|row| row.outcome == "refused" && !row.summary.contains(SECRET)));
}

#[tokio::test]
async fn while_the_vault_is_unread_no_word_of_a_call_is_kept() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    world.posture.close(Closed::VaultUnread);
    for proposal in [
        call(SECRET, "list_files", json!({"path": "."})),
        call("c2", SECRET, json!({"path": "."})),
        call("c3", "read_file", json!({"path": 7, "why": SECRET})),
        call("c4", "shell", json!({"command": format!("echo {SECRET}")})),
    ] {
        let answer = gate.before_tool_call(&office(), proposal).await.unwrap();
        assert!(reasons_of(&answer).contains("vault-unread"), "{answer:?}");
    }
    let start = SessionStart {
        session: "s".parse().unwrap(),
        runtime: "agent/1".to_owned(),
        parent_session: None,
        bound: false,
    };
    gate.session_start(&office(), start).await.unwrap();
    assert_eq!(gate.leases()[0].runtime, "unread");
    assert!(gate.activity_after(0, 10).await.unwrap().is_empty());
    assert_eq!(audit_kinds(&gate).await["call-while-vault-unread"], 4);
    assert!(!world.state_holds_the_secret());
}

/// A value that was stored this moment, told in each way there is; whether the state holds it afterwards.
async fn tells_what_was_just_stored(way: &str) -> bool {
    let world = World::new(if way == "note" { Level::Supervised } else { Level::Autonomous });
    let gate = world.gate();
    let asked = gate.before_tool_call(&office(), call("asks", "some_tool", json!({}))).await.unwrap();
    let session = || "s1".parse().unwrap();
    world.unlearn();
    match way {
        "nothing" => {}
        "call" => drop(gate.before_tool_call(&office(), call("c", "shell", json!({"command": SECRET}))).await.unwrap()),
        "message" => {
            let (channel, to) = ("chat".to_owned(), vec!["ada".to_owned()]);
            let call = "m".parse().unwrap();
            let message = Outgoing { session: session(), call, channel, to, text: SECRET.to_owned(), wait_ms: 0 };
            drop(gate.message_sending(&office(), message).await.unwrap());
        }
        "session" => {
            let start =
                SessionStart { session: session(), runtime: format!("x{SECRET}"), parent_session: None, bound: false };
            gate.session_start(&office(), start).await.unwrap_err();
        }
        "report" => {
            let (output, call) = (SECRET.to_owned(), "asks".parse().unwrap());
            let after = AfterToolCall { session: session(), call, output, is_error: false };
            assert!(!gate.after_tool_call(&office(), after).await.unwrap().contains(SECRET));
        }
        "words" => {
            let wanted = WantedCall { id: SECRET.to_owned(), name: "x".to_owned() };
            let output = LlmOutput { session: session(), text: SECRET.to_owned(), tool_calls: vec![wanted] };
            assert!(!gate.llm_output(&office(), output).await.unwrap().contains(SECRET));
        }
        "note" => {
            let denied = Ruling { note: SECRET.to_owned(), ..ruling(Verdict::Denied) };
            gate.decide_approval(digest_of(&asked), denied).await.unwrap();
        }
        "pause" => drop(gate.halt(order(Holder::Local, SECRET), Standing::Paused).await.unwrap()),
        "resume" => {
            gate.halt(order(Holder::Local, "x"), Standing::Stopped).await.unwrap();
            gate.resume(order(Holder::Local, SECRET)).await.unwrap();
        }
        "result" => {
            fs::write(world.ws().join("late"), SECRET).unwrap();
            let read = gate.before_tool_call(&office(), call("r", "read_file", json!({"path": "late"}))).await.unwrap();
            world.unlearn();
            gate.execute(&office(), permit_of(&read)).await.unwrap();
        }
        "audit" => gate.audit_note("note", json!({ "text": SECRET })).await.unwrap(),
        other => panic!("{other} is no way"),
    }
    world.state_holds_the_secret()
}

#[tokio::test]
async fn a_value_is_masked_from_the_moment_it_is_stored() {
    for way in
        ["nothing", "call", "message", "session", "report", "words", "note", "pause", "resume", "result", "audit"]
    {
        assert!(!tells_what_was_just_stored(way).await, "{way}");
    }
}

#[tokio::test]
async fn a_tools_name_is_told_on_one_line_and_never_half_redacted() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    // The name is cut at 128 bytes; at every place the cut goes through the value or beside it.
    for before in 128 - SECRET.len()..=130 {
        let name = format!("{}{SECRET}", "x".repeat(before));
        let _ = gate.before_tool_call(&office(), call(&format!("c{before}"), &name, json!({}))).await.unwrap();
    }
    let _ = gate.before_tool_call(&office(), call("lines", "a\nb\r\tc", json!({}))).await.unwrap();
    let rows = gate.activity_after(0, 1000).await.unwrap();
    let half = &SECRET[..SECRET.len() / 2];
    assert!(rows.iter().all(|row| row.tool.len() <= 128 && !row.tool.contains(half) && !row.summary.contains(half)));
    assert!(rows.iter().all(|row| !row.tool.contains(char::is_control)), "the hub takes one line");
}

#[tokio::test]
async fn the_name_behind_a_link_is_not_told() {
    let world = World::new(Level::Supervised);
    let gate = world.gate();
    fs::write(world.ws().join(SECRET), "true").unwrap();
    std::os::unix::fs::symlink(SECRET, world.ws().join("job.sh")).unwrap();
    let args = json!({"command": "bash job.sh"});
    let digest = digest_of(&gate.before_tool_call(&office(), call("c1", "shell", args)).await.unwrap());
    let document = String::from_utf8(approval(&gate, digest).await.document).unwrap();
    assert!(document.contains("\"files\":[{") && !document.contains(SECRET), "{document}");
    assert!(!world.state_holds_the_secret());
}

#[tokio::test]
async fn a_misplaced_reference_is_refused() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    for (id, tool, args) in [
        ("c1", "shell", json!({"command": "echo SECRET_REF(token)"})),
        ("c2", "exec", json!({"argv": ["echo", "SECRET_REF(token)"]})),
        ("c3", "http", json!({"url": "http://127.0.0.1:1/?k=SECRET_REF(token)"})),
        ("c4", "shell", json!({"command": "ls", "env": {"A": "SECRET_REF(To ken)"}})),
    ] {
        let answer = gate.before_tool_call(&office(), call(id, tool, args)).await.unwrap();
        assert!(matches!(answer, Answer::Deny { .. }), "{id}: {answer:?}");
    }
}

/// Runs an allowed shell call with the token in its environment.
async fn run(world: &World, gate: &Arc<Gate>, id: &str, args: Value) -> CallResult {
    let answer = gate.before_tool_call(&office(), call(id, "shell", args)).await.unwrap();
    let answer = match answer {
        Answer::Pending { digest: Some(digest), .. } => {
            gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
            settled(gate, id).await
        }
        Answer::Allow { permit, .. } => {
            let _ = gate.execute(&office(), permit).await.unwrap();
            settled(gate, id).await
        }
        other => other,
    };
    assert!(!world.state_holds_the_secret(), "{id}");
    result_of(&answer).clone()
}

#[tokio::test]
async fn a_value_goes_to_bound_programs_only() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    // A program of the agent under the bound name.
    let fake = world.ws().join("printenv");
    fs::write(&fake, "#!/bin/sh\necho taken $TOKEN > stolen\n").unwrap();
    fs::set_permissions(&fake, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for (id, command) in [
        ("c1", "env"),
        ("c2", "printenv TOKEN; cat /proc/self/environ"),
        ("c3", "./printenv TOKEN"),
        ("c4", "printenv() { echo $TOKEN > stolen; }; printenv TOKEN"),
        ("c5", "PATH=. printenv TOKEN"),
        ("c6", "export PATH=$PWD; printenv TOKEN"),
        ("c7", "alias printenv=./printenv; printenv TOKEN"),
        ("c8", "hash -p ./printenv printenv; printenv TOKEN"),
        ("c9", "printenv TOKEN | tee stolen"),
        ("c10", "$(echo printenv) TOKEN"),
        ("c11", "source ./printenv"),
    ] {
        let result = run(&world, &gate, id, json!({"command": command, "env": {"TOKEN": "SECRET_REF(token)"}})).await;
        assert_eq!((result.status, result.exit_code), (RunStatus::Failed, None), "{command}: {result:?}");
        assert!(!world.ws().join("stolen").exists(), "{command}");
    }
    for (id, name) in [("d1", "PATH"), ("d2", "LD_PRELOAD"), ("d3", "BASH_ENV"), ("d4", "GIT_PAGER")] {
        let env = json!({"TOKEN": "SECRET_REF(token)", name: "."});
        let result = run(&world, &gate, id, json!({"command": "printenv TOKEN", "env": env})).await;
        assert_eq!((result.status, result.exit_code), (RunStatus::Failed, None), "{name}: {result:?}");
    }
    let env = json!({"TOKEN": "Bearer SECRET_REF(token)"});
    let result = run(&world, &gate, "e1", json!({"command": "printenv TOKEN", "env": env})).await;
    assert_eq!((result.status, result.output.as_str()), (RunStatus::Ok, "Bearer SECRET_REF(token)\n"));
    let env = json!({"TOKEN": "SECRET_REF(other)"});
    let result = run(&world, &gate, "e2", json!({"command": "printenv TOKEN", "env": env})).await;
    assert!(result.output.contains("no secret is named other"), "{}", result.output);
}

/// What no shell may do with a value: take it apart, compare it, compute with it, hand it to somebody else. The whole list stands with
/// the reader of such texts, `policy/src/facts/given/tests.rs`.
const TRICKS: &[&str] = &[
    "expr x 2> \"n-${T:0:9}\"; cd \"${T:9}\"",
    "expr ${T:0:8}",
    "expr \"${#T}\"",
    "expr \"${T/-/ }\"",
    "expr \"${T^^}\"",
    "expr \"${!X}\"",
    "expr \"$((T))\"",
    "expr $T",
    "expr \"$T\"; expr \"${_:0:9}\"",
    "[[ $T == tok* ]] && expr 1",
    "case $T in tok*) expr 1;; esac",
    "for x in ${T//-/ }; do expr $x; done",
    "printf -v X %.5s \"$T\"; expr $X",
    "X=${T:0:9} expr 1 2> \"n-$X\"",
    "read -n 5 X <<< \"$T\"; expr $X",
    "export X=${T:0:9}; printenv X",
    "declare -n R=T; expr ${R:0:9}",
    "declare -u T; printenv T",
    "eval 'expr ${T:0:9}'",
    "set -x; expr ${T:0:9}",
    "trap 'expr ${T:0:9}' EXIT; expr 1",
    "f() { expr ${T:0:9}; }; f",
    "expr 1 > \"$T\"",
    "cd \"$T\"; expr 1",
    "expr [\"$T\"]*",
    "tac <<< \"${T:0:9}\"",
    "tac <<E\n${T:0:9}\nE",
    "expr \"$(printenv T)\"",
    "cd \"/$(printenv T)\"",
    "bash -c 'expr ${T:0:9}'",
    "xargs -d - expr <<< \"$T\"",
];

#[tokio::test]
async fn the_shell_hands_a_value_on_as_it_is_or_not_at_all() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let parts = |text: &str| ["tok-Zx", "TOK-ZX", "x81-ve", "y-secr", "et-val"].iter().any(|part| text.contains(part));
    let names = || fs::read_dir(world.ws()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for name in ["v", "t", "T"] {
        fs::write(world.ws().join(name), "").unwrap();
    }
    let env = json!({"T": "SECRET_REF(token)", "X": "T"});
    let lists = [json!(["bash", "-c", "expr ${T:0:9}"]), json!(["xargs", "-d", "-", "expr"])];
    let lists = lists.map(|argv| json!({"argv": argv, "env": env, "stdin": "SECRET_REF(token)"}));
    let texts = TRICKS.iter().map(|text| json!({"command": text, "env": env}));
    for (at, args) in texts.chain(lists).enumerate() {
        let result = run(&world, &gate, &format!("c{at}"), args.clone()).await;
        assert_eq!((result.status, result.exit_code), (RunStatus::Failed, None), "{args}: {result:?}");
        assert!(result.output.contains("in double quotes (\"$NAME\")"), "{args}: {result:?}");
        assert!(!parts(&result.output) && !names().any(|name| parts(&name)), "{args}: {result:?}");
    }
    let holder = json!({"command": "expr 1", "env": {"CDPATH": "SECRET_REF(token)"}});
    let result = run(&world, &gate, "own", holder).await;
    assert!(result.output.contains("the shell itself uses the variable CDPATH"), "{result:?}");
    for (at, (text, shown)) in [
        ("expr \"Bearer $T\"", "Bearer SECRET_REF(token)\n"),
        ("cd \"$PWD\" && timeout 9 expr \\\n a\"${T}\"", "aSECRET_REF(token)\n"),
        ("tac <<< \"$T\" | tac", "SECRET_REF(token)\n"),
        ("tac <<E\na $T b $X\nE", "a SECRET_REF(token) b T\n"),
        ("printenv T 2> err", "SECRET_REF(token)\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let result = run(&world, &gate, &format!("w{at}"), json!({"command": text, "env": env})).await;
        assert_eq!((result.status, result.output.as_str()), (RunStatus::Ok, shown), "{text}");
    }
    let argv = json!({"argv": ["sh", "-c", "expr \"x$T\""], "env": env});
    assert_eq!(run(&world, &gate, "list", argv).await.output, "xSECRET_REF(token)\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_goes_to_bound_hosts_only() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = String::new();
        let mut chunk = [0; 4096];
        while !seen.ends_with("end") {
            let read = stream.read(&mut chunk).unwrap();
            seen.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
        }
        let body = format!("{{\"echo\":\"{SECRET}\"}}");
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).unwrap();
        seen
    });
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    let send = |id: &str, host: &str| {
        call(
            id,
            "http",
            json!({
                "method": "POST",
                "url": format!("http://{host}:{port}/send"),
                "headers": {"authorization": "Bearer SECRET_REF(token)"},
                "body": "SECRET_REF(token) end",
            }),
        )
    };
    for (id, host) in [("c1", "localhost"), ("c2", "127.0.0.1")] {
        let digest = digest_of(&gate.before_tool_call(&office(), send(id, host)).await.unwrap());
        gate.decide_approval(digest, ruling(Verdict::Approved)).await.unwrap();
    }
    let refused = settled(&gate, "c1").await;
    assert!(result_of(&refused).output.contains("is not bound to host localhost"), "{refused:?}");
    let sent = settled(&gate, "c2").await;
    assert_eq!(result_of(&sent).output, "{\"echo\":\"SECRET_REF(token)\"}", "{sent:?}");
    let seen = server.join().unwrap();
    assert!(seen.contains(&format!("authorization: Bearer {SECRET}\r\n")) && seen.ends_with(&format!("{SECRET} end")));
    assert!(!world.state_holds_the_secret());
}

#[tokio::test]
async fn a_locked_vault_gives_nothing_and_reads_go_on() {
    let world = World::new(Level::Autonomous);
    let gate = world.gate();
    fs::write(world.ws().join("a"), format!("x {SECRET}")).unwrap();
    world.lock_vault();
    let with = call("c1", "shell", json!({"command": "printenv TOKEN", "env": {"TOKEN": "SECRET_REF(token)"}}));
    assert!(reasons_of(&gate.before_tool_call(&office(), with).await.unwrap()).contains("vault-locked"));
    let read = call("c2", "read_file", json!({"path": "a"}));
    let permit = permit_of(&gate.before_tool_call(&office(), read).await.unwrap());
    let result = gate.execute(&office(), permit).await.unwrap().result;
    // The last known engine still stands between the file and the agent.
    assert_eq!(result.output, "x SECRET_REF(token)");
}
