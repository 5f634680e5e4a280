//! One row of the audit log as a line for a person. `--json` has all of it.

use serde_json::Value;
use wardkeep_safety::audit::Row;

use crate::cli::approvals::one_line;

/// Bytes in hexadecimal digits of a SHA-256, which says nothing to a person.
const DIGEST: usize = 64;

/// Number, moment, what happened, to which call, and its fields in words: the title first, digests and permits left out.
pub(super) fn line(row: &Row) -> String {
    let Row { number, at, kind, call, fields, .. } = row;
    let mut line = format!("{number:>7} {at} {kind:<20} {call}");
    match serde_json::from_str(fields) {
        Ok(Value::Object(mut fields)) => {
            if let Some(Value::String(title)) = fields.remove("title") {
                line.push_str(&format!(" {}", one_line(&title)));
            }
            say(&Value::Object(fields), None, &mut line);
        }
        // A row that somebody edited is shown as it is.
        _ => line.push_str(&format!(" {}", one_line(fields))),
    }
    line
}

fn say(value: &Value, name: Option<&str>, line: &mut String) {
    let word = match value {
        Value::Null => return,
        Value::Object(members) => {
            return members
                .iter()
                .filter(|(name, _)| *name != "permit")
                .for_each(|(name, value)| say(value, Some(name), line));
        }
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
        }
        Value::String(text) if text.len() == DIGEST && text.bytes().all(|b| b.is_ascii_hexdigit()) => return,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if word.is_empty() {
        return;
    }
    line.push(' ');
    if let Some(name) = name {
        line.push_str(&format!("{name}="));
    }
    line.push_str(&one_line(&word));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(fields: &Value) -> String {
        let mut line = String::new();
        say(fields, None, &mut line);
        line
    }

    #[test]
    fn fields_are_told_in_words_without_digests() {
        let fields = serde_json::json!({
            "action": "5849bf3797bcc6d12c46904033f84a8ebd24cecd8331a4dfbee31df50e8a23f0",
            "class": "green", "rules": ["path.read", "http.own"], "parent": null,
            "state": {"permit": "01a1ff56", "result": {"duration_ms": 7, "status": "ok"}, "state": "done"},
        });
        assert_eq!(words(&fields), " class=green rules=path.read,http.own duration_ms=7 status=ok state=done");
    }

    #[test]
    fn what_a_row_says_does_not_steer_the_terminal() {
        assert!(!words(&serde_json::json!({"reason": "a\u{1b}[2Jb\nc"})).contains(['\u{1b}', '\n']));
    }
}
