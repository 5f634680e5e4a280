//! Calls that nobody has to be asked about.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::world::{SECRET, World};

pub(super) async fn allow(world: &mut World) -> anyhow::Result<()> {
    world
        .model
        .calls("allow", &[("Bash", json!({"command": "cat /proc/self/status; echo hello", "description": "look"}))]);
    let session = world.play("allow").await?;
    let said = session.said();
    ensure!(said.contains("hello"), "the command's output did not come back: {session}");
    ensure!(said.contains("NoNewPrivs:\t1") && said.contains("Seccomp:\t2"), "not in the runner's sandbox: {said}");
    ensure!(
        world.stage.audit().await?.iter().any(|row| row["kind"] == "call-done"),
        "no run of the daemon is on record"
    );
    let findings = world.doctor().await;
    let bad: Vec<_> =
        findings.iter().filter(|one| one["level"] != "ok" && one["check"] != "claude-code owners").collect();
    ensure!(findings.len() == 5 && bad.is_empty(), "doctor does not say that all holds: {findings:?}");
    Ok(())
}

pub(super) async fn deny(world: &mut World) -> anyhow::Result<()> {
    let misplaced = json!({"command": format!("printenv SECRET_REF({SECRET})")});
    world
        .model
        .calls("deny", &[("WebFetch", json!({"url": "http://127.0.0.1:1/", "prompt": "x"})), ("Bash", misplaced)]);
    let session = world.play("deny").await?;
    let results = session.results();
    ensure!(results.len() == 2 && results.iter().all(|(error, _)| *error), "something was allowed: {session}");
    ensure!(world.stage.told("not in the manifest"), "the model was not told why the tool is refused: {session}");
    ensure!(results[1].1.contains("SECRET_REF"), "the model was not told why the command is refused: {session}");
    Ok(())
}

pub(super) async fn own_files(world: &mut World) -> anyhow::Result<()> {
    let path = world.workspace().join("letter.md");
    world.model.calls(
        "files",
        &[
            ("Write", json!({"file_path": path, "content": "Dear customers,\n"})),
            ("Edit", json!({"file_path": path, "old_string": "customers", "new_string": "friends"})),
            ("Read", json!({"file_path": path})),
            ("Read", json!({"file_path": world.stage.tenant.state().with_file_name("vault.key")})),
        ],
    );
    let session = world.play("files").await?;
    let results = session.results();
    ensure!(results.len() == 4 && results[2].1.contains("Dear friends"), "it was not done: {session}");
    ensure!(std::fs::read_to_string(&path)? == "Dear friends,\n");
    ensure!(results[3].0 && results[3].1.contains("not in the workspace"), "another's file was read: {session}");
    let rows = world.stage.audit().await?;
    let done = |tool: &str| rows.iter().any(|row| row["kind"] == "call-done" && row["fields"]["tool"] == tool);
    for tool in ["write_file", "Edit", "read_file"] {
        ensure!(done(tool), "the result of {tool} is not on record");
    }
    Ok(())
}

pub(super) async fn failed_call(world: &mut World) -> anyhow::Result<()> {
    world.model.calls(
        "failed",
        &[("Bash", json!({"command": "echo before; exit 7"})), ("Bash", json!({"command": "echo after"}))],
    );
    let session = world.play("failed").await?;
    let results = session.results();
    ensure!(results.len() == 2, "the conversation did not go on: {session}");
    let (error, words) = &results[0];
    ensure!(*error && words.contains("before") && words.contains('7'), "it did not fail as it failed: {session}");
    ensure!(session.said().contains("after"), "{session}");
    Ok(())
}

pub(super) async fn unfit_calls(world: &mut World) -> anyhow::Result<()> {
    let absent = world.workspace().join("absent.md");
    world.model.calls(
        "unfit",
        &[
            ("FlyToMoon", json!({"when": "now"})),
            ("Bash", json!({"cmd": "touch unfit.txt"})),
            ("Edit", json!({"file_path": absent, "old_string": "a", "new_string": "b"})),
            ("Bash", json!({"command": "echo still-here"})),
        ],
    );
    let session = world.play("unfit").await?;
    ensure!(session.results().len() == 4 && session.said().contains("still-here"), "it did not go on: {session}");
    ensure!(!world.workspace().join("unfit.txt").exists());
    let rows = world.stage.audit().await?;
    ensure!(
        rows.iter().any(|row| row["kind"] == "call-denied" && row["fields"]["tool"] == "FlyToMoon"),
        "not on record"
    );
    ensure!(!rows.iter().any(|row| row["kind"] == "results-past-the-gate"), "it was taken for a bypass");
    Ok(())
}

