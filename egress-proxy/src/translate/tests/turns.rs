//! A conversation over its turns: what was said stays the same bytes, there and back.

use super::*;

/// Numbers that look like chance and are the same in each run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// A JSON string with what strings can have in them.
    fn text(&mut self) -> String {
        const PIECES: &[&str] =
            &["word ", "é", "\\n", "\\u00e9", "\\\"", "\\\\", "{}", "\u{2028}", "😀", "\\/", "\\ud83d\\ude00"];
        let pieces: String =
            (0..=self.roll(4)).map(|_| PIECES[usize::try_from(self.roll(PIECES.len() as u64)).unwrap()]).collect();
        format!("\"{pieces}\"")
    }

    pub(super) fn object(&mut self) -> String {
        match self.roll(3) {
            0 => "{}".to_owned(),
            1 => format!("{{\"k\": {}, \"n\":1.50e3}}", self.text()),
            _ => format!("{{\"a\":[{},null,{{\"b\":{}}}], \"n\":12345678901234567890123}}", self.text(), self.text()),
        }
    }
}

/// A conversation in the form that the Anthropic writer gives it, message by message; it ends with the user.
fn anthropic(dice: &mut Dice, turns: usize) -> Vec<String> {
    let mut messages = vec![format!(r#"{{"role":"user","content":{}}}"#, dice.text())];
    for turn in 0..turns {
        let calls = dice.roll(3);
        if calls == 0 {
            messages.push(format!(r#"{{"role":"assistant","content":{}}}"#, dice.text()));
            let image = r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}"#;
            let text = dice.text();
            messages.push(format!(r#"{{"role":"user","content":[{{"type":"text","text":{text}}},{image}]}}"#));
            continue;
        }
        let mut said = vec![format!(r#"{{"type":"text","text":{}}}"#, dice.text())];
        let mut results = Vec::new();
        for call in 0..calls {
            let id = format!("toolu_{turn}_{call}");
            said.push(format!(r#"{{"type":"tool_use","id":"{id}","name":"f","input":{}}}"#, dice.object()));
            results.push(format!(r#"{{"type":"tool_result","tool_use_id":"{id}","content":{}}}"#, dice.text()));
        }
        if dice.roll(2) == 0 {
            results.push(format!(r#"{{"type":"text","text":{}}}"#, dice.text()));
        }
        messages.push(format!(r#"{{"role":"assistant","content":[{}]}}"#, said.join(",")));
        messages.push(format!(r#"{{"role":"user","content":[{}]}}"#, results.join(",")));
    }
    messages
}

const HEAD: &str = r#"{"model":"m","max_tokens":5,"temperature":0.70,"stop_sequences":["x"],"output_config":{"format":{"type":"json_schema","schema":{"type": "object"}}},"metadata":{"user_id":"u"},"stream":true,"system":[{"type":"text","text":"A"},{"type":"text","text":"B"}],"tools":[{"name":"f","description":"d","input_schema":{ "x":1.0 },"strict":true}],"tool_choice":{"type":"any","disable_parallel_tool_use":true},"messages":["#;

#[test]
fn from_anthropic_to_openai_and_back_it_is_the_same() {
    let mut dice = Dice(4);
    for round in 0..200 {
        let body = format!("{HEAD}{}]}}", anthropic(&mut dice, round % 8).join(","));
        let there = to_openai(&body).unwrap();
        let back = to_anthropic(&there).unwrap();
        assert_eq!(back, body, "{there}");
        assert_eq!(to_openai(&back).unwrap(), there);
    }
}

/// The parts of two bodies that are equal, from their beginning.
fn common(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

#[test]
fn what_was_said_stays_the_same_bytes_from_turn_to_turn() {
    let mut dice = Dice(7);
    let messages = anthropic(&mut dice, 30);
    let (mut last, mut last_openai) = (String::new(), String::new());
    for length in (1..=messages.len()).step_by(2) {
        let body = format!("{HEAD}{}]}}", messages[..length].join(","));
        let openai = to_openai(&body).unwrap();
        assert_eq!(openai, to_openai(&body).unwrap());
        let again = to_anthropic(&openai).unwrap();
        // All of the last body but the brackets that closed it.
        assert!(common(&last_openai, &openai) + 2 >= last_openai.len(), "turn {length}");
        assert!(common(&last, &again) + 2 >= last.len(), "turn {length}");
        (last, last_openai) = (again, openai);
    }
    assert!(last.len() > 5_000);
}

#[test]
fn the_next_turn_of_a_client_brings_its_answer_back() {
    // What a model of the other API answered goes back to it as it was.
    let answer = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"I \u00e9"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a": 1.50}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}"#;
    let told: Value = serde_json::from_str(&answered(Dialect::Anthropic, Dialect::OpenAi, answer).unwrap()).unwrap();
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"Go"}},{},{{"role":"tool","tool_call_id":"toolu_1","content":"ok"}}]}}"#,
        told["choices"][0]["message"]
    );
    let out = to_anthropic(&body).unwrap();
    let want = r#"{"role":"assistant","content":[{"type":"text","text":"I é"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a": 1.50}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"ok"}]}"#;
    assert!(out.contains(want), "{out}");

    let answer = r#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\": 1.50}"}}]},"finish_reason":"tool_calls"}]}"#;
    let told = answered(Dialect::OpenAi, Dialect::Anthropic, answer).unwrap();
    let content = told.split_once("\"content\":").unwrap().1.split_once(",\"stop_reason\"").unwrap().0;
    let body = format!(
        r#"{{"model":"m","max_tokens":5,"messages":[{{"role":"user","content":"Go"}},{{"role":"assistant","content":{content}}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"call_1"}}]}}]}}"#
    );
    let out = to_openai(&body).unwrap();
    let want = r#"{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\": 1.50}"}}]},{"role":"tool","tool_call_id":"call_1","content":""}"#;
    assert!(out.contains(want), "{out}");
}
