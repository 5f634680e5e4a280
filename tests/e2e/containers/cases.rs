//! What a container may not, what it may, and what becomes of it when something dies.

use std::fs;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::stage::AGENT;

use crate::world::{PINS, World};

type Played<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;
type Case = for<'a> fn(&'a mut World) -> Played<'a>;

/// All cases, refusals first.
pub(crate) const ALL: &[(&str, Case)] = &[
    ("what lets it out is refused", |world| Box::pin(refusals(world))),
    ("an image that is not there", |world| Box::pin(no_image(world))),
    ("another workspace is not shown", |world| Box::pin(no_other_folder(world))),
    ("a program in walls", |world| Box::pin(walls(world))),
    ("the image's own command", |world| Box::pin(own_command(world))),
    ("a program that is not there", |world| Box::pin(no_program(world))),
    ("the workspace, and no link out of it", |world| Box::pin(workspace(world))),
    ("a secret where it is bound", |world| Box::pin(secrets(world))),
    ("over time", |world| Box::pin(time(world))),
    ("over memory", |world| Box::pin(memory(world))),
    ("too many processes and large files", |world| Box::pin(numbers(world))),
    ("endless output", |world| Box::pin(endless(world))),
    ("told while it runs", |world| Box::pin(live(world))),
    ("what was approved is what runs", |world| Box::pin(approved(world))),
    ("a stop kills at once", |world| Box::pin(stopped(world))),
    ("a daemon that dies", |world| Box::pin(daemon_dies(world))),
    ("a runner that dies", |world| Box::pin(runner_dies(world))),
    ("a helper that dies", |world| Box::pin(helper_dies(world))),
    ("an engine that is not there", |world| Box::pin(engine_gone(world))),
    ("the same over MCP", |world| Box::pin(mcp(world))),
];

fn output(result: &Value) -> &str {
    result["output"].as_str().unwrap_or_default()
}

async fn refusals(world: &mut World) -> anyhow::Result<()> {
    for (what, more) in [
        ("privileged", json!({"privileged": true})),
        ("the machine's network", json!({"network": "host"})),
        ("the whole machine", json!({"volumes": ["/:/host"]})),
        ("the engine's socket", json!({"mounts": [{"source": "/run/docker.sock", "target": "/run/docker.sock"}]})),
        ("root", json!({"user": "root"})),
        ("more capabilities", json!({"cap_add": ["SYS_ADMIN"]})),
        ("a device", json!({"devices": ["/dev/sda"]})),
        ("another image", json!({"image": "box:1"})),
        ("another image by its id", json!({"image": world.box_id})),
        ("a folder as its workspace", json!({"workspace": "/etc"})),
    ] {
        let mut args = json!({"image": "box", "argv": ["id"]});
        let fields = more.as_object().context("an object")?.clone();
        args.as_object_mut().context("an object")?.extend(fields);
        let call = world.name();
        let (_, answer) = world.agent.propose(&call, "run_container", args).await?;
        ensure!(answer["decision"] == "deny", "{what}: {answer}");
    }
    ensure!(world.engine.containers()?.is_empty(), "something was made");
    Ok(())
}

async fn no_image(world: &mut World) -> anyhow::Result<()> {
    let result = world.run_with(json!({"image": "gone", "argv": ["id"]})).await?;
    ensure!(result["status"] == "failed" && output(&result).contains("is not on this server"), "{result}");
    Ok(())
}

