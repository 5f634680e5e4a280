//! Every API that is passed on: whole, without what must not leave, and refused in its own words.

use super::harness::{KEY, PASSWORD, Reply, Request, Step, TOKEN, World, chunk, streamed};
use crate::usage::tests::{GEMINI, RESPONSES, gemini_accounts, responses_accounts};

/// One API as a client uses it.
struct Case {
    name: &'static str,
    target: &'static str,
    /// `%` is where text of the agent stands.
    body: &'static str,
    /// What the provider is asked for.
    upstream: &'static str,
    /// The same body as the provider gets it.
    sent: &'static str,
    /// Of the answer.
    document: &'static str,
    /// Billed, or not: input, cached, output.
    tokens: (u64, u64, u64),
}

const CASES: &[Case] = &[
    Case {
        name: "Messages",
        target: "/v1/messages?beta=true",
        body: r#"{"model":"sonnet","max_tokens":9,"n":1.50,"messages":[{"role":"user","content":"%"}]}"#,
        upstream: "POST /v1/messages?beta=true HTTP/1.1",
        sent: r#"{"model":"sonnet-20260101","max_tokens":9,"n":1.50,"messages":[{"role":"user","content":"%"}]}"#,
        document: r#"{"content":[],"usage":{"input_tokens":3,"cache_read_input_tokens":2,"output_tokens":1}}"#,
        tokens: (3, 2, 1),
    },
    Case {
        name: "count_tokens",
        target: "/v1/messages/count_tokens",
        body: r#"{"model":"sonnet","messages":[{"role":"user","content":[{"type":"text","text":"%"}]}]}"#,
        upstream: "POST /v1/messages/count_tokens HTTP/1.1",
        sent: r#"{"model":"sonnet-20260101","messages":[{"role":"user","content":[{"type":"text","text":"%"}]}]}"#,
        document: r#"{"input_tokens":2095}"#,
        tokens: (0, 0, 0),
    },
    Case {
        name: "Chat Completions",
        target: "/v1/chat/completions",
        body: r#"{"model":"mini","messages":[{"role":"user","content":"%"}],"new_field":{"a":[1.0]}}"#,
        upstream: "POST /v1/chat/completions HTTP/1.1",
        sent: r#"{"model":"mini-20260101","messages":[{"role":"user","content":"%"}],"new_field":{"a":[1.0]}}"#,
        document: r#"{"choices":[],"usage":{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens":1}}"#,
        tokens: (3, 2, 1),
    },
    Case {
        name: "Responses",
        target: "/v1/responses",
        body: r#"{"model":"mini","store":false,"input":[{"role":"user","content":[{"type":"input_text","text":"%"}]}],"max_output_tokens":1e3}"#,
        upstream: "POST /v1/responses HTTP/1.1",
        sent: r#"{"model":"mini-20260101","store":false,"input":[{"role":"user","content":[{"type":"input_text","text":"%"}]}],"max_output_tokens":1e3}"#,
        document: r#"{"object":"response","output":[],"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":2},"output_tokens":1}}"#,
        tokens: (3, 2, 1),
    },
    Case {
        name: "Embeddings",
        target: "/v1/embeddings",
        body: r#"{"input":["%","b"],"model":"mini","encoding_format":"base64"}"#,
        upstream: "POST /v1/embeddings HTTP/1.1",
        sent: r#"{"input":["%","b"],"model":"mini-20260101","encoding_format":"base64"}"#,
        document: r#"{"data":[{"embedding":"AAAA"}],"usage":{"prompt_tokens":3,"total_tokens":3}}"#,
        tokens: (3, 0, 0),
    },
    Case {
        name: "generateContent",
        target: "/v1beta/models/flash:generateContent",
        body: r#"{"contents":[{"role":"user","parts":[{"text":"%"}]}],"generationConfig":{"temperature":0.70}}"#,
        upstream: "POST /v1beta/models/flash-20260101:generateContent HTTP/1.1",
        sent: r#"{"contents":[{"role":"user","parts":[{"text":"%"}]}],"generationConfig":{"temperature":0.70}}"#,
        document: r#"{"candidates":[],"usageMetadata":{"promptTokenCount":5,"cachedContentTokenCount":2,"candidatesTokenCount":1}}"#,
        tokens: (3, 2, 1),
    },
    Case {
        name: "countTokens",
        target: "/v1beta/models/flash:countTokens",
        body: r#"{"generateContentRequest":{"model":"models/flash","contents":[{"parts":[{"text":"%"}]}]}}"#,
        upstream: "POST /v1beta/models/flash-20260101:countTokens HTTP/1.1",
        sent: r#"{"generateContentRequest":{"model":"models/flash-20260101","contents":[{"parts":[{"text":"%"}]}]}}"#,
        document: r#"{"totalTokens":7}"#,
        tokens: (0, 0, 0),
    },
    Case {
        name: "embedContent",
        target: "/v1beta/models/flash:embedContent",
        body: r#"{"model":"models/flash","content":{"parts":[{"text":"%"}]}}"#,
        upstream: "POST /v1beta/models/flash-20260101:embedContent HTTP/1.1",
        sent: r#"{"model":"models/flash-20260101","content":{"parts":[{"text":"%"}]}}"#,
        document: r#"{"embedding":{"values":[0.5]},"usageMetadata":{"promptTokenCount":3}}"#,
        tokens: (3, 0, 0),
    },
    Case {
        name: "batchEmbedContents",
        target: "/v1beta/models/flash:batchEmbedContents",
        body: r#"{"requests":[{"model":"models/flash","content":{"parts":[{"text":"%"}]}}]}"#,
        upstream: "POST /v1beta/models/flash-20260101:batchEmbedContents HTTP/1.1",
        sent: r#"{"requests":[{"model":"models/flash-20260101","content":{"parts":[{"text":"%"}]}}]}"#,
        document: r#"{"embeddings":[],"usageMetadata":{"promptTokenCount":3}}"#,
        tokens: (3, 0, 0),
    },
];

