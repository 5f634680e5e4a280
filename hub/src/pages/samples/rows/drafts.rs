//! Drafts of a policy under review.

use serde_json::json;
use wardkeep_policy::review::{Judged, Outcome, Shift, Shown};
use wardkeep_policy::{Class, Difference, Effect, Review};
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::CommandId;

use super::{HOSTILE, HOUR, MINUTE, SECOND, ago, fleet};
use crate::drafts::{Reviewed, Round, Stage};
use crate::policies::{Against, Changes, EXAMPLE, draft};
use crate::reviews::Answer;
use crate::store::commands::DraftRound;
use crate::store::tenants::Tenant;

fn id(back: i64) -> CommandId {
    CommandId::new(ago(back), &wardkeep_proto::chance::SystemChance::new())
}

/// Reviews that somebody asked for.
pub(in super::super) fn rounds() -> Vec<DraftRound> {
    let round = |back, by: &str, servers, answered| DraftRound {
        id: id(back),
        created: ago(back),
        ordered_by: by.into(),
        servers,
        answered,
    };
    vec![
        round(9 * SECOND, "ada@example.com", 5, 3),
        round(26 * HOUR, "the command line", 1, 1),
        round(90 * HOUR, HOSTILE, 1, 0),
    ]
}

fn judged(outcome: Outcome, class: Class) -> Judged {
    Judged { outcome, class: Some(class) }
}

fn loosening() -> Review {
    let (ask, run) = (judged(Outcome::Ask, Class::Red), judged(Outcome::Run, Class::Red));
    let (read, asked) = (judged(Outcome::Run, Class::Green), judged(Outcome::Ask, Class::Yellow));
    let shown = |effect, title: &str, (from, to), rules: &[&str], count| Shown {
        effect,
        agent: "office-assistant".parse().expect("a name"),
        title: title.into(),
        from,
        to,
        rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        at_ms: ago(40 * MINUTE),
        count,
    };
    Review {
        in_force: 7,
        judged: 500,
        not_kept: 12,
        since_ms: Some(ago(70 * HOUR)),
        shifts: vec![
            Shift { effect: Effect::Loosens, from: ask, to: run, count: 14 },
            Shift { effect: Effect::Tightens, from: read, to: asked, count: 3 },
        ],
        calls: vec![
            shown(Effect::Loosens, "Run `rm -rf ./invoices/2019`", (ask, run), &["shell.rm.recursive"], 11),
            shown(Effect::Loosens, HOSTILE, (ask, run), &[HOSTILE], 1),
            shown(Effect::Tightens, "Read from prices.example", (read, asked), &["http.read"], 3),
        ],
        left_out: 1204,
    }
}

fn changes(tenant: &Tenant, differences: Vec<Difference>) -> Stage {
    let newest = Some((7, Digest::plain(b"version 7")));
    let draft = draft(tenant.id, EXAMPLE, newest, ago(9 * SECOND)).expect("the example is good");
    Stage::Open(Box::new(Changes { draft, against: Some(Against { version: 7, in_force: true }), differences }))
}

fn differences() -> Vec<Difference> {
    vec![
        Difference {
            effect: Effect::Loosens,
            what: "agent office-assistant".into(),
            how: "level".into(),
            before: Some(json!("trusted")),
            after: Some(json!("autonomous")),
        },
        Difference {
            effect: Effect::Tightens,
            what: format!("rule {HOSTILE}"),
            how: "added".into(),
            before: None,
            after: Some(json!({"id": HOSTILE})),
        },
        Difference {
            effect: Effect::Neutral,
            what: "model claude-sonnet".into(),
            how: "price".into(),
            before: Some(json!({"input": 3_000_000, "output": 15_000_000})),
            after: None,
        },
    ]
}

fn round(servers: Vec<Reviewed>) -> Round {
    let source = format!("{EXAMPLE}# {HOSTILE}\n");
    Round { id: id(9 * SECOND), by: "ada@example.com".into(), at: ago(9 * SECOND), last: 500, source, servers }
}

/// Reviews in every state that has its own look.
pub(in super::super) fn reviews() -> Vec<(&'static str, Round)> {
    let tenants = fleet();
    let reviewed = |at: usize, answer, stage| Reviewed { tenant: tenants[at].clone(), answer, stage };
    let heard = |review: Review| Some(Answer::Reviewed(Box::new(review)));
    let same = Review { in_force: 7, judged: 212, since_ms: Some(ago(9 * HOUR)), ..Review::default() };
    let stricter = Review {
        shifts: loosening().shifts.split_off(1),
        calls: loosening().calls.split_off(2),
        left_out: 0,
        ..loosening()
    };
    vec![
        (
            "mixed",
            round(vec![
                reviewed(0, heard(loosening()), changes(&tenants[0], differences())),
                reviewed(1, Some(Answer::Silent("it is offline")), changes(&tenants[1], differences())),
                reviewed(2, Some(Answer::Silent("it has not enrolled yet")), changes(&tenants[2], vec![])),
                reviewed(3, Some(Answer::Refused(HOSTILE.into())), changes(&tenants[3], differences())),
                reviewed(4, heard(same.clone()), changes(&tenants[4], vec![])),
            ]),
        ),
        (
            "waiting",
            round(vec![
                reviewed(0, None, changes(&tenants[0], differences())),
                reviewed(4, heard(same.clone()), Stage::Outdated),
            ]),
        ),
        (
            "tightens",
            round(vec![
                reviewed(0, heard(stricter), changes(&tenants[0], vec![differences().swap_remove(1)])),
                reviewed(3, heard(same), Stage::Published(8, Digest::plain(b"published"))),
            ]),
        ),
        ("nobody", round(vec![reviewed(1, Some(Answer::Silent("it is offline")), Stage::Refused(HOSTILE.into()))])),
        ("over", round(vec![reviewed(0, heard(Review { in_force: 7, ..Review::default() }), Stage::Over)])),
    ]
}
