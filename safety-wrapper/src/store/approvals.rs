//! Rows of approvals: the document, and what the hub has heard.

use rusqlite::{Connection, OptionalExtension as _, params};
use wardkeep_policy::{Class, Factor};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::Timestamp;

use super::calls::{self, CallRow};
use super::{StoreError, Tx, digest_of_row};
use crate::approval::{Approval, ApprovalState, Origin, Progress, Ruling};
use crate::call::CallState;

/// Longest [`Progress::result`], bytes; `proto/wardkeep/v1/wardkeep.proto`.
const PROGRESS_BYTES: usize = 4096;

/// By the approval's own column, so that its index leads: every change of the gate asks this.
pub(super) const UNSENT: &str = "a.sent = 0 ORDER BY a.call_id";
/// From the other states no step leads on.
const OPEN: &str = "sent = 1 AND told NOT IN ('done', 'failed', 'interrupted', 'denied', 'expired', 'superseded')";

/// What is still to be sent, without a look at what was sent before. A build of before does without.
pub(super) fn index(tx: &Tx<'_>) -> Result<(), StoreError> {
    Ok(tx.execute_batch(&format!(
        "CREATE INDEX IF NOT EXISTS approvals_unsent ON approvals (call_id) WHERE sent = 0;
         CREATE INDEX IF NOT EXISTS approvals_untold ON approvals (call_id) WHERE {OPEN}"
    ))?)
}

/// A new approval of the call `call_id`.
pub(crate) struct NewApproval {
    pub(crate) digest: Digest,
    pub(crate) document: Vec<u8>,
    pub(crate) created: Timestamp,
    pub(crate) approve_by: Timestamp,
}

/// Stores a document.
pub(crate) fn insert(tx: &Tx<'_>, call_id: i64, new: &NewApproval) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO approvals (digest, call_id, document, created_at, approve_by) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![new.digest.0, call_id, new.document, new.created.0, new.approve_by.0])?;
    Ok(())
}

/// The document of an approval, to be digested again.
pub(crate) fn document(conn: &Connection, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT document FROM approvals WHERE digest = ?1")?
        .query_row([digest.0], |row| row.get(0))
        .optional()?)
}

/// One approval.
pub(crate) fn get(conn: &Connection, digest: Digest) -> Result<Option<Approval>, StoreError> {
    Ok(select(conn, "a.digest = ?1", [digest.0])?.pop())
}

/// All that wait, newest first.
pub(crate) fn pending(conn: &Connection) -> Result<Vec<Approval>, StoreError> {
    select(conn, "c.state = 'pending' ORDER BY c.id DESC", [])
}

/// The newest of all states.
pub(crate) fn newest(conn: &Connection, limit: u32) -> Result<Vec<Approval>, StoreError> {
    select(conn, "TRUE ORDER BY c.id DESC LIMIT ?1", [limit])
}

/// How many wait.
pub(crate) fn count_pending(conn: &Connection) -> Result<u32, StoreError> {
    Ok(conn.prepare_cached("SELECT count(*) FROM calls WHERE state = 'pending'")?.query_row([], |row| row.get(0))?)
}

/// All that the hub has no receipt for, oldest first, whatever became of them.
pub(crate) fn unsent(conn: &Connection) -> Result<Vec<Approval>, StoreError> {
    select(conn, UNSENT, [])
}

/// Notes what a person decided.
pub(crate) fn ruled(tx: &Tx<'_>, digest: Digest, ruling: &Ruling) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE approvals SET ruling = ?2 WHERE digest = ?1")?
        .execute(params![digest.0, serde_json::to_string(ruling)?])?;
    Ok(())
}

/// The hub has it on disk.
pub(crate) fn sent(tx: &Tx<'_>, digest: Digest) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE approvals SET sent = 1 WHERE digest = ?1")?.execute([digest.0])?;
    Ok(())
}

/// Steps that the hub has not heard of, of approvals that it has; oldest first.
pub(crate) fn untold(conn: &Connection) -> Result<Vec<Progress>, StoreError> {
    let open = select(conn, &untold_where(), [])?;
    Ok(open.into_iter().filter(worth_telling).map(progress).collect())
}

pub(super) fn untold_where() -> String {
    format!("{OPEN} AND a.told <> c.state AND c.state <> 'pending' ORDER BY c.updated_at, c.id")
}

/// The hub knows of its own approvals; a local one it must be told.
fn worth_telling(approval: &Approval) -> bool {
    approval.state != ApprovalState::Approved || approval.ruling.as_ref().is_some_and(|r| r.origin == Origin::Local)
}

fn progress(approval: Approval) -> Progress {
    let text = approval.result.map(|r| r.output).or(approval.why).unwrap_or_default();
    let local = approval.ruling.filter(|r| r.origin == Origin::Local);
    Progress {
        digest: approval.digest,
        state: approval.state,
        at: approval.updated,
        result: text[..text.floor_char_boundary(PROGRESS_BYTES)].to_owned(),
        decided_by: local.map(|r| r.by).unwrap_or_default(),
    }
}

/// The hub has that state on disk.
pub(crate) fn told(tx: &Tx<'_>, digest: Digest, state: ApprovalState) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE approvals SET told = ?2 WHERE digest = ?1")?
        .execute(params![digest.0, state.as_str()])?;
    Ok(())
}

pub(super) fn sql(wanted: &str) -> String {
    format!(
        "SELECT a.digest, a.document, a.created_at, a.approve_by, a.ruling FROM approvals a JOIN calls c ON c.id = a.call_id
         WHERE {wanted}"
    )
}

fn select(conn: &Connection, wanted: &str, values: impl rusqlite::Params) -> Result<Vec<Approval>, StoreError> {
    let mut statement = conn.prepare_cached(&sql(wanted))?;
    let found = statement.query_map(values, |row| {
        let new = NewApproval {
            digest: digest_of_row(row, 0)?,
            document: row.get(1)?,
            created: Timestamp(row.get(2)?),
            approve_by: Timestamp(row.get(3)?),
        };
        Ok((new, row.get::<_, Option<String>>(4)?))
    })?;
    found
        .map(|found| {
            let (new, ruling) = found?;
            let ruling = ruling.map(|json| serde_json::from_str(&json)).transpose()?;
            let call = calls::by_approval(conn, new.digest)?.ok_or(StoreError::corrupt("approvals"))?;
            from_rows(new, ruling, call)
        })
        .collect()
}

fn from_rows(new: NewApproval, ruling: Option<Ruling>, call: CallRow) -> Result<Approval, StoreError> {
    let state = ApprovalState::named(call.state.name()).ok_or(StoreError::corrupt("approvals"))?;
    let (result, why) = match call.state {
        CallState::Done { result, .. } | CallState::Failed { result, .. } | CallState::Interrupted { result, .. } => {
            (Some(result), None)
        }
        CallState::Denied { reasons, .. } => (None, Some(reasons.join("; "))),
        CallState::Expired { why } | CallState::Superseded { why } => (None, Some(why)),
        _ => (None, None),
    };
    Ok(Approval {
        digest: new.digest,
        document: new.document,
        key: call.key,
        tool: call.tool,
        // A row without them is not one this build wrote: the gravest reading counts.
        class: call.class.unwrap_or(Class::CriticalRed),
        factor: call.factor.unwrap_or(Factor::Passkey),
        title: call.title,
        created: new.created,
        approve_by: new.approve_by,
        state,
        ruling,
        result,
        why,
        updated: call.updated,
    })
}