impl Case {
    fn request(&self, body: impl AsRef<[u8]>) -> Request<'static> {
        match self.target {
            target if target.starts_with("/v1beta/") => Request::gemini(target, body),
            target if target.starts_with("/v1/messages") => Request { target, ..Request::messages(body) },
            target => Request { target, ..Request::completions(body) },
        }
    }

    /// Its refusal has the form of its own errors.
    fn spoke(&self, reply: &Reply) {
        let said = reply.json();
        let message = said["error"]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with("Wardkeep: "), "{}: {said}", self.name);
        if self.target.starts_with("/v1beta/") {
            assert_eq!(said["error"]["code"], reply.status);
            assert!(said["error"]["status"].is_string(), "{said}");
        } else if self.target.starts_with("/v1/messages") {
            assert_eq!((&said["type"], said["request_id"].is_string()), (&"error".into(), true), "{said}");
        } else {
            assert_eq!((said["error"]["code"].is_string(), said["error"]["param"].is_null()), (true, true), "{said}");
        }
    }
}

fn json_escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

#[tokio::test]
async fn every_api_passes_byte_for_byte_but_for_the_model_and_is_counted() {
    for case in CASES {
        let mut world = World::new().await;
        world.provider.document("200 OK", case.document);
        let reply = world.ask(case.request(case.body.replace('%', "Gr\\u00fc\u{df}e"))).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, case.document), "{}", case.name);
        let seen = world.provider.seen().pop().unwrap();
        assert_eq!(seen.line, case.upstream);
        assert_eq!(String::from_utf8_lossy(&seen.body), case.sent.replace('%', "Gr\\u00fc\u{df}e"), "{}", case.name);
        let raw = String::from_utf8_lossy(&seen.raw).into_owned();
        assert!(!raw.contains(TOKEN) && raw.matches(KEY).count() == 1, "{}: {raw}", case.name);
        let amounts = world.amounts(1).await;
        assert_eq!(
            (amounts.input_tokens, amounts.cache_read_tokens, amounts.output_tokens),
            case.tokens,
            "{}",
            case.name
        );
        assert_eq!((amounts.requests, amounts.estimated_requests), (1, 0), "{}", case.name);
    }
}

