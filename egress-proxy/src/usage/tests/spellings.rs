//! The same numbers as other providers spell them.

use super::*;

/// Each number of `usage` in the spelling that `spell` gives it; the rest of the event as it is.
fn respelled(event: &str, spell: &dyn Fn(u64) -> String) -> String {
    fn bend(value: &mut serde_json::Value, within: bool, spell: &dyn Fn(u64) -> String) {
        match value {
            serde_json::Value::Object(members) => members.iter_mut().for_each(|(key, value)| {
                bend(value, within || ["usage", "usageMetadata"].contains(&key.as_str()), spell);
            }),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| bend(item, within, spell)),
            number if within && number.is_u64() => {
                *number = serde_json::from_str(&spell(number.as_u64().unwrap())).unwrap();
            }
            _ => {}
        }
    }
    event
        .lines()
        .map(|line| match line.strip_prefix("data: ").map(serde_json::from_str) {
            Some(Ok(mut data)) => {
                bend(&mut data, false, spell);
                format!("data: {data}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect()
}

fn streams() -> [(Account, &'static [&'static str]); 4] {
    [
        (Account::Messages, ANTHROPIC),
        (Account::Chat, OPENAI),
        (Account::Responses, RESPONSES),
        (Account::Gemini, GEMINI),
    ]
}

#[test]
fn an_odd_number_leaves_an_estimate() {
    for odd in
        ["-1", "-1.0", "12.5", "1e300", "1e19", "18446744073709551616", r#""-1""#, r#""1e3""#, r#""""#, "true", "[1]"]
    {
        for (account, events) in streams() {
            let bent: Vec<String> = events.iter().map(|event| respelled(event, &|_| odd.to_owned())).collect();
            let bent: Vec<&str> = bent.iter().map(String::as_str).collect();
            let seen = after(account, &bent);
            assert!(seen.estimated, "{account:?} {odd}");
            assert_eq!((seen.usage.input, seen.usage.cache_read), (ESTIMATED_INPUT, 0), "{account:?} {odd}");
        }
        let body = format!(r#"{{"data":[],"usage":{{"prompt_tokens":{odd},"total_tokens":8}}}}"#);
        let mut observer = Observer::new(Account::Embeddings, Shape::Document);
        observer.feed(&Bytes::from(body));
        let want = Settlement { usage: of(ESTIMATED_INPUT, 0, 0, 0, 0), estimated: true };
        assert_eq!(observer.settle(ESTIMATED_INPUT), want, "{odd}");
    }
    // As large as a number may be: no sum overflows.
    let most = u64::MAX.to_string();
    for (account, events) in streams() {
        let bent: Vec<String> = events.iter().map(|event| respelled(event, &|_| most.clone())).collect();
        let bent: Vec<&str> = bent.iter().map(String::as_str).collect();
        assert!(after(account, &bent).usage.bounded().tokens() <= 4_000_000_000_000, "{account:?}");
    }
}

#[test]
fn whole_numbers_count_in_every_spelling_and_after_any_event() {
    type Spelling = fn(u64) -> String;
    let spellings: [Spelling; 3] = [|n| format!("{n}.0"), |n| format!("\"{n}\""), |n| format!("{n}e0")];
    for spell in spellings {
        for (account, events) in streams() {
            let bent: Vec<String> = events.iter().map(|event| respelled(event, &spell)).collect();
            let bent: Vec<&str> = bent.iter().map(String::as_str).collect();
            for taken in 0..=events.len() {
                assert_eq!(after(account, &bent[..taken]), after(account, &events[..taken]), "{account:?} {taken}");
            }
            assert!(!after(account, &bent).estimated, "{account:?}");
        }
    }
}

#[test]
fn whole_numbers_of_documents_count_in_every_spelling() {
    for (account, body, usage) in [
        (
            Account::Messages,
            r#"{"content":[],"usage":{"input_tokens":3.0,"cache_creation_input_tokens":"2","output_tokens":4.0}}"#,
            of(3, 4, 0, 2, 0),
        ),
        (
            Account::Chat,
            r#"{"choices":null,"usage":{"prompt_tokens":"10","completion_tokens":4.0}}"#,
            of(10, 4, 0, 0, 0),
        ),
        (Account::Responses, r#"{"output":[],"usage":{"input_tokens":10.0,"output_tokens":"6"}}"#, of(10, 6, 0, 0, 0)),
        (
            Account::Gemini,
            r#"{"candidates":null,"usageMetadata":{"promptTokenCount":10.0,"candidatesTokenCount":"4"}}"#,
            of(10, 4, 0, 0, 0),
        ),
        (Account::Embeddings, r#"{"data":[],"usage":{"prompt_tokens":8.0,"total_tokens":"8"}}"#, of(8, 0, 0, 0, 0)),
        (Account::Embeddings, r#"{"usageMetadata":{"promptTokenCount":"3"}}"#, of(3, 0, 0, 0, 0)),
    ] {
        let mut observer = Observer::new(account, Shape::Document);
        observer.feed(&Bytes::copy_from_slice(body.as_bytes()));
        assert_eq!(observer.settle(ESTIMATED_INPUT), Settlement { usage, estimated: false }, "{body}");
    }
}

#[test]
fn lists_that_are_null_are_empty() {
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"12345\"}}],\"usage\":null}\n\n";
    let none = "data: {\"choices\":null,\"usage\":null}\n\n";
    assert_eq!(
        after(Account::Chat, &[none, text, none]),
        Settlement { usage: of(ESTIMATED_INPUT, 2, 0, 0, 0), estimated: true }
    );
    let last = "data: {\"choices\":null,\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n";
    assert_eq!(after(Account::Chat, &[text, last]), Settlement { usage: of(9, 4, 0, 0, 0), estimated: false });
    let part = "data: {\"candidates\":[{\"index\":null,\"content\":{\"parts\":null},\"finishReason\":\"STOP\"}],\"usageMetadata\":null}\n\n";
    let last = "data: {\"candidates\":null,\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":4}}\n\n";
    assert_eq!(after(Account::Gemini, &[last]), Settlement { usage: of(9, 4, 0, 0, 0), estimated: true });
    assert_eq!(after(Account::Gemini, &[part, last]), Settlement { usage: of(9, 4, 0, 0, 0), estimated: false });
}
