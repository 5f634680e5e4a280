use super::*;
use crate::api::Account;

mod one_sided;
mod spellings;

/// A recorded answer with everything that providers send: a first count, pings, text, tool arguments, thinking, a running
/// count that is replaced, a final one.
pub(crate) const ANTHROPIC: &[&str] = &[
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"usage\":{\"input_tokens\":25,\"cache_creation_input_tokens\":7,\"cache_read_input_tokens\":1100,\"cache_creation\":{\"ephemeral_5m_input_tokens\":7,\"ephemeral_1h_input_tokens\":0},\"output_tokens\":1,\"service_tier\":\"standard\"}}}\n\n",
    "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"12345678\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"1234\"}}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":null},\"usage\":{\"output_tokens\":5}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":1}\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"  \"}}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"input_tokens\":26,\"output_tokens\":33,\"output_tokens_details\":{\"thinking_tokens\":9}}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
];

pub(crate) const OPENAI: &[&str] = &[
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":null}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"12345\"}}],\"usage\":null}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"ls\",\"arguments\":\"\"}}]}}],\"usage\":null}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}],\"usage\":null}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":130,\"completion_tokens\":40,\"total_tokens\":170,\"prompt_tokens_details\":{\"cached_tokens\":100,\"cache_write_tokens\":10,\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":30}}}\n\n",
    "data: [DONE]\n\n",
];

pub(crate) const RESPONSES: &[&str] = &[
    "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"in_progress\",\"output\":[],\"usage\":null}}\n\n",
    "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":\"rs_1\",\"type\":\"reasoning\",\"summary\":[]}}\n\n",
    "event: response.reasoning_summary_text.delta\ndata: {\"type\":\"response.reasoning_summary_text.delta\",\"sequence_number\":2,\"item_id\":\"rs_1\",\"output_index\":0,\"summary_index\":0,\"delta\":\"12345678\",\"obfuscation\":\"xxxx\"}\n\n",
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":3,\"item_id\":\"msg_1\",\"output_index\":1,\"content_index\":0,\"delta\":\"1234\",\"logprobs\":[]}\n\n",
    "event: response.function_call_arguments.delta\ndata: {\"type\":\"response.function_call_arguments.delta\",\"sequence_number\":4,\"item_id\":\"fc_1\",\"output_index\":2,\"delta\":\"{\\\"a\\\":1}\"}\n\n",
    "event: response.function_call_arguments.done\ndata: {\"type\":\"response.function_call_arguments.done\",\"sequence_number\":5,\"item_id\":\"fc_1\",\"output_index\":2,\"arguments\":\"{\\\"a\\\":1}\"}\n\n",
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":6,\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"usage\":{\"input_tokens\":130,\"input_tokens_details\":{\"cached_tokens\":100},\"output_tokens\":40,\"output_tokens_details\":{\"reasoning_tokens\":30},\"total_tokens\":170}}}\n\n",
];

pub(crate) const GEMINI: &[&str] = &[
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"12345678\",\"thought\":true}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":120,\"cachedContentTokenCount\":100,\"totalTokenCount\":129,\"thoughtsTokenCount\":9,\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":120}]},\"modelVersion\":\"gemini-x\",\"responseId\":\"r1\"}\r\n\r\n",
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"1234\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":120,\"candidatesTokenCount\":3,\"totalTokenCount\":132,\"thoughtsTokenCount\":9}}\r\n\r\n",
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"ls\",\"args\":{\"path\":\"/srv/agents/office/all/the/letters\"}},\"thoughtSignature\":\"c2ln\"}],\"role\":\"model\"},\"index\":0}]}\r\n\r\n",
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":120,\"cachedContentTokenCount\":100,\"toolUsePromptTokenCount\":7,\"candidatesTokenCount\":20,\"thoughtsTokenCount\":30,\"totalTokenCount\":177}}\r\n\r\n",
];

const ESTIMATED_INPUT: u64 = 777;

fn after(account: Account, events: &[&str]) -> Settlement {
    let mut observer = Observer::new(account, Shape::Events);
    for event in events {
        observer.feed(&Bytes::copy_from_slice(event.as_bytes()));
    }
    observer.settle(ESTIMATED_INPUT)
}