#[tokio::test]
async fn no_api_lets_a_secret_out() {
    let escaped = json_escaped(PASSWORD);
    let base64 = data_encoding::BASE64.encode(PASSWORD.as_bytes());
    let unicode: String = PASSWORD.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    for case in CASES {
        let world = World::new().await;
        let forms = [
            ("body", case.body.replace('%', &escaped)),
            ("escaped", case.body.replace('%', &unicode)),
            ("base64", case.body.replace('%', &base64)),
            ("the key of the provider", case.body.replace('%', KEY)),
            ("a name", case.body.replacen('{', &format!("{{\"x {escaped}\":1,"), 1)),
            ("a number beside", case.body.replacen('{', &format!("{{\"x\":[true,\"{escaped}\"],"), 1)),
        ];
        for (place, body) in forms {
            world.provider.document("200 OK", case.document);
            let reply = world.ask(case.request(&body)).await;
            assert_eq!(reply.status, 200, "{} {place}: {}", case.name, reply.text());
            let seen = world.provider.seen().pop().unwrap();
            let text = String::from_utf8_lossy(&seen.body).into_owned();
            assert!(text.contains("SECRET_REF("), "{} {place}: {text}", case.name);
            let raw = String::from_utf8_lossy(&seen.raw).into_owned();
            for needle in [PASSWORD, &escaped, &base64, &unicode] {
                assert!(!raw.contains(needle), "{} {place}: {raw}", case.name);
            }
            assert_eq!(raw.matches(KEY).count(), 1, "{} {place}", case.name);
        }
        // Headers that go on are redacted, others do not go on.
        world.provider.document("200 OK", case.document);
        let value = format!("v {KEY}");
        let request =
            case.request(case.body).with("user-agent", &value).with("x-other", KEY).with("x-goog-api-client", KEY);
        assert_eq!(world.ask(request).await.status, 200);
        let raw = String::from_utf8_lossy(&world.provider.seen().pop().unwrap().raw).into_owned();
        assert_eq!(
            (raw.matches(KEY).count(), raw.contains("v SECRET_REF(llm_key)")),
            (1, true),
            "{}: {raw}",
            case.name
        );
        // Path and query.
        let before = world.provider.seen().len();
        let separator = if case.target.contains('?') { '&' } else { '?' };
        let query = format!("{}{separator}note={KEY}", case.target);
        let reply = world.ask(Request { target: &query, ..case.request(case.body) }).await;
        assert_eq!(reply.refusal(), (400, "secret-in-head"), "{}", case.name);
        case.spoke(&reply);
        let path = format!("{}/{KEY}", case.target.split('?').next().unwrap());
        let reply = world.ask(Request { target: &path, ..case.request(case.body) }).await;
        assert!(reply.status >= 400 && !reply.text().contains(KEY), "{}: {}", case.name, reply.text());
        assert_eq!(world.provider.seen().len(), before, "{}", case.name);
    }
    let world = World::new().await;
    let target = format!("/v1beta/models/{KEY}:generateContent");
    let reply = world.ask(Request::gemini(&target, "{}")).await;
    assert_eq!(reply.refusal(), (400, "unlisted-model"));
    assert!(!reply.text().contains(KEY) && world.provider.seen().is_empty());
}

