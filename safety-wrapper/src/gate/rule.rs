//! A person's decision: recorded once, then acted on.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wardkeep_passkey::{Assertion, Code};
use wardkeep_policy::{Class, Factor, Grant, Granting};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::PermitId;
use wardkeep_proto::limits::USE_BY;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::waypoint::Waypoint;
use wardkeep_proto::whom::Whom;

use super::{Gate, GateError, halt, passkeys};
use crate::approval::document::Offer;
use crate::approval::{ApprovalState, NotGranted, Ruling, RulingError, Verdict};
use crate::audit;
use crate::call::CallState;
use crate::halt::{Hold, Holder, Standing};
use crate::passkey::NotProven;
use crate::store::calls::CallRow;
use crate::store::grants::{self, Given};
use crate::store::{StoreError, Tx, activity, approvals, calls, holds, people};

/// This many denials ...
const DENIALS: u32 = 5;
/// ... within this time pause an agent: a person who only says no should not be asked on.
const DENIALS_WITHIN: Duration = Duration::from_secs(10 * 60);
/// Longest note that is kept, bytes.
const NOTE_BYTES: usize = 1000;

impl Gate {
    /// Records what a person decided; an approved call then starts by itself.
    ///
    /// The caller has verified a hub's signature. Deciding the same in the same way again changes nothing and is no error:
    /// the hub repeats what it has no receipt for.
    ///
    /// # Errors
    /// See [`RulingError`]; lateness is judged by this server's clock.
    pub async fn decide_approval(self: &Arc<Self>, digest: Digest, ruling: Ruling) -> Result<(), RulingError> {
        self.decide_with_passkey(digest, ruling, None).await
    }

    /// As [`decide_approval`](Self::decide_approval), with what a passkey signed: its challenge must be `digest` itself, which
    /// names one document of this server, so it counts for nothing else.
    ///
    /// # Errors
    /// See [`RulingError`].
    pub async fn decide_with_passkey(
        self: &Arc<Self>,
        digest: Digest,
        ruling: Ruling,
        assertion: Option<Assertion>,
    ) -> Result<(), RulingError> {
        self.parts.waypoints.pass(Waypoint::DecisionReceived);
        self.parts.secrets.catch_up();
        let ruling = Ruling {
            by: cut(&self.clean(&ruling.by), 256),
            note: cut(&self.clean(&ruling.note), NOTE_BYTES),
            // Only what is verified below puts one here.
            passkey: None,
            ..ruling
        };
        let granting = self.parts.bundle.borrow().granting;
        let now = self.now();
        let permit = PermitId::new(now, &*self.parts.chance);
        let ruled = self
            .write(move |tx| rule(tx, digest, (ruling, granting), assertion.as_ref(), permit, now))
            .await
            .map_err(RulingError::Store)??;
        self.parts.waypoints.pass(Waypoint::DecisionRecorded);
        match ruled {
            Ruled::Approved => self.start_launch(permit),
            Ruled::Denied(Some(pause)) => self.note_hold(pause),
            Ruled::Denied(None) | Ruled::Repeated => {}
        }
        Ok(())
    }
}

enum Ruled {
    Approved,
    Denied(Option<Hold>),
    Repeated,
}

