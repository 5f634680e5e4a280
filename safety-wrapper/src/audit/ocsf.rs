//! Rows of the log as events of the Open Cybersecurity Schema Framework, for systems that collect those.
//!
//! A program that a call starts is *Process Activity* (1007): launched when the permit is claimed, terminated with the result.
//! Everything else is *API Activity* (6003): what an agent asked and what was decided, and what people did to agents, secrets
//! and policy. Decisions use the profile `security_control`. What has no attribute of its own stands in `unmapped`, the hashes of
//! the chain included, so that an event leads back to its row.
//!
//! Source of names and numbers: OCSF 1.3.0, <https://schema.ocsf.io/1.3.0/classes/api_activity>,
//! <https://schema.ocsf.io/1.3.0/classes/process_activity>, <https://schema.ocsf.io/1.3.0/profiles/security_control> and
//! `events/` in <https://github.com/ocsf/ocsf-schema>, read on 2026-11-21.

use serde_json::{Value, json};

use super::Row;
use super::filter::About;

/// The version of the schema.
const VERSION: &str = "1.3.0";

/// Whose log it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The tenant's id.
    pub tenant: String,
    /// Its name.
    pub name: String,
    /// Name of the machine.
    pub hostname: String,
}

/// One row as one event.
#[must_use]
pub fn event(row: &Row, origin: &Origin) -> Value {
    let about = About::of(row);
    let class = if is_program(row, &about) { Class::process(&row.kind) } else { Class::api(&row.kind, &about) };
    let mut event = json!({
        "activity_id": class.activity.0,
        "activity_name": class.activity.1,
        "category_uid": class.category.0,
        "category_name": class.category.1,
        "class_uid": class.class.0,
        "class_name": class.class.1,
        "type_uid": class.class.0 * 100 + class.activity.0,
        "type_name": format!("{}: {}", class.class.1, class.activity.1),
        "time": row.at.millis(),
        "severity_id": severity(&about).0,
        "severity": severity(&about).1,
        "message": about.text("/title").or_else(|| about.text("/what")).unwrap_or(&row.kind),
        "metadata": {
            "version": VERSION,
            "product": {"name": "Wardkeep", "vendor_name": "Wardkeep", "version": env!("CARGO_PKG_VERSION")},
            "uid": row.hash,
            "event_code": row.kind,
            "sequence": row.number,
            "log_name": "wardkeep-audit",
            "original_time": row.at.to_string(),
            "profiles": ["security_control"],
        },
        "actor": actor(row, &about),
    });
    let place = json!({"hostname": origin.hostname, "name": origin.name, "uid": origin.tenant});
    if class.is_process() {
        event["device"] = json!({"hostname": origin.hostname, "name": origin.name, "uid": origin.tenant, "type_id": 1, "type": "Server"});
        event["process"] = json!({
            "name": about.text("/tool").unwrap_or("program"),
            "uid": about.text("/state/permit").unwrap_or_default(),
        });
        if let Some(code) = about.number("/state/result/exit_code") {
            event["exit_code"] = json!(code);
        }
    } else {
        event["src_endpoint"] = place;
        event["api"] = json!({
            "operation": about.text("/tool").unwrap_or(&row.kind),
            "service": {"name": "wardkeep-agent"},
        });
        if let Some((_, _, call)) = about.call() {
            event["api"]["request"] = json!({"uid": call});
        }
        if let Some(status) = about.number("/state/result/http_status") {
            event["http_response"] = json!({"code": status});
        }
    }
    if let Some((action, disposition)) = verdict(&row.kind) {
        (event["action_id"], event["action"]) = (json!(action.0), json!(action.1));
        (event["disposition_id"], event["disposition"]) = (json!(disposition.0), json!(disposition.1));
    }
    if let Some((id, name)) = risk(&about) {
        (event["risk_level_id"], event["risk_level"]) = (json!(id), json!(name));
    }
    let (id, name) = status(&row.kind);
    (event["status_id"], event["status"]) = (json!(id), json!(name));
    if let Some(duration) = about.number("/state/result/duration_ms") {
        event["duration"] = json!(duration);
    }
    event["unmapped"] = json!({"previous": row.previous, "fields": about.into_fields()});
    event
}

