//! Approvals: list, read, decide.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use wardkeep_passkey::Assertion;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::grant::GrantTerms;
use wardkeep_proto::time::Timestamp;

use super::error::{ErrorBody, Refusal};
use super::tenants::{id, invalid};
use crate::app::SharedClock;
use crate::auth::Session;
use crate::decisions::{DecideError, Decisions, Said};
use crate::keys::KeysError;
use crate::passkeys::PasskeyError;
use crate::reading::{Barred, Reading};
use crate::store::Store;
use crate::store::approvals::{Approval, NotDecided, Origin, Receipt, Ruling, StateKind, Verdict};

/// One request for a person's decision.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ApprovalView {
    /// SHA-256 of the document; its id.
    digest: String,
    tenant: String,
    tenant_name: String,
    /// `pending`, `approved`, `denied`, `expired`, `claimed`, `done`, `failed`, `superseded` or `interrupted`.
    state: &'static str,
    created_ms: i64,
    approve_by_ms: i64,
    received_ms: i64,
    /// Exactly what would run, redacted by the tenant.
    #[schema(value_type = Object)]
    document: serde_json::Value,
    decision: Option<DecisionView>,
    /// `taken` or `refused`, when the tenant has answered the decision.
    receipt: Option<&'static str>,
    /// Why the tenant refused the decision.
    receipt_error: Option<String>,
    /// What the call gave, redacted.
    result: Option<String>,
    /// `person` or `passkey`: what approving takes.
    factor: &'static str,
}

/// A decision.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct DecisionView {
    #[schema(value_type = String)]
    verdict: Verdict,
    by: String,
    at_ms: i64,
    note: String,
    /// `hub` or `tenant`.
    origin: &'static str,
}

impl From<&Ruling> for DecisionView {
    fn from(ruling: &Ruling) -> Self {
        Self {
            verdict: ruling.verdict,
            by: ruling.by.clone(),
            at_ms: ruling.at.millis(),
            note: ruling.note.clone(),
            origin: match ruling.origin {
                Origin::Hub => "hub",
                Origin::Tenant => "tenant",
            },
        }
    }
}

impl ApprovalView {
    fn of(approval: &Approval, now: Timestamp) -> Self {
        let (receipt, receipt_error) = match &approval.receipt {
            None => (None, None),
            Some(Receipt::Taken) => (Some("taken"), None),
            Some(Receipt::Refused(why)) => (Some("refused"), Some(why.clone())),
        };
        Self {
            digest: approval.digest.to_string(),
            tenant: approval.tenant.to_string(),
            tenant_name: approval.tenant_name.clone(),
            state: approval.standing(now).as_str(),
            created_ms: approval.created.millis(),
            approve_by_ms: approval.approve_by.millis(),
            received_ms: approval.received.millis(),
            document: approval.json(),
            decision: approval.state.ruling().map(DecisionView::from),
            receipt,
            receipt_error,
            result: approval.state.result().map(ToOwned::to_owned),
            factor: if Reading::of(&approval.json()).barred == Some(Barred::Passkey) { "passkey" } else { "person" },
        }
    }
}

/// Approvals, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ApprovalList {
    approvals: Vec<ApprovalView>,
    /// Server and digest of those that the hub cannot read of its own records; they are left out.
    damaged: Vec<String>,
    /// Pass as `before` to go on; absent at the end.
    next: Option<String>,
}

/// Which approvals.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct ApprovalQuery {
    /// Id of one tenant.
    tenant: Option<String>,
    /// One state.
    state: Option<String>,
    /// `next` of the answer before.
    before: Option<String>,
    /// Rows, 1 to 500.
    limit: Option<u32>,
}

/// Approvals, newest first.
#[utoipa::path(get, path = "/api/v1/approvals", params(ApprovalQuery), responses((status = 200, body = ApprovalList), (status = 400, body = ErrorBody)))]
pub(super) async fn list(
    session: Session,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    Query(query): Query<ApprovalQuery>,
) -> Result<Json<ApprovalList>, Refusal> {
    let tenant = query.tenant.as_deref().map(id).transpose()?;
    let named = |text: &str| StateKind::named(text).ok_or_else(|| invalid("state must be the name of a state"));
    let state = query.state.as_deref().map(named).transpose()?;
    let before = query.before.as_deref().map(place).transpose()?;
    let (limit, now) = (super::limit(query.limit), clock.now());
    let (approvals, damaged) = store.approvals_and_damaged(&session.caller(), tenant, state, before, limit).await?;
    let last = approvals.last().filter(|_| approvals.len() + damaged.len() == limit as usize);
    let next = last.map(|approval| format!("{}-{}", approval.received.millis(), approval.digest));
    Ok(Json(ApprovalList {
        approvals: approvals.iter().map(|approval| ApprovalView::of(approval, now)).collect(),
        damaged,
        next,
    }))
}