/// What is refused is recorded too, so the inner result must not roll the transaction back.
fn rule(
    tx: &Tx<'_>,
    digest: Digest,
    (ruling, granting): (Ruling, Granting),
    assertion: Option<&Assertion>,
    permit: PermitId,
    now: Timestamp,
) -> Result<Result<Ruled, RulingError>, StoreError> {
    let Some(row) = calls::by_approval(tx, digest)? else {
        return Ok(Err(RulingError::Unknown(digest)));
    };
    let CallState::Pending { approve_by } = row.state else {
        return refuse_repeat(tx, digest, &ruling, &row);
    };
    if now >= approve_by {
        let why = "nobody decided in time".to_owned();
        calls::advance(tx, row, CallState::Expired { why }, now)?;
        return Ok(Err(RulingError::Late(approve_by)));
    }
    if ruling.verdict == Verdict::Approved {
        // Fail closed: only a row that says a person is enough may go on without a passkey.
        let passkey = match row.factor {
            Some(Factor::Person) => None,
            _ => match by_passkey(tx, digest, &ruling, assertion, &row, now)? {
                Ok(key) => Some(key),
                Err(refused) => return Ok(Err(refused)),
            },
        };
        let ruling = Ruling { passkey, ..ruling };
        if let Err(refused) = give(tx, digest, &ruling, granting, &row, now)? {
            return Ok(Err(RulingError::Grant(refused)));
        }
        approvals::ruled(tx, digest, &ruling)?;
        let next = CallState::Approved { permit, ruling, use_by: now.plus(USE_BY) };
        calls::advance(tx, row, next, now)?;
        return Ok(Ok(Ruled::Approved));
    }
    if ruling.grant.is_some() {
        return Ok(Err(RulingError::Grant(NotGranted::NotOffered)));
    }
    approvals::ruled(tx, digest, &ruling)?;
    let reason = if ruling.note.is_empty() {
        format!("{} denied it", ruling.by)
    } else {
        format!("{} denied it: {}", ruling.by, ruling.note)
    };
    let row = calls::advance(tx, row, CallState::Denied { reasons: vec![reason], ruling: Some(ruling) }, now)?;
    Ok(Ok(Ruled::Denied(too_many(tx, &row, now)?)))
}

/// Gives what the ruling grants beside the approval itself, as the document offers it and the policy in force still allows.
fn give(
    tx: &Tx<'_>,
    digest: Digest,
    ruling: &Ruling,
    granting: Granting,
    row: &CallRow,
    now: Timestamp,
) -> Result<Result<(), NotGranted>, StoreError> {
    let Some(terms) = ruling.grant else { return Ok(Ok(())) };
    let refuse = |why: NotGranted| {
        let fields = json!({"approval": digest, "by": ruling.by, "terms": terms, "why": why.to_string()});
        audit::append(tx, now, "grant-refused", Some(&row.key), &fields)?;
        Ok(Err(why))
    };
    let plain = row.factor == Some(Factor::Person) && row.class.is_some_and(|class| class < Class::Red);
    let document = approvals::document(tx, digest)?.filter(|document| Digest::plain(document) == digest);
    let offer = document.and_then(|document| Offer::of(&document)).filter(|_| plain);
    let Some(Offer { hours, uses, scopes }) = offer else { return refuse(NotGranted::NotOffered) };
    let scope = usize::try_from(terms.scope).ok().and_then(|at| scopes.into_iter().nth(at));
    let fits =
        (1..=hours.min(granting.hours)).contains(&terms.hours) && (1..=uses.min(granting.uses)).contains(&terms.uses);
    let Some(scope) = scope.filter(|_| fits) else { return refuse(NotGranted::TooWide) };
    // From the decision on, by whichever clock makes it shorter: who keeps a decision back does not lengthen it.
    let from = ruling.at.min(now);
    let until = from.plus(Duration::from_secs(u64::from(terms.hours) * 60 * 60));
    let grant = Grant { uses: Some(terms.uses), expires: Some(until), ..scope };
    let agent = row.key.agent.clone();
    let id = grant.id(&agent);
    let given = Given { approval: digest, agent, grant, at: from, by: ruling.by.clone() };
    if !grants::give(tx, &given, now)? {
        return refuse(NotGranted::TooMany);
    }
    let fields = json!({
        "approval": digest, "grant": id, "by": ruling.by, "tool": given.grant.tool, "uses": terms.uses, "until_ms": until,
    });
    audit::append(tx, now, "grant-given", Some(&row.key), &fields)?;
    let line = format!("{} granted the same {} times more to agent {}", ruling.by, terms.uses, given.agent);
    activity::notice(tx, now, "policy", &line)?;
    Ok(Ok(()))
}