/// Root's configuration says where workspaces lie; a policy cannot name another place, nor a link to one.
async fn no_other_folder(world: &mut World) -> anyhow::Result<()> {
    let tenant = world.stage.setting.folder.join("tenant");
    let link = tenant.join("linked");
    std::os::unix::fs::symlink("/etc", &link)?;
    let elsewhere = world.stage.setting.folder.join("elsewhere");
    fs::create_dir(&elsewhere)?;
    for place in [&link, &elsewhere] {
        let policy = format!(
            "[[agents]]\nname = \"{AGENT}\"\nlevel = \"trusted\"\nworkspace = \"{}\"\n[[images]]\nname = \"box\"\nid = \"{}\"\n",
            place.display(),
            world.box_id
        );
        world.stage.follow(&policy).await?;
        let result = world.run_with(json!({"image": "box", "argv": ["ls"], "workspace": "reads"})).await?;
        ensure!(result["status"] == "failed" && !output(&result).contains("passwd"), "{}: {result}", place.display());
        let why = ["is no folder that can be shown", "does not lie beneath"];
        ensure!(why.iter().any(|why| output(&result).contains(why)), "{result}");
    }
    fs::remove_file(link)?;
    world.follow(&world.box_id.clone()).await
}

async fn walls(world: &mut World) -> anyhow::Result<()> {
    let script = "id -u; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; ls /sys/class/net; \
                  touch /new 2>&1; mount 2>&1 | grep -c workspace; ls /dev | grep -c sda; \
                  wget -q -O - http://127.0.0.1:7401/ 2>&1; ls /run/docker.sock 2>&1; cat /which; exit 3";
    let result = world.run(&["sh", "-c", script]).await?;
    ensure!(result["status"] == "failed" && result["exit_code"] == 3, "{result}");
    let said: Vec<&str> = output(&result).lines().collect();
    let uid: u32 = said.first().context("a line")?.parse()?;
    ensure!(uid > 0x6FFF_FFFF, "it runs as {uid}");
    for want in ["CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "lo"] {
        ensure!(said.contains(&want), "{want} is not in {said:?}");
    }
    ensure!(output(&result).contains("touch: /new: Read-only file system"), "{said:?}");
    ensure!(!output(&result).contains("eth0") && output(&result).contains("Connection refused"), "{said:?}");
    ensure!(output(&result).contains("/run/docker.sock: No such file"), "{said:?}");
    ensure!(said.last() == Some(&"first"), "{said:?}");
    ensure!(result["duration_ms"].as_u64().is_some_and(|ms| ms > 0), "{result}");
    Ok(())
}

async fn own_command(world: &mut World) -> anyhow::Result<()> {
    let result = world.run_with(json!({"image": "box"})).await?;
    ensure!(result["status"] == "ok" && output(&result) == "first", "{result}");
    Ok(())
}

async fn no_program(world: &mut World) -> anyhow::Result<()> {
    let result = world.run(&["nothing-of-that-name"]).await?;
    ensure!(result["status"] == "failed" && output(&result).contains("executable file not found"), "{result}");
    Ok(())
}

async fn workspace(world: &mut World) -> anyhow::Result<()> {
    let folder = world.stage.tenant.workspace();
    fs::write(folder.join("note.txt"), "from outside\n")?;
    std::os::unix::fs::symlink("/etc/hostname", folder.join("link"))?;
    let machine = fs::read_to_string("/etc/hostname")?;
    let reading = "cat note.txt; echo x 2>&1 > made; cat link; pwd";
    let result = world.run_with(json!({"image": "box", "argv": ["sh", "-c", reading], "workspace": "reads"})).await?;
    let said = output(&result);
    ensure!(said.contains("from outside") && said.contains("Read-only file system"), "{result}");
    ensure!(said.contains("/workspace") && said.contains("container\n"), "{result}");
    ensure!(machine.trim() == "container" || !said.contains(machine.trim()), "the link led to the machine: {result}");
    ensure!(!folder.join("made").exists(), "it wrote");
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
    let result =
        world.run_with(json!({"image": "box", "argv": ["cp", "note.txt", "made"], "workspace": "changes"})).await?;
    ensure!(result["status"] == "ok", "{result}");
    ensure!(fs::read_to_string(folder.join("made"))? == "from outside\n", "it did not write");
    fs::remove_file(folder.join("link"))?;
    Ok(())
}

