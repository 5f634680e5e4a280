//! What happens, in this order: the last ones leave the stage as nobody could go on with.

mod bypasses;
mod subagents;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::claw::{edit, until};
use crate::world::{SECRET, World};
use bypasses::{
    bypass_agent_exec, bypass_chat_command, bypass_cron_command, bypass_dotenv, bypass_other_backends,
    bypass_tools_invoke, bypass_trajectory,
};
use subagents::{sub_agent, sub_agent_bounds, sub_agent_steers};

type Played<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;
type Scene = fn(&mut World) -> Played<'_>;

/// A table of scenes, each an asynchronous function of the world.
macro_rules! scenes {
    ($($name:ident: $shows:literal,)*) => {
        /// Name, what it shows, and how.
        pub(crate) const SCENES: &[(&str, &str, Scene)] =
            &[$((stringify!($name), $shows, |world| Box::pin($name(world)))),*];
    };
}

scenes! {
    allow: "an allowed command runs in the daemon's runner, not in OpenClaw",
    deny: "a tool that is not in the manifest is refused, and nothing of it happens",
    approve_from_the_hub: "a red command waits; a person says yes on the hub; it runs once",
    deny_from_the_hub: "a person says no; nothing runs, and nobody is asked again",
    expiry: "nobody decides in time: told to come back; approved later; the same call again brings the result, run once",
    secret_injection: "a bound secret is put in where the command runs; OpenClaw and the model never see it",
    redacted_result: "a file with a password reaches neither model nor OpenClaw's disk",
    path_repair: "a path that OpenClaw would mend is judged and opened as one",
    hallucinated_tool: "a tool that does not exist has a decision all the same, and the conversation goes on",
    mcp_tool: "a tool of an MCP server is decided on, allowed and refused",
    adapter_tool: "a tool of an adapter is approved from the hub and carried out by the daemon: the key is put in there and seen by nobody",
    message_with_file: "a message that carries a file is another tool than one of words, which the manifest does not list",
    sub_agent: "a sub-agent is judged by its lower level: it waits where its agent would not",
    sub_agent_bounds: "one sub-agent more than may be, one that could not be told apart, and one below a sub-agent are refused",
    sub_agent_steers: "a sub-agent reaches no other session, its agent's neither",
    looping_model: "a model that repeats a refused call is stopped",
    bypass_tools_invoke: "POST /tools/invoke runs nothing",
    bypass_chat_command: "a chat message that begins with ! or /bash runs nothing",
    bypass_other_backends: "a node, a sandbox, a terminal, a process, code mode and tool search run nothing",
    bypass_trajectory: "OpenClaw's own recorder of trajectories wrote no row",
    bypass_agent_exec: "`openclaw agent exec`, which asks no hook, is seen: its first result refuses the next request",
    bypass_cron_command: "a command payload of cron cannot be stored or run",
    bypass_dotenv: "settings that the agent's user wrote replace neither configuration nor plugins, and doctor finds them",
    restarted_daemon: "the daemon is killed and starts again: the plugin takes its lease again, and the next run works",
    edited_config: "an edited configuration changes nothing while OpenClaw runs, and doctor finds it",
    plugins_disable: "`openclaw plugins disable` takes the lease along: LLM traffic is refused at once",
    missing_plugin: "without the plugin OpenClaw starts, and its LLM traffic is refused",
    broken_plugin: "with a plugin that throws OpenClaw starts, and its LLM traffic is refused",
    another_server: "of another server named wardkeep nothing is believed, it learns nothing, and doctor finds it",
    attribution: "each request's trace is tied to run and session in the audit log",
    killed_daemon: "the daemon is killed: no run begins, nothing runs",
}

async fn allow(world: &mut World) -> anyhow::Result<()> {
    world.model.calls("allow", &[("exec", json!({"command": "cat /proc/self/status; echo hello"}))]);
    let said = world.play("allow").await?;
    ensure!(said.contains("hello"), "the command's output did not come back: {said}");
    ensure!(said.contains("NoNewPrivs:\t1") && said.contains("Seccomp:\t2"), "not in the runner's sandbox: {said}");
    let rows = world.stage.audit().await?;
    ensure!(rows.iter().any(|row| row["kind"] == "call-done"), "no run of the daemon is on record");
    Ok(())
}

