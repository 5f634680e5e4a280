//! The inbox: what waits for a person, and what was decided.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use wardkeep_proto::time::Timestamp;

use super::card::{Brief, Card, Place, short};
use super::document::Document;
use super::links::Link;
use super::parts::{Icon, Notice, Tone};
use super::passkeys::Keyring;
use super::shell::{Count, Here, Shell};
use super::visit::Visit;
use super::words::{plural, the_same_for};
use super::{Failed, answer, assets};
use crate::app::SharedClock;
use crate::passkeys::Passkeys;
use crate::store::Store;
use crate::store::approvals::{Approval, StateKind, Verdict};

/// `GET /approvals`.
#[derive(Template)]
#[template(path = "approvals/page.html")]
pub struct InboxPage {
    /// The frame.
    pub shell: Shell,
    /// What became of the decision that led here.
    pub notice: Option<Notice>,
    /// The part that is fetched again when something changes.
    pub inbox: Inbox,
}

/// The cards that wait and the list of those that are over.
#[derive(Template)]
#[template(path = "approvals/inbox.html")]
pub struct Inbox {
    pending: Vec<Card>,
    decided: Vec<Brief>,
    /// That some rows cannot be read.
    pub damaged: Option<Notice>,
}

/// The template escapes its parts.
impl HtmlSafe for Inbox {}

impl Inbox {
    /// Sorts `approvals` into those that wait, soonest to expire first, and the others, newest first.
    ///
    /// New questions come last among those that wait: nothing moves under the finger of a person who is about to tap.
    #[must_use]
    pub fn of(approvals: &[Approval], csrf: &str, ring: &Keyring, now: Timestamp) -> Self {
        let (mut waiting, over): (Vec<_>, Vec<_>) =
            approvals.iter().partition(|approval| approval.standing(now) == StateKind::Pending);
        waiting.sort_by_key(|approval| (approval.approve_by, approval.digest));
        let card = |approval: &&Approval| Card::of(approval, Document::of(approval), Place::Inbox, (csrf, ring), now);
        Self {
            pending: waiting.iter().map(card).collect(),
            decided: over.into_iter().map(|approval| Brief::of(approval, now)).collect(),
            damaged: None,
        }
    }
}

/// What the person is told after deciding.
#[must_use]
pub fn confirmation(approval: &Approval) -> Option<Notice> {
    let ruling = approval.state.ruling()?;
    let name = short(&approval.digest);
    let (tone, icon, words) = match ruling.verdict {
        Verdict::Approved => {
            let runs = ruling.grant.map_or_else(
                || "runs it once, exactly as shown".to_owned(),
                |grant| format!("runs it, exactly as shown, and {}", the_same_for(grant)),
            );
            (Tone::Ok, "check", format!("{name} is approved. The server {runs}."))
        }
        Verdict::Denied => (Tone::Info, "cross", format!("{name} is denied. The agent is told so.")),
    };
    Some(Notice::new(tone, icon, words).link(Link::Approval(&approval.digest), "Follow it"))
}

/// Says which rows cannot be read: all of them to an operator, to others that whoever runs the hub should look.
#[must_use]
pub fn damage(mut rows: Vec<String>, is_operator: bool) -> Option<Notice> {
    rows.sort_unstable();
    rows.dedup();
    let count = plural(rows.len() as u64, "approval", "approvals");
    let words = match is_operator {
        _ if rows.is_empty() => return None,
        true => format!(
            "The hub cannot read {count} of its own records and leaves out: {}. The server still has them (wardkeep approvals list); \
             repair or restore hub.db.",
            rows.join(", ")
        ),
        false => {
            format!("{count} cannot be shown here. Decide on the server, or tell whoever runs this hub.")
        }
    };
    Some(Notice::new(Tone::Bad, "broken", words))
}

/// Cards that wait, on one page.
const WAITING: u32 = 200;
/// Approvals that are over, on the same page.
const OVER: u32 = 40;

/// Which decision led here.
#[derive(serde::Deserialize)]
pub(super) struct Arrival {
    decided: Option<String>,
}

/// `GET /approvals`.
pub(super) async fn show(
    visit: Visit,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    State(passkeys): State<Passkeys>,
    Query(query): Query<Arrival>,
) -> Result<Response, Failed> {
    let (caller, now) = (visit.caller(), clock.now());
    let (mut approvals, mut damaged) =
        store.approvals_and_damaged(&caller, None, Some(StateKind::Pending), None, WAITING).await?;
    let (newest, more) = store.approvals_and_damaged(&caller, None, None, None, OVER).await?;
    damaged.extend(more);
    approvals.extend(newest.into_iter().filter(|approval| approval.state.kind() != StateKind::Pending));
    let decided = query.decided.and_then(|digest| digest.parse().ok());
    let notice = approvals.iter().find(|approval| Some(approval.digest) == decided).and_then(confirmation);
    let mut inbox = Inbox::of(&approvals, visit.csrf(), &Keyring::of(&visit, &store, &passkeys).await?, now);
    inbox.damaged = damage(damaged, visit.is_operator());
    visit.show(Here::Approvals, &store, now, inbox, |shell, inbox| InboxPage { shell, notice, inbox }).await
}

/// `GET /approvals/count`: the number beside the tab.
pub(super) async fn show_count(
    visit: Visit,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
) -> Result<Response, Failed> {
    let open = store.approvals_waiting(&visit.caller(), clock.now()).await?;
    Ok(answer(StatusCode::OK, &Count { open }))
}
