//! Attacks through the hook API: whatever an agent proposes, reports or asks for, no value reaches the hub, the log or a file.

use serde_json::{Value, json};
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::capture::Channel;
use wardkeep_tests::story::stage::SESSION;

use super::siege::{Siege, heard};

/// One request to the hook API.
pub(super) enum Request {
    Post(&'static str, Value),
    Get(String),
}

/// One way to tell the daemon a value.
pub(super) struct Attack {
    pub(super) name: &'static str,
    /// From the call's id and the value.
    pub(super) how: fn(&str, &str) -> Request,
    /// Where a harmless text shows up.
    pub(super) shows: Option<Channel>,
}

fn call(id: &str, tool: &str, args: Value) -> Request {
    let body = json!({"session": SESSION, "call": id, "tool": tool, "args": args, "wait_ms": 0});
    Request::Post("/v1/hooks/before-tool-call", body)
}

const HUB: Option<Channel> = Some(Channel::Link);
const AGENT: Option<Channel> = Some(Channel::Agent);

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        name: "shell text",
        how: |id, v| call(id, "shell", json!({"command": format!("rm -rf '{v}'")})),
        shows: HUB,
    },
    Attack {
        name: "comment in shell text",
        how: |id, v| call(id, "shell", json!({"command": format!("rm -rf x # {v}")})),
        shows: HUB,
    },
    Attack { name: "argument", how: |id, v| call(id, "shell", json!({"argv": ["rm", "-rf", v]})), shows: HUB },
    Attack { name: "program", how: |id, v| call(id, "shell", json!({"argv": [v, "x"]})), shows: HUB },
    Attack {
        name: "variable",
        how: |id, v| call(id, "shell", json!({"command": "rm -rf x", "env": {"K": v}})),
        shows: HUB,
    },
    Attack {
        name: "standard input",
        how: |id, v| call(id, "shell", json!({"argv": ["rm", "-rf", "x"], "stdin": v})),
        shows: HUB,
    },
    Attack { name: "file to read", how: |id, v| call(id, "read_file", json!({"path": v})), shows: AGENT },
    Attack { name: "folder to list", how: |id, v| call(id, "list_files", json!({"path": v})), shows: AGENT },
    Attack {
        name: "file to write",
        how: |id, v| call(id, "write_file", json!({"path": format!("new/{v}"), "content": "x"})),
        shows: HUB,
    },
    Attack {
        name: "content to write",
        how: |id, v| call(id, "write_file", json!({"path": "/etc/x", "content": v})),
        shows: None,
    },
    Attack { name: "file to delete", how: |id, v| call(id, "delete_file", json!({"path": v})), shows: HUB },
    Attack {
        name: "path of a URL",
        how: |id, v| call(id, "http_request", json!({"method": "POST", "url": format!("http://127.0.0.1:1/{v}")})),
        shows: HUB,
    },
    Attack {
        name: "query of a URL",
        how: |id, v| call(id, "http_request", json!({"method": "POST", "url": format!("http://127.0.0.1:1/?q={v}")})),
        shows: HUB,
    },
    Attack {
        name: "fragment of a URL",
        how: |id, v| call(id, "http_request", json!({"method": "POST", "url": format!("http://127.0.0.1:1/#{v}")})),
        shows: HUB,
    },
    Attack {
        name: "host of a URL",
        how: |id, v| call(id, "http_request", json!({"url": format!("https://{v}.example/")})),
        shows: HUB,
    },
    Attack {
        name: "user of a URL",
        how: |id, v| call(id, "http_request", json!({"method": "POST", "url": format!("http://u:{v}@127.0.0.1:1/")})),
        shows: None,
    },
    Attack {
        name: "header",
        how: |id, v| {
            let headers = json!({"x-note": v});
            call(id, "http_request", json!({"method": "POST", "url": "http://127.0.0.1:1/", "headers": headers}))
        },
        shows: HUB,
    },
    Attack {
        name: "name of a header",
        how: |id, v| {
            let headers = json!({v: "1"});
            call(id, "http_request", json!({"method": "POST", "url": "http://127.0.0.1:1/", "headers": headers}))
        },
        shows: HUB,
    },
    Attack {
        name: "body",
        how: |id, v| call(id, "http_request", json!({"method": "POST", "url": "http://127.0.0.1:1/", "body": v})),
        shows: HUB,
    },
    Attack {
        name: "body as JSON",
        how: |id, v| {
            call(id, "http_request", json!({"method": "POST", "url": "http://127.0.0.1:1/", "json": {"a": [v]}}))
        },
        shows: HUB,
    },
    Attack {
        name: "basic authorisation",
        how: |id, v| {
            let basic = format!("Basic {}", data_encoding::BASE64.encode(format!("shop:{v}").as_bytes()));
            let headers = json!({"authorization": basic});
            call(id, "http_request", json!({"method": "POST", "url": "http://127.0.0.1:1/", "headers": headers}))
        },
        shows: None,
    },
    Attack {
        name: "method",
        how: |id, v| call(id, "http_request", json!({"method": v, "url": "http://127.0.0.1:1/"})),
        shows: None,
    },
    Attack {
        name: "text of a message",
        how: |id, v| call(id, "message", json!({"channel": "chat", "to": ["ada"], "text": v})),
        shows: HUB,
    },
    Attack {
        name: "subject of a mail",
        how: |id, v| call(id, "send_email", json!({"to": ["ada@example.com"], "subject": v, "body": "x"})),
        shows: HUB,
    },
    Attack {
        name: "recipient",
        how: |id, v| call(id, "send_email", json!({"to": ["ada@example.com", v], "body": "x"})),
        shows: HUB,
    },
    Attack {
        name: "channel",
        how: |id, v| call(id, "message", json!({"channel": v, "to": ["ada"], "text": "x"})),
        shows: HUB,
    },
    Attack { name: "unknown tool", how: |id, v| call(id, "crm_note", json!({"a": {"b": [v]}})), shows: None },
    Attack { name: "key of an unknown tool", how: |id, v| call(id, "crm_note", json!({v: 1})), shows: None },
    Attack {
        name: "number of an unknown tool",
        how: |id, v| {
            let digits: String = v.chars().filter(char::is_ascii_digit).take(15).collect();
            call(id, "crm_note", json!({"n": digits.parse::<u64>().unwrap_or(0)}))
        },
        shows: None,
    },
    Attack { name: "name of a tool", how: |id, v| call(id, v, json!({})), shows: HUB },
    // The hub refuses names of more than a line; one such call must not cut the link off for good.
    Attack {
        name: "name of a tool with line ends",
        how: |id, v| call(id, &format!("a\nb\r{v}"), json!({})),
        shows: HUB,
    },
    Attack {
        name: "name of a tool on the edge of its limit",
        how: |id, v| call(id, &format!("{}{v}", "x".repeat(128_usize.saturating_sub(v.len() * 3 / 4))), json!({})),
        shows: None,
    },
    Attack {
        name: "name of a tool beyond its limit",
        how: |id, v| call(id, &format!("{v}{}{v}", "x".repeat(200)), json!({})),
        shows: HUB,
    },
    Attack {
        name: "folder to start in",
        how: |id, v| call(id, "shell", json!({"command": "rm -rf x", "cwd": v})),
        shows: HUB,
    },
    Attack {
        name: "id of a call",
        how: |id, v| call(&format!("{id}{v}"), "list_files", json!({"path": "."})),
        shows: HUB,
    },
    Attack {
        name: "id of a session",
        how: |id, v| {
            let body = json!({"session": v, "call": id, "tool": "list_files", "args": {"path": "."}});
            Request::Post("/v1/hooks/before-tool-call", body)
        },
        shows: HUB,
    },
    Attack {
        name: "name of the runtime",
        how: |_, v| Request::Post("/v1/hooks/session-start", json!({"session": SESSION, "runtime": v})),
        shows: None,
    },
    Attack {
        name: "session that started this one",
        how: |_, v| {
            let body = json!({"session": SESSION, "runtime": "x", "parent_session": v});
            Request::Post("/v1/hooks/session-start", body)
        },
        shows: None,
    },
    Attack {
        name: "message of the runtime",
        how: |id, v| {
            let body = json!({"session": SESSION, "call": id, "channel": "chat", "to": ["ada"], "text": v});
            Request::Post("/v1/hooks/message-sending", body)
        },
        shows: HUB,
    },
    Attack {
        name: "recipient of a message of the runtime",
        how: |id, v| {
            let body = json!({"session": SESSION, "call": id, "channel": "chat", "to": [v], "text": "x"});
            Request::Post("/v1/hooks/message-sending", body)
        },
        shows: HUB,
    },
    Attack {
        name: "words of the model",
        how: |_, v| Request::Post("/v1/hooks/llm-output", json!({"session": SESSION, "text": v})),
        shows: AGENT,
    },
    Attack {
        name: "calls that the model wants",
        how: |_, v| {
            let calls = json!([{"id": v, "name": v}, {"id": format!("{}{v}", "x".repeat(110)), "name": "y"}]);
            Request::Post("/v1/hooks/llm-output", json!({"session": SESSION, "text": "", "tool_calls": calls}))
        },
        shows: None,
    },
    Attack {
        name: "result without a call",
        how: |id, v| Request::Post("/v1/hooks/after-tool-call", json!({"session": SESSION, "call": id, "output": v})),
        shows: None,
    },
    Attack {
        name: "field that nobody knows",
        how: |id, v| {
            let mut body = json!({"session": SESSION, "call": id, "tool": "list_files", "args": {"path": "."}});
            body[v] = json!(v);
            Request::Post("/v1/hooks/before-tool-call", body)
        },
        shows: None,
    },
    Attack {
        name: "field of the wrong type",
        how: |_, v| Request::Post("/v1/hooks/before-tool-call", json!({"session": {v: v}, "call": [v], "wait_ms": v})),
        shows: None,
    },
    Attack { name: "permit", how: |_, v| Request::Post("/v1/exec", json!({"permit": v})), shows: None },
    Attack {
        name: "call to ask about",
        how: |_, v| Request::Get(format!("/v1/calls/{SESSION}/{}", plain(v))),
        shows: None,
    },
    Attack {
        name: "time to wait",
        how: |_, v| Request::Get(format!("/v1/calls/{SESSION}/x?wait_ms={}", plain(v))),
        shows: None,
    },
    Attack { name: "route that is not there", how: |_, v| Request::Get(format!("/v1/{}", plain(v))), shows: None },
];

