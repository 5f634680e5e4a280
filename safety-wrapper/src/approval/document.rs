//! The document of an approval: what the person reads and what the digest covers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wardkeep_policy::action::Call;
use wardkeep_policy::{Action, Class, Factor, Fired, Grant, Granting, render};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::limits::USE_BY;
use wardkeep_proto::time::Timestamp;
use wardkeep_redaction::Engine;

use crate::gate::{BundleName, Pin};
use crate::store::StoreError;

/// Tells this document from any other that is ever digested.
const FORMAT: &str = "wardkeep/approval/v1";

/// Everything a document says.
pub(crate) struct Draft<'a> {
    pub(crate) tenant: TenantId,
    /// Over the call exactly as it will run.
    pub(crate) action_digest: Digest,
    /// The call after redaction.
    pub(crate) shown: &'a Action,
    pub(crate) class: Class,
    pub(crate) factor: Factor,
    pub(crate) fired: &'a [Fired],
    pub(crate) bundle: BundleName,
    /// The files it names, as they were.
    pub(crate) files: &'a [Pin],
    /// What a person may grant with the approval.
    pub(crate) grant: Option<&'a Offer>,
    pub(crate) nonce: [u8; 16],
    pub(crate) created: Timestamp,
    pub(crate) approve_by: Timestamp,
}

impl Draft<'_> {
    /// Canonical JSON (RFC 8785). Its SHA-256 is the approval's digest and id.
    pub(crate) fn write(&self, engine: &Engine) -> Result<Vec<u8>, StoreError> {
        // Rendering joins parts of the call, and a joint may spell what neither part did.
        let clean = |text: &str| engine.redact(text).text.into_owned();
        let rendered = render(self.shown);
        let lines: Vec<Value> =
            rendered.lines.iter().map(|line| json!({"label": clean(&line.label), "text": clean(&line.text)})).collect();
        let rules: Vec<Value> =
            self.fired.iter().map(|f| json!({"rule": f.rule, "reason": f.reason, "class": f.class})).collect();
        let mut document = json!({
            "format": FORMAT,
            "tenant": self.tenant.to_string(),
            "agent": self.shown.agent,
            "session": self.shown.session,
            "tool": self.shown.tool,
            "call": self.shown.call,
            "cwd": self.shown.cwd,
            "action_digest": self.action_digest,
            "title": clean(&rendered.title),
            "lines": lines,
            "class": self.class,
            "factor": self.factor,
            "rules": rules,
            "bundle": {"version": self.bundle.version, "digest": self.bundle.digest},
            "files": self.files,
            "nonce": data_encoding::HEXLOWER.encode(&self.nonce),
            "created_at_ms": self.created,
            "approve_by_ms": self.approve_by,
            "use_within_ms": u64::try_from(USE_BY.as_millis()).unwrap_or(u64::MAX),
        });
        if let Some(offer) = self.grant {
            document["grant"] = json!(offer);
        }
        Ok(serde_json_canonicalizer::to_vec(&document)?)
    }
}

/// What a person may grant with an approval: one of the scopes, at most for so long and so often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(crate) hours: u32,
    pub(crate) uses: u32,
    /// Grants without count and end.
    pub(crate) scopes: Vec<Grant>,
}

impl Offer {
    /// What a stored document offers.
    pub(crate) fn of(document: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Offering {
            grant: Option<Offer>,
        }
        serde_json::from_slice::<Offering>(document).ok()?.grant
    }

    /// What can be offered of `scopes`: only what is shown exactly as it would count.
    pub(crate) fn new(scopes: Vec<Grant>, granting: Granting, engine: &Engine) -> Option<Self> {
        let is_plain = |grant: &Grant| {
            let words =
                grant.commands.iter().flatten().chain(&grant.recipients).chain(&grant.hosts).chain([&grant.tool]);
            let joined = words.cloned().collect::<Vec<_>>().join(" ");
            engine.redact(&joined).text == joined
        };
        let scopes: Vec<_> = scopes.into_iter().filter(is_plain).collect();
        (!scopes.is_empty()).then_some(Self { hours: granting.hours, uses: granting.uses, scopes })
    }
}

/// What of an action passes the engine.
#[derive(Serialize)]
struct Open<'a> {
    tool: &'a str,
    call: &'a Call,
    cwd: Option<&'a str>,
}

/// The action as it may be shown, and the names of secrets whose values stood in it in clear.
///
/// Who calls and in which session stay as they are; tool, call and folder pass the engine.
///
/// # Errors
/// Why it cannot be shown, in words for the agent.
pub(crate) fn redact_action(engine: &Engine, action: &Action) -> Result<(Action, Vec<String>), String> {
    const UNSHOWABLE: &str = "the call cannot be scanned for secrets";
    let open = Open { tool: &action.tool, call: &action.call, cwd: action.cwd.as_deref() };
    let bytes = serde_json::to_vec(&open).map_err(|_| UNSHOWABLE.to_owned())?;
    let found = engine.redact_json(&bytes).map_err(|why| format!("{UNSHOWABLE}: {why}"))?;
    let mut raw: Vec<String> = found.findings.iter().filter_map(|f| f.name.clone()).collect();
    raw.sort_unstable();
    raw.dedup();
    if *found.bytes == *bytes {
        return Ok((action.clone(), raw));
    }
    let mut shown: Value = serde_json::from_slice(&found.bytes).map_err(|_| UNSHOWABLE.to_owned())?;
    shown["agent"] = json!(action.agent);
    shown["session"] = json!(action.session);
    if shown["cwd"].is_null() {
        shown.as_object_mut().map(|map| map.remove("cwd"));
    }
    Ok((serde_json::from_value(shown).map_err(|_| UNSHOWABLE.to_owned())?, raw))
}

#[cfg(test)]
mod tests;
