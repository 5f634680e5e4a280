use proptest::prelude::*;

use super::*;
use crate::{RuleSet, Secret};

const TOKEN: &str = "q9x2mn7pk4rt8wy1cv5b";
const QUOTED: &str = "pa\"ss\\wörd/1";
const SEALED: [&str; 2] = ["thinking", "sig:"];

fn built() -> Engine {
    let secrets = [("token", TOKEN), ("quoted", QUOTED), ("digits", "1234567890123456")];
    let secrets = secrets.map(|(name, value)| Secret::new(name, value));
    Engine::build(secrets, &RuleSet::builtin(), [7; 32]).unwrap()
}

/// Built once: property tests use it some thousand times.
fn engine() -> &'static Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    ENGINE.get_or_init(built)
}

/// Redacts with the memo, and says the same as without.
#[track_caller]
fn check(memo: &mut JsonMemo, body: &[u8]) -> bool {
    let wanted = engine().redact_json_sealing(body, &SEALED);
    let found = engine().redact_json_again(memo.compare(body), &SEALED, memo);
    match (&wanted, &found) {
        (Ok(a), Ok(b)) => assert!(
            a == b,
            "{}\n  whole {} {:?}\n  again {} {:?}",
            String::from_utf8_lossy(body),
            String::from_utf8_lossy(&a.bytes),
            a.findings,
            String::from_utf8_lossy(&b.bytes),
            b.findings
        ),
        _ => assert_eq!(wanted, found, "{}", String::from_utf8_lossy(body)),
    }
    assert_eq!(memo.body_len(), if found.is_ok() { body.len() } else { 0 });
    found.is_ok()
}