fn of(input: u64, output: u64, cache_read: u64, cache_write: u64, reasoning: u64) -> Usage {
    Usage { input, output, cache_read, cache_write, cache_write_1h: 0, reasoning }
}

/// The account after the first 0, 1, 2, … events of [`ANTHROPIC`].
pub(crate) fn anthropic_accounts() -> [(Usage, bool); 10] {
    [
        (of(777, 0, 0, 0, 0), true),
        (of(25, 1, 1100, 7, 0), true),
        (of(25, 1, 1100, 7, 0), true),
        (of(25, 2, 1100, 7, 0), true),
        (of(25, 3, 1100, 7, 0), true),
        // The running count replaces the first one; it is more than the text seen.
        (of(25, 5, 1100, 7, 0), true),
        (of(25, 5, 1100, 7, 0), true),
        // 8 + 4 + 7 + 2 bytes of text are six tokens by now.
        (of(25, 6, 1100, 7, 0), true),
        (of(26, 33, 1100, 7, 9), false),
        (of(26, 33, 1100, 7, 9), false),
    ]
}

#[test]
fn an_anthropic_stream_that_ends_after_any_event() {
    for (events, (usage, estimated)) in anthropic_accounts().into_iter().enumerate() {
        assert_eq!(after(Account::Messages, &ANTHROPIC[..events]), Settlement { usage, estimated }, "{events} events");
    }
}

/// The account after the first 0, 1, 2, … events of [`OPENAI`].
pub(crate) fn openai_accounts() -> [(Usage, bool); 8] {
    [
        (of(777, 0, 0, 0, 0), true),
        (of(777, 0, 0, 0, 0), true),
        (of(777, 2, 0, 0, 0), true),
        (of(777, 2, 0, 0, 0), true),
        (of(777, 3, 0, 0, 0), true),
        (of(777, 3, 0, 0, 0), true),
        (of(20, 40, 100, 10, 30), false),
        (of(20, 40, 100, 10, 30), false),
    ]
}

#[test]
fn an_openai_stream_that_ends_after_any_event() {
    for (events, (usage, estimated)) in openai_accounts().into_iter().enumerate() {
        assert_eq!(after(Account::Chat, &OPENAI[..events]), Settlement { usage, estimated }, "{events} events");
    }
}

/// The account after the first 0, 1, 2, … events of [`RESPONSES`].
pub(crate) fn responses_accounts() -> [(Usage, bool); 8] {
    [
        (of(777, 0, 0, 0, 0), true),
        (of(777, 0, 0, 0, 0), true),
        (of(777, 0, 0, 0, 0), true),
        (of(777, 2, 0, 0, 0), true),
        (of(777, 3, 0, 0, 0), true),
        // 8 + 4 + 7 bytes of text; what a `done` event says again does not count again.
        (of(777, 5, 0, 0, 0), true),
        (of(777, 5, 0, 0, 0), true),
        (of(30, 40, 100, 0, 30), false),
    ]
}

/// The account after the first 0, 1, 2, … events of [`GEMINI`].
pub(crate) fn gemini_accounts() -> [(Usage, bool); 5] {
    [
        (of(777, 0, 0, 0, 0), true),
        // Thoughts are output and not among the candidates' tokens.
        (of(20, 9, 100, 0, 9), true),
        // A field that is missing keeps its value.
        (of(20, 12, 100, 0, 9), true),
        // 8 + 4 + 66 bytes: more than was told before the call.
        (of(20, 20, 100, 0, 9), true),
        (of(27, 50, 100, 0, 30), false),
    ]
}

#[test]
fn streams_of_the_newer_apis_that_end_after_any_event() {
    for (events, (usage, estimated)) in responses_accounts().into_iter().enumerate() {
        let seen = after(Account::Responses, &RESPONSES[..events]);
        assert_eq!(seen, Settlement { usage, estimated }, "{events} events");
    }
    for (events, (usage, estimated)) in gemini_accounts().into_iter().enumerate() {
        assert_eq!(after(Account::Gemini, &GEMINI[..events]), Settlement { usage, estimated }, "{events} events");
    }
}