fn plain(value: &str) -> String {
    value.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_tells_the_hub_a_value() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let secrets = siege.secrets();
    for (number, attack) in ATTACKS.iter().enumerate() {
        // A harmless text first: where it does not arrive, an attack shows nothing. A name of its own for each.
        let harmless = format!("velvet-lantern-{number:02}-in-the-orchard");
        send(&mut siege, (attack.how)(&format!("h{number}"), &harmless)).await;
        let news = siege.listen(attack.name);
        match attack.shows {
            Some(Channel::Link) => siege.must_reach_the_hub(attack.name, &harmless),
            Some(channel) => {
                assert!(heard(&news, &harmless).contains(&channel), "{}: nothing got through", attack.name);
            }
            None => {}
        }
        for (name, value) in &secrets {
            send(&mut siege, (attack.how)(&format!("c{number}-{name}"), value)).await;
            siege.listen(&format!("{}, {name}", attack.name));
        }
    }
    siege.link_held();
    siege.lift().await;
}

/// Sends it and runs what is allowed.
pub(super) async fn send(siege: &mut Siege, request: Request) {
    let (_, answer) = match request {
        Request::Post(path, body) => siege.hooks.post(path, &body).await,
        Request::Get(path) => siege.hooks.get(&path).await,
    }
    .expect("the daemon answers");
    if let Some(permit) = answer["permit"].as_str() {
        siege.hooks.exec(permit).await.expect("the daemon answers");
    }
}

