//! What the hub can read of an approval's document, and whether that is enough to approve it.
//!
//! Every way to a decision asks here: pages, API and command line refuse the same documents.

use serde::Deserialize;
use serde_json::Value;
use wardkeep_policy::{Action, Class, Grant};
use wardkeep_proto::grant::GrantTerms;

/// The parts of a document that bear on a decision.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The call; `None` when it is not one that this hub knows.
    pub action: Option<Action>,
    /// How grave it is; `None` when this hub does not know the class.
    pub class: Option<Class>,
    /// What stands between it and a plain yes; denying is always possible.
    pub barred: Option<Barred>,
    /// What can be granted with a plain yes.
    pub offer: Option<Offer>,
}

/// What can be granted with an approval: one of the scopes, at most for so long and so often.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// At most.
    pub hours: u32,
    /// At most.
    pub uses: u32,
    /// Without count and end; the narrowest first.
    pub scopes: Vec<Grant>,
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
        // What takes more than a plain yes is never granted, whatever the document says.
        let offer = barred.is_none().then(|| Offer::deserialize(&document["grant"]).ok()).flatten();
        Self { action, class, barred, offer }
    }

    /// Whether these terms are within what is offered.
    #[must_use]
    pub fn offers(&self, terms: GrantTerms) -> bool {
        self.offer.as_ref().is_some_and(|offer| {
            usize::try_from(terms.scope).is_ok_and(|at| at < offer.scopes.len())
                && (1..=offer.hours).contains(&terms.hours)
                && (1..=offer.uses).contains(&terms.uses)
        })
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
    fn what_is_not_offered_is_not_granted() {
        let whole = json!({
            "agent": "a", "session": "s", "tool": "shell", "class": "yellow", "factor": "person",
            "call": {"kind": "shell", "command": "git push"},
            "grant": {"hours": 8, "uses": 20, "scopes": [{"tool": "shell", "commands": [["git", "push"]]}]},
        });
        let with = |key: &str, value: Value| {
            let mut document = whole.clone();
            document[key] = value;
            Reading::of(&document)
        };
        let terms = |hours, scope, uses| GrantTerms { hours, scope, uses };
        assert!(with("x", Value::Null).offers(terms(8, 0, 20)) && with("x", Value::Null).offers(terms(1, 0, 1)));
        for wrong in [terms(9, 0, 1), terms(1, 0, 21), terms(0, 0, 1), terms(1, 0, 0), terms(1, 1, 1)] {
            assert!(!with("x", Value::Null).offers(wrong), "{wrong:?}");
        }
        for (key, value) in [
            ("class", json!("critical_red")),
            ("factor", json!("passkey")),
            ("call", json!({"kind": "teleport"})),
            ("grant", Value::Null),
            ("grant", json!({"hours": 8, "uses": 20, "scopes": []})),
            ("grant", json!({"hours": 8, "uses": 20, "scopes": [{"tool": "shell", "anything": true}]})),
            ("grant", json!({"hours": 8, "uses": 20, "scopes": [{"tool": "shell"}], "also": 1})),
        ] {
            assert!(!with(key, value.clone()).offers(terms(1, 0, 1)), "{key} {value}");
        }
    }

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