fn place(text: &str) -> Result<(Timestamp, Digest), Refusal> {
    let wrong = || invalid("before must be `next` of an answer");
    let (at, digest) = text.split_once('-').ok_or_else(wrong)?;
    Ok((Timestamp(at.parse().map_err(|_| wrong())?), digest.parse().map_err(|_| wrong())?))
}

/// One approval.
#[utoipa::path(get, path = "/api/v1/approvals/{digest}", params(("digest" = String, Path, description = "64 hex digits")), responses((status = 200, body = ApprovalView), (status = 404, body = ErrorBody)))]
pub(super) async fn one(
    session: Session,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    Path(digest): Path<String>,
) -> Result<Json<ApprovalView>, Refusal> {
    let digest = digest.parse().map_err(|_| Refusal::NotFound)?;
    let approval = store.approval(&session.caller(), digest).await?.ok_or(Refusal::NotFound)?;
    Ok(Json(ApprovalView::of(&approval, clock.now())))
}

/// A decision as it is sent.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    /// `approved` or `denied`.
    #[schema(value_type = String)]
    verdict: Verdict,
    /// Why, for people; at most 1000 characters.
    #[serde(default)]
    note: String,
    /// For an approval that takes a passkey: what it signed, with the digest as its challenge. Each of `credential_id`,
    /// `authenticator_data`, `client_data_json` and `signature` in base64url without padding.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    passkey: Option<Assertion>,
    /// The same again, for a while: `scope` picks one of the document's `grant.scopes`, `hours` and `uses` are at most its
    /// `hours` and `uses`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    grant: Option<GrantTerms>,
}

/// Decides. The first decision stands; a repeat, even of the same verdict, is a conflict.
#[utoipa::path(post, path = "/api/v1/approvals/{digest}/decision", params(("digest" = String, Path, description = "64 hex digits")), request_body = DecisionBody, responses((status = 200, body = ApprovalView), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(super) async fn decide(
    session: Session,
    State(decisions): State<Decisions>,
    State(clock): State<SharedClock>,
    Path(digest): Path<String>,
    body: Result<Json<DecisionBody>, JsonRejection>,
) -> Result<Json<ApprovalView>, Refusal> {
    let digest = digest.parse().map_err(|_| Refusal::NotFound)?;
    let Json(body) = body.map_err(|_| invalid("send {\"verdict\":\"approved\"|\"denied\",\"note\"?} as JSON"))?;
    let DecisionBody { verdict, note, passkey, grant } = body;
    let approval = decisions.decide(session.user(), digest, Said { verdict, note: &note, grant }, passkey).await?;
    Ok(Json(ApprovalView::of(&approval, clock.now())))
}

impl From<DecideError> for Refusal {
    fn from(error: DecideError) -> Self {
        let message = error.to_string();
        match error {
            DecideError::NotDecided(NotDecided::Unknown) => Self::NotFound,
            DecideError::NotDecided(NotDecided::Late) => Self::Conflict { code: "late", message },
            DecideError::NotDecided(NotDecided::AlreadyDecided(_)) => {
                Self::Conflict { code: "already_decided", message }
            }
            DecideError::NeedsPasskey => Self::Conflict { code: "needs_passkey", message },
            DecideError::Unreadable => Self::Conflict { code: "unreadable", message },
            DecideError::Passkey(PasskeyError::Store(error)) => Self::Internal(error),
            DecideError::Passkey(_) => Self::Conflict { code: "passkey", message },
            DecideError::Grant => Self::Conflict { code: "not_granted", message },
            DecideError::Note => Self::Invalid(message),
            DecideError::Keys(KeysError::Store(error)) => Self::Internal(error),
            DecideError::Keys(_) => Self::Conflict { code: "keys", message },
            DecideError::Store(error) => Self::Internal(error),
        }
    }
}
