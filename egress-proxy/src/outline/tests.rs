//! What is read on from the last body is what is read of the whole.

use serde_json::json;
use wardkeep_redaction::RuleSet;

use super::*;

fn engine() -> Engine {
    Engine::build([], &RuleSet::none(), [7; 32]).unwrap()
}

fn of(outlines: &Outlines, engine: &Engine, body: &str) -> Result<String, String> {
    let agent = "office".parse().unwrap();
    outlines
        .read(&agent, engine, body.as_bytes())
        .map(|Outline { head, results, signs, .. }| format!("{head:?} {results:?} {signs:?}"))
        .map_err(|error| error.code().to_owned())
}

#[test]
fn the_head_is_that_of_a_whole_parse() {
    let (outlines, engine) = (Outlines::default(), engine());
    for body in [
        r#"{"model":"m","stream":true,"n":-1.5e3 , "x" : [ ] ,"y":{},"z":null,"w":false,"t":"\u00e9\"","messages":[]}"#,
        " {\"model\" : \"m\" }\n",
        "{}",
        r#"{"a":[[],{}],"messages":[{"role":"user"}, {"role":"tool","tool_call_id":"a"} ] , "stream" : false}"#,
    ] {
        let whole = Head::parse(body.as_bytes()).map(|head| format!("{head:?}")).unwrap();
        let outline = of(&outlines, &engine, body).unwrap();
        assert!(outline.contains(&whole), "{body}\n{outline}\n{whole}");
    }
    for (body, code) in [
        ("[]", "invalid-body"),
        ("7", "invalid-body"),
        ("{", "invalid-body"),
        (r#"{"model":1}"#, "invalid-body"),
        (r#"{"a":1,"a":2}"#, "invalid-body"),
        (r#"{"stream":1}"#, "invalid-body"),
    ] {
        assert_eq!(of(&outlines, &engine, body), Err(code.to_owned()), "{body}");
    }
}

/// Deterministic noise.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

#[test]
fn a_body_that_goes_on_is_read_as_one_that_comes_alone() {
    let (engine, mut dice) = (engine(), Dice(7));
    for _ in 0..60 {
        let outlines = Outlines::default();
        let mut turns: Vec<String> = Vec::new();
        let mut read_on = 0;
        for turn in 0..40 {
            let fill = "word ".repeat(dice.roll(400));
            turns.push(match dice.roll(6) {
                5 => json!({"role": "user", "content": [{"source": {"type": "url", "url": fill}}]}).to_string(),
                0 => json!({"role": "user", "content": fill}).to_string(),
                1 => json!({"role": "assistant", "content": [{"type": "tool_use", "id": turn.to_string(), "input": {"a": fill}}]}).to_string(),
                2 => json!({"role": "tool", "tool_call_id": turn.to_string(), "content": fill}).to_string(),
                3 => json!({"type": "function_call_output", "call_id": turn.to_string(), "output": [{"text": fill}]}).to_string(),
                _ => json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": turn.to_string(), "content": fill}]}).to_string(),
            });
            match dice.roll(12) {
                0 => turns.truncate(dice.roll(turns.len())),
                1 => {
                    let at = dice.roll(turns.len());
                    turns[at] = turns[at].replacen('o', "0", 1);
                }
                _ => {}
            }
            let tail = [
                "",
                r#","tools":[{"name":"x"}]"#,
                r#","stream":true"#,
                r#" , "tools":[{"name":"x"}],"n":[1,{}] , "stream":false}  "#,
                r#","user":"data:text/plain,x","n":1"#,
                r#","model":"n""#,
                r#","n":1,"previous":{"role":"assistant"},"input":[{"type":"function_call_output","call_id":"z","output":"z"},{"role":"assistant"}],"n2":2"#,
                r#","input":"text","tools":[],"stream_options":{}"#,
                r#","file_id":"f","n":1"#,
            ][if dice.roll(3) == 0 { dice.roll(9) } else { turn / 8 }];
            let name = ["messages", "input", "contents"][usize::from(turn > 20)];
            let close = if tail.ends_with("}  ") { "" } else { "}" };
            let body = format!(r#"{{"model":"m","system":"s","{name}":[{}]{tail}{close}"#, turns.join(","));
            let before = outlines.sessions().first().map_or(0, |session| session.pieces.len());
            read_on += usize::from(before > 0);
            assert_eq!(of(&outlines, &engine, &body), of(&Outlines::default(), &engine, &body), "{body}");
        }
        assert!(read_on > 0);
    }
}

#[test]
fn what_follows_the_conversation_is_known_only_as_it_was() {
    let (outlines, engine) = (Outlines::default(), engine());
    let agent: AgentName = "office".parse().unwrap();
    let body = |turns: usize, tail: &str| {
        let turns: Vec<String> =
            (0..turns).map(|n| json!({"role": "user", "content": "word ".repeat(900 + n)}).to_string()).collect();
        format!(r#"{{"model":"m","messages":[{}]{tail}"#, turns.join(","))
    };
    let is_known = |body: &str| {
        let before = outlines.sessions().first().and_then(|session| session.read.rest.as_ref()).is_some_and(|rest| {
            let at = body.rfind(']').unwrap() + 1;
            rest.is_at(&engine, body.as_bytes(), at)
        });
        outlines.read(&agent, &engine, body.as_bytes()).unwrap();
        before
    };
    let (none, tools, other) = ("}", r#","max_tokens":10,"stream":true}"#, r#","max_tokens":10,"stream":null}"#);
    for (number, (tail, want)) in [
        (none, false),
        (none, false),
        (tools, false),
        (tools, true),
        (tools, true),
        (other, false),
        (other, true),
        (tools, false),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(is_known(&body(3 + number, tail)), want, "{number}");
    }
}

#[test]
fn agents_share_nothing_and_memory_is_bounded() {
    let (outlines, engine) = (Outlines::default(), engine());
    for n in 0..200 {
        let agent: AgentName = format!("agent-{}", n % 20).parse().unwrap();
        let body =
            json!({"model": "m", "messages": [{"role": "user", "content": format!("{n} ").repeat(9000)}]}).to_string();
        outlines.read(&agent, &engine, body.as_bytes()).unwrap();
        let sessions = outlines.sessions();
        assert!(sessions.len() <= OF_ALL);
        assert!(sessions.iter().filter(|session| session.agent == agent).count() <= OF_ONE);
    }
}
