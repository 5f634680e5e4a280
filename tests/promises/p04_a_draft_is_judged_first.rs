//! P4, before a policy goes out: the server judges its own calls by the draft, tells titles only, and what loosens is not
//! published by accident. A draft counts for nothing, whatever dies meanwhile.

use serde_json::{Value, json};
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::stage::{Stage, TENANT};

/// The stage's policy with something else in it, as a file.
fn draft(stage: &Stage, name: &str, from: &str, to: &str) -> String {
    let policy = stage.tenant.policy();
    assert!(policy.contains(from), "{from} is not there");
    let file = stage.tenant.workspace().join(name);
    std::fs::write(&file, policy.replacen(from, to, 1)).expect("written");
    file.display().to_string()
}

async fn test(stage: &Stage, file: &str, more: &[&str]) -> (i32, Value) {
    let arguments = [&["policy", "test", TENANT, file, "--json"], more].concat();
    let (code, out, error) = stage.hub.cli_coded(&arguments).await.expect("it runs");
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{code} {out} {error}")))
}

async fn decision(hooks: &Hooks, call: &str, tool: &str, args: Value) -> Value {
    let (_, answer) = hooks.propose(call, tool, args).await.expect("an answer");
    answer["decision"].clone()
}

/// A read, a change, something grave, and what nobody may use.
async fn a_day(hooks: &Hooks) {
    let red = || json!({"command": "rm -rf old"});
    assert_eq!(decision(hooks, "read", "read_file", json!({"path": "notes/november.md"})).await, "allow");
    assert_eq!(decision(hooks, "write", "write_file", json!({"path": "a.md", "content": "x"})).await, "allow");
    assert_eq!(decision(hooks, "grave", "shell", red()).await, "pending");
    assert_eq!(decision(hooks, "never", "launch_rocket", json!({})).await, "deny");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_draft_would_change_is_seen_before_it_goes_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    a_day(&hooks).await;
    let level = "level = \"trusted\"";
    let looser = draft(&stage, "looser.toml", level, "level = \"autonomous\"");

    // By its text.
    let (code, out, _) = stage.hub.cli_coded(&["policy", "diff", TENANT, &looser, "--json"]).await.expect("it runs");
    let diff: Value = serde_json::from_str(&out).expect("JSON");
    let first = &diff["differences"][0];
    assert_eq!(
        (code, &diff["loosens"], diff["differences"].as_array().map(Vec::len)),
        (3, &json!(true), Some(1)),
        "{diff}"
    );
    assert_eq!(
        (&first["how"], &first["effect"], &first["after"]),
        (&json!("level"), &json!("loosens"), &json!("autonomous"))
    );
    assert_eq!(diff["against"]["in_force"], true);

    // By the calls that were made.
    let (code, told) = test(&stage, &looser, &[]).await;
    let review = &told[0]["answer"]["review"];
    assert_eq!((code, &review["judged"], &review["not_kept"]), (3, &json!(3), &json!(1)), "{told}");
    assert_eq!(review["shifts"].as_array().map(Vec::len), Some(1), "{told}");
    let shown = &review["calls"][0];
    assert_eq!(
        (&shown["effect"], &shown["from"]["outcome"], &shown["to"]["outcome"]),
        (&json!("loosens"), &json!("ask"), &json!("run"))
    );
    assert!(shown["title"].as_str().is_some_and(|title| title.contains("rm -rf old")), "{told}");

    // It counts for nothing by that.
    assert_eq!(decision(&hooks, "grave-2", "shell", json!({"command": "rm -rf older"})).await, "pending");
    let generation = stage.tenant_view().await.expect("a view")["desired_generation"].clone();
    let (code, _, error) = stage.hub.cli_coded(&["policy", "publish", TENANT, &looser]).await.expect("it runs");
    assert!(code == 1 && error.contains("2 of the last 4 calls") && error.contains("--loosens"), "{code} {error}");
    assert_eq!(stage.tenant_view().await.expect("a view")["desired_generation"], generation, "it was published");

    // What tightens goes out, and is seen, too.
    let stricter = draft(&stage, "stricter.toml", level, "level = \"supervised\"");
    let (code, told) = test(&stage, &stricter, &[]).await;
    let effects: Vec<&Value> =
        told[0]["answer"]["review"]["shifts"].as_array().into_iter().flatten().map(|shift| &shift["effect"]).collect();
    assert!(code == 0 && effects == [&json!("tightens")], "{code} {told}");
    stage.hub.cli(&["policy", "publish", TENANT, &stricter]).await.expect("published");
    wait("it to count", || async {
        let view = stage.tenant_view().await?;
        Ok((view["status"]["generation"] == view["desired_generation"]).then_some(()))
    })
    .await
    .expect("it counts");
    assert_eq!(decision(&hooks, "write-2", "write_file", json!({"path": "b.md", "content": "x"})).await, "pending");
    // Back to what was: that loosens now, and a person says so.
    let back = draft(&stage, "back.toml", level, level);
    assert_eq!(test(&stage, &back, &[]).await.0, 3);
    stage.hub.cli(&["policy", "publish", TENANT, &back, "--loosens", "--json"]).await.expect("published");
    let log = stage.tenant.cli(&["audit", "show", "--kind", "draft-judged", "--json"]).await.expect("the log");
    assert!(log.lines().count() >= 4, "that drafts were judged is on record: {log}");
    stage.strike().await.expect("everything stops");
}

