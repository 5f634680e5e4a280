//! One approval on its own page: the whole call, its progress, its result, its digest.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::grant::GrantTerms;
use wardkeep_proto::time::Timestamp;

use super::card::{Card, Place, short, state_since};
use super::document::Document;
use super::exact::Exact;
use super::links::Link;
use super::parts::{Icon, Notice, Tone};
use super::passkeys::Keyring;
use super::shell::{Here, Shell};
use super::visit::Visit;
use super::words::{Ident, When, the_same_for};
use super::{Failed, assets};
use crate::api::error::Refusal;
use crate::app::SharedClock;
use crate::decisions::{DecideError, Decisions, Said};
use crate::keys::KeysError;
use crate::passkeys::{PasskeyError, Passkeys};
use crate::store::Store;
use crate::store::approvals::{Approval, ApprovalState, NotDecided, Origin, Receipt, Ruling, StateKind, Verdict};

/// `GET /approvals/{digest}`.
#[derive(Template)]
#[template(path = "approvals/one.html")]
pub struct ApprovalPage {
    /// The frame.
    pub shell: Shell,
    /// Why a decision was not taken.
    pub notice: Option<Notice>,
    /// The part that is fetched again when something changes.
    pub one: One,
}

/// The card and what is beside it.
#[derive(Template)]
#[template(path = "approvals/one_body.html")]
pub struct One {
    digest: Digest,
    card: Card,
    steps: Vec<Step>,
    result: Option<Exact>,
    ident: Ident,
    session: String,
    expires_exact: Option<String>,
    document: Exact,
}

/// The template escapes its parts.
impl HtmlSafe for One {}

/// One step on the way.
struct Step {
    tone: Tone,
    icon: Icon,
    text: String,
    note: String,
    at: Option<When>,
}

impl One {
    /// The page of `approval` for the person whose forms carry `csrf`.
    #[must_use]
    pub fn of(approval: &Approval, csrf: &str, ring: &Keyring, now: Timestamp) -> Self {
        let document = Document::of(approval);
        let session = document.session.clone();
        Self {
            digest: approval.digest,
            steps: steps(approval, now),
            result: approval.state.result().map(Exact::prose),
            ident: Ident::new(approval.digest, approval.digest, "digest"),
            session,
            expires_exact: (approval.standing(now) == StateKind::Pending).then(|| approval.approve_by.to_string()),
            document: Exact::prose(&String::from_utf8_lossy(&approval.document)),
            card: Card::of(approval, document, Place::Own, (csrf, ring), now),
        }
    }

    fn short(&self) -> String {
        short(&self.digest)
    }
}

impl Step {
    fn new(tone: Tone, icon: &'static str, text: impl Into<String>) -> Self {
        Self { tone, icon: Icon(icon), text: text.into(), note: String::new(), at: None }
    }

    fn at(mut self, at: Timestamp, now: Timestamp) -> Self {
        self.at = Some(When::new(at, now));
        self
    }

    fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

fn steps(approval: &Approval, now: Timestamp) -> Vec<Step> {
    let mut steps = vec![Step::new(Tone::Info, "inbox", "Asked").at(approval.created, now)];
    if let Some(ruling) = approval.state.ruling() {
        steps.push(decision(ruling, now));
        if ruling.origin == Origin::Hub {
            steps.extend(receipt(approval));
        }
    }
    let since = state_since(approval);
    steps.extend(match &approval.state {
        ApprovalState::Pending if approval.standing(now) == StateKind::Expired => Some(
            Step::new(Tone::Mute, "clock", "Expired")
                .note("Nobody decided in time. The agent must ask again.")
                .at(approval.approve_by, now),
        ),
        ApprovalState::Pending => Some(Step::new(Tone::Warn, "clock", "Waits for a decision")),
        ApprovalState::Approved(_) | ApprovalState::Denied(_) => None,
        ApprovalState::Claimed { .. } => Some(Step::new(Tone::Info, "play", "Runs now").at(since, now)),
        ApprovalState::Done(_) => Some(Step::new(Tone::Ok, "check", "Done").at(since, now)),
        ApprovalState::Failed(_) => {
            Some(Step::new(Tone::Bad, "warning", "Failed").note("It ran and ended with an error.").at(since, now))
        }
        ApprovalState::Interrupted(_) => Some(
            Step::new(Tone::Bad, "broken", "Interrupted")
                .note("It was cut off. Whether it had its effect is not known; it never runs again.")
                .at(since, now),
        ),
        ApprovalState::Expired { .. } => {
            Some(Step::new(Tone::Mute, "clock", "Expired").note("The agent must ask again.").at(since, now))
        }
        ApprovalState::Superseded { .. } => Some(
            Step::new(Tone::Mute, "back", "Replaced")
                .note("Something changed before it could run, so it did not.")
                .at(since, now),
        ),
    });
    steps
}

fn decision(ruling: &Ruling, now: Timestamp) -> Step {
    let place = if ruling.origin == Origin::Tenant { " on the server" } else { "" };
    let step = match ruling.verdict {
        Verdict::Approved => {
            let again = ruling.grant.map_or_else(String::new, |grant| format!(", and {}", the_same_for(grant)));
            Step::new(Tone::Ok, "check", format!("Approved by {}{place}{again}", ruling.by))
        }
        Verdict::Denied => Step::new(Tone::Bad, "cross", format!("Denied by {}{place}", ruling.by)),
    };
    let note = if ruling.note.is_empty() { String::new() } else { format!("“{}”", ruling.note) };
    step.note(note).at(ruling.at, now)
}

fn receipt(approval: &Approval) -> Option<Step> {
    match &approval.receipt {
        Some(Receipt::Taken) => Some(Step::new(Tone::Ok, "server", "The server has the decision")),
        Some(Receipt::Refused(why)) => {
            Some(Step::new(Tone::Bad, "stop", "The server refused the decision").note(why.as_str()))
        }
        None if approval.state.kind().is_final() && approval.state.kind() != StateKind::Denied => None,
        None => Some(
            Step::new(Tone::Warn, "clock", "On its way to the server")
                .note("It arrives as soon as the server is connected."),
        ),
    }
}

/// Why a decision was refused, when one was.
#[derive(serde::Deserialize)]
pub(super) struct Arrival {
    refused: Option<String>,
}

/// `GET /approvals/{digest}`.
pub(super) async fn show(
    visit: Visit,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    State(passkeys): State<Passkeys>,
    Path(digest): Path<String>,
    Query(arrival): Query<Arrival>,
) -> Result<Response, Failed> {
    let now = clock.now();
    let digest = digest.parse().map_err(|_| Refusal::NotFound)?;
    let approval = store.approval(&visit.caller(), digest).await?.ok_or(Refusal::NotFound)?;
    let notice = arrival.refused.and_then(|why| refused(&why));
    let one = One::of(&approval, visit.csrf(), &Keyring::of(&visit, &store, &passkeys).await?, now);
    visit.show(Here::Approvals, &store, now, one, |shell, one| ApprovalPage { shell, notice, one }).await
}

/// The form of the two buttons.
#[derive(serde::Deserialize)]
pub(super) struct Answer {
    verdict: Verdict,
    #[serde(default)]
    note: String,
    /// What a passkey signed, JSON; empty where none was asked.
    #[serde(default)]
    passkey: String,
    // Flattened by hand: forms know no nesting, and numbers in flattened parts are texts.
    again: Option<String>,
    scope: Option<u32>,
    hours: Option<u32>,
    uses: Option<u32>,
}

impl Answer {
    /// Who denies grants nothing, whatever else is ticked.
    fn grant(&self) -> Option<GrantTerms> {
        self.again.as_ref().filter(|_| self.verdict == Verdict::Approved)?;
        let [hours, scope, uses] = [self.hours, self.scope, self.uses].map(Option::unwrap_or_default);
        Some(GrantTerms { hours, scope, uses })
    }
}

/// `POST /approvals/{digest}/decision`.
pub(super) async fn decide(
    visit: Visit,
    State(decisions): State<Decisions>,
    Path(digest): Path<String>,
    Form(form): Form<Answer>,
) -> Result<Response, Failed> {
    let digest = digest.parse().map_err(|_| Refusal::NotFound)?;
    let passkey = match form.passkey.as_str() {
        "" => None,
        json => match serde_json::from_str(json) {
            Ok(assertion) => Some(assertion),
            Err(_) => return Ok(Redirect::to(&Link::Refused(&digest, "wrong-passkey").to_string()).into_response()),
        },
    };
    let user = visit.session().user();
    let said = Said { verdict: form.verdict, note: form.note.trim(), grant: form.grant() };
    let why = match decisions.decide(user, digest, said, passkey).await {
        Ok(_) => return Ok(Redirect::to(&Link::Decided(&digest).to_string()).into_response()),
        Err(DecideError::Store(error)) => return Err(error.into()),
        Err(DecideError::NotDecided(NotDecided::Unknown)) => return Err(Refusal::NotFound.into()),
        Err(DecideError::NotDecided(NotDecided::Late)) => "late",
        Err(DecideError::NotDecided(NotDecided::AlreadyDecided(_))) => "decided",
        Err(DecideError::NeedsPasskey) => "passkey",
        Err(DecideError::Unreadable) => "unreadable",
        Err(DecideError::Passkey(PasskeyError::Store(error))) => return Err(error.into()),
        Err(DecideError::Passkey(_)) => "wrong-passkey",
        Err(DecideError::Note) => "note",
        Err(DecideError::Grant) => "grant",
        Err(DecideError::Keys(KeysError::Store(error))) => return Err(error.into()),
        Err(DecideError::Keys(_)) => "keys",
    };
    Ok(Redirect::to(&Link::Refused(&digest, why).to_string()).into_response())
}

/// What the person is told whose decision was not taken. Only known words: the address can be anybody's.
fn refused(why: &str) -> Option<Notice> {
    let text = match why {
        "late" => "Your decision came too late and was not taken. The agent must ask again.",
        "decided" => "Somebody decided before you: the first decision stands.",
        "passkey" => "Your approval was not taken: a critical call needs a passkey, and your browser sent none.",
        "keys" => "The hub could not sign the decision; whoever runs it sees why with wardkeep-hub keys list.",
        "wrong-passkey" => {
            "Your approval was not taken: the passkey that you used does not count on this server. Use one that it trusts."
        }
        "unreadable" => "Your approval was not taken: this hub cannot read all of this call.",
        "grant" => {
            "Your approval was not taken: what you granted with it is not offered. Approve the call alone, or choose again."
        }
        "note" => "Your decision was not taken: the note is too long.",
        _ => return None,
    };
    Some(Notice::new(Tone::Warn, "warning", text))
}
