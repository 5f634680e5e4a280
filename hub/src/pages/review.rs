//! What servers say of a draft: which of their newest calls it would answer differently, and which digest can be published.
//!
//! The page publishes nothing: who holds a session does not thereby hold the keys. It names the digest of what was looked at,
//! and the command line of the hub publishes that and nothing else.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::Value;
use wardkeep_policy::review::{Judged, Outcome, Shift, Shown};
use wardkeep_policy::{Difference, Effect, Review};
use wardkeep_proto::ids::CommandId;
use wardkeep_proto::time::Timestamp;

use super::exact::Exact;
use super::fleet::standing_badge;
use super::links::Link;
use super::parts::{Badge, Icon, Notice, Tone};
use super::shell::{Command, Here, Shell};
use super::visit::Visit;
use super::words::{Ident, When, count, plural};
use super::{Failed, assets};
use crate::api::error::Refusal;
use crate::app::SharedClock;
use crate::drafts::{Drafts, Reviewed, Round, Stage, objection};
use crate::policies::Changes;
use crate::reviews::Answer;
use crate::store::Store;

/// Characters of a value; all of it stands in `policy diff --json`.
const VALUE: usize = 160;
/// Differences of the text that are shown.
const DIFFERENCES: usize = 60;

/// `GET /policy/reviews/{id}`.
#[derive(Template)]
#[template(path = "policy/review.html")]
pub struct ReviewPage {
    /// The frame.
    pub shell: Shell,
    /// The part that is fetched again when something changes.
    pub body: ReviewBody,
}

/// One draft before its servers.
#[derive(Template)]
#[template(path = "policy/review_body.html")]
pub struct ReviewBody {
    id: CommandId,
    by: String,
    at: When,
    last: String,
    /// How many servers have not answered yet.
    waiting: usize,
    summary: Notice,
    servers: Vec<Server>,
    source: Exact,
}

/// The template escapes its parts.
impl HtmlSafe for ReviewBody {}

struct Server {
    name: String,
    standing: Badge,
    state: Badge,
    /// Why there is no judgement.
    silent: Option<Notice>,
    judged: Option<Judgement>,
    text: Option<TextChanges>,
    /// What became of the draft, where it cannot be published (any more).
    over: Option<Notice>,
    publish: Option<Publish>,
}

struct Judgement {
    words: String,
    not_kept: u64,
    shifts: Vec<ShiftRow>,
    calls: Vec<CallRow>,
    left_out: String,
}

struct ShiftRow {
    effect: Badge,
    count: String,
    from: String,
    to: String,
}

struct CallRow {
    effect: Badge,
    agent: String,
    title: Exact,
    times: u64,
    from: String,
    to: String,
    rules: String,
    at: When,
}

struct TextChanges {
    against: String,
    rows: Vec<DifferenceRow>,
    more: usize,
}

struct DifferenceRow {
    effect: Badge,
    what: Exact,
    how: String,
    /// Before and after, where that is short enough to say something.
    values: Option<(Exact, Exact)>,
}

struct Publish {
    version: u64,
    digest: Ident,
    /// What speaks against it.
    against: Option<Notice>,
    command: Command,
}

impl ReviewBody {
    /// The page of one round.
    #[must_use]
    pub fn of(round: &Round, now: Timestamp) -> Self {
        let waiting = round.servers.iter().filter(|server| server.answer.is_none()).count();
        Self {
            id: round.id,
            by: round.by.clone(),
            at: When::new(round.at, now),
            last: plural(u64::from(round.last), "call", "calls"),
            waiting,
            summary: summary(round, waiting),
            servers: round.servers.iter().map(|server| Server::of(server, now)).collect(),
            source: Exact::prose(&round.source),
        }
    }
}

fn reviews(round: &Round) -> impl Iterator<Item = &Review> {
    round.servers.iter().filter_map(|server| match &server.answer {
        Some(Answer::Reviewed(review)) => Some(review.as_ref()),
        _ => None,
    })
}