async fn secrets(world: &mut World) -> anyhow::Result<()> {
    let shows = "echo \"$PIN\"; echo \"$PIN\" | base64; grep -c PIN /proc/self/environ";
    let ask = |name: &str, argv: &[&str]| json!({"image": "box", "argv": argv, "env": {"PIN": format!("SECRET_REF({name})")}});
    for (what, args) in [
        ("to another program", ask("till_pin", &["sh", "-c", shows])),
        ("of another tool", ask("safe_pin", &["psql"])),
        ("beside a variable that steers", {
            let mut args = ask("till_pin", &["cat", "/proc/self/environ"]);
            args["env"]["LD_PRELOAD"] = json!("/workspace/x.so");
            args
        }),
    ] {
        let call = world.name();
        let (_, answer) = world.agent.propose(&call, "run_container", args).await?;
        let result = match answer["permit"].as_str() {
            Some(permit) => world.agent.exec(permit).await?.1,
            None => answer,
        };
        let said = result.to_string();
        ensure!(result["result"]["status"] != "ok", "{what}: {result}");
        let why = ["is not bound to program", "is not given to this command", "deny", "pending"];
        ensure!(why.iter().any(|why| said.contains(why)), "{what}: {result}");
    }
    let result = world.run_with(ask("till_pin", &["cat", "/proc/self/environ"])).await?;
    ensure!(result["status"] == "ok" && output(&result).contains("PIN=SECRET_REF(till_pin)"), "{result}");
    let result = world.run_with(ask("shop_pin", &["sh", "-c", shows])).await?;
    ensure!(result["status"] == "ok", "{result}");
    let said: Vec<_> = output(&result).lines().collect();
    ensure!(said.len() == 3 && said[..2].iter().all(|line| line.contains("SECRET_REF(shop_pin)")), "{result}");
    let heard = String::from_utf8_lossy(&world.agent.heard()).into_owned();
    ensure!(PINS.iter().all(|(_, _, value)| !heard.contains(value)), "a value came out");
    Ok(())
}

async fn time(world: &mut World) -> anyhow::Result<()> {
    let begin = Instant::now();
    let result = world.run(&["sh", "-c", "echo begun; sleep 300 & sleep 300"]).await?;
    ensure!(result["status"] == "failed" && result["exit_code"].is_null(), "{result}");
    ensure!(output(&result).starts_with("[stopped: it ran longer than 10 s]\nbegun"), "{result}");
    ensure!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    Ok(())
}

async fn memory(world: &mut World) -> anyhow::Result<()> {
    let result = world.run(&["sh", "-c", "yes | sort"]).await?;
    ensure!(result["status"] == "failed", "{result}");
    ensure!(output(&result).starts_with("[stopped: it used more memory than it may]"), "{result}");
    Ok(())
}

async fn numbers(world: &mut World) -> anyhow::Result<()> {
    let forks = "for i in $(seq 40); do sleep 5 & done; echo all";
    let result = world.run(&["sh", "-c", forks]).await?;
    ensure!(output(&result).contains("can't fork"), "{result}");
    let result = world.run(&["sh", "-c", "head -c 3000000 /dev/zero > /tmp/large; wc -c < /tmp/large"]).await?;
    ensure!(output(&result).contains("1048576"), "{result}");
    Ok(())
}

async fn endless(world: &mut World) -> anyhow::Result<()> {
    let result = world.run(&["yes", "on and on"]).await?;
    ensure!(result["status"] == "failed" && result["truncated"] == true, "{result:.300}");
    ensure!(
        output(&result).starts_with("[stopped: it printed more than 64 MiB]\non and on\n"),
        "{:.200}",
        output(&result)
    );
    Ok(())
}

