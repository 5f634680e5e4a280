//! Approvals: asked by a tenant, decided once by a person, carried out by the tenant.
//!
//! A state only moves forward. The first decision wins; a late or repeated one is refused and changes nothing.

mod state;

use wardkeep_passkey::Assertion;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use super::db::Tx;
use super::value::{Row, args};
use super::{Caller, Store, StoreError, asked_by, passkeys, visible};

pub use state::{ApprovalState, Ending, Origin, Ruling, StateKind, Verdict};

/// Whether the tenant has taken a decision of the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It is on the tenant's disk.
    Taken,
    /// The tenant refused it, and why.
    Refused(String),
}

/// One request for a person's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// SHA-256 of the document; also its id.
    pub digest: Digest,
    /// Whose call.
    pub tenant: TenantId,
    /// Name of that tenant.
    pub tenant_name: String,
    /// RFC 8785 canonical JSON: exactly what would run, redacted by the tenant.
    pub document: Vec<u8>,
    /// When the agent asked, by the tenant's clock.
    pub created: Timestamp,
    /// Until when a decision counts.
    pub approve_by: Timestamp,
    /// When the hub had it on disk.
    pub received: Timestamp,
    /// Where it stands.
    pub state: ApprovalState,
    /// The tenant's answer to the hub's decision.
    pub receipt: Option<Receipt>,
    /// Fingerprints of the passkeys that the tenant trusts; `None` where its daemon knows no passkeys.
    pub pinned: Option<Vec<Digest>>,
}

impl Approval {
    /// The document as JSON; `null` when the tenant sent something else (refused at the link, so only by damage).
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.document).unwrap_or_default()
    }

    /// Where it stands for a person now: a pending one past its time reads as expired before the tenant says so.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> StateKind {
        match self.state.kind() {
            StateKind::Pending if now >= self.approve_by => StateKind::Expired,
            kind => kind,
        }
    }

    /// Whether the tenant's word `next` shows that the state here was only the hub's guess: an expiry by the hub's clock,
    /// or a denial that came after a decision on the tenant itself.
    fn is_corrected_by(&self, next: StateKind) -> bool {
        let runs = matches!(next, StateKind::Claimed | StateKind::Done | StateKind::Failed | StateKind::Interrupted);
        match &self.state {
            ApprovalState::Expired { .. } => runs || next == StateKind::Denied,
            ApprovalState::Denied(ruling) => {
                runs && ruling.origin == Origin::Hub && self.receipt != Some(Receipt::Taken)
            }
            _ => false,
        }
    }

    fn of(row: &mut Row) -> Result<Self, StoreError> {
        let (tenant_name, digest, tenant, document) = (row.next()?, row.next()?, row.next()?, row.next()?);
        let (created, approve_by, received) = (row.next()?, row.next()?, row.next()?);
        let kind = StateKind::named(&row.next::<String>()?).ok_or_else(|| row.wrong())?;
        let at: Timestamp = row.next()?;
        let ruling = ruling(row)?;
        let receipt = match (row.next::<Option<bool>>()?, row.next::<Option<String>>()?) {
            (None, _) => None,
            (Some(true), _) => Some(Receipt::Taken),
            (Some(false), why) => Some(Receipt::Refused(why.unwrap_or_default())),
        };
        let result = row.next::<Option<String>>()?.unwrap_or_default();
        let pinned = super::status::pinned(row)?;
        let state = match (kind, ruling) {
            (StateKind::Pending, _) => ApprovalState::Pending,
            (StateKind::Approved, Some(ruling)) => ApprovalState::Approved(ruling),
            (StateKind::Denied, Some(ruling)) => ApprovalState::Denied(ruling),
            (StateKind::Approved | StateKind::Denied, None) => return Err(row.wrong()),
            (StateKind::Expired, _) => ApprovalState::Expired { at },
            (StateKind::Superseded, _) => ApprovalState::Superseded { at },
            (StateKind::Claimed, ruling) => ApprovalState::Claimed { ruling, at },
            (StateKind::Done, ruling) => ApprovalState::Done(Ending { ruling, at, result }),
            (StateKind::Failed, ruling) => ApprovalState::Failed(Ending { ruling, at, result }),
            (StateKind::Interrupted, ruling) => ApprovalState::Interrupted(Ending { ruling, at, result }),
        };
        Ok(Self { digest, tenant, tenant_name, document, created, approve_by, received, state, receipt, pinned })
    }
}

