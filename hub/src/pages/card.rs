//! One approval as a card: what will happen, the exact call, the reasons, the decision.

use askama::Template;
use askama::filters::HtmlSafe;
use wardkeep_policy::Class;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::time::Timestamp;

use super::call::{ExactCall, consequence};
use super::document::{Document, Reason};
use super::exact::Exact;
use super::grant::Again;
use super::links::Link;
use super::parts::{Badge, Icon};
use super::passkeys::{Keyring, Means};
use super::words::{Ident, When};
use crate::reading::Barred;
use crate::store::approvals::{Approval, ApprovalState, StateKind};

/// Where a card stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the inbox, among others.
    Inbox,
    /// On its own page, with everything unfolded.
    Own,
}

impl Place {
    /// Level of the headings below the title.
    const fn below(self) -> u8 {
        match self {
            Self::Inbox => 3,
            Self::Own => 2,
        }
    }
}

/// The card.
#[derive(Template)]
#[template(path = "approvals/card.html")]
pub struct Card {
    place: Place,
    digest: Digest,
    tenant: String,
    agent: String,
    tool: String,
    title: String,
    consequence: &'static str,
    class_css: &'static str,
    class_badge: Badge,
    state: Option<Badge>,
    created: When,
    expires: Option<When>,
    gist: Vec<(&'static str, Exact)>,
    fields: Vec<(Exact, Exact)>,
    exact: ExactCall,
    reasons: Vec<Reason>,
    /// Files that the call names: path, and what tells them from others of that name.
    files: Vec<(Exact, String)>,
    decide: Option<Decide>,
}

/// The template escapes its parts.
impl HtmlSafe for Card {}

/// The two buttons.
#[derive(Template)]
#[template(path = "approvals/decide.html")]
struct Decide {
    digest: Digest,
    csrf: String,
    /// Why it cannot be approved here.
    barred: Option<&'static str>,
    /// How it can be, when that takes a passkey.
    means: Option<Means>,
    /// What can be granted with it.
    again: Option<Again>,
    ident: Ident,
}

/// The template escapes its parts.
impl HtmlSafe for Decide {}

impl Decide {
    const fn is_closed(&self) -> bool {
        self.barred.is_some() || matches!(&self.means, Some(means) if !matches!(means, Means::Ready(_)))
    }

    const fn approve_icon(&self) -> Icon {
        Icon(if self.means.is_some() { "key" } else { "check" })
    }
}

impl Card {
    /// The card of `approval` for the person whose forms carry `csrf` and who has these passkeys.
    #[must_use]
    pub fn of(
        approval: &Approval,
        document: Document,
        place: Place,
        (csrf, ring): (&str, &Keyring),
        now: Timestamp,
    ) -> Self {
        let open = approval.standing(now) == StateKind::Pending;
        let digest = approval.digest;
        let ident = Ident::new(short(&digest), digest, "digest");
        let means = (document.bar == Some(Barred::Passkey)).then(|| ring.means(approval));
        let has_files = !document.files.is_empty();
        let again = document.offer.as_ref().map(|offer| Again::of(offer, &digest, &document.agent, has_files));
        let barred = document.barred();
        let decide = open.then(|| Decide { digest, csrf: csrf.to_owned(), barred, means, again, ident });
        let mut exact = document.call.exact;
        exact.unfold = place == Place::Own;
        Self {
            place,
            digest,
            tenant: approval.tenant_name.clone(),
            agent: if document.agent.is_empty() { "an agent".into() } else { document.agent },
            tool: document.tool,
            title: document.call.title,
            consequence: document.class.map_or("This hub does not know its class: read it with care.", consequence),
            class_css: document.class.map_or("red", Class::as_str),
            class_badge: document.class.map_or_else(|| Badge::class_text("Unknown class"), Badge::class),
            state: (!open || place == Place::Own).then(|| state_badge(approval, now)),
            created: When::new(approval.created, now),
            expires: open.then(|| When::new(approval.approve_by, now)),
            gist: document.call.gist,
            fields: document.call.fields,
            exact,
            reasons: document.reasons,
            files: document.files,
            decide,
        }
    }
}

/// Name of an approval for people, as the agent was told it.
pub(super) fn short(digest: &Digest) -> String {
    format!("A-{}", digest.short())
}

/// Where an approval stands now.
pub(super) fn state_badge(approval: &Approval, now: Timestamp) -> Badge {
    match approval.standing(now) {
        StateKind::Claimed => Badge::outcome("running"),
        kind => Badge::outcome(kind.as_str()),
    }
}

/// When it reached the state that it is in.
pub(super) fn state_since(approval: &Approval) -> Timestamp {
    match &approval.state {
        ApprovalState::Pending => approval.created,
        ApprovalState::Approved(ruling) | ApprovalState::Denied(ruling) => ruling.at,
        ApprovalState::Expired { at } | ApprovalState::Superseded { at } | ApprovalState::Claimed { at, .. } => *at,
        ApprovalState::Done(end) | ApprovalState::Failed(end) | ApprovalState::Interrupted(end) => end.at,
    }
}

/// One approval in a list of those that are over.
pub(super) struct Brief {
    pub(super) digest: Digest,
    pub(super) tenant: String,
    pub(super) agent: String,
    pub(super) title: String,
    pub(super) glance: Exact,
    pub(super) state: Badge,
    pub(super) at: When,
    pub(super) by: String,
}

impl Brief {
    pub(super) fn of(approval: &Approval, now: Timestamp) -> Self {
        let document = Document::of(approval);
        Self {
            digest: approval.digest,
            tenant: approval.tenant_name.clone(),
            agent: document.agent,
            glance: document.glance,
            title: document.call.title,
            state: state_badge(approval, now),
            at: When::new(state_since(approval), now),
            by: approval.state.ruling().map(|ruling| ruling.by.clone()).unwrap_or_default(),
        }
    }
}
