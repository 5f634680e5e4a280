use super::*;

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

const ESTIMATED_INPUT: u64 = 777;

fn after(dialect: Dialect, events: &[&str]) -> Settlement {
    let mut observer = Observer::events(dialect);
    for event in events {
        observer.feed(event.as_bytes());
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
        assert_eq!(after(Dialect::Anthropic, &ANTHROPIC[..events]), Settlement { usage, estimated }, "{events} events");
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
        assert_eq!(after(Dialect::OpenAi, &OPENAI[..events]), Settlement { usage, estimated }, "{events} events");
    }
}

#[test]
fn the_account_does_not_depend_on_how_the_bytes_were_cut() {
    for (dialect, events) in [(Dialect::Anthropic, ANTHROPIC), (Dialect::OpenAi, OPENAI)] {
        let whole = after(dialect, events);
        for line_end in ["\n", "\r\n", "\r"] {
            let stream = events.concat().replace('\n', line_end);
            for cut in 0..=stream.len() {
                let mut observer = Observer::events(dialect);
                observer.feed(&stream.as_bytes()[..cut]);
                observer.feed(&stream.as_bytes()[cut..]);
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
    assert_eq!(after(Dialect::OpenAi, &[&one]), Settlement { usage: of(9, 50, 0, 0, 0), estimated: true });
    let done = after(Dialect::OpenAi, &[&one, &two, "data: [DONE]\n\n"]);
    assert_eq!(done, Settlement { usage: of(9, 60, 0, 0, 0), estimated: false });
}

#[test]
fn plain_documents_and_what_is_left_of_them() {
    let anthropic = r#"{"id":"m","content":[],"usage":{"input_tokens":3,"cache_read_input_tokens":null,"cache_creation_input_tokens":2,"output_tokens":4}}"#;
    let openai = r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":4,"prompt_tokens_details":null}}"#;
    for (dialect, body, usage) in
        [(Dialect::Anthropic, anthropic, of(3, 4, 0, 2, 0)), (Dialect::OpenAi, openai, of(10, 4, 0, 0, 0))]
    {
        let mut observer = Observer::plain(dialect);
        observer.feed(body.as_bytes());
        assert_eq!(observer.settle(ESTIMATED_INPUT), Settlement { usage, estimated: false });
        let mut cut = Observer::plain(dialect);
        cut.feed(&body.as_bytes()[..40]);
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
        let seen = after(Dialect::Anthropic, &[odd]);
        assert_eq!(seen, Settlement { usage: of(777, 0, 0, 0, 0), estimated: true }, "{odd}");
    }
    // More cached than asked: nothing falls below zero.
    let odd = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":9},\"completion_tokens_details\":{\"reasoning_tokens\":9}}}\n\n";
    assert_eq!(after(Dialect::OpenAi, &[odd]).usage, of(0, 1, 5, 0, 1));
    let mut opaque = Observer::opaque(Dialect::OpenAi);
    opaque.feed(&[0x1f; 400]);
    assert_eq!(opaque.settle(ESTIMATED_INPUT), Settlement { usage: of(777, 100, 0, 0, 0), estimated: true });
}