fn summary(round: &Round, waiting: usize) -> Notice {
    let (total, heard) = (round.servers.len(), reviews(round).count());
    let sum = |effect| -> u64 {
        let shifts = reviews(round).flat_map(|review| &review.shifts);
        shifts.filter(|shift| shift.effect == effect).map(|shift| shift.count).sum()
    };
    let (opened, closed) = (sum(Effect::Loosens), sum(Effect::Tightens));
    let judged = reviews(round).map(|review| review.judged).sum();
    let heard = format!("{heard} of {}", plural(total as u64, "server has judged", "servers have judged"));
    if waiting > 0 {
        return Notice::new(Tone::Info, "clock", format!("{heard}; the page fills as they answer."));
    }
    let calls = plural(judged, "call", "calls");
    let words = format!("{heard} {calls}: {} more openly than now, {} more strictly.", count(opened), count(closed));
    match (opened, judged) {
        (0, 0) => Notice::new(Tone::Warn, "warning", format!("{heard}, on no call at all: this says nothing.")),
        (0, _) => Notice::new(Tone::Ok, "check", words),
        _ => Notice::new(Tone::Bad, "warning", words),
    }
}

impl Server {
    fn of(reviewed: &Reviewed, now: Timestamp) -> Self {
        let Reviewed { tenant, answer, stage } = reviewed;
        let (state, silent, judged) = match answer {
            None => (Badge::new(Tone::Info, "play", "Judging").running(), None, None),
            Some(Answer::Reviewed(review)) => {
                let badge = match review.loosens() {
                    true => Badge::new(Tone::Bad, "warning", "Loosens"),
                    false if review.shifts.is_empty() => Badge::new(Tone::Ok, "check", "Nothing differs"),
                    false => Badge::new(Tone::Ok, "check", "Only tightens"),
                };
                (badge, None, Some(Judgement::of(review, now)))
            }
            Some(Answer::Refused(why)) => {
                let words = format!("The server refused the draft: {why}");
                (Badge::new(Tone::Bad, "stop", "Refused"), Some(Notice::new(Tone::Bad, "stop", words)), None)
            }
            Some(Answer::Silent(why)) => {
                let words = format!("Not heard: {why}. Its calls are not in this review.");
                (Badge::new(Tone::Warn, "offline", "Not heard"), Some(Notice::new(Tone::Warn, "offline", words)), None)
            }
        };
        let open = match stage {
            Stage::Open(changes) => Some(changes),
            _ => None,
        };
        Self {
            name: tenant.name.to_string(),
            standing: standing_badge(tenant.standing(now)),
            state,
            silent,
            judged,
            text: open.map(|changes| TextChanges::of(changes)),
            over: over(stage),
            publish: open.zip(answer.as_ref()).and_then(|(changes, answer)| publish(reviewed, changes, answer)),
        }
    }
}

fn over(stage: &Stage) -> Option<Notice> {
    let (tone, icon, words) = match stage {
        Stage::Open(_) => return None,
        Stage::Published(version, digest) => {
            (Tone::Ok, "check", format!("Published as version {version}, digest {digest}."))
        }
        Stage::Outdated => {
            (Tone::Warn, "back", "Another version was published since: review the draft again.".to_owned())
        }
        Stage::Over => (Tone::Mute, "clock", "This review is over: nothing can be published by it.".to_owned()),
        Stage::Refused(why) => (Tone::Bad, "warning", format!("The draft cannot be made any more: {why}")),
    };
    Some(Notice::new(tone, icon, words))
}