#[test]
fn a_gemini_stream_as_one_list_says_the_same_however_it_is_cut() {
    let elements: Vec<&str> = GEMINI.iter().map(|event| event.trim_start_matches("data: ").trim_end()).collect();
    let list = format!("[{}\n]\n", elements.join("\n,\r\n"));
    let (usage, estimated) = gemini_accounts()[GEMINI.len()];
    for cut in 0..=list.len() {
        let mut observer = Observer::new(Account::Gemini, Shape::List);
        observer.feed(&Bytes::copy_from_slice(&list.as_bytes()[..cut]));
        let whole = elements.iter().scan(0, |end, element| {
            *end += element.len() + 4;
            Some(*end - 3)
        });
        let whole = whole.filter(|end| *end <= cut).count();
        let mut left = Observer::new(Account::Gemini, Shape::List);
        left.feed(&Bytes::copy_from_slice(&list.as_bytes()[..cut]));
        let (seen, estimated_so_far) = gemini_accounts()[whole];
        assert_eq!(
            left.settle(ESTIMATED_INPUT),
            Settlement { usage: seen, estimated: estimated_so_far },
            "left at {cut}"
        );
        observer.feed(&Bytes::copy_from_slice(&list.as_bytes()[cut..]));
        assert_eq!(observer.settle(ESTIMATED_INPUT), Settlement { usage, estimated }, "cut at {cut}");
    }
}

#[test]
fn the_account_does_not_depend_on_how_the_bytes_were_cut() {
    let all = [
        (Account::Messages, ANTHROPIC),
        (Account::Chat, OPENAI),
        (Account::Responses, RESPONSES),
        (Account::Gemini, GEMINI),
    ];
    for (account, events) in all {
        let whole = after(account, events);
        for line_end in ["\n", "\r\n", "\r"] {
            let stream = events.concat().replace("\r\n", "\n").replace('\n', line_end);
            for cut in 0..=stream.len() {
                let mut observer = Observer::new(account, Shape::Events);
                observer.feed(&Bytes::copy_from_slice(&stream.as_bytes()[..cut]));
                observer.feed(&Bytes::copy_from_slice(&stream.as_bytes()[cut..]));
                assert_eq!(observer.settle(ESTIMATED_INPUT), whole, "cut at {cut}");
            }
        }
    }
}

#[test]
fn running_numbers_on_every_chunk_are_final_at_done() {
    let chunk = |n: u64| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"x\"}}}}],\"usage\":{{\"prompt_tokens\":9,\"completion_tokens\":{n}}}}}\n\n"
        )
    };
    let (one, two) = (chunk(50), chunk(60));
    assert_eq!(after(Account::Chat, &[&one]), Settlement { usage: of(9, 50, 0, 0, 0), estimated: true });
    let done = after(Account::Chat, &[&one, &two, "data: [DONE]\n\n"]);
    assert_eq!(done, Settlement { usage: of(9, 60, 0, 0, 0), estimated: false });
}

#[test]
fn plain_documents_and_what_is_left_of_them() {
    let anthropic = r#"{"id":"m","content":[],"usage":{"input_tokens":3,"cache_read_input_tokens":null,"cache_creation_input_tokens":2,"output_tokens":4}}"#;
    let openai = r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":4,"prompt_tokens_details":null}}"#;
    for (account, body, usage) in
        [(Account::Messages, anthropic, of(3, 4, 0, 2, 0)), (Account::Chat, openai, of(10, 4, 0, 0, 0))]
    {
        let mut observer = Observer::new(account, Shape::Document);
        observer.feed(&Bytes::copy_from_slice(body.as_bytes()));
        assert_eq!(observer.settle(ESTIMATED_INPUT), Settlement { usage, estimated: false });
        let mut cut = Observer::new(account, Shape::Document);
        cut.feed(&Bytes::copy_from_slice(&body.as_bytes()[..40]));
        assert_eq!(cut.settle(ESTIMATED_INPUT), Settlement { usage: of(777, 10, 0, 0, 0), estimated: true });
    }
}