/// The key that signed this digest; what it signed is kept in the audit log, where anybody can verify it again.
fn by_passkey(
    tx: &Tx<'_>,
    digest: Digest,
    ruling: &Ruling,
    assertion: Option<&Assertion>,
    row: &CallRow,
    now: Timestamp,
) -> Result<Result<Digest, RulingError>, StoreError> {
    let mut fields = json!({"approval": digest, "by": ruling.by, "origin": ruling.origin});
    let Some(assertion) = assertion else {
        audit::append(tx, now, "ruling-without-passkey", Some(&row.key), &fields)?;
        return Ok(Err(RulingError::NeedsPasskey));
    };
    let proven = passkeys::prove(tx, assertion, &digest, now)?;
    let (kind, out) = match proven {
        Ok(key) => {
            fields["passkey"] = json!(key.fingerprint);
            fields["assertion"] = serde_json::to_value(assertion)?;
            ("ruling-with-passkey", Ok(key.fingerprint))
        }
        Err(why) => {
            fields["why"] = json!(why.to_string());
            // The one sign that a key was copied: people hear of it, whatever becomes of the call.
            if let NotProven::Counter { passkey, highest, shown } = why {
                (fields["passkey"], fields["counter"]) = (json!(passkey), json!({"highest": highest, "shown": shown}));
                let line = format!(
                    "passkey {} showed an old counter: it has a copy, or was replayed",
                    Code::of(&passkey).short()
                );
                activity::notice(tx, now, "passkey", &line)?;
            }
            ("ruling-without-passkey", Err(RulingError::Passkey(why)))
        }
    };
    audit::append(tx, now, kind, Some(&row.key), &fields)?;
    Ok(out)
}

fn refuse_repeat(
    tx: &Tx<'_>,
    digest: Digest,
    ruling: &Ruling,
    row: &CallRow,
) -> Result<Result<Ruled, RulingError>, StoreError> {
    let approval = approvals::get(tx, digest)?.ok_or(StoreError::corrupt("approvals"))?;
    Ok(match approval.ruling {
        // Which key signed was looked at the first time.
        Some(first) if (Ruling { passkey: None, ..first.clone() }) == *ruling => Ok(Ruled::Repeated),
        None if approval.state == ApprovalState::Expired => Err(RulingError::Late(approval.approve_by)),
        _ => Err(RulingError::AlreadyDecided(
            ApprovalState::named(row.state.name()).ok_or(StoreError::corrupt("approvals"))?,
        )),
    })
}

fn too_many(tx: &Tx<'_>, row: &CallRow, now: Timestamp) -> Result<Option<Hold>, StoreError> {
    let within = i64::try_from(DENIALS_WITHIN.as_millis()).unwrap_or(i64::MAX);
    let agent = &row.key.agent;
    if people::count_denial(tx, agent, now, Timestamp(now.0.saturating_sub(within)))? < DENIALS {
        return Ok(None);
    }
    let hold = Hold {
        whom: Whom::Agent(agent.clone()),
        holder: Holder::Gate,
        standing: Standing::Paused,
        by: "the gate".to_owned(),
        reason: format!("{DENIALS} denials within {} minutes", DENIALS_WITHIN.as_secs() / 60),
        since: now,
    };
    // The first reason stays.
    if holds::all(tx)?.iter().any(|held| (&held.whom, held.holder) == (&hold.whom, hold.holder)) {
        return Ok(None);
    }
    halt::record(tx, &hold, now)?;
    Ok(Some(hold))
}

fn cut(text: &str, bytes: usize) -> String {
    text[..text.floor_char_boundary(bytes)].to_owned()
}

impl From<GateError> for RulingError {
    fn from(error: GateError) -> Self {
        Self::Store(error)
    }
}