/// A key that never was on the hub signs the next version; what anybody made of text or envelope since does not go out.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_signed_elsewhere_goes_out_as_it_was_signed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let file = |name: &str| stage.tenant.workspace().join(name).display().to_string();
    let refused = async |words: &[&str], says: &str| {
        let (code, out, error) = stage.hub.cli_coded(words).await.expect("it runs");
        assert!(code == 1 && error.contains(says), "{words:?}: {code} {out} {error}");
    };
    let level = "level = \"trusted\"";
    let stricter = draft(&stage, "stricter.toml", level, "level = \"supervised\"");
    let looser = draft(&stage, "looser.toml", level, "level = \"autonomous\"");
    let (key, shown, envelope) = (file("desk.key"), file("shown.json"), file("envelope.json"));

    // On a machine without a hub, from what the hub shows.
    let public = stage.hub.elsewhere(&["keys", "new", "--out", &key]).await.expect("made");
    std::fs::write(&shown, stage.hub.cli(&["policy", "show", TENANT, "--json"]).await.expect("shown"))
        .expect("written");
    let sign = ["policy", "sign", "--key", &key, "--after", &shown, "--file", &stricter, "--out", &envelope];
    stage.hub.elsewhere(&sign).await.expect("signed");
    let publish = ["policy", "publish", TENANT, &stricter, "--signed", &envelope, "--wait", "0"];
    refused(&publish, "not listed").await;
    let root = stage.hub.folder().join("root.key").display().to_string();
    stage.hub.cli(&["keys", "rotate", "bundle", "--public", public.trim(), "--root", &root]).await.expect("listed");

    // Another text, another envelope.
    refused(
        &["policy", "publish", TENANT, &looser, "--signed", &envelope, "--loosens", "--wait", "0"],
        "something else",
    )
    .await;
    let signed = std::fs::read_to_string(&envelope).expect("there");
    let bent = file("bent.json");
    let at = signed.len() / 2;
    let other = if signed.as_bytes()[at] == b'A' { "B" } else { "A" };
    std::fs::write(&bent, format!("{}{other}{}", &signed[..at], &signed[at + 1..])).expect("written");
    refused(&["policy", "publish", TENANT, &stricter, "--signed", &bent, "--wait", "0"], "signed").await;
    assert_eq!(decision(&hooks, "before", "write_file", json!({"path": "a.md", "content": "x"})).await, "allow");

    stage.hub.cli(&publish).await.expect("published");
    wait("it to count", || async {
        let view = stage.tenant_view().await?;
        Ok((view["status"]["generation"] == view["desired_generation"]).then_some(()))
    })
    .await
    .expect("it counts");
    assert_eq!(decision(&hooks, "after", "write_file", json!({"path": "b.md", "content": "x"})).await, "pending");
    // Nobody brings it in once more after another one.
    stage
        .hub
        .cli(&["policy", "publish", TENANT, &file("looser.toml"), "--loosens", "--wait", "0"])
        .await
        .expect("published");
    refused(&publish, "next version").await;
    stage.strike().await.expect("everything stops");
}