fn ruling(row: &mut Row) -> Result<Option<Ruling>, StoreError> {
    let verdict: Option<String> = row.next()?;
    let (by, at, note) =
        (row.next::<Option<String>>()?, row.next::<Option<Timestamp>>()?, row.next::<Option<String>>()?);
    let origin: Option<String> = row.next()?;
    let grant: Option<String> = row.next()?;
    let Some(verdict) = verdict else { return Ok(None) };
    let verdict = Verdict::of(&verdict).ok_or_else(|| row.wrong())?;
    let (Some(by), Some(at)) = (by, at) else { return Err(row.wrong()) };
    let origin = if origin.as_deref() == Some("tenant") { Origin::Tenant } else { Origin::Hub };
    let grant = grant.map(|text| serde_json::from_str(&text).map_err(|_| row.wrong())).transpose()?;
    Ok(Some(Ruling { verdict, by, at, note: note.unwrap_or_default(), origin, grant }))
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct NewApproval {
    /// SHA-256 of the document.
    pub digest: Digest,
    /// The document.
    pub document: Vec<u8>,
    /// When the agent asked.
    pub created: Timestamp,
    /// Until when a decision counts.
    pub approve_by: Timestamp,
}

/// A decision that a tenant has not yet confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDecision {
    /// Which approval.
    pub digest: Digest,
    /// The decision.
    pub ruling: Ruling,
    /// Ed25519 by the hub's decision key.
    pub signature: Vec<u8>,
    /// What a passkey signed.
    pub assertion: Option<Assertion>,
}

/// How an approval goes on, in the tenant's words.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Which approval.
    pub digest: Digest,
    /// Where it stands now.
    pub state: StateKind,
    /// Since when.
    pub at: Timestamp,
    /// What the call gave, redacted.
    pub result: String,
    /// Who decided on the tenant; empty when nobody did.
    pub decided_by: String,
}

/// Why a decision was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDecided {
    /// There is none, or the caller may not see it.
    #[error("no such approval")]
    Unknown,
    /// The time to decide is over.
    #[error("the time to decide is over; the agent must ask again")]
    Late,
    /// The first decision wins.
    #[error("this approval is {}: the first decision stands", .0.as_str())]
    AlreadyDecided(StateKind),
}

macro_rules! select_approval {
    ($rest:literal) => {
        concat!(
            "SELECT t.name, a.digest, a.tenant_id, a.document, a.created_ms, a.approve_by_ms, a.received_ms, a.state, a.state_ms, \
             a.verdict, a.decided_by, a.decided_ms, a.note, a.origin, a.grant_terms, a.receipt_accepted, a.receipt_error, a.result, s.passkeys \
             FROM approvals a JOIN tenants t ON t.id = a.tenant_id LEFT JOIN tenant_status s ON s.tenant_id = a.tenant_id WHERE ",
            visible!("a.tenant_id"),
            $rest
        )
    };
}

fn approval(tx: &Tx<'_>, caller: Caller, digest: Digest) -> Result<Option<Approval>, StoreError> {
    let row = tx.first(select_approval!(" AND a.digest = $3"), asked_by![caller, digest])?;
    row.map(|mut row| Approval::of(&mut row)).transpose()
}