fn publish(reviewed: &Reviewed, changes: &Changes, answer: &Answer) -> Option<Publish> {
    if matches!(answer, Answer::Refused(_)) {
        return None;
    }
    let name = &reviewed.tenant.name;
    let against = objection(name, changes, answer);
    let loosens = if against.is_some() { " --loosens" } else { "" };
    let digest = changes.draft.digest;
    Some(Publish {
        version: changes.draft.bundle.version,
        digest: Ident::new(digest, digest, "digest"),
        against: against.map(|why| Notice::new(Tone::Bad, "warning", capital(&format!("{why}.")))),
        command: Command { text: format!("wardkeep-hub policy publish {name} --reviewed {digest}{loosens}") },
    })
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl Judgement {
    fn of(review: &Review, now: Timestamp) -> Self {
        let differ: u64 = review.shifts.iter().map(|shift| shift.count).sum();
        let words = format!(
            "{} judged anew, {} answered differently than by version {}.",
            plural(review.judged, "call", "calls"),
            count(differ),
            review.in_force
        );
        Self {
            words,
            not_kept: review.not_kept,
            shifts: review.shifts.iter().map(ShiftRow::of).collect(),
            calls: review.calls.iter().map(|shown| CallRow::of(shown, now)).collect(),
            left_out: if review.left_out > 0 { count(review.left_out) } else { String::new() },
        }
    }
}

impl ShiftRow {
    fn of(shift: &Shift) -> Self {
        Self {
            effect: effect_badge(shift.effect),
            count: count(shift.count),
            from: words(shift.from),
            to: words(shift.to),
        }
    }
}

impl CallRow {
    fn of(shown: &Shown, now: Timestamp) -> Self {
        Self {
            effect: effect_badge(shown.effect),
            agent: shown.agent.to_string(),
            title: Exact::name(&shown.title),
            times: shown.count,
            from: words(shown.from),
            to: words(shown.to),
            rules: shown.rules.join(", "),
            at: When::new(shown.at_ms, now),
        }
    }
}

impl TextChanges {
    fn of(changes: &Changes) -> Self {
        let against = match changes.against {
            None => "Nothing was published before.".to_owned(),
            Some(against) if against.in_force => format!("Against version {}, which is in force.", against.version),
            Some(against) => {
                format!("Against version {}, the newest; the server runs none yet.", against.version)
            }
        };
        Self {
            against,
            rows: changes.differences.iter().take(DIFFERENCES).map(DifferenceRow::of).collect(),
            more: changes.differences.len().saturating_sub(DIFFERENCES),
        }
    }
}

impl DifferenceRow {
    fn of(difference: &Difference) -> Self {
        let Difference { effect, what, how, before, after } = difference;
        let value = |value: &Option<Value>| {
            let text = value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
            Exact::name(&short(&text))
        };
        // Its whole text is its name, or too long to read here.
        let whole = matches!(how.as_str(), "added" | "removed");
        Self {
            effect: effect_badge(*effect),
            what: Exact::name(&short(what)),
            how: how.clone(),
            values: (!whole).then(|| (value(before), value(after))),
        }
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn effect_badge(effect: Effect) -> Badge {
    match effect {
        Effect::Loosens => Badge::new(Tone::Bad, "warning", "Loosens"),
        Effect::Tightens => Badge::new(Tone::Ok, "lock", "Tightens"),
        Effect::Neutral => Badge::new(Tone::Mute, "info", "Neither"),
    }
}

fn words(judged: Judged) -> String {
    let outcome = match judged.outcome {
        Outcome::Run => "runs",
        Outcome::Ask => "asks",
        Outcome::Passkey => "asks for a passkey",
        Outcome::Refuse => "is refused",
    };
    judged.class.map_or_else(|| outcome.to_owned(), |class| format!("{outcome} ({})", class.as_str().replace('_', " ")))
}

/// `GET /policy/reviews/{id}`.
pub(super) async fn show(
    visit: Visit,
    State(store): State<Store>,
    State(clock): State<SharedClock>,
    State(drafts): State<Drafts>,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    let id = id.parse().map_err(|_| Refusal::NotFound)?;
    let round = drafts.round(&visit.caller(), id).await?.ok_or(Refusal::NotFound)?;
    let now = clock.now();
    let body = ReviewBody::of(&round, now);
    visit.show(Here::Fleet, &store, now, body, |shell, body| ReviewPage { shell, body }).await
}