/// P1: the calls stay on the server; what is told of them is redacted by what is a secret now.
#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_draft_brings_out_titles_and_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let value = "tulip-Anvil-93-quartz-lamp";
    let args = json!({"path": "notes/plan.md", "content": "CONTENT-THAT-NOBODY-ASKED-ABOUT ".repeat(9)});
    assert_eq!(decision(&hooks, "quiet", "write_file", args).await, "allow");
    let args = json!({"command": format!("rm -rf backup-{value}")});
    assert_eq!(decision(&hooks, "later", "shell", args).await, "pending");
    stage.tenant.cli_told(&["vault", "set", "late", "--to", "host:late.example"], value).await.expect("stored");
    // Every agent gone: each call differs.
    let all = draft(&stage, "all.toml", "level = \"trusted\"", "level = \"trusted\"\ntools = []\n# ");
    let text = std::fs::read_to_string(&all).expect("there");
    let agents = text.find("[[agents]]").expect("there")..text.find("[[http]]").expect("there");
    std::fs::write(&all, text.replacen(&text[agents], "", 1)).expect("written");
    let (_, told) = test(&stage, &all, &[]).await;
    let text = told.to_string();
    let review = &told[0]["answer"]["review"];
    assert_eq!(review["calls"].as_array().map(Vec::len), Some(2), "{told}");
    assert!(text.contains("SECRET_REF(late)") && !text.contains(value), "{told}");
    assert!(!text.contains("CONTENT-THAT-NOBODY"), "arguments left the server: {told}");
    let rows: i64 = stage
        .hub
        .database()
        .expect("opens")
        .query_row(
            "SELECT count(*) FROM commands WHERE output LIKE '%CONTENT-THAT-NOBODY%' OR output LIKE ?1",
            [format!("%{value}%")],
            |row| row.get(0),
        )
        .expect("counted");
    assert_eq!(rows, 0);
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_drafts_absent_servers_and_crashes_have_an_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    a_day(&hooks).await;
    let broken = draft(&stage, "broken.toml", "level = \"trusted\"", "level = \"root\"");
    let (code, out, error) = stage.hub.cli_coded(&["policy", "test", TENANT, &broken]).await.expect("it runs");
    assert!(code == 1 && out.is_empty() && error.contains("unknown variant"), "{code} {out} {error}");
    // What only the server can know is its answer.
    let newer = draft(&stage, "newer.toml", "[llm]", "minimum_agent = \"99.0.0\"\n[llm]");
    let (code, told) = test(&stage, &newer, &[]).await;
    assert!(code == 1 && told.to_string().contains("update the daemon"), "{code} {told}");
    // A server that never came, beside one that did.
    stage.hub.cli(&["tenant", "add", "butcher"]).await.expect("added");
    let (code, out, _) = stage.hub.cli_coded(&["policy", "test", "--all", "--json"]).await.expect("it runs");
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &told[0]["answer"]["review"]["judged"]), (4, &json!(3)), "{told}");
    assert!(
        told[1]["tenant"] == "butcher" && told[1]["answer"]["why"].as_str().is_some_and(|why| why.contains("enrolled"))
    );
    // Whoever dies on the way, the answer is whole or none.
    let looser = draft(&stage, "looser.toml", "level = \"trusted\"", "level = \"autonomous\"");
    for round in 0..4_u64 {
        let kill = async {
            tokio::time::sleep(std::time::Duration::from_millis(200 + round * 250)).await;
            let service = if round % 2 == 0 { &stage.tenant.service } else { &stage.hub.service };
            service.kill().expect("killed");
        };
        let (tested, ()) = tokio::join!(test(&stage, &looser, &["--wait", "30"]), kill);
        let review = &tested.1[0]["answer"]["review"];
        let is_whole = tested.0 == 3 && review["judged"] == 3;
        assert!(is_whole || (tested.0 == 4 && review.is_null()), "{tested:?}");
        stage.tenant.cli(&["status", "--wait-online", "20"]).await.expect("back");
        wait("the hub to see it", || async { Ok((stage.tenant_view().await?["standing"] == "online").then_some(())) })
            .await
            .expect("online");
    }
    hooks.start_session().await.expect("an answer");
    assert_eq!(decision(&hooks, "grave-9", "shell", json!({"command": "rm -rf older"})).await, "pending");
    // Nobody but the operator's command line sends drafts.
    let id = stage.tenant_view().await.expect("a view")["id"].as_str().expect("an id").to_owned();
    let body = json!({"kind": "judge_draft", "source": "", "last": 5});
    let (status, _) = stage.person.post(&format!("/tenants/{id}/commands"), &body).await.expect("an answer");
    assert!(status.is_client_error(), "{status}");
    stage.strike().await.expect("everything stops");
}