#[tokio::test]
async fn every_api_refuses_in_its_own_words() {
    for case in CASES {
        let world = World::new().await;
        for (name, request, want) in [
            ("no token", Request { headers: vec![], ..case.request(case.body) }, (401, "unknown-token")),
            ("no JSON", case.request("a=b"), (400, "invalid-body")),
            ("compressed", case.request(case.body).with("content-encoding", "gzip"), (400, "encoded")),
            ("GET", Request { method: "DELETE", ..case.request("") }, (405, "method")),
        ] {
            let reply = world.ask(request).await;
            assert_eq!(reply.refusal(), want, "{} {name}: {}", case.name, reply.text());
            case.spoke(&reply);
        }
        let others = case.body.replace("sonnet", "secret").replace("\"mini", "\"secret");
        let target = case.target.replace("flash", "secret");
        let reply = world
            .ask(Request { target: &target, ..case.request(others.replace("models/flash", "models/secret")) })
            .await;
        assert_eq!(reply.refusal(), (400, "unlisted-model"), "{}", case.name);
        case.spoke(&reply);
        world.change(|bundle| {
            bundle.llm.providers.iter_mut().for_each(|provider| {
                provider.endpoints = vec![match provider.dialect {
                    wardkeep_policy::Dialect::Anthropic => wardkeep_policy::Endpoint::AnthropicFiles,
                    wardkeep_policy::Dialect::OpenAi => wardkeep_policy::Endpoint::OpenaiFiles,
                    wardkeep_policy::Dialect::Gemini => wardkeep_policy::Endpoint::StreamGenerateContent,
                }];
            })
        });
        let reply = world.ask(case.request(case.body)).await;
        assert_eq!(reply.refusal(), (400, "not-served"), "{}", case.name);
        assert!(world.provider.seen().is_empty() && world.nothing_was_metered().await, "{}", case.name);
    }
}

#[tokio::test]
async fn a_secret_in_what_a_provider_has_signed_refuses_the_turn() {
    let world = World::new().await;
    for (target, body) in [
        (
            "/v1/messages",
            r#"{"model":"sonnet","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"%","signature":"c2ln"}]}]}"#,
        ),
        (
            "/v1/messages/count_tokens",
            r#"{"model":"sonnet","messages":[{"role":"assistant","content":[{"type":"redacted_thinking","data":"%"}]}]}"#,
        ),
        (
            "/v1/chat/completions",
            r#"{"model":"mini","messages":[{"role":"assistant","reasoning_details":[{"type":"reasoning.encrypted","data":"%"}]}]}"#,
        ),
        (
            "/v1/responses",
            r#"{"model":"mini","input":[{"type":"reasoning","summary":[{"type":"summary_text","text":"%"}],"encrypted_content":"gAAA"}]}"#,
        ),
        ("/v1/responses", r#"{"model":"mini","input":[{"type":"compaction","encrypted_content":"%"}]}"#),
        (
            "/v1beta/models/flash:generateContent",
            r#"{"contents":[{"role":"model","parts":[{"text":"%","thought":true,"thoughtSignature":"c2ln"}]}]}"#,
        ),
        (
            "/v1beta/models/flash:streamGenerateContent?alt=sse",
            r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"ls","args":{"path":"%"}},"thought_signature":"c2ln"}]}]}"#,
        ),
    ] {
        let case =
            CASES.iter().find(|case| case.target.split(['?', ':']).next() == target.split(['?', ':']).next()).unwrap();
        let reply = world.ask(Request { target, ..case.request(body.replace('%', KEY)) }).await;
        assert_eq!(reply.refusal(), (400, "secret-in-signed-block"), "{target}: {}", reply.text());
        case.spoke(&reply);
        assert!(!reply.text().contains(KEY));
    }
    assert!(world.provider.seen().is_empty());
    // Without a signature the same text is redacted and goes.
    world.provider.document("200 OK", "{}");
    let unsigned = format!(
        r#"{{"model":"mini","input":[{{"type":"reasoning","summary":[{{"type":"summary_text","text":"{KEY}"}}],"encrypted_content":null}}]}}"#
    );
    assert_eq!(world.ask(Request { target: "/v1/responses", ..Request::completions(unsigned) }).await.status, 200);
}