impl Store {
    /// Stores a request; one that is there already changes nothing. True when it was new.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_approval(&self, tenant: TenantId, new: NewApproval, now: Timestamp) -> Result<bool, StoreError> {
        self.db
            .run_tx("put_approval", move |tx| {
                let added = tx.execute(
                    "INSERT INTO approvals (tenant_id, digest, document, created_ms, approve_by_ms, received_ms, state, state_ms) \
                     VALUES ($1, $2, $3, $4, $5, $6, 'pending', $6) ON CONFLICT (tenant_id, digest) DO NOTHING",
                    args![tenant, new.digest, new.document, new.created, new.approve_by, now],
                )?;
                Ok(added == 1)
            })
            .await
    }

    /// One approval, if `caller` may see it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn approval(&self, caller: &Caller, digest: Digest) -> Result<Option<Approval>, StoreError> {
        let caller = *caller;
        self.db.read("approval", move |tx| approval(tx, caller, digest)).await
    }

    /// Approvals that `caller` may see, newest first, received before `before`; of one tenant or all, in one state or all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn approvals(
        &self,
        caller: &Caller,
        tenant: Option<TenantId>,
        state: Option<StateKind>,
        before: Option<(Timestamp, Digest)>,
        limit: u32,
    ) -> Result<Vec<Approval>, StoreError> {
        Ok(self.approvals_and_damaged(caller, tenant, state, before, limit).await?.0)
    }

    /// As [`approvals`](Self::approvals), with the names (tenant and digest) of rows that cannot be read: one such row
    /// must not hide the questions beside it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn approvals_and_damaged(
        &self,
        caller: &Caller,
        tenant: Option<TenantId>,
        state: Option<StateKind>,
        before: Option<(Timestamp, Digest)>,
        limit: u32,
    ) -> Result<(Vec<Approval>, Vec<String>), StoreError> {
        let (caller, odd) = (*caller, self.odd.clone());
        let (at, digest) = before.unwrap_or((Timestamp(i64::MAX), Digest([0xff; 32])));
        self.db
            .read("approvals", move |tx| {
                let rows = tx.query(
                    select_approval!(
                        " AND ($3 = '' OR a.tenant_id = $3) AND ($4 = '' OR a.state = $4) \
                         AND (a.received_ms < $5 OR (a.received_ms = $5 AND a.digest < $6)) \
                         ORDER BY a.received_ms DESC, a.digest DESC LIMIT $7"
                    ),
                    asked_by![
                        caller,
                        tenant.map(|id| id.to_string()).unwrap_or_default(),
                        state.map(StateKind::as_str).unwrap_or_default(),
                        at,
                        digest,
                        i64::from(limit)
                    ],
                )?;
                odd.split(rows, Approval::of)
            })
            .await
    }

    /// How many approvals that `caller` may see wait for a person now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn approvals_waiting(&self, caller: &Caller, now: Timestamp) -> Result<u64, StoreError> {
        let caller = *caller;
        self.db
            .read("approvals_waiting", move |tx| {
                let sql = concat!(
                    "SELECT COUNT(*) FROM approvals a WHERE ",
                    visible!("a.tenant_id"),
                    " AND a.state = 'pending' AND a.approve_by_ms > $3"
                );
                tx.first(sql, asked_by![caller, now])?.map_or(Ok(0), |mut row| row.next())
            })
            .await
    }

    /// Stores a person's signed decision, if it is the first and in time.
    ///
    /// # Errors
    /// [`StoreError`]; inside, [`NotDecided`].
    pub async fn decide(
        &self,
        caller: &Caller,
        digest: Digest,
        ruling: Ruling,
        signature: Vec<u8>,
        assertion: Option<&Assertion>,
    ) -> Result<Result<Approval, NotDecided>, StoreError> {
        let (caller, origin, assertion) = (*caller, self.origin.clone(), assertion.map(passkeys::json));
        let grant = ruling.grant.and_then(|terms| serde_json::to_string(&terms).ok());
        self.db
            .run_tx("decide", move |tx| {
                let Some(found) = approval(tx, caller, digest)? else { return Ok(Err(NotDecided::Unknown)) };
                if found.state != ApprovalState::Pending {
                    return Ok(Err(NotDecided::AlreadyDecided(found.state.kind())));
                }
                if ruling.at >= found.approve_by {
                    return Ok(Err(NotDecided::Late));
                }
                tx.execute(
                    "UPDATE approvals SET state = $3, state_ms = $4, verdict = $3, decided_by = $5, decided_ms = $4, note = $6, \
                     origin = 'hub', signature = $7, assertion = $8, grant_terms = $9 WHERE tenant_id = $1 AND digest = $2 AND state = 'pending'",
                    args![found.tenant, digest, ruling.verdict.as_str(), ruling.at, ruling.by, ruling.note, signature, assertion, grant],
                )?;
                super::changes::note(tx, &origin, "approval", Some(found.tenant), ruling.at)?;
                Ok(approval(tx, caller, digest)?.ok_or(NotDecided::Unknown))
            })
            .await
    }

    /// Decisions that `tenant` has not confirmed, oldest first: sent again at each attach. One that cannot be understood
    /// is left out: the others must reach the tenant.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_decisions(&self, tenant: TenantId) -> Result<Vec<OpenDecision>, StoreError> {
        let odd = self.odd.clone();
        self.db
            .read("open_decisions", move |tx| {
                let rows = tx.query(
                    "SELECT digest, signature, assertion, verdict, decided_by, decided_ms, note, origin, grant_terms FROM approvals \
                     WHERE tenant_id = $1 AND origin = 'hub' AND receipt_ms IS NULL AND state IN ('approved', 'denied') \
                     ORDER BY decided_ms",
                    args![tenant],
                )?;
                odd.skip(rows, |row| {
                    let (digest, signature) = (row.next()?, row.next()?);
                    let assertion = row.next::<Option<String>>()?;
                    let assertion = assertion.map(|text| passkeys::parsed(&text).ok_or_else(|| row.wrong())).transpose()?;
                    Ok(OpenDecision { digest, signature, assertion, ruling: ruling(row)?.ok_or_else(|| row.wrong())? })
                })
            })
            .await
    }

    /// Notes the tenant's receipt for a decision; the first receipt stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_receipt(
        &self,
        tenant: TenantId,
        digest: Digest,
        receipt: Receipt,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (accepted, why) = match receipt {
            Receipt::Taken => (true, None),
            Receipt::Refused(why) => (false, Some(why)),
        };
        self.db
            .run_tx("put_receipt", move |tx| {
                tx.execute(
                    "UPDATE approvals SET receipt_ms = $3, receipt_accepted = $4, receipt_error = $5 \
                     WHERE tenant_id = $1 AND digest = $2 AND receipt_ms IS NULL AND verdict IS NOT NULL",
                    args![tenant, digest, now, accepted, why],
                )
                .map(drop)
            })
            .await
    }

    /// Moves an approval forward on the tenant's word. False when it stands there already or further on, or cannot be
    /// understood.
    ///
    /// Who decided first is the tenant's to say, because only there the call runs: where its word contradicts the decision
    /// stored here, its word is what happened, so it is what is shown.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_progress(&self, tenant: TenantId, progress: Progress) -> Result<bool, StoreError> {
        let odd = self.odd.clone();
        self.db
            .run_tx("put_progress", move |tx| {
                let now = approval(tx, Caller::Tenant(tenant), progress.digest);
                let now = odd.or_nothing(&progress.digest.to_string(), now)?.flatten();
                let Some(now) = now else { return Ok(false) };
                let to = progress.state;
                if !now.state.kind().may_become(to) && !now.is_corrected_by(to) {
                    return Ok(false);
                }
                let known = now.state.ruling().map(|ruling| ruling.verdict);
                let said = !progress.decided_by.is_empty() || matches!(to, StateKind::Approved | StateKind::Denied);
                if let Some(verdict) = to.implies()
                    && known != Some(verdict)
                    && (known.is_some() || said)
                {
                    let by = if progress.decided_by.is_empty() { "the tenant" } else { &progress.decided_by };
                    tx.execute(
                        "UPDATE approvals SET verdict = $3, decided_by = $4, decided_ms = $5, note = '', origin = 'tenant', grant_terms = NULL \
                         WHERE tenant_id = $1 AND digest = $2",
                        args![tenant, progress.digest, verdict.as_str(), by, progress.at],
                    )?;
                }
                tx.execute(
                    "UPDATE approvals SET state = $3, state_ms = $4, result = $5 WHERE tenant_id = $1 AND digest = $2",
                    args![tenant, progress.digest, to.as_str(), progress.at, progress.result],
                )?;
                Ok(true)
            })
            .await
    }

    /// Marks pending approvals as expired whose time was over at `before`; says how many.
    ///
    /// Given some grace by the caller: the tenant's own word should come first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expire_approvals(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.db
            .run_tx("expire_approvals", move |tx| {
                tx.execute(
                    "UPDATE approvals SET state = 'expired', state_ms = approve_by_ms WHERE state = 'pending' AND approve_by_ms < $1",
                    args![before],
                )
            })
            .await
    }
}
