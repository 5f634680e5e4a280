//! The classifier on JSON lines, for `wardkeep-agent classify` and for measuring.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::class::Class;
use crate::classify::{Fired, Seen, explain};

/// One question.
#[derive(Deserialize)]
struct Question {
    id: String,
    tool: String,
    #[serde(default)]
    command: Option<String>,
    #[serde(default)]
    args: Option<Value>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// As asked.
    pub id: String,
    /// The class.
    pub class: Class,
    /// The rules that fired, gravest first.
    pub rules: Vec<Fired>,
    /// What was seen in the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
}

/// Classifies one line `{"id","tool","command"|"args"}`. Arguments that are no call are Red.
///
/// # Errors
/// The line is not JSON of that form.
pub fn classify_line(line: &str, bundle: &Bundle) -> Result<Answer, serde_json::Error> {
    let question: Question = serde_json::from_str(line)?;
    let args = match (question.args, question.command) {
        (Some(args), _) => args,
        (None, Some(command)) => json!({ "command": command }),
        (None, None) => json!({}),
    };
    let agent = "classify".parse().expect("a slug");
    let session = "classify".parse().expect("visible ASCII");
    Ok(match bundle.read_action(agent, session, &question.tool, &args, None) {
        Ok(action) => {
            let (verdict, seen) = explain(&action, bundle);
            Answer { id: question.id, class: verdict.class, rules: verdict.fired, seen }
        }
        Err(invalid) => {
            let fired = Fired { rule: "call.invalid".to_owned(), reason: invalid.to_string(), class: Class::Red };
            Answer { id: question.id, class: Class::Red, rules: vec![fired], seen: Vec::new() }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_answered() {
        let bundle = Bundle::strict();
        assert!(classify_line("{", &bundle).is_err());
        for (line, class) in [
            (r#"{"id":"a","tool":"shell","command":"rm -rf /"}"#, Class::CriticalRed),
            (r#"{"id":"a","tool":"shell","args":{}}"#, Class::Red),
            (r#"{"id":"a","tool":"shell","command":"ls"}"#, Class::Green),
            (r#"{"id":"a","tool":"http","args":{"method":"POST","url":"https://x.example/y"}}"#, Class::YellowExternal),
        ] {
            let answer = classify_line(line, &bundle).unwrap();
            assert_eq!((answer.id.as_str(), answer.class), ("a", class), "{line}");
        }
    }
}
