//! The words: what ended, when it opens, whom to ask.

use super::*;

fn over(limit: &str, used: u64, held: u64, need: u64) -> Over {
    let amount = |tokens: u64| Amount { tokens: tokens.into(), cost: Cost::from_micros(tokens * 10_000) };
    let cap = Cap { scope: "office".parse().ok(), limit: serde_json::from_str(limit).unwrap(), enforce: true };
    let opens = Timestamp::of_date("2026-12-01").unwrap();
    Over { cap, used: amount(used), held: amount(held), need: amount(need), opens }
}

fn said(reason: Reason, opens: Option<Timestamp>, contact: Option<&str>) -> String {
    Stop {
        agent: "office".parse().unwrap(),
        session: None,
        model: "sonnet".to_owned(),
        reason,
        opens,
        contact: contact.map(str::to_owned),
        enforced: true,
        untold: 0,
    }
    .to_string()
}

#[test]
fn each_end_says_what_it_is_and_when_it_is_over() {
    let at = Timestamp::of_date("2026-12-01");
    let amount = |limit, used, held, need| said(Reason::Amount(Box::new(over(limit, used, held, need))), at, None);
    let (tokens, money) = (r#"{"window":"month","tokens":1000}"#, r#"{"window":"day","micros":2500000}"#);
    for (said, words) in [
        (
            amount(tokens, 990, 0, 20),
            "agent office may use 1000 tokens in one month; 990 tokens are used, this request may need 20 tokens. It opens again at 2026-12-01T00:00:00.000Z.",
        ),
        (
            amount(tokens, 10, 985, 20),
            "10 tokens are used, 985 tokens are held for requests under way, this one may need 20 tokens. It fits again when some of those have ended, at the latest at 2026-12-01",
        ),
        (amount(tokens, 0, 0, 1001), "and this request alone may need 1001 tokens. Ask for less"),
        (
            amount(money, 249, 0, 2),
            "agent office may use 2.50 USD in one day; 2.49 USD are used, this request may need 0.02 USD. It opens",
        ),
        (
            said(Reason::Requests { scope: None, most: 1 }, None, Some("Ada")),
            "all agents of this server together may begin 1 request a minute. Try again in a minute. Whom to ask: Ada.",
        ),
        (said(Reason::Tokens { scope: None, most: 9 }, None, None), "may use 9 tokens a minute. Try again"),
        (
            said(Reason::Concurrent { scope: "office".parse().ok(), most: 2 }, None, None),
            "agent office may have 2 requests under way at the same time. Try again",
        ),
        (
            said(Reason::Turns { scope: None, most: 40, minutes: 60 }, at, None),
            "this session made 40 turns within 60 minutes without a new message from a person. It goes on with the next message from a person, or at 2026",
        ),
        (
            said(Reason::Repeats { scope: None, most: 5 }, at, None),
            "the same request came 5 times in a row. It goes on",
        ),
    ] {
        assert!(said.contains(words), "{said}");
        assert!(said.starts_with("Wardkeep stopped this request before it reached the model: "), "{said}");
        assert!(said.contains(" Whom to ask: ") && said.ends_with('.'), "{said}");
    }
}

#[test]
fn money_is_told_in_full() {
    for (micros, want) in
        [(0, "0.00"), (1, "0.000001"), (1_000_000, "1.00"), (12_345_678, "12.345678"), (1_500_000, "1.50")]
    {
        assert_eq!(Dollars(micros).to_string(), format!("{want} USD"));
    }
}