async fn deny(world: &mut World) -> anyhow::Result<()> {
    // A tool that is not listed, and a command that holds a reference where none may stand.
    let web = json!({"url": "http://127.0.0.1:1/"});
    let misplaced = json!({"command": format!("printenv SECRET_REF({SECRET})")});
    world.model.calls("deny", &[("web_fetch", web), ("exec", misplaced)]);
    let said = world.play("deny").await?;
    ensure!(said.contains("Not allowed"), "the model was not told: {said}");
    let told =
        world.stage.llm.requests().iter().any(|one| String::from_utf8_lossy(&one.body).contains("not in the manifest"));
    ensure!(told, "the tool outside the manifest was not refused by the gate");
    Ok(())
}

async fn approve_from_the_hub(world: &mut World) -> anyhow::Result<()> {
    let target = world.stage.tenant.workspace().join("drafts");
    world.model.calls("approve", &[("exec", json!({"command": "rm -r drafts && echo gone"}))]);
    let session = world.session();
    let there = target.clone();
    let decide = async {
        let asked = world.stage.person.wait_for_pending(|_| true).await?;
        ensure!(there.exists(), "it ran before anybody said yes");
        let digest = asked["digest"].as_str().context("a digest")?;
        world.stage.person.decide(digest, "approved").await
    };
    let (said, decided) = tokio::join!(world.claw()?.say(&session, "[[approve]]"), decide);
    decided?;
    let said = said?;
    ensure!(said.contains("gone") && !target.exists(), "it did not run: {said}");
    Ok(())
}

async fn deny_from_the_hub(world: &mut World) -> anyhow::Result<()> {
    let target = world.stage.tenant.workspace().join("notes");
    let call = json!({"command": "rm -r notes"});
    world.model.calls("refuse", &[("exec", call.clone()), ("exec", call)]);
    let session = world.session();
    let decide = async {
        let asked = world.stage.person.wait_for_pending(|_| true).await?;
        world.stage.person.decide(asked["digest"].as_str().context("a digest")?, "denied").await
    };
    let (said, decided) = tokio::join!(world.claw()?.say(&session, "[[refuse]]"), decide);
    decided?;
    let said = said?;
    ensure!(target.exists(), "a refused command ran");
    ensure!(said.contains("nobody is asked again"), "the second try was not refused by itself: {said}");
    Ok(())
}

async fn expiry(world: &mut World) -> anyhow::Result<()> {
    let target = world.stage.tenant.workspace().join("archive");
    let call = json!({"command": "rm -r archive && echo archived-no-more"});
    world.model.calls("late", &[("exec", call.clone())]);
    let session = world.session();
    let said = world.claw()?.say(&session, "[[late]]").await?;
    ensure!(said.contains("Waiting for a person") && said.contains("A-"), "the model was not told to wait: {said}");
    ensure!(target.exists(), "it ran without a yes");
    let asked = world.stage.person.wait_for_pending(|_| true).await?;
    world.stage.person.decide(asked["digest"].as_str().context("a digest")?, "approved").await?;
    until("the approved call to run", || async { Ok(!target.exists()) }).await?;
    std::fs::create_dir(&target)?;
    let said = world.claw()?.say(&session, "It was approved. [[late]]").await?;
    ensure!(said.contains("archived-no-more"), "the result was not delivered: {said}");
    ensure!(target.exists(), "it ran twice");
    Ok(())
}

async fn secret_injection(world: &mut World) -> anyhow::Result<()> {
    let call = json!({"command": "printenv KEY", "env": {"KEY": format!("SECRET_REF({SECRET})")}});
    let elsewhere = json!({"command": "env", "env": {"KEY": format!("SECRET_REF({SECRET})")}});
    world.model.calls("secret", &[("exec", call)]);
    let said = world.play("secret").await?;
    // What was printed was the value, and it was cleaned: the reference itself is no output of printenv.
    ensure!(said.contains(&format!("SECRET_REF({SECRET})")), "no value was put in: {said}");
    world.model.calls("unbound", &[("exec", elsewhere)]);
    let said = world.play("unbound").await?;
    ensure!(
        !said.contains(&format!("KEY=SECRET_REF({SECRET})")),
        "a program without a binding was given the value: {said}"
    );
    let leaks = world.leaks(&world.secret)?;
    ensure!(leaks.is_empty(), "the value is in {leaks:?}");
    Ok(())
}

