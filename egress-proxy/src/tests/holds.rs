//! What is held is never less than what comes: however a request hides what it will use, parallel ones stay within a budget.

use std::sync::Arc;

use super::harness::{Reply, Request, Step, World, document};
use crate::budget::Amount;
use crate::references;

/// Of each model here.
const MAX_OUTPUT: u64 = 1_000;

/// One way to use more than a look at the request says.
struct Way {
    target: &'static str,
    body: &'static str,
    /// What each such request uses.
    used: (u64, u64),
    /// What one that came before used, which is on the same model and hides nothing.
    before: Option<(&'static str, u64)>,
}

impl Way {
    const fn used(&self) -> u64 {
        self.used.0 + self.used.1
    }

    fn request(&self, body: &'static str) -> Request<'static> {
        match self.target {
            "/v1/messages" => Request::messages(body),
            target if target.starts_with("/v1beta/") => Request::gemini(target, body),
            target => Request { target, ..Request::completions(body) },
        }
    }

    /// As the provider of this API says what was used.
    fn answer(&self, (input, output): (u64, u64)) -> Vec<Step> {
        let body = match self.target {
            "/v1/messages" => format!(r#"{{"usage":{{"input_tokens":{input},"output_tokens":{output}}}}}"#),
            "/v1/responses" => format!(
                r#"{{"object":"response","output":[],"usage":{{"input_tokens":{input},"output_tokens":{output}}}}}"#
            ),
            "/v1/chat/completions" => {
                format!(r#"{{"choices":[],"usage":{{"prompt_tokens":{input},"completion_tokens":{output}}}}}"#)
            }
            _ => format!(
                r#"{{"candidates":[],"usageMetadata":{{"promptTokenCount":{input},"candidatesTokenCount":{output}}}}}"#
            ),
        };
        // The simulator ends a connection after each answer: nobody is to take one that is about to end.
        vec![Step::Send(document("200 OK", "connection: close\r\n", &body))]
    }

    /// 64 calls at once against a budget for ten of them.
    async fn try_it(&'static self) {
        let world = Arc::new(World::new().await);
        let before = self.before.map_or(0, |(_, tokens)| tokens);
        let most = before + 10 * self.used();
        world.change(|bundle| bundle.llm.models.iter_mut().for_each(|model| model.max_output = Some(MAX_OUTPUT)));
        world.budgets(&format!(r#"[{{"agent":"office","limits":[{{"window":"hour","tokens":{most}}}]}}]"#));
        if let Some((body, tokens)) = self.before {
            world.provider.answer(self.answer((tokens - 1, 1)));
            assert_eq!(world.ask(self.request(body)).await.refusal(), (200, ""), "{body}");
        }
        let earlier = world.provider.seen().len();
        for _ in 0..64 {
            world.provider.answer(self.answer(self.used));
        }
        let calls: Vec<_> = (0..64)
            .map(|_| {
                let world = Arc::clone(&world);
                tokio::spawn(async move { world.ask(self.request(self.body)).await })
            })
            .collect();
        let mut stopped = 0;
        for call in calls {
            let reply = call.await.unwrap();
            assert_eq!(reply.status, 200, "{}: {}", self.body, reply.text());
            stopped += usize::from(is_stop(&reply));
        }
        let seen = world.provider.seen().len() - earlier;
        assert!((1..=10).contains(&seen), "{seen} of ten: {}", self.body);
        assert_eq!(seen + stopped, 64, "{}", self.body);
        let (used, held) = world.account().await;
        assert_eq!((used.tokens, held), (u128::from(before + self.used() * seen as u64), Amount::default()));
    }
}

fn is_stop(reply: &Reply) -> bool {
    reply.refusal() == (200, "budget")
}

const fn chat(body: &'static str, used: (u64, u64)) -> Way {
    Way { target: "/v1/chat/completions", body, used, before: None }
}

const FLASH: &str = "/v1beta/models/flash:generateContent";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_answers_are_asked_for_ten_of_sixty_four_calls_leave() {
    static WAYS: &[Way] = &[
        chat(r#"{"model":"mini","max_tokens":40,"n":"10","messages":[{"role":"user","content":"Hi"}]}"#, (25, 400)),
        chat(
            r#"{"model":"mini","max_tokens":40,"n":"1\u0030","messages":[{"role":"user","content":"Hi"}]}"#,
            (25, 400),
        ),
        chat(
            r#"{"model":"mini","max_tokens":40,"\u006e":" 1_0 ","messages":[{"role":"user","content":"Hi"}]}"#,
            (25, 400),
        ),
        chat(
            r#"{"model":"mini","max_tokens":40,"n":"0x80","messages":[{"role":"user","content":"Hi"}]}"#,
            (25, 128 * 40),
        ),
        chat(r#"{"model":"mini","max_tokens":"900","messages":[{"role":"user","content":"Hi"}]}"#, (25, 900)),
        chat(r#"{"model":"mini","max_tokens":0,"messages":[{"role":"user","content":"Hi"}]}"#, (25, MAX_OUTPUT)),
        chat(r#"{"model":"mini","max_tokens":-1,"messages":[{"role":"user","content":"Hi"}]}"#, (25, MAX_OUTPUT)),
        chat(
            r#"{"model":"mini","max_tokens":"-1","max_completion_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#,
            (25, MAX_OUTPUT),
        ),
        chat(
            r#"{"model":"mini","max_completion_tokens":9,"max_tokens":0.0,"messages":[{"role":"user","content":"Hi"}]}"#,
            (25, MAX_OUTPUT),
        ),
        chat(r#"{"model":"mini","max_output_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#, (25, MAX_OUTPUT)),
        Way {
            target: FLASH,
            body: r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":40,"candidateCount":"1\u0030"}}"#,
            used: (25, 400),
            before: None,
        },
        Way {
            target: FLASH,
            body: r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":0,"max_output_tokens":9}}"#,
            used: (25, MAX_OUTPUT),
            before: None,
        },
    ];
    for way in WAYS {
        way.try_it().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_a_provider_keeps_ten_of_sixty_four_calls_leave() {
    const PLAIN: &str = r#"{"model":"sonnet","max_tokens":40,"messages":[{"role":"user","content":"Hi"}]}"#;
    const RESPONSES: &str = r#"{"model":"mini","input":"Hi"}"#;
    static WAYS: &[Way] = &[
        Way {
            target: "/v1/messages",
            body: r#"{"model":"sonnet","max_tokens":40,"thread":{"type":"continue","previous_message_id":"msg_1"},"messages":[{"role":"user","content":"Hi"}]}"#,
            used: (30_030, 40),
            before: Some((PLAIN, 30_000)),
        },
        Way {
            target: "/v1/messages",
            body: r#"{"model":"sonnet","max_tokens":40,"messages":[{"role":"user","content":"Hi"}],"\u0074hread":{"previous_message_id":"msg_1"}}"#,
            used: (30_030, 40),
            before: Some((PLAIN, 30_000)),
        },
        Way {
            target: "/v1/responses",
            body: r#"{"model":"mini","max_output_tokens":40,"previous_response_id":"resp_1","input":"Hi"}"#,
            used: (30_020, 40),
            before: Some((RESPONSES, 30_000)),
        },
    ];
    for way in WAYS {
        way.try_it().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_a_request_refers_to_ten_of_sixty_four_calls_leave() {
    const FEW: (u64, u64) = (2_000, 40);
    const MANY: (u64, u64) = (16_000, 40);
    const fn way(target: &'static str, body: &'static str, used: (u64, u64)) -> Way {
        Way { target, body, used, before: None }
    }
    static WAYS: &[Way] = &[
        way(
            "/v1/chat/completions",
            r#"{"model":"mini","max_tokens":40,"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"file-1"}}]}]}"#,
            MANY,
        ),
        way(
            "/v1/chat/completions",
            r#"{"model":"mini","max_tokens":40,"messages":[{"role":"user","content":[{"type":"image_url","image\u005furl":{"url":"https://x.example/a.png"}}]}]}"#,
            FEW,
        ),
        way(
            "/v1/responses",
            r#"{"model":"mini","max_output_tokens":40,"input":[{"role":"user","content":[{"type":"input_file","file_id":"file-1"}]}]}"#,
            MANY,
        ),
        way(
            "/v1/responses",
            r#"{"model":"mini","max_output_tokens":40,"input":[{"role":"user","content":[{"type":"input_file","type":"input_image","file_url":"https://x.example/a.pdf"}]}]}"#,
            FEW,
        ),
        way(
            "/v1/responses",
            r#"{"model":"mini","max_output_tokens":40,"input":[{"role":"user","content":[{"type":"input_image","image_url":"https://x.example/a.png"}]}]}"#,
            FEW,
        ),
        way(
            "/v1/messages",
            r#"{"model":"sonnet","max_tokens":40,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]}"#,
            MANY,
        ),
        way(
            "/v1/messages",
            r#"{"model":"sonnet","max_tokens":40,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","t\u0079pe":"url","url":"https://x.example/a.pdf"}}]}]}"#,
            MANY,
        ),
        way(
            FLASH,
            r#"{"contents":[{"role":"user","parts":[{"fileData":{"fileUri":"https://x.example/v1beta/files/a"}}]}],"generationConfig":{"maxOutputTokens":40}}"#,
            MANY,
        ),
        // A large file is met once; the next ones are known.
        Way {
            target: "/v1/messages",
            body: r#"{"model":"sonnet","max_tokens":40,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]}"#,
            used: (89_000, 40),
            before: Some((
                r#"{"model":"sonnet","max_tokens":40,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]}"#,
                89_040,
            )),
        },
    ];
    for way in WAYS {
        way.try_it().await;
    }
}

#[tokio::test]
async fn who_leaves_early_is_charged_for_a_file() {
    const BODY: &str = r#"{"model":"sonnet","max_tokens":40,"stream":true,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]}"#;
    let mut world = World::new().await;
    world.provider.answer(vec![Step::Silence]);
    let agent = world.connect(&Request::messages(BODY)).await;
    while world.provider.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(agent);
    let amounts = world.amounts(1).await;
    let sent = world.provider.seen()[0].body.len() as u64;
    assert_eq!((amounts.input_tokens, amounts.estimated_requests), (references::FILE + sent.div_ceil(4), 1));
}