/// A number of the schema and its caption.
type Coded = (i64, &'static str);

struct Class {
    category: Coded,
    class: Coded,
    activity: Coded,
}

impl Class {
    fn process(kind: &str) -> Self {
        let activity = if kind == "call-claimed" { (1, "Launch") } else { (2, "Terminate") };
        Self { category: (1, "System Activity"), class: (1007, "Process Activity"), activity }
    }

    fn api(kind: &str, about: &About<'_>) -> Self {
        let activity = match (about.text("/class"), kind) {
            (Some("green"), _) => (2, "Read"),
            (_, "vault-set") => (1, "Create"),
            (_, "vault-removed") => (4, "Delete"),
            (_, "vault-rotated" | "agent-paused" | "agent-stopped" | "agent-resumed") => (3, "Update"),
            (Some(_), _) => (3, "Update"),
            (None, _) => (99, "Other"),
        };
        Self { category: (6, "Application Activity"), class: (6003, "API Activity"), activity }
    }

    const fn is_process(&self) -> bool {
        self.class.0 == 1007
    }
}

/// Whether the row tells of a program that began or ended.
fn is_program(row: &Row, about: &About<'_>) -> bool {
    matches!(row.kind.as_str(), "call-claimed" | "call-done" | "call-failed" | "call-interrupted")
        && matches!(about.text("/tool"), Some("shell" | "exec" | "bash"))
}

/// The agent whose call it is, or the person who did it.
fn actor(row: &Row, about: &About<'_>) -> Value {
    if let Some((agent, session, _)) = about.call() {
        return json!({"user": {"name": agent, "uid": agent, "type_id": 3, "type": "System"}, "session": {"uid": session}});
    }
    match about.text("/by").or_else(|| about.text("/agent")) {
        Some(name) => json!({"user": {"name": name}}),
        None => json!({"app_name": "wardkeep-agent", "invoked_by": row.kind}),
    }
}

fn severity(about: &About<'_>) -> Coded {
    match about.text("/class") {
        Some("yellow") => (2, "Low"),
        Some("yellow_external") => (3, "Medium"),
        Some("red") => (4, "High"),
        Some("critical_red") => (5, "Critical"),
        _ => (1, "Informational"),
    }
}

fn risk(about: &About<'_>) -> Option<Coded> {
    Some(match about.text("/class")? {
        "green" => (0, "Info"),
        "yellow" => (1, "Low"),
        "yellow_external" => (2, "Medium"),
        "red" => (3, "High"),
        "critical_red" => (4, "Critical"),
        _ => return None,
    })
}

/// What the gate did: `action_id` and `disposition_id`.
fn verdict(kind: &str) -> Option<(Coded, Coded)> {
    const ALLOWED: Coded = (1, "Allowed");
    const DENIED: Coded = (2, "Denied");
    Some(match kind {
        "call-permitted" | "call-claimed" => (ALLOWED, (1, "Allowed")),
        "call-approved" => (ALLOWED, (8, "Approved")),
        "call-pending" => (ALLOWED, (14, "Delayed")),
        "call-denied" | "call-superseded" | "call-expired" => (DENIED, (25, "Rejected")),
        "egress-refused" | "budget-stop" => (DENIED, (2, "Blocked")),
        "agent-paused" | "agent-stopped" => (DENIED, (24, "Access Revoked")),
        "agent-resumed" => (ALLOWED, (9, "Restored")),
        _ => return None,
    })
}

fn status(kind: &str) -> Coded {
    match kind {
        "call-denied" | "call-superseded" | "call-expired" | "call-failed" | "call-interrupted" => (2, "Failure"),
        _ => (1, "Success"),
    }
}

#[cfg(test)]
mod tests {
    use wardkeep_proto::digest::Digest;
    use wardkeep_proto::time::Timestamp;

    use super::*;

    fn row(kind: &str, call: &str, fields: &Value) -> Row {
        let (at, hash) = (Timestamp(1_795_185_130_000), Digest([7; 32]));
        Row { number: 5, at, kind: kind.into(), call: call.into(), fields: fields.to_string(), previous: hash, hash }
    }

    fn origin() -> Origin {
        Origin { tenant: "t-1".into(), name: "acme".into(), hostname: "vps".into() }
    }

    /// What the schema calls required, and that the numbers fit together.
    fn required(event: &Value) {
        let class = event["class_uid"].as_i64().expect("a class");
        for name in ["activity_id", "category_uid", "class_uid", "type_uid", "time", "severity_id"] {
            assert!(event[name].is_i64(), "{name}: {event}");
        }
        assert_eq!(event["type_uid"], class * 100 + event["activity_id"].as_i64().expect("an activity"));
        assert_eq!(event["category_uid"], class / 1000);
        for pointer in ["/metadata/version", "/metadata/product/vendor_name"] {
            assert!(event.pointer(pointer).is_some_and(Value::is_string), "{pointer}: {event}");
        }
        let of_class: &[&str] = if class == 1007 {
            &["/device/type_id", "/process/name", "/actor"]
        } else {
            &["/api/operation", "/src_endpoint/hostname", "/actor"]
        };
        for pointer in of_class {
            assert!(event.pointer(pointer).is_some(), "{pointer}: {event}");
        }
    }

    #[test]
    fn every_kind_of_row_is_an_event_that_the_schema_knows() {
        let shell = json!({"tool": "shell", "class": "red", "title": "Run `make`", "state": {"permit": "p", "result": {"exit_code": 2, "duration_ms": 40}}});
        let read = json!({"tool": "read_file", "class": "green", "title": "Read a"});
        let by = json!({"agent": "office", "by": "ada@example.com", "reason": "x"});
        for (kind, call, fields, class, activity, disposition) in [
            ("call-claimed", "office/s/c", &shell, 1007, 1, Some(1)),
            ("call-failed", "office/s/c", &shell, 1007, 2, None),
            ("call-denied", "office/s/c", &shell, 6003, 3, Some(25)),
            ("call-permitted", "office/s/c", &read, 6003, 2, Some(1)),
            ("call-pending", "office/s/c", &shell, 6003, 3, Some(14)),
            ("agent-stopped", "", &by, 6003, 3, Some(24)),
            ("generation-applied", "", &json!({}), 6003, 99, None),
            ("no-json", "", &json!("x"), 6003, 99, None),
        ] {
            let event = event(&row(kind, call, fields), &origin());
            required(&event);
            assert_eq!((&event["class_uid"], &event["activity_id"]), (&json!(class), &json!(activity)), "{kind}");
            assert_eq!(event.get("disposition_id").and_then(Value::as_i64), disposition, "{kind}");
        }
        let ended = event(&row("call-failed", "office/s/c", &shell), &origin());
        assert_eq!((&ended["exit_code"], &ended["duration"], &ended["status_id"]), (&json!(2), &json!(40), &json!(2)));
        let stopped = event(&row("agent-stopped", "", &by), &origin());
        assert_eq!(stopped["actor"]["user"]["name"], "ada@example.com");
    }
}