async fn redacted_result(world: &mut World) -> anyhow::Result<()> {
    let note = world.stage.tenant.workspace().join("notes/november.md");
    world.model.calls("read", &[("read", json!({"path": "notes/november.md"}))]);
    let said = world.play("read").await?;
    ensure!(said.contains("Stollen") && said.contains("SECRET_REF(shop_db_password)"), "{said}");
    let plain = std::fs::read_to_string(note)?;
    ensure!(plain.contains(&world.stage.secrets.database), "the note holds the password, or this shows nothing");
    // The person pastes it, too.
    let session = world.session();
    world.model.calls("hear", &[]);
    let text = format!("My password is {} [[hear]]", world.stage.secrets.database);
    world.claw()?.say(&session, &text).await?;
    let leaks = world.leaks(&world.stage.secrets.database)?;
    ensure!(leaks.is_empty(), "the value is in {leaks:?}");
    Ok(())
}

async fn path_repair(world: &mut World) -> anyhow::Result<()> {
    let workspace = world.stage.tenant.workspace();
    let write = |path: &str| ("write", json!({"path": path, "content": "x"}));
    world.model.calls("paths", &[write("probe.docodex"), write("@probe2.txt"), write("~/probe3.txt")]);
    let said = world.play("paths").await?;
    ensure!(
        workspace.join("probe.docx").exists() && workspace.join("probe2.txt").exists(),
        "the files were not written"
    );
    ensure!(said.contains("write the path in full"), "a home folder was not refused: {said}");
    let titles: Vec<Value> = world
        .stage
        .audit()
        .await?
        .into_iter()
        .map(|row| row["fields"]["title"].clone())
        .filter(Value::is_string)
        .collect();
    let judged = |name: &str| titles.iter().any(|title| title.as_str().is_some_and(|title| title.contains(name)));
    ensure!(judged("probe.docx") && !judged("docodex"), "another path was judged than opened: {titles:?}");
    Ok(())
}

async fn hallucinated_tool(world: &mut World) -> anyhow::Result<()> {
    world
        .model
        .calls("invented", &[("fly_to_moon", json!({"when": "now"})), ("exec", json!({"command": "echo after"}))]);
    let said = world.play("invented").await?;
    ensure!(said.contains("after"), "the conversation did not go on: {said}");
    Ok(())
}

async fn mcp_tool(world: &mut World) -> anyhow::Result<()> {
    world.model.calls("mcp", &[("probe__note", json!({"line": "first"}))]);
    let said = world.play("mcp").await?;
    ensure!(said.contains("noted: first"), "an allowed tool did not run: {said}");
    let policy = world.policy().replace(", \"probe__note\"", "");
    world.stage.follow(&policy).await?;
    world.model.calls("mcp-no", &[("probe__note", json!({"line": "second"}))]);
    let said = world.play("mcp-no").await;
    world.stage.follow(&world.policy()).await?;
    ensure!(said?.contains("Not allowed"), "a tool that is not listed was not refused");
    let noted = std::fs::read_to_string(world.noted())?;
    ensure!(noted == "first\n", "the server noted {noted:?}");
    Ok(())
}

async fn adapter_tool(world: &mut World) -> anyhow::Result<()> {
    let key = world.stage.secrets.newsletter.clone();
    let text = json!({"subject": "Stollen", "body": "From Monday on."});
    world.model.calls("news", &[("wardkeep__news_debug", json!({})), ("wardkeep__news_create", text)]);
    let before = world.stage.newsletter.requests().len();
    let session = world.session();
    let decide = async {
        let asked = world.stage.person.wait_for_pending(|asked| asked["document"]["tool"] == "news_create").await?;
        ensure!(world.stage.newsletter.requests().len() == before + 1, "it was sent before anybody said yes");
        world.stage.person.decide(asked["digest"].as_str().context("a digest")?, "approved").await
    };
    let (said, decided) = tokio::join!(world.claw()?.say(&session, "[[news]]"), decide);
    decided?;
    let said = said?;
    ensure!(said.contains("cmp_"), "the result did not come back: {said}");
    let seen = world.stage.newsletter.requests();
    ensure!(seen.len() == before + 2, "the service was asked {} times", seen.len() - before);
    ensure!(seen.iter().skip(before).all(|request| request.status < 300), "the service was not shown its key");
    let told = world.stage.llm.requests().iter().any(|one| {
        let body = String::from_utf8_lossy(&one.body).into_owned();
        body.contains("SECRET_REF(newsletter_api_key)") && body.contains("wardkeep__news_debug")
    });
    ensure!(told, "what the service echoes was not told, or not masked");
    let leaks = world.leaks(&key)?;
    ensure!(leaks.is_empty(), "the key is in {leaks:?}");
    let findings = world.doctor().await;
    let offered = findings.iter().find(|one| one["check"] == "openclaw tools").context("doctor does not look")?;
    ensure!(offered["level"] == "ok", "{offered}");
    Ok(())
}