#[test]
fn nonsense_is_estimated_and_never_counts_as_nothing() {
    for odd in [
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"x\"},\"usage\":{\"output_tokens\":-1}}\n\n",
        "data: not json\n\n",
        "data: {\"usage\":7}\n\n",
    ] {
        let seen = after(Account::Messages, &[odd]);
        assert_eq!(seen, Settlement { usage: of(777, 0, 0, 0, 0), estimated: true }, "{odd}");
    }
    // More cached than asked: nothing falls below zero.
    let odd = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":9},\"completion_tokens_details\":{\"reasoning_tokens\":9}}}\n\n";
    assert_eq!(after(Account::Chat, &[odd]).usage, of(0, 1, 5, 0, 1));
    let mut opaque = Observer::new(Account::Chat, Shape::Opaque);
    opaque.feed(&Bytes::from_static(&[0x1f; 400]));
    assert_eq!(opaque.settle(ESTIMATED_INPUT), Settlement { usage: of(777, 100, 0, 0, 0), estimated: true });
}

#[test]
fn what_is_cached_for_an_hour_is_told_apart() {
    let start = |usage: &str| format!("data: {{\"type\":\"message_start\",\"message\":{{\"usage\":{usage}}}}}\n\n");
    let end = |usage: &str| {
        format!("data: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}},\"usage\":{usage}}}\n\n")
    };
    let both = start(
        r#"{"input_tokens":1,"cache_creation_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":1}"#,
    );
    let parts = start(
        r#"{"input_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":1}"#,
    );
    for (first, last, whole, hour) in [
        (&both, r#"{"output_tokens":4}"#, 30, 20),
        (&parts, r#"{"output_tokens":4}"#, 30, 20),
        // Tools of the provider wrote more in later rounds, which are told in the sum only.
        (&both, r#"{"cache_creation_input_tokens":50,"output_tokens":4}"#, 50, 20),
        (&both, r#"{"cache_creation_input_tokens":5,"output_tokens":4}"#, 5, 5),
    ] {
        let usage = after(Account::Messages, &[first, &end(last)]).usage;
        assert_eq!((usage.cache_write, usage.cache_write_1h), (whole, hour), "{last}");
    }
}

#[test]
fn plain_documents_of_the_newer_apis() {
    let responses = r#"{"object":"response","status":"completed","output":[],"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":6,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":16}}"#;
    let gemini = r#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":4,"thoughtsTokenCount":2,"totalTokenCount":16}}"#;
    let blocked =
        r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":10,"totalTokenCount":10}}"#;
    let vectors = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    for (account, body, usage) in [
        (Account::Responses, responses, of(6, 6, 4, 0, 2)),
        (Account::Gemini, gemini, of(10, 6, 0, 0, 2)),
        (Account::Gemini, blocked, of(10, 0, 0, 0, 0)),
        (Account::Embeddings, vectors, of(8, 0, 0, 0, 0)),
        (
            Account::Embeddings,
            r#"{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":3}}"#,
            of(3, 0, 0, 0, 0),
        ),
        (Account::Free, r#"{"input_tokens":2095}"#, of(0, 0, 0, 0, 0)),
    ] {
        let mut observer = Observer::new(account, Shape::Document);
        observer.feed(&Bytes::copy_from_slice(body.as_bytes()));
        assert_eq!(observer.settle(ESTIMATED_INPUT), Settlement { usage, estimated: false }, "{body}");
    }
    // Vectors without any usage cost their input; a queued response is not known yet.
    let mut observer = Observer::new(Account::Embeddings, Shape::Document);
    observer.feed(&Bytes::copy_from_slice(br#"{"embedding":{"values":[0.25,0.5]}}"#));
    assert_eq!(observer.settle(ESTIMATED_INPUT), Settlement { usage: of(777, 0, 0, 0, 0), estimated: true });
    let mut observer = Observer::new(Account::Responses, Shape::Document);
    observer.feed(&Bytes::copy_from_slice(br#"{"status":"queued","usage":null}"#));
    assert!(observer.settle(ESTIMATED_INPUT).estimated);
}

#[test]
fn the_usage_of_long_vectors_stands_at_their_end() {
    let vectors = format!(
        r#"{{"data":[{{"embedding":"{}"}}],"usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#,
        "A".repeat(PLAIN_BYTES)
    );
    for size in [PLAIN_BYTES, 64 * 1024, 7] {
        let mut observer = Observer::new(Account::Embeddings, Shape::Document);
        if size == 7 {
            observer.feed(&Bytes::copy_from_slice(&vectors.as_bytes()[..PLAIN_BYTES]));
            vectors.as_bytes()[PLAIN_BYTES..]
                .chunks(size)
                .for_each(|piece| observer.feed(&Bytes::copy_from_slice(piece)));
        } else {
            vectors.as_bytes().chunks(size).for_each(|piece| observer.feed(&Bytes::copy_from_slice(piece)));
        }
        assert_eq!(
            observer.settle(ESTIMATED_INPUT),
            Settlement { usage: of(8, 0, 0, 0, 0), estimated: false },
            "{size}"
        );
    }
}

#[test]
fn deepseek_names_its_cache_in_its_own_way() {
    let usage = r#"data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":1,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":4}}"#;
    assert_eq!(after(Account::Chat, &[usage, "\n\n"]).usage, of(4, 1, 6, 0, 0));
}

#[test]
fn a_compaction_is_billed_beside_the_sums() {
    let plain = r#"{"content":[],"usage":{"input_tokens":100,"cache_read_input_tokens":5,"output_tokens":20,"iterations":[
        {"type":"compaction","input_tokens":9000,"cache_read_input_tokens":70,"cache_creation_input_tokens":8,"output_tokens":300},
        {"type":"message","input_tokens":100,"output_tokens":20}]}}"#;
    let mut observer = Observer::new(Account::Messages, Shape::Document);
    observer.feed(&Bytes::copy_from_slice(plain.as_bytes()));
    assert_eq!(observer.settle(ESTIMATED_INPUT), Settlement { usage: of(9100, 320, 75, 8, 0), estimated: false });
    // A shape that nobody knows yet spoils nothing.
    let mut observer = Observer::new(Account::Messages, Shape::Document);
    observer.feed(&Bytes::copy_from_slice(
        br#"{"usage":{"input_tokens":1,"output_tokens":2,"iterations":{"n":1},"cache_creation":[3]}}"#,
    ));
    assert_eq!(observer.settle(ESTIMATED_INPUT), Settlement { usage: of(1, 2, 0, 0, 0), estimated: false });
}

/// The bytes of text that each of them says are counted, whether it is read or only compared with the one before.
#[test]
fn texts_in_the_same_frame_count_as_they_are() {
    let chat =
        |text: &str| format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{{"content":{text}}}}}],"usage":null}}"#);
    let two = |text: &str| format!(r#"{{"choices":[{{"delta":{{"content":{text},"reasoning":"12"}}}}]}}"#);
    let parts = |text: &str| format!(r#"{{"choices":[{{"delta":{{"content":[{{"type":"text","text":{text}}}]}}}}]}}"#);
    let block =
        |text: &str| format!(r#"{{"type":"content_block_delta","delta":{{"type":"text_delta","text":{text}}}}}"#);
    let delta = |text: &str| format!(r#"{{"type":"response.output_text.delta","item_id":"m","delta":{text}}}"#);
    let gemini = |text: &str| format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":{text}}}]}},"index":0}}]}}"#);
    type Frame<'a> = &'a dyn Fn(&str) -> String;
    let frames: [(Account, Frame<'_>, u64); 6] = [
        (Account::Chat, &chat, 0),
        (Account::Chat, &two, 2),
        (Account::Chat, &parts, 0),
        (Account::Messages, &block, 0),
        (Account::Responses, &delta, 0),
        (Account::Gemini, &gemini, 0),
    ];
    // As it is written, and what it says.
    let texts = [
        ("\"one\"", 3),
        ("\"three\"", 5),
        ("\"\"", 0),
        ("\"\u{fc}ber\"", 5),
        (r#""a\u0065\n""#, 3),
        (r#""\"quoted\"""#, 8),
        ("null", 0),
        ("7", 0),
        (r#""{\"x\":1}""#, 7),
        ("\"tool_calls, function\"", 20),
        ("\"x\",\"usage\":\"\"", 1),
    ];
    for (account, frame, beside) in frames {
        for (first, bytes_of_first) in texts {
            for (second, bytes) in texts {
                let events = [first, second, first, second].map(|text| format!("data: {}\n\n", frame(text)));
                let events = events.each_ref().map(String::as_str);
                let want = 2 * (bytes_of_first + bytes) + 4 * beside;
                let usage = after(account, &events).usage;
                assert_eq!(usage.output, estimate_tokens(want), "{account:?} {first} {second}");
            }
        }
    }
}
