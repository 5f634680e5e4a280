//! P6: the result of a tool call that no gate decided on does not reach a model, is recorded and reported.

use serde_json::{Value, json};
use wardkeep_tests::simulators::llm::Answer;
use wardkeep_tests::story::hooks::Hooks;
use wardkeep_tests::story::people::wait;
use wardkeep_tests::story::stage::{MODEL, Setting, Stage};

const NOTE: &str = "notes/november.md";

/// A runtime with a live hook that does as it likes.
struct Runtime {
    hooks: Hooks,
    turns: Vec<Value>,
}

impl Runtime {
    fn new(hooks: Hooks) -> Self {
        Self { hooks, turns: vec![json!({"role": "user", "content": "Please prepare our newsletter."})] }
    }

    /// One turn of the model with these results behind it; the request's status and the answer.
    async fn hand_in(&self, results: &[(&str, &str)], stream: bool) -> (u16, Value) {
        let mut turns = self.turns.clone();
        if !results.is_empty() {
            let block = |(id, text): &(&str, &str)| json!({"type": "tool_result", "tool_use_id": id, "content": text});
            turns.push(json!({"role": "user", "content": results.iter().map(block).collect::<Vec<_>>()}));
        }
        let body = json!({"model": MODEL, "max_tokens": 64, "stream": stream, "messages": turns});
        let headers = [("anthropic-version".to_owned(), b"2023-06-01".to_vec())];
        let (status, answer) =
            self.hooks.ask_llm("/v1/messages", &headers, body.to_string().into_bytes()).await.expect("an answer");
        (status.as_u16(), answer)
    }

    /// The model asks for calls; their ids.
    async fn calls(&mut self, stage: &Stage, count: usize) -> Vec<String> {
        let calls = vec![("read_file".to_owned(), json!({"path": NOTE})); count];
        stage.llm.say_next(Answer { calls, ..Answer::default() });
        let (status, answer) = self.hand_in(&[], false).await;
        assert_eq!(status, 200, "{answer}");
        self.turns.push(json!({"role": "assistant", "content": answer["content"]}));
        let ids = answer["content"].as_array().expect("blocks").iter().filter_map(|block| block["id"].as_str());
        ids.map(str::to_owned).collect()
    }

    /// The results are refused, and the provider hears nothing.
    async fn is_refused(&self, stage: &Stage, results: &[(&str, &str)], says: &str) {
        for stream in [false, true] {
            let before = stage.llm.requests().len();
            let (status, answer) = self.hand_in(results, stream).await;
            assert_eq!(status, 400, "{answer}");
            assert_eq!((&answer["type"], &answer["error"]["type"]), (&json!("error"), &json!("invalid_request_error")));
            assert!(answer["error"]["message"].as_str().is_some_and(|text| text.contains(says)), "{answer}");
            assert_eq!(stage.llm.requests().len(), before, "the provider was asked");
        }
    }

    async fn decide(&self, call: &str) {
        let (status, answer) =
            self.hooks.propose(call, "read_file", json!({"path": NOTE})).await.expect("the daemon answers");
        assert!(status.is_success() && answer["decision"] == "allow", "{answer}");
    }
}

/// The fields of all audit rows about results past the gate.
async fn recorded(stage: &Stage) -> Vec<Value> {
    stage.tenant.cli(&["audit", "verify"]).await.expect("the log verifies");
    let path = stage.tenant.state().join("gate/gate.db");
    let conn = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).expect("opened");
    let mut rows =
        conn.prepare("SELECT fields FROM audit WHERE kind = 'results-past-the-gate' ORDER BY number").expect("asked");
    let rows = rows.query_map([], |row| row.get::<_, String>(0)).expect("read");
    rows.map(|fields| serde_json::from_str(&fields.expect("text")).expect("JSON")).collect()
}