async fn message_with_file(world: &mut World) -> anyhow::Result<()> {
    let file = world.stage.tenant.workspace().join("notes");
    let send = |more: Value| {
        let mut args = json!({"action": "send", "channel": "telegram", "target": "4711", "message": "as you asked"});
        args.as_object_mut().into_iter().for_each(|args| args.extend(more.as_object().cloned().unwrap_or_default()));
        ("message", args)
    };
    world.model.calls("file", &[send(json!({"media": file})), send(json!({"attachments": [{"path": file}]}))]);
    world.play("file").await?;
    let rows = world.stage.audit().await?;
    let refused = rows.iter().filter(|row| row["kind"] == "call-denied" && row["fields"]["tool"] == "message_files");
    ensure!(refused.count() == 2, "not refused as messages with files: {rows:?}");
    Ok(())
}

async fn another_server(world: &mut World) -> anyhow::Result<()> {
    world.stop_claw().await;
    world.add_impostor()?;
    world.start_claw().await?;
    world.model.calls("impostor", &[("Wardkeep__news_account", json!({}))]);
    let before = world.stage.newsletter.requests().len();
    let said = world.play("impostor").await?;
    let noted = std::fs::read_to_string(world.noted())?;
    let heard = noted.lines().last().unwrap_or_default();
    ensure!(heard.starts_with("{\"wardkeep_permit\":"), "it was not asked, or told more than a permit: {heard}");
    let told = world.stage.llm.requests().iter().any(|one| String::from_utf8_lossy(&one.body).contains("noted: {"));
    ensure!(!told && !said.contains("noted"), "its answer was told: {said}");
    ensure!(world.stage.newsletter.requests().len() == before, "the call was carried out");
    let rows = world.stage.audit().await?;
    ensure!(rows.iter().any(|row| row["kind"] == "result-of-another-server"), "it is not on record");
    let findings = world.doctor().await;
    let found =
        findings.iter().any(|one| one["found"].as_str().is_some_and(|text| text.contains("mcp.servers.Wardkeep")));
    ensure!(found, "doctor did not find it: {findings:?}");
    Ok(())
}

async fn looping_model(world: &mut World) -> anyhow::Result<()> {
    world.model.endless("loop", "web_fetch", json!({"url": "http://127.0.0.1:1/"}));
    let before = world.asked();
    let _ = world.play("loop").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let asked = world.asked() - before;
    ensure!((2..=25).contains(&asked), "the model was asked {asked} times");
    Ok(())
}

async fn restarted_daemon(world: &mut World) -> anyhow::Result<()> {
    let before = world.stage.tenant.service.pid();
    world.stage.tenant.service.kill()?;
    until("another daemon", || async {
        let other = world.stage.tenant.service.pid() != before;
        Ok(other && world.stage.tenant.cli(&["status", "--json"]).await.is_ok())
    })
    .await?;
    world.model.calls("restarted", &[("exec", json!({"command": "echo back"}))]);
    let said = world.play("restarted").await?;
    ensure!(said.contains("back"), "the plugin has no lease: {said}");
    Ok(())
}