#[tokio::test]
async fn the_callers_way_of_naming_itself_to_google_never_goes_on() {
    let world = World::new().await;
    const BODY: &str = r#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#;
    let in_query =
        format!("/v1beta/models/flash:streamGenerateContent?key={TOKEN}&alt=sse&access_token=ya29.mine&k%65y=x");
    let bearer = format!("Bearer {TOKEN}");
    // What stands beside it is searched as before.
    let beside = format!("/v1beta/models/flash:streamGenerateContent?key={TOKEN}&alt={KEY}");
    let refused = world.ask(Request { headers: vec![], ..Request::gemini(&beside, BODY) }).await;
    assert_eq!(refused.refusal(), (400, "secret-in-head"));
    assert!(world.provider.seen().is_empty());
    for (target, headers) in [
        (in_query.as_str(), vec![]),
        ("/v1beta/models/flash:streamGenerateContent?alt=sse", vec![("x-goog-api-key", TOKEN.to_owned())]),
        ("/v1beta/models/flash:streamGenerateContent?alt=sse", vec![("authorization", bearer)]),
    ] {
        world.provider.answer(streamed(GEMINI, [Step::Send(chunk(""))]));
        let reply = world.ask(Request { headers, ..Request::gemini(target, BODY) }).await;
        assert_eq!((reply.status, reply.text()), (200, GEMINI.concat()));
        let seen = world.provider.seen().pop().unwrap();
        assert_eq!(seen.line, "POST /v1beta/models/flash-20260101:streamGenerateContent?alt=sse HTTP/1.1");
        assert_eq!(seen.headers["x-goog-api-key"], KEY);
        let raw = String::from_utf8_lossy(&seen.raw).into_owned();
        assert!(!raw.contains(TOKEN) && !raw.contains("ya29"), "{raw}");
    }
    assert_eq!(
        world
            .ask(Request { headers: vec![], ..Request::gemini("/v1beta/models/flash:countTokens?key=x", BODY) })
            .await
            .refusal(),
        (401, "unknown-token")
    );
}

#[tokio::test]
async fn no_query_takes_the_usage_out_of_an_answer_or_brings_another_key() {
    let world = World::new().await;
    const BODY: &str = r#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#;
    for query in [
        "fields=candidates",
        "alt=sse&$fields=candidates",
        "f%69elds=candidates",
        "alt=proto",
        "$alt=media",
        "alt=json&callback=f",
        "$key=another",
        "$httpHeaders=x-goog-api-key%3Aanother",
        "quotaUser=x",
        "%zz=x",
        "alt=%zz",
    ] {
        let target = format!("/v1beta/models/flash:generateContent?{query}");
        assert_eq!(world.ask(Request::gemini(&target, BODY)).await.refusal(), (400, "query"), "{query}");
    }
    assert!(world.provider.seen().is_empty() && world.nothing_was_metered().await);
    for query in ["", "&", "prettyPrint=false", "$alt=json%3Benum-encoding%3Dint", "alt=json&alt=sse"] {
        world.provider.document("200 OK", "{}");
        let target = format!("/v1beta/models/flash:generateContent?{query}");
        assert_eq!(world.ask(Request::gemini(&target, BODY)).await.status, 200, "{query}");
    }
}