async fn live(world: &mut World) -> anyhow::Result<()> {
    let go = world.stage.tenant.workspace().join("go");
    // More than a value is long: what could still become one is told later.
    let script = "echo \"$PIN first\"; seq 3000; until cat go 2>/dev/null; do sleep 0.1; done; echo last";
    let args = json!({"image": "box", "argv": ["sh", "-c", script], "workspace": "reads",
        "env": {"PIN": "SECRET_REF(shop_pin)"}});
    let (call, permit) = world.begin(args).await?;
    let printed = wait("its first line", || async {
        let (_, said) = world.agent.post("/v1/exec/output", &json!({"permit": permit})).await?;
        ensure!(said["done"] == false, "it has ended: {said}");
        Ok(said["text"].as_str().filter(|text| text.contains("first")).map(str::to_owned))
    })
    .await?;
    ensure!(!printed.contains("last") && printed.contains("SECRET_REF(shop_pin) first"), "{printed}");
    fs::write(&go, "")?;
    let result = world.result(&call).await?;
    ensure!(result["status"] == "ok" && output(&result).ends_with("3000\nlast\n"), "{result}");
    fs::remove_file(go)?;
    Ok(())
}

/// The name means another image on the engine by then; what runs is what the person saw. Where the policy itself names another
/// one, or the image is gone, nothing runs.
async fn approved(world: &mut World) -> anyhow::Result<()> {
    let args = json!({"image": "box", "argv": ["cat", "/which"]});
    let propose = async |world: &mut World| {
        let call = world.name();
        let (_, answer) = world.asking.propose(&call, "run_container", args.clone()).await?;
        ensure!(answer["decision"] == "pending", "{answer}");
        anyhow::Ok((call, answer["digest"].as_str().context("a digest")?.to_owned()))
    };
    let settled = async |world: &World, call: &str| {
        wait("what came of it", || async {
            let (_, status) = world.asking.status(call, 0).await?;
            Ok((status["decision"] != "pending").then_some(status))
        })
        .await
    };
    let (call, digest) = propose(world).await?;
    let shown = world.stage.tenant.cli(&["approvals", "show", &digest]).await?;
    ensure!(shown.contains(&world.box_id), "the person does not see which image: {shown}");
    let other = world.engine.image("box:1", "second", &[])?;
    ensure!(
        world.engine.docker(&["run", "--rm", "--network=none", "box:1", "cat", "/which"])? == "second",
        "not retagged"
    );
    world.stage.tenant.cli(&["approvals", "approve", &digest]).await?;
    let ran = settled(world, &call).await?;
    ensure!(ran["result"]["output"] == "first", "{ran}");

    let (call, digest) = propose(world).await?;
    world.follow(&other).await?;
    world.stage.tenant.cli(&["approvals", "approve", &digest]).await?;
    let void = settled(world, &call).await?;
    ensure!(void["decision"] == "deny" && void["result"].is_null(), "{void}");
    world.follow(&world.box_id.clone()).await
}

async fn stopped(world: &mut World) -> anyhow::Result<()> {
    let (call, _) = world.begin(json!({"image": "box", "argv": ["sleep", "300"]})).await?;
    let begin = Instant::now();
    let said = world.stage.tenant.cli(&["stop", AGENT, "--reason", "e2e"]).await?;
    let took = begin.elapsed();
    let alive = world.engine.docker(&["ps", "--format", "{{.Names}}"])?;
    world.stage.tenant.cli(&["resume", AGENT, "--reason", "e2e"]).await?;
    ensure!(alive.is_empty(), "alive after {took:?}: {alive}; {said}");
    let result = world.result(&call).await?;
    ensure!(result["status"] == "interrupted" && output(&result).contains("a person stopped this agent"), "{result}");
    // With the start of the command and its way to the daemon.
    ensure!(took < Duration::from_secs(1), "{took:?}");
    Ok(())
}

const ONCE: &str = "echo ran >> once; sleep 3; echo survived";