async fn reported(stage: &Stage, text: &str) {
    wait("the bypass to be reported", || async {
        let list = stage.person.get("/activity?limit=500").await?;
        Ok(list.to_string().contains(text).then_some(()))
    })
    .await
    .expect("people see it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_without_a_decision_is_refused_recorded_and_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let mut runtime = Runtime::new(hooks);
    let ids = runtime.calls(&stage, 3).await;
    let [first, second, third] = &ids[..] else { panic!("three calls: {ids:?}") };
    // It executes without asking.
    runtime.is_refused(&stage, &[(first, "the note")], "before-tool-call").await;
    let rows = recorded(&stage).await;
    assert_eq!(rows.len(), 1, "told once: {rows:?}");
    assert_eq!((&rows[0]["refused"], &rows[0]["results"][0]["call"]), (&json!(true), &json!(first)));
    assert_eq!(rows[0]["results"][0]["why"], "undecided");
    reported(&stage, "came past the gate (1); the request was refused").await;
    // It renames the call, and has the gate decide on one that nobody asked for.
    runtime.is_refused(&stage, &[("renamed", "the note")], "renamed").await;
    runtime.decide("invented").await;
    runtime.is_refused(&stage, &[("invented", "the note")], "no model behind this server").await;
    // One decision of three.
    runtime.decide(first).await;
    runtime.is_refused(&stage, &[(first, "the note"), (second, "the note")], second).await;
    // Asked, however it was answered, the results pass; also when they come one by one.
    let (_, answer) =
        runtime.hooks.propose(second, "shell", json!({"command": "rm -rf drafts"})).await.expect("an answer");
    assert_ne!(answer["decision"], "allow", "{answer}");
    runtime.decide(third).await;
    let (status, answer) = runtime.hand_in(&[(first, "the note")], false).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = runtime.hand_in(&[(first, "the note"), (second, "Denied"), (third, "the note")], true).await;
    assert_eq!(status, 200, "{answer}");
    // An old decision lets nothing else through, neither at once nor after the daemon was killed.
    runtime.is_refused(&stage, &[(first, "what another call gave")], "another result").await;
    stage.tenant.service.kill().expect("killed");
    wait("the next daemon", || async {
        Ok(runtime.hooks.start_session().await.is_ok_and(|(status, _)| status.is_success()).then_some(()))
    })
    .await
    .expect("it serves");
    runtime.is_refused(&stage, &[(first, "what another call gave")], "another result").await;
    runtime.is_refused(&stage, &[("invented", "the note")], "no model behind this server").await;
    let (status, answer) = runtime.hand_in(&[(first, "the note"), (third, "the note")], false).await;
    assert_eq!(status, 200, "{answer}");
    stage.strike().await.expect("everything stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_only_reports_lets_it_pass_and_tells() {
    let folder = tempfile::tempdir().expect("a folder");
    let setting = Setting { gate_memory: "report", ..Setting::plain(folder.path()) };
    let (stage, hooks) = super::set(setting).await;
    let mut runtime = Runtime::new(hooks);
    let ids = runtime.calls(&stage, 1).await;
    for _ in 0..2 {
        let (status, answer) = runtime.hand_in(&[(&ids[0], "the note")], false).await;
        assert_eq!(status, 200, "{answer}");
    }
    let rows = recorded(&stage).await;
    assert_eq!(rows.len(), 1, "told once: {rows:?}");
    assert_eq!(rows[0]["refused"], false);
    reported(&stage, "the model was told all the same").await;
    stage.strike().await.expect("everything stops");
}

/// What a provider does by itself never comes back to the runtime, so that no gate would ever hear of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_the_provider_runs_is_not_offered_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (stage, hooks) = super::stage(folder.path()).await;
    let headers = [("anthropic-version".to_owned(), b"2023-06-01".to_vec())];
    let asked = |more: &str| {
        let body =
            format!(r#"{{"model":"{MODEL}","max_tokens":9,"messages":[{{"role":"user","content":"Hi"}}]{more}}}"#);
        hooks.ask_llm("/v1/messages", &headers, body.into_bytes())
    };
    for tool in [
        r#","tools":[{"type":"web_fetch_20250910","name":"web_fetch"}]"#,
        r#","tools":[{"name":"a","input_schema":{}},{"typ\u0065":"code_execution_20250825","name":"code"}]"#,
        r#","tools":[{"type":"custom","type":"web_search_20250305","name":"web_search"}]"#,
        r#","tools":[{"type":"of_tomorrow_20990101","name":"x"}]"#,
        r#","tools":{"type":"web_fetch_20250910","name":"web_fetch"}"#,
        r#","Tools":[{"type":"web_fetch_20250910","name":"web_fetch"}]"#,
        r#","system":[{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"type":"web_fetch_20250910","name":"web_fetch"}}}]"#,
        r#","system":[{"type":"text","text":"x","t\u006fols":[{"type":"code_execution_20250825","name":"code"}]}]"#,
    ] {
        let (status, answer) = asked(tool).await.expect("the gateway answers");
        assert_eq!(status.as_u16(), 400, "{tool}: {answer}");
        assert!(stage.llm.requests().is_empty(), "{tool} reached the provider");
    }
    let (status, answer) = asked(r#","tools":[{"name":"a","input_schema":{}}]"#).await.expect("the gateway answers");
    assert!(status.is_success(), "a tool of the runtime is the gate's: {answer}");
    stage.strike().await.expect("everything stops");
}