/// A tool of the runtime itself: its result goes through the daemon on its way to the model.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_runtime_reports_comes_back_and_is_told_without_values() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let secrets = siege.secrets();
    let harmless = [("harmless", super::siege::HARMLESS.to_owned())];
    for (name, value) in harmless.iter().chain(&secrets) {
        let args = json!({"topic": "opening hours", "name": name});
        let (_, answer) = siege.hooks.propose(name, "crm_note", args).await.expect("an answer");
        assert_eq!(answer["decision"], "allow", "{name}: {answer}");
        for (is_error, output) in
            [(false, format!("found: {value}")), (true, format!("{}{value}", ". ".repeat(131_065)))]
        {
            let body = json!({"session": SESSION, "call": name, "output": output, "is_error": is_error});
            let (status, _) = siege.hooks.post("/v1/hooks/after-tool-call", &body).await.expect("an answer");
            assert!(status.is_success(), "{name}: {status}");
        }
        siege.hooks.status(name, 0).await.expect("an answer");
        let news = siege.listen(&format!("report of the runtime, {name}"));
        assert!(
            *name != "harmless" || heard(&news, super::siege::HARMLESS).contains(&Channel::Agent),
            "nothing came back"
        );
    }
    siege.lift().await;
}

/// A person may write what should not be written; the agent is told it without.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_writes_reaches_the_agent_without_values() {
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let secret = siege.stage.secrets.database.clone();
    for (number, words) in [super::siege::HARMLESS, secret.as_str()].into_iter().enumerate() {
        let id = format!("note{number}");
        let args = json!({"command": format!("rm -rf nothing-{number}")});
        let (_, answer) = siege.hooks.propose(&id, "shell", args).await.expect("an answer");
        let digest = answer["digest"].as_str().expect("it waits").to_owned();
        siege.stage.tenant.cli(&["approvals", "deny", &digest, "--note", words]).await.expect("denied");
        let (_, answer) = siege.hooks.status(&id, 5_000).await.expect("an answer");
        assert_eq!(answer["decision"], "deny", "{answer}");
        let news = siege.listen("note of a person");
        assert!(
            number > 0 || heard(&news, super::siege::HARMLESS).contains(&Channel::Agent),
            "the note never came: {answer}"
        );
    }
    let agent = wardkeep_tests::story::stage::AGENT;
    siege.stage.tenant.cli(&["pause", agent, "--reason", &secret]).await.expect("paused");
    siege.hooks.start_session().await.expect("an answer");
    siege.hooks.propose("paused", "shell", json!({"command": "mkdir y"})).await.expect("an answer");
    siege.listen("reason of a pause");
    siege.lift().await;
}