async fn daemon_dies(world: &mut World) -> anyhow::Result<()> {
    let once = world.stage.tenant.workspace().join("once");
    let args = json!({"image": "box", "argv": ["sh", "-c", ONCE], "workspace": "changes"});
    let (call, _) = world.begin(args).await?;
    let kills = world.stage.tenant.service.kills();
    world.stage.tenant.service.kill()?;
    wait("another daemon", || async { Ok((world.stage.tenant.service.kills() > kills).then_some(())) }).await?;
    let result = world.result(&call).await?;
    ensure!(result["status"] == "ok" && output(&result) == "survived\n", "{result}");
    ensure!(fs::read_to_string(&once)? == "ran\n", "it ran twice");
    fs::remove_file(once)?;
    Ok(())
}

async fn runner_dies(world: &mut World) -> anyhow::Result<()> {
    let (call, permit) = world.begin(json!({"image": "box", "argv": ["sleep", "300"]})).await?;
    kill_runner()?;
    let result = world.result(&call).await?;
    ensure!(result["status"] == "interrupted", "{result}");
    let left = world.engine.containers()?;
    ensure!(!left.contains(&permit), "recorded before it was gone: {left}");
    Ok(())
}

async fn helper_dies(world: &mut World) -> anyhow::Result<()> {
    let (call, permit) = world.begin(json!({"image": "box", "argv": ["sleep", "300"]})).await?;
    let kills = world.helper()?.kills();
    world.helper()?.kill()?;
    wait("another helper", || async { Ok((world.helper()?.kills() > kills).then_some(())) }).await?;
    let result = world.result(&call).await?;
    ensure!(result["status"] == "failed" && !output(&result).contains("may still run"), "{result}");
    let left = world.engine.docker(&["ps", "--format", "{{.Names}}"])?;
    ensure!(!left.contains(&permit), "recorded while it was alive: {left}");
    world.ready().await
}

async fn engine_gone(world: &mut World) -> anyhow::Result<()> {
    world.engine.stop()?;
    let result = world.run(&["id"]).await?;
    ensure!(result["status"] == "failed" && output(&result).contains("no Docker engine answers at"), "{result}");
    let doctor = world.doctor().await?;
    ensure!(doctor.contains("no Docker engine answers at") && doctor.contains("systemctl start"), "{doctor}");
    world.engine.start().await?;
    world.ready().await?;
    ensure!(output(&world.run(&["cat", "/which"]).await?) == "first", "it does not run again");
    Ok(())
}

async fn mcp(world: &mut World) -> anyhow::Result<()> {
    let ask =
        |id: u32, method: &str, params: Value| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    let listed = world.agent.post("/mcp", &ask(1, "tools/list", json!({}))).await?.1.to_string();
    ensure!(listed.contains("\"run_container\"") && listed.contains("\"box\""), "{listed}");
    let call = json!({"name": "run_container", "arguments": {"image": "box", "argv": ["cat", "/which"]}});
    let said = world.agent.post("/mcp", &ask(2, "tools/call", call)).await?.1.to_string();
    ensure!(said.contains("first"), "{said}");
    let call = json!({"name": "run_container", "arguments": {"image": "box", "privileged": true}});
    let said = world.agent.post("/mcp", &ask(3, "tools/call", call)).await?.1.to_string();
    ensure!(said.contains("takes no other arguments") && said.contains("\"isError\":true"), "{said}");
    Ok(())
}

/// The one process that carries out a call.
fn kill_runner() -> anyhow::Result<()> {
    let mut found = 0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        // Of this stage: another one on the machine has another mount namespace.
        let ours = fs::read_link(entry.path().join("ns/mnt")).ok() == fs::read_link("/proc/self/ns/mnt").ok();
        if ours
            && words.first().is_some_and(|name| name.ends_with(b"wardkeep-agent"))
            && words.get(1) == Some(&&b"runner"[..])
        {
            let pid = rustix::process::Pid::from_raw(pid).context("a process")?;
            rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
            found += 1;
        }
    }
    ensure!(found == 1, "{found} runners");
    Ok(())
}
