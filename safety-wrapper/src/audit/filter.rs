//! Which rows of the log somebody wants to see, and what a row says of its call.

use serde_json::Value;
use wardkeep_policy::Class;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::Row;

/// What was decided, or became of a call: the last word of the row's kind, in people's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// The rules allowed it, or a person did.
    Allowed,
    /// A person was asked.
    Asked,
    /// Rules or a person said no, or it was voided.
    Denied,
    /// Nobody decided in time, or it was not started in time.
    Expired,
    /// It ran: began, ended, failed or was cut off.
    Ran,
}

impl Decided {
    fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "call-permitted" | "call-approved" => Self::Allowed,
            "call-pending" => Self::Asked,
            "call-denied" | "call-superseded" => Self::Denied,
            "call-expired" => Self::Expired,
            "call-claimed" | "call-done" | "call-failed" | "call-interrupted" => Self::Ran,
            _ => return None,
        })
    }
}

/// What a row must be to be shown; everything that is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// About this agent.
    pub agent: Option<AgentName>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// A call of this class.
    pub class: Option<Class>,
    /// What became of it.
    pub decided: Option<Decided>,
    /// The kind of the row begins so, e.g. `vault-`.
    pub kind: Option<String>,
    /// This text stands anywhere in it, in small or capital letters.
    pub text: Option<String>,
}

impl Filter {
    /// Whether `row` fits.
    #[must_use]
    pub fn fits(&self, row: &Row) -> bool {
        let Self { agent, since, until, class, decided, kind, text } = self;
        let about = About::of(row);
        since.is_none_or(|since| row.at >= since)
            && until.is_none_or(|until| row.at < until)
            && kind.as_ref().is_none_or(|kind| row.kind.starts_with(kind.as_str()))
            && decided.is_none_or(|decided| Decided::of(&row.kind) == Some(decided))
            && agent.as_ref().is_none_or(|agent| about.agent() == Some(agent.as_str()))
            && class.is_none_or(|class| about.text("/class") == Some(class.as_str()))
            && text.as_ref().is_none_or(|text| {
                let text = text.to_lowercase();
                [&row.kind, &row.call, &row.fields].into_iter().any(|part| part.to_lowercase().contains(&text))
            })
    }
}

/// The fields of a row, read.
pub(super) struct About<'a> {
    row: &'a Row,
    fields: Value,
}

impl<'a> About<'a> {
    pub(super) fn of(row: &'a Row) -> Self {
        Self { row, fields: serde_json::from_str(&row.fields).unwrap_or(Value::Null) }
    }

    /// Agent, session and call, where the row is about a call. Names hold no slash.
    pub(super) fn call(&self) -> Option<(&'a str, &'a str, &'a str)> {
        let mut parts = self.row.call.splitn(3, '/');
        Some((parts.next().filter(|agent| !agent.is_empty())?, parts.next()?, parts.next()?))
    }

    pub(super) fn agent(&self) -> Option<&str> {
        self.call().map(|(agent, ..)| agent).or_else(|| self.text("/agent"))
    }

    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.fields.pointer(pointer).and_then(Value::as_str)
    }

    pub(super) fn number(&self, pointer: &str) -> Option<i64> {
        self.fields.pointer(pointer).and_then(Value::as_i64)
    }

    pub(super) fn into_fields(self) -> Value {
        self.fields
    }
}

#[cfg(test)]
mod tests {
    use wardkeep_proto::digest::Digest;

    use super::*;

    fn row(kind: &str, call: &str, fields: &str) -> Row {
        let none = Digest([0; 32]);
        Row {
            number: 1,
            at: Timestamp(1_000),
            kind: kind.into(),
            call: call.into(),
            fields: fields.into(),
            previous: none,
            hash: none,
        }
    }

    #[test]
    fn everything_that_is_given_must_fit() {
        let call = row("call-denied", "office/s1/c1", r#"{"class":"red","title":"Delete Drafts"}"#);
        let stop = row("agent-stopped", "", r#"{"agent":"office","by":"ada"}"#);
        let agent = |name: &str| Filter { agent: Some(name.parse().unwrap()), ..Filter::default() };
        let text = |text: &str| Filter { text: Some(text.into()), ..Filter::default() };
        let kind = |kind: &str| Filter { kind: Some(kind.into()), ..Filter::default() };
        let at = |since, until| Filter { since, until, ..Filter::default() };
        for (filter, of_call, of_stop) in [
            (Filter::default(), true, true),
            (agent("office"), true, true),
            (agent("offic"), false, false),
            (text("drafts"), true, false),
            (text("ADA"), false, true),
            (kind("agent-"), false, true),
            (Filter { class: Some(Class::Red), ..Filter::default() }, true, false),
            (Filter { class: Some(Class::Green), ..Filter::default() }, false, false),
            (Filter { decided: Some(Decided::Denied), ..Filter::default() }, true, false),
            (Filter { decided: Some(Decided::Allowed), ..Filter::default() }, false, false),
            (Filter { class: Some(Class::Red), ..text("other") }, false, false),
            (at(Some(Timestamp(1_000)), None), true, true),
            (at(None, Some(Timestamp(1_000))), false, false),
        ] {
            assert_eq!((filter.fits(&call), filter.fits(&stop)), (of_call, of_stop), "{filter:?}");
        }
    }
}