pub(super) async fn parallel(world: &mut World) -> anyhow::Result<()> {
    let target = world.workspace().join("pile");
    std::fs::create_dir_all(&target)?;
    world.model.together(
        "parallel",
        &[
            ("Bash", json!({"command": "echo one"})),
            ("WebFetch", json!({"url": "http://127.0.0.1:1/", "prompt": "x"})),
            ("Bash", json!({"command": "rm -r pile && echo two"})),
        ],
    );
    let person = World::person(world);
    let (session, decided) = tokio::join!(world.play("parallel"), person.approve(&target));
    let session = session?;
    decided.with_context(|| session.to_string())?;
    let results = session.results();
    ensure!(results.len() == 3, "{session}");
    let fits = |part: &str| results.iter().any(|(error, words)| !error && words.contains(part));
    ensure!(fits("one") && fits("two") && !target.exists(), "{session}");
    ensure!(results.iter().filter(|(error, _)| *error).count() == 1, "{session}");
    Ok(())
}

pub(super) async fn secret_injection(world: &mut World) -> anyhow::Result<()> {
    world.model.calls("secret", &[("Bash", json!({"command": format!("KEY=SECRET_REF({SECRET}) printenv KEY")}))]);
    let session = world.play("secret").await?;
    // What was printed was the value, and it was cleaned: the reference itself is no output of printenv.
    ensure!(session.results() == [(false, format!("SECRET_REF({SECRET})"))], "no value was put in: {session}");
    world.model.calls("unbound", &[("Bash", json!({"command": format!("KEY=SECRET_REF({SECRET}) env")}))]);
    let session = world.play("unbound").await?;
    let results = session.results();
    ensure!(results.len() == 1 && results[0].0, "a program without a binding was given the value: {session}");
    let leaks = world.leaks(&world.secret)?;
    ensure!(leaks.is_empty(), "the value is in {leaks:?}");
    Ok(())
}

pub(super) async fn redacted_result(world: &mut World) -> anyhow::Result<()> {
    let note = world.workspace().join("notes/november.md");
    world
        .model
        .calls("read", &[("Read", json!({"file_path": note})), ("Bash", json!({"command": "cat notes/november.md"}))]);
    let session = world.play("read").await?;
    for (error, words) in session.results() {
        ensure!(!error && words.contains("Stollen") && words.contains("SECRET_REF(shop_db_password)"), "{session}");
    }
    let plain = std::fs::read_to_string(note)?;
    ensure!(plain.contains(&world.stage.secrets.database), "the note holds the password, or this shows nothing");
    let leaks = world.leaks(&world.stage.secrets.database)?;
    ensure!(leaks.is_empty(), "the value is in {leaks:?}");
    Ok(())
}

pub(super) async fn adapter_tool(world: &mut World) -> anyhow::Result<()> {
    let key = world.stage.secrets.newsletter.clone();
    let text = json!({"subject": "Stollen", "body": "From Monday on."});
    world.model.calls("news", &[("mcp__wardkeep__news_debug", json!({})), ("mcp__wardkeep__news_create", text)]);
    let before = world.stage.newsletter.requests().len();
    let person = World::person(world);
    let decide = async move {
        let asked = person.pending().await?;
        ensure!(asked["document"]["tool"] == "news_create", "somebody is asked about {asked}");
        person.decide(&asked, "approved").await
    };
    let (session, decided) = tokio::join!(world.play("news"), decide);
    let session = session?;
    decided.with_context(|| session.to_string())?;
    ensure!(session.said().contains("cmp_"), "the result did not come back: {session}");
    ensure!(session.servers() == [("wardkeep".to_owned(), "connected".to_owned())], "{:?}", session.servers());
    let seen = world.stage.newsletter.requests();
    ensure!(seen.len() == before + 2, "the service was asked {} times", seen.len() - before);
    ensure!(seen.iter().skip(before).all(|request| request.status < 300), "the service was not shown its key");
    ensure!(world.stage.told("SECRET_REF(newsletter_api_key)"), "what the service echoes was not told, or not masked");
    let leaks = world.leaks(&key)?;
    ensure!(leaks.is_empty(), "the key is in {leaks:?}");
    Ok(())
}

pub(super) async fn adapter_failure(world: &mut World) -> anyhow::Result<()> {
    let absent = json!({"id": "cmp_absent"});
    world.model.calls("absent", &[("mcp__wardkeep__news_get", absent), ("Bash", json!({"command": "echo after"}))]);
    let session = world.play("absent").await?;
    let results = session.results();
    ensure!(results.len() == 2 && session.said().contains("after"), "the conversation did not go on: {session}");
    ensure!(results[0].1.contains("HTTP 404"), "it did not fail as it failed: {session}");
    Ok(())
}

/// Whether a call of this tool was recorded like this in a session of a sub-agent, or of none.
pub(super) fn of_sub_agent<'r>(kind: &'r str, tool: &'r str) -> impl Fn(&Value) -> bool + 'r {
    move |row| {
        let below = row["call"].as_str().is_some_and(|text| text.contains(":subagent:"));
        row["kind"] == kind && row["fields"]["tool"] == tool && below
    }
}