async fn edited_config(world: &mut World) -> anyhow::Result<()> {
    let findings = world.doctor().await;
    let unedited =
        findings.iter().find(|one| one["check"] == "openclaw configuration").context("doctor does not look")?;
    ensure!(unedited["level"] == "ok", "{unedited}");
    edit(&world.config_file(), |config| {
        let own = &mut config["plugins"]["entries"]["wardkeep"];
        own["enabled"] = Value::Bool(false);
        own["config"]["runner"] = json!("/tmp/runner");
        config["acp"] = json!({"enabled": true});
    })?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.model.calls("edited", &[("web_fetch", json!({"url": "http://127.0.0.1:1/"}))]);
    let said = world.play("edited").await?;
    ensure!(said.contains("Not allowed"), "the plugin is gone: {said}");
    let findings = world.doctor().await;
    let edits = ["plugins.entries.wardkeep.enabled", "plugins.entries.wardkeep.config.runner", "has besides: acp"];
    let found = findings.iter().any(|one| {
        one["level"] == "error"
            && one["found"].as_str().is_some_and(|text| edits.iter().all(|edit| text.contains(edit)))
    });
    ensure!(found, "doctor did not find it: {findings:?}");
    Ok(())
}

async fn plugins_disable(world: &mut World) -> anyhow::Result<()> {
    world.model.calls("disabled", &[("exec", json!({"command": "touch disabled.txt"}))]);
    let before = world.asked();
    let told = world.openclaw(&["plugins", "disable", "wardkeep"]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let said = world.play("disabled").await;
    let went = world.stage.tenant.workspace().join("disabled.txt").exists();
    ensure!(!went, "a command ran without the plugin: {told:?} {said:?}");
    ensure!(world.asked() == before || said.as_ref().is_ok_and(|said| !said.is_empty()), "{said:?}");
    Ok(())
}

async fn missing_plugin(world: &mut World) -> anyhow::Result<()> {
    edit(&world.config_file(), |config| config["plugins"]["entries"]["wardkeep"]["enabled"] = Value::Bool(false))?;
    nothing_leaves(world, "missing").await
}

async fn broken_plugin(world: &mut World) -> anyhow::Result<()> {
    let broken = world.etc().join("broken");
    std::fs::create_dir_all(&broken)?;
    for file in std::fs::read_dir(world.plugin())? {
        let file = file?;
        std::fs::copy(file.path(), broken.join(file.file_name()))?;
    }
    std::fs::write(broken.join("index.mjs"), "throw new Error('broken');\n")?;
    edit(&world.config_file(), |config| config["plugins"]["load"]["paths"] = json!([broken]))?;
    nothing_leaves(world, "broken").await
}

/// `OpenClaw` is killed, starts on the configuration as it is, and its model is never asked.
async fn nothing_leaves(world: &mut World, name: &str) -> anyhow::Result<()> {
    let target = world.stage.tenant.workspace().join(format!("{name}.txt"));
    world.model.calls(name, &[("exec", json!({"command": format!("touch {}", target.display())}))]);
    let config = std::fs::read(world.config_file())?;
    let plugins = world.killed_claw().await?;
    ensure!(!plugins.contains("wardkeep"), "the plugin is there, so this shows nothing: {plugins}");
    ensure!(std::fs::read(world.config_file())? == config, "OpenClaw wrote another configuration");
    let before = world.asked();
    let said = world.play(name).await;
    ensure!(world.asked() == before, "the provider was asked: {said:?}");
    ensure!(!target.exists(), "a command ran");
    Ok(())
}

async fn attribution(world: &mut World) -> anyhow::Result<()> {
    world.model.calls("traced", &[]);
    world.play("traced").await?;
    let rows = world.stage.audit().await?;
    let traced = rows.iter().rev().find(|row| row["kind"] == "run-traced").context("no run is traced")?;
    let trace = traced["fields"]["trace"].as_str().context("a trace")?.to_owned();
    ensure!(traced["fields"]["session"].as_str().is_some_and(|session| session.starts_with("agent:main:")), "{traced}");
    let usage = world.stage.tenant.cli(&["usage", "--by", "run", "--json"]).await?;
    ensure!(usage.contains(&trace), "usage by run does not know the trace {trace}: {usage}");
    Ok(())
}

async fn killed_daemon(world: &mut World) -> anyhow::Result<()> {
    let target = world.stage.tenant.workspace().join("orphan.txt");
    world.model.calls("orphan", &[("exec", json!({"command": format!("touch {}", target.display())}))]);
    world.stage.kill_daemon().await?;
    let before = world.asked();
    let said = world.play("orphan").await;
    ensure!(world.asked() == before, "the provider was asked: {said:?}");
    ensure!(!target.exists(), "a command ran");
    let said = said.unwrap_or_else(|error| format!("{error:#}"));
    ensure!(said.contains("Wardkeep"), "the person was not told why: {said}");
    Ok(())
}