#[tokio::test]
async fn nobody_answers_in_the_background() {
    let world = World::new().await;
    let ask = |value: &str| format!(r#"{{"model":"mini","input":"Hi","b\u0061ckground":{value}}}"#);
    for value in ["true", "1", "\"true\""] {
        let reply = world.ask(Request { target: "/v1/responses", ..Request::completions(ask(value)) }).await;
        assert_eq!(reply.refusal(), (400, "invalid-body"), "{value}");
        assert!(reply.text().contains("`background`"), "{}", reply.text());
    }
    assert!(world.provider.seen().is_empty() && world.nothing_was_metered().await);
    for value in ["false", "null"] {
        world.provider.document("200 OK", "{}");
        let reply = world.ask(Request { target: "/v1/responses", ..Request::completions(ask(value)) }).await;
        assert_eq!(reply.status, 200, "{value}");
    }
}

#[tokio::test]
async fn a_gemini_body_cannot_ask_for_another_model_than_its_address() {
    let world = World::new().await;
    for (verb, body) in [
        ("embedContent", r#"{"model":"models/secret","content":{}}"#),
        ("batchEmbedContents", r#"{"requests":[{"model":"models/flash"},{"model":"models/secret"}]}"#),
        ("countTokens", r#"{"generate_content_request":{"model":"models/secret"}}"#),
        ("generateContent", r#"{"model":"secret"}"#),
    ] {
        let target = format!("/v1beta/models/flash:{verb}");
        assert_eq!(world.ask(Request::gemini(&target, body)).await.refusal(), (400, "invalid-body"), "{verb}");
    }
    assert!(world.provider.seen().is_empty());
}

#[tokio::test]
async fn no_body_leads_to_a_model_that_nobody_looked_up() {
    let world = World::new().await;
    for (target, body) in [
        ("/v1/messages", r#"{"model":"sonnet","messages":[],"fallbacks":[{"model":"opus"}]}"#),
        ("/v1/messages", r#"{"model":"sonnet","messages":[],"f\u0061llbacks":"default"}"#),
        (
            "/v1/messages",
            r#"{"model":"sonnet","messages":[],"tools":[{"name":"x","input_schema":{}},{"type":"advisor_20260301","model":"opus"}]}"#,
        ),
        (
            "/v1/responses",
            r#"{"model":"mini","input":"Hi","tools":[{"type":"image_generation","mod\u0065l":"gpt-image-1"}]}"#,
        ),
    ] {
        let case = CASES.iter().find(|case| case.target.split('?').next() == Some(target)).unwrap();
        let reply = world.ask(Request { target, ..case.request(body) }).await;
        assert_eq!(reply.refusal(), (400, "invalid-body"), "{body}");
        assert!(reply.text().contains("policy"), "{}", reply.text());
    }
    assert!(world.provider.seen().is_empty());
    // A property of a tool's own may be called so.
    world.provider.document("200 OK", "{}");
    let schema = r#"{"model":"sonnet","messages":[],"tools":[{"name":"x","input_schema":{"properties":{"model":{"type":"string"}}}}]}"#;
    assert_eq!(world.ask(Request::messages(schema)).await.status, 200);
}

/// What an agent is charged that leaves after some events, or whose provider breaks off then.
#[tokio::test]
async fn newer_streams_are_charged_for_what_came_whenever_they_end() {
    const RESPONSE: &str = r#"{"model":"mini","stream":true,"input":"Hi"}"#;
    const CONTENTS: &str = r#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#;
    let responses = Request { target: "/v1/responses", ..Request::completions(RESPONSE) };
    let gemini = Request::gemini("/v1beta/models/flash:streamGenerateContent?alt=sse", CONTENTS);
    let accounts = [responses_accounts().to_vec(), gemini_accounts().to_vec()];
    for ((request, events), accounts) in [(responses, RESPONSES), (gemini, GEMINI)].into_iter().zip(accounts) {
        for (count, (mut usage, estimated)) in accounts.into_iter().enumerate() {
            let mut world = World::new().await;
            let (go, wait) = tokio::sync::oneshot::channel();
            let last = if count == events.len() { Step::Send(chunk("")) } else { Step::Reset };
            world.provider.answer(streamed(&events[..count], [Step::Wait(wait), last]));
            let mut agent = world.connect(&request).await;
            super::relaying::read_until(&mut agent, events[..count].concat().len()).await;
            go.send(()).unwrap();
            let mut rest = Vec::new();
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut agent, &mut rest).await;
            let amounts = world.amounts(1).await;
            if usage.input == 777 {
                usage.input = (world.provider.seen()[0].body.len() as u64).div_ceil(4);
            }
            let seen =
                (amounts.input_tokens, amounts.output_tokens, amounts.cache_read_tokens, amounts.reasoning_tokens);
            assert_eq!(seen, (usage.input, usage.output, usage.cache_read, usage.reasoning), "{count} events");
            assert_eq!(amounts.estimated_requests, u64::from(estimated), "{count} events");
            let rest = String::from_utf8_lossy(&rest).into_owned();
            if count == events.len() {
                assert!(rest.ends_with("0\r\n\r\n"), "{rest}");
            } else {
                let words = if request.target == "/v1/responses" {
                    "event: error\ndata: {\"type\":\"error\",\"code\":"
                } else {
                    "data: {\"error\":{\"code\":502,"
                };
                assert!(rest.contains(words) && !rest.ends_with("0\r\n\r\n"), "{count} events: {rest}");
            }
        }
    }
}

#[tokio::test]
async fn a_gemini_list_passes_and_is_counted() {
    let mut world = World::new().await;
    let elements: Vec<&str> = GEMINI.iter().map(|event| event.trim_start_matches("data: ").trim_end()).collect();
    let list = format!("[{}]", elements.join(",\r\n"));
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=UTF-8\r\ntransfer-encoding: chunked\r\n\r\n";
    let pieces = list.as_bytes().chunks(13).map(|piece| Step::Send(chunk(std::str::from_utf8(piece).unwrap())));
    let first = [Step::Send(head.as_bytes().to_vec())];
    world.provider.answer(first.into_iter().chain(pieces).chain([Step::Send(chunk(""))]).collect());
    let reply = world.ask(Request::gemini("/v1beta/models/flash:streamGenerateContent", r#"{"contents":[]}"#)).await;
    assert_eq!((reply.status, reply.text(), reply.complete), (200, list, true));
    let (usage, _) = gemini_accounts()[GEMINI.len()];
    let amounts = world.amounts(1).await;
    assert_eq!(
        (amounts.input_tokens, amounts.output_tokens, amounts.estimated_requests),
        (usage.input, usage.output, 0)
    );
}

#[tokio::test]
async fn models_are_listed_and_shown_in_each_dialect() {
    let world = World::new().await;
    let google = world.ask(Request::get("/v1beta/models").with("x-goog-api-key", TOKEN)).await.json();
    assert_eq!(google["models"][0]["name"], "models/flash");
    assert!(google["models"][0]["supportedGenerationMethods"].as_array().unwrap().contains(&"embedContent".into()));
    let one = world.ask(Request::get("/v1beta/models/flash").with("x-goog-api-key", TOKEN)).await.json();
    assert_eq!(one, google["models"][0]);
    let bearer = format!("Bearer {TOKEN}");
    let one = world.ask(Request::get("/v1/models/mini").with("authorization", &bearer)).await.json();
    assert_eq!((&one["id"], &one["object"]), (&"mini".into(), &"model".into()));
    let anthropic = |target| Request::get(target).with("x-api-key", TOKEN).with("anthropic-version", "2023-06-01");
    assert_eq!(world.ask(anthropic("/v1/models/sonnet")).await.json()["type"], "model");
    for (request, kind) in [
        (anthropic("/v1/models/secret"), "not_found_error"),
        (Request::get("/v1beta/models/secret").with("x-goog-api-key", TOKEN), "NOT_FOUND"),
        (Request::get("/v1/models/flash").with("authorization", &bearer), "invalid_request_error"),
    ] {
        let reply = world.ask(request).await;
        assert_eq!(reply.refusal(), (404, "no-model"));
        assert!(reply.text().contains(kind), "{}", reply.text());
    }
    assert_eq!(world.ask(Request::get("/v1beta/models/flash")).await.refusal(), (401, "unknown-token"));
}