/// Texts between short and longer than what is looked at of the end of one.
fn text() -> impl Strategy<Value = String> {
    let (a, b) = TOKEN.split_at(9);
    let (c, d) = QUOTED.split_at(7);
    let piece = prop_oneof![
        6 => prop::sample::select(vec![a, b, c, d, TOKEN, QUOTED, " ", "\n", "é", "\\", "and", "=", "\"", "password: "]).prop_map(str::to_owned),
        2 => prop::sample::select(vec![
            "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB",
            "eyJhbGciOiJIUzI1NiJ9.",
            "password=\"kestrel9\"",
            "-----BEGIN PRIVATE KEY-----\n",
            "data: {\"text\":\"q9x2mn7\"}\n\ndata: {\"text\":\"pk4rt8wy1cv5b\"}\n\n",
        ]).prop_map(str::to_owned),
        1 => Just("some plain words of a long text ".repeat(12)),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn part() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::json;
    prop_oneof![
        4 => text().prop_map(|text| json!({"type": "text", "text": text})),
        1 => prop::sample::select(vec!["", "fine", "and so on ", "a", TOKEN]).prop_map(|text| json!({"type": "thinking", "thinking": text, "signature": "abc"})),
        1 => prop::sample::select(vec!["", "fine", "and so on ", "wy1cv5b"]).prop_map(|text| json!({"text": text, "sig": "x"})),
        2 => (text(), text()).prop_map(|(a, b)| json!({"type": "tool_use", "id": "t1", "input": {"a": a, "b": [b]}})),
        2 => (text(), text()).prop_map(|(a, b)| json!({"type": "tool_result", "content": [{"text": a}, {"text": b}]})),
        1 => text().prop_map(|text| json!({"name": "API_TOKEN", "value": text, "list": [text, ["x"]]})),
        1 => any::<u64>().prop_map(|number| json!({"n": number, "m": 1_234_567_890_123_456_u64})),
    ]
}

fn message() -> impl Strategy<Value = String> {
    use serde_json::json;
    prop_oneof![
        3 => text().prop_map(|text| json!({"role": "user", "content": text})),
        3 => prop::collection::vec(part(), 0..4).prop_map(|parts| json!({"role": "assistant", "content": parts})),
        1 => text().prop_map(|text| json!(text)),
    ]
    .prop_map(|message| message.to_string())
}

/// A member of the body that is not the history.
fn member() -> impl Strategy<Value = String> {
    use serde_json::json;
    let named = |name: &str, value: serde_json::Value| format!("{}:{value}", json!(name));
    prop_oneof![
        Just(r#""model":"m""#.to_owned()),
        Just(r#""stream":true"#.to_owned()),
        (0..100_000_u64).prop_map(|n| format!("\"max_tokens\":{n}")),
        text().prop_map(move |text| named("system", json!(text))),
        text().prop_map(move |text| named("content", json!([text, {"text": text}]))),
        text().prop_map(move |text| named("text", json!(text))),
        text().prop_map(move |text| named("name", json!(text))),
        text().prop_map(move |text| named("value", json!(text))),
        text().prop_map(move |text| named("password", json!(text))),
        prop::sample::select(vec![r#""type":"thinking""#, r#""type":"x""#]).prop_map(str::to_owned),
        prop::collection::vec((text(), "[a-z]{1,4}"), 0..3).prop_map(move |tools| {
            let tool = |(text, name)| json!({"name": name, "description": text, "enum": [text, "x"]});
            named("tools", tools.into_iter().map(tool).collect())
        }),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<String>),
    Edit(usize, String),
    Remove(usize),
    Shrink(usize),
    Member(usize, String),
    AddMember(usize, String),
    DropMember(usize),
    Move(usize),
    History(&'static str),
    Again,
    /// One byte of the body becomes another, for this turn.
    Spoil(usize, u8),
    /// The end of the body is missing, for this turn.
    Cut(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<usize>;
    prop_oneof![
        8 => prop::collection::vec(message(), 1..4).prop_map(Step::Append),
        2 => (any(), message()).prop_map(|(at, message)| Step::Edit(at, message)),
        1 => any().prop_map(Step::Remove),
        1 => any().prop_map(Step::Shrink),
        2 => (any(), member()).prop_map(|(at, member)| Step::Member(at, member)),
        2 => (any(), member()).prop_map(|(at, member)| Step::AddMember(at, member)),
        1 => any().prop_map(Step::DropMember),
        1 => any().prop_map(Step::Move),
        1 => prop::sample::select(vec!["messages", "input", "contents", "messages\":[],\"content"]).prop_map(Step::History),
        1 => Just(Step::Again),
        1 => (any(), prop::sample::select(b"\"\\ax1,{}[]: \xc3\xa9\xff".to_vec())).prop_map(|(at, byte)| Step::Spoil(at, byte)),
        1 => any().prop_map(Step::Cut),
    ]
}

/// A session's body: its history stands between the other members.
struct Session {
    messages: Vec<String>,
    members: Vec<String>,
    place: usize,
    history: &'static str,
}

impl Session {
    fn body(&self) -> String {
        let mut members = self.members.clone();
        let place = self.place % (members.len() + 1);
        members.insert(place, format!("\"{}\":[{}]", self.history, self.messages.join(",")));
        format!("{{{}}}", members.join(","))
    }

    /// Does the step; gives a body that stands for one turn only.
    fn step(&mut self, step: Step) -> Option<Vec<u8>> {
        match step {
            Step::Append(more) => self.messages.extend(more),
            Step::Edit(at, message) if !self.messages.is_empty() => {
                let at = at % self.messages.len();
                self.messages[at] = message;
            }
            Step::Remove(at) if !self.messages.is_empty() => drop(self.messages.remove(at % self.messages.len())),
            Step::Shrink(to) => self.messages.truncate(to % (self.messages.len() + 1)),
            Step::Member(at, member) if !self.members.is_empty() => {
                let at = at % self.members.len();
                self.members[at] = member;
            }
            Step::AddMember(at, member) => self.members.insert(at % (self.members.len() + 1), member),
            Step::DropMember(at) if !self.members.is_empty() => drop(self.members.remove(at % self.members.len())),
            Step::Move(place) => self.place = place,
            Step::History(name) => self.history = name,
            Step::Spoil(at, byte) => {
                let mut body = self.body().into_bytes();
                let at = at % body.len();
                body[at] = byte;
                return Some(body);
            }
            Step::Cut(at) => {
                let mut body = self.body().into_bytes();
                body.truncate(at % body.len());
                return Some(body);
            }
            _ => {}
        }
        None
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_memo_changes_nothing(
        members in prop::collection::vec(member(), 0..5),
        place in any::<usize>(),
        steps in prop::collection::vec(step(), 1..14),
    ) {
        let mut session = Session { messages: Vec::new(), members, place, history: "messages" };
        let mut memo = JsonMemo::default();
        for step in steps {
            let once = session.step(step);
            check(&mut memo, &once.unwrap_or_else(|| session.body().into_bytes()));
        }
    }

    #[test]
    fn whatever_two_documents_share(a in "[\\[\\]{}\",:0-9 \\\\nulé]{0,16}", b in "[\\[\\]{}\",:0-9 \\\\nulé]{0,16}", c in "[\\[\\]{}\",:0-9 \\\\nulé]{0,16}") {
        let mut memo = JsonMemo::default();
        for body in [format!("[{a}{c}]"), format!("[{a}{b}{c}]"), format!("[{a}{c}]"), format!("{b}{c}")] {
            check(&mut memo, body.as_bytes());
        }
    }
}

fn session(turns: usize, behind: &str) -> String {
    let text = "Some plain words that a session says in each of its turns, and then some more of them. ".repeat(12);
    let messages: Vec<String> =
        (0..turns).map(|n| format!(r#"{{"role":"user","content":[{{"type":"text","text":"{n} {text}"}}]}}"#)).collect();
    format!(r#"{{"model":"m","messages":[{}]{behind}}}"#, messages.join(","))
}

#[test]
fn only_what_changed_is_searched() {
    let tools = format!(r#","tools":[{{"name":"a","description":"{}"}}],"max_tokens":10"#, "words ".repeat(4000));
    for (behind, most) in [("", 2500), (r#","stream":true"#, 2500), (&tools, 2600)] {
        let mut memo = JsonMemo::default();
        for turns in 1..60 {
            let body = session(turns, behind);
            assert!(check(&mut memo, body.as_bytes()));
            assert!(turns == 1 || memo.searched() < most, "{turns} turns: {} of {}", memo.searched(), body.len());
        }
        // Nothing changed; then an edit far back, behind which all is new.
        check(&mut memo, session(59, behind).as_bytes());
        assert!(memo.searched() < 100);
        let edited = session(59, behind).replacen("\"29 ", "\"29! ", 1);
        check(&mut memo, edited.as_bytes());
        assert!((30 * 1000..56 * 1000).contains(&memo.searched()), "{}", memo.searched());
    }
}

#[test]
fn another_engine_knows_nothing_of_it() {
    let mut memo = JsonMemo::default();
    let body = session(20, "");
    check(&mut memo, body.as_bytes());
    let other = Engine::build([Secret::new("words", "that a session says in")], &RuleSet::none(), [7; 32]).unwrap();
    assert!(memo.is_of(engine()) && !memo.is_of(&other) && !memo.is_of(&engine().with_rules(&RuleSet::none())));
    let out = other.redact_json_again(memo.compare(body.as_bytes()), &SEALED, &mut memo).unwrap();
    assert_eq!(out, other.redact_json_sealing(body.as_bytes(), &SEALED).unwrap());
    assert!(memo.is_of(&other) && memo.searched() == body.len());
    // Other blocks that nobody may change: asked for anew.
    let longer = session(21, "");
    other.redact_json_again(memo.compare(longer.as_bytes()), &[], &mut memo).unwrap();
    assert_eq!(memo.searched(), longer.len());
}

#[test]
fn a_comparison_with_another_body_counts_for_nothing() {
    let (mut memo, mut other) = (JsonMemo::default(), JsonMemo::default());
    check(&mut memo, session(20, "").as_bytes());
    check(&mut other, session(20, "").replace("plain", TOKEN).as_bytes());
    let body = session(21, "").replace("plain", TOKEN);
    let compared = other.compare(body.as_bytes());
    let out = engine().redact_json_again(compared, &SEALED, &mut memo).unwrap();
    assert_eq!(out, engine().redact_json(body.as_bytes()).unwrap());
    assert_eq!(memo.searched(), body.len());
}

#[test]
fn a_refused_body_is_forgotten() {
    let mut memo = JsonMemo::default();
    check(&mut memo, session(20, "").as_bytes());
    assert!(memo.bytes() > session(20, "").len());
    let signed = session(20, &format!(r#","x":{{"type":"thinking","thinking":"{TOKEN}"}}"#));
    assert!(!check(&mut memo, signed.as_bytes()));
    assert_eq!((memo.bytes(), format!("{memo:?}").as_str()), (0, "JsonMemo(..)"));
    assert!(!check(&mut memo, signed.as_bytes()), "and refused again");
}

#[test]
fn the_beginning_that_bodies_share_stays_the_same() {
    let (a, b) = TOKEN.split_at(9);
    let mut memo = JsonMemo::default();
    let mut sent = Vec::new();
    for turns in 1..=30 {
        // Secrets in each turn, and one whose halves stand in two texts of one.
        let body = session(turns, "")
            .replace(" plain", &format!(" {TOKEN} plain"))
            .replace("more of", &format!("{a}\"}},{{\"text\":\"{b}"));
        let out =
            engine().redact_json_again(memo.compare(body.as_bytes()), &SEALED, &mut memo).unwrap().bytes.into_owned();
        // All of the last history stands in both, as it was.
        let shared = common(&sent, &out);
        assert!(sent.is_empty() || shared == sent.len() - 2, "{turns}: {shared} of {}", sent.len());
        sent = out;
    }
}
