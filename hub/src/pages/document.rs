//! The approval document as the pages read it.
//!
//! The hub renders from this document alone: it is what the digest covers and what the tenant runs. A field that this hub
//! does not know is still shown, because the whole document stands on the approval's page.

use serde_json::Value;
use wardkeep_policy::Class;

use super::call::CallView;
use super::exact::Exact;
use crate::reading::{Barred, Offer, Reading};
use crate::store::approvals::Approval;

/// What a document says.
#[derive(Clone, Debug)]
pub struct Document {
    /// Which agent asks.
    pub agent: String,
    /// In which session.
    pub session: String,
    /// The tool as the agent's runtime names it.
    pub tool: String,
    /// How grave it is; `None` when this hub does not know the class.
    pub class: Option<Class>,
    /// Why a person is asked.
    pub reasons: Vec<Reason>,
    /// The call in words and exactly.
    pub call: CallView,
    /// What tells it from others in a list; empty when the call cannot be read.
    pub glance: Exact,
    /// What stands between it and a plain yes.
    pub bar: Option<Barred>,
    /// What can be granted with one.
    pub offer: Option<Offer>,
    /// The files that it names and that must be the same when it runs: path, and a short mark of what was in them.
    pub files: Vec<(Exact, String)>,
}

/// One rule that fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Name of the rule.
    pub rule: String,
    /// What it says.
    pub text: String,
}

impl Document {
    /// Why it cannot be approved on these pages; what a person cannot read, a person cannot approve.
    #[must_use]
    pub const fn barred(&self) -> Option<&'static str> {
        match self.bar {
            Some(Barred::Unreadable) => Some(
                "This hub cannot read all of this call, so it cannot be approved here. Update the hub, or decide on the server.",
            ),
            Some(Barred::Passkey) | None => None,
        }
    }

    /// Reads the document of an approval. Never fails: what cannot be read is shown raw.
    #[must_use]
    pub fn of(approval: &Approval) -> Self {
        let json = approval.json();
        let Reading { action, class, barred, offer } = Reading::of(&json);
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        let call = match &action {
            Some(action) => CallView::of(action),
            None => CallView::unread(&text("title"), &String::from_utf8_lossy(&approval.document)),
        };
        let known = |own: Option<String>, key: &str| own.unwrap_or_else(|| text(key));
        Self {
            agent: known(action.as_ref().map(|action| action.agent.to_string()), "agent"),
            session: known(action.as_ref().map(|action| action.session.to_string()), "session"),
            tool: known(action.as_ref().map(|action| action.tool.clone()), "tool"),
            class,
            reasons: reasons(&json),
            bar: barred,
            offer,
            files: files(&json),
            glance: action.as_ref().map(CallView::glance).unwrap_or_default(),
            call,
        }
    }
}

/// A file that cannot be read from the document stands in it all the same: the whole of it is on the approval's page.
fn files(json: &Value) -> Vec<(Exact, String)> {
    let pins = json["files"].as_array().map(Vec::as_slice).unwrap_or_default();
    let pin = |pin: &Value| {
        let (path, is) = (pin["path"].as_str()?, pin["is"].as_str()?);
        Some((Exact::name(path), is.chars().take(12).collect()))
    };
    pins.iter().filter_map(pin).collect()
}

fn reasons(json: &Value) -> Vec<Reason> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let rules = json["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
    rules.iter().map(|rule| Reason { rule: text(rule, "rule"), text: text(rule, "reason") }).collect()
}
