//! What the hub can read of an approval's document, and whether that is enough to approve it.
//!
//! Every way to a decision asks here: pages, API and command line refuse the same documents.

use serde_json::Value;
use wardkeep_policy::{Action, Class};

/// The parts of a document that bear on a decision.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The call; `None` when it is not one that this hub knows.
    pub action: Option<Action>,
    /// How grave it is; `None` when this hub does not know the class.
    pub class: Option<Class>,
    /// What stands between it and a plain yes; denying is always possible.
    pub barred: Option<Barred>,
}

/// What stands between a call and a plain yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// It takes a passkey, or something that this hub does not know.
    Passkey,
    /// What a person cannot read, a person cannot approve.
    Unreadable,
}

impl Reading {
    /// Reads a document. Never fails: what is not there cannot be approved.
    #[must_use]
    pub fn of(document: &Value) -> Self {
        let class = document["class"].as_str().and_then(|class| class.parse().ok());
        let action = action(document);
        // Unreadable first: no passkey is worth anything under what nobody could read.
        let barred = if action.is_none() || class.is_none() {
            Some(Barred::Unreadable)
        } else if class == Some(Class::CriticalRed) || document["factor"] != "person" {
            Some(Barred::Passkey)
        } else {
            None
        };
        Self { action, class, barred }
    }
}

/// The parts of the document that are the call.
fn action(document: &Value) -> Option<Action> {
    let fields = ["agent", "session", "tool", "call", "cwd"].iter();
    let own = fields.filter_map(|key| document.get(key).map(|value| ((*key).to_owned(), value.clone()))).collect();
    serde_json::from_value(Value::Object(own)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_barred() {
        let whole = json!({
            "agent": "a", "session": "s", "tool": "shell", "class": "red", "call": {"kind": "shell", "command": "ls"},
            "factor": "person"
        });
        let with = |key: &str, value: Value| {
            let mut document = whole.clone();
            document[key] = value;
            document
        };
        for (document, barred) in [
            (Value::Null, Some(Barred::Unreadable)),
            (json!([]), Some(Barred::Unreadable)),
            (json!([whole.clone()]), Some(Barred::Unreadable)),
            (json!("red"), Some(Barred::Unreadable)),
            (json!({}), Some(Barred::Unreadable)),
            (json!({"class": "red"}), Some(Barred::Unreadable)),
            (with("class", Value::Null), Some(Barred::Unreadable)),
            (with("class", json!("violet")), Some(Barred::Unreadable)),
            (with("class", json!(["red"])), Some(Barred::Unreadable)),
            (with("call", json!({"kind": "teleport"})), Some(Barred::Unreadable)),
            (with("call", json!({"kind": "shell", "command": "ls", "as": "root"})), Some(Barred::Unreadable)),
            (with("class", json!("critical_red")), Some(Barred::Passkey)),
            (with("factor", json!("passkey")), Some(Barred::Passkey)),
            (with("factor", json!("two persons")), Some(Barred::Passkey)),
            (with("factor", Value::Null), Some(Barred::Passkey)),
            (json!({"factor": "passkey", "class": "critical_red"}), Some(Barred::Unreadable)),
            (json!({"factor": "passkey"}), Some(Barred::Unreadable)),
            (whole.clone(), None),
        ] {
            assert_eq!(Reading::of(&document).barred, barred, "{document}");
        }
    }
}
