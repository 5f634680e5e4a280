//! What a draft would change for calls that were really made: each is judged by two bundles, and where the answers differ
//! that is counted and, within bounds, shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use crate::class::Class;
use crate::compare::Effect;
use crate::decide::{Decision, Factor};

/// Most calls that are looked at.
pub const MOST_CALLS: u32 = 5000;
/// Most differing calls that are shown.
const MOST_SHOWN: usize = 60;
/// Bytes of a review as JSON; below what the hub takes as a command's answer.
const MOST_BYTES: usize = 48 * 1024;

/// What becomes of a call, most open first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It runs.
    Run,
    /// A person is asked.
    Ask,
    /// A person's passkey is asked for.
    Passkey,
    /// It does not run.
    Refuse,
}

/// What one bundle makes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Judged {
    /// What becomes of it.
    pub outcome: Outcome,
    /// How grave it is, where that was found out.
    pub class: Option<Class>,
}

/// How many calls go from one answer to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// Which way that goes.
    pub effect: Effect,
    /// By the bundle in force.
    pub from: Judged,
    /// By the draft.
    pub to: Judged,
    /// Calls.
    pub count: u64,
}

/// Calls of one title that are judged differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Which way that goes.
    pub effect: Effect,
    /// Whose.
    pub agent: AgentName,
    /// The call in one redacted line.
    pub title: String,
    /// By the bundle in force.
    pub from: Judged,
    /// By the draft.
    pub to: Judged,
    /// Ids of the rules that count by the draft, gravest first.
    pub rules: Vec<String>,
    /// The newest of them.
    pub at_ms: Timestamp,
    /// How many of them.
    pub count: u64,
}

/// What a draft would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Version of the bundle in force on the server; 0 is the built-in strict one.
    pub in_force: u64,
    /// Calls judged anew.
    pub judged: u64,
    /// Calls of the same time that were refused at once, so that nothing is kept to judge them by.
    pub not_kept: u64,
    /// The oldest of them.
    pub since_ms: Option<Timestamp>,
    /// What changes, loosening first.
    pub shifts: Vec<Shift>,
    /// Calls that are judged differently, loosening first, then the newest.
    pub calls: Vec<Shown>,
    /// Differing titles that are not in `calls`, for they are too many.
    pub left_out: u64,
}

impl Review {
    /// Whether any call would be judged more openly.
    #[must_use]
    pub fn loosens(&self) -> bool {
        self.loosened() > 0
    }

    /// How many calls would be judged more openly.
    #[must_use]
    pub fn loosened(&self) -> u64 {
        self.shifts.iter().filter(|shift| shift.effect == Effect::Loosens).map(|shift| shift.count).sum()
    }
}

impl Judged {
    /// What a decision comes down to.
    #[must_use]
    pub const fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Allow { class, .. } => Self { outcome: Outcome::Run, class: Some(*class) },
            Decision::NeedsApproval { class, factor: Factor::Person, .. } => {
                Self { outcome: Outcome::Ask, class: Some(*class) }
            }
            Decision::NeedsApproval { class, factor: Factor::Passkey, .. } => {
                Self { outcome: Outcome::Passkey, class: Some(*class) }
            }
            Decision::Deny { class, .. } => Self { outcome: Outcome::Refuse, class: *class },
        }
    }

    /// Which way it goes from here to `to`; `None` when it is the same. A lower class is more open even where the outcome is
    /// the same: Green runs in closed states.
    #[must_use]
    pub fn shift_to(self, to: Self) -> Option<Effect> {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let by_class = match (self.class, to.class) {
            (Some(from), Some(to)) => to.cmp(&from),
            _ => Equal,
        };
        match to.outcome.cmp(&self.outcome).then(by_class) {
            Less => Some(Effect::Loosens),
            Greater => Some(Effect::Tightens),
            Equal => None,
        }
    }
}

/// Collects a [`Review`], newest call first.
#[derive(Debug, Default)]
pub struct Reviewer {
    review: Review,
    shifts: BTreeMap<(Effect, Judged, Judged), u64>,
    titles: BTreeMap<(Effect, AgentName, String, Judged, Judged), Shown>,
}

impl Reviewer {
    /// A review of what changes against version `in_force`.
    #[must_use]
    pub fn against(in_force: u64) -> Self {
        Self { review: Review { in_force, ..Review::default() }, ..Self::default() }
    }

    /// A call of which nothing is kept.
    pub fn not_kept(&mut self) {
        self.review.not_kept += 1;
    }

    /// How many more calls to look at for `last` judged ones: none once four times as many were looked at.
    #[must_use]
    pub fn wanting(&self, last: u32) -> u32 {
        let last = u64::from(last.min(MOST_CALLS));
        let Review { judged, not_kept, .. } = self.review;
        let left = last.saturating_sub(judged).min((4 * last).saturating_sub(judged + not_kept));
        u32::try_from(left).unwrap_or(MOST_CALLS)
    }

    /// One call, judged twice; `title` gives its redacted line and is asked for only when it is shown.
    pub fn call(
        &mut self,
        at: Timestamp,
        agent: &AgentName,
        (before, after): (&Decision, &Decision),
        title: impl FnOnce() -> String,
    ) {
        self.review.judged += 1;
        self.review.since_ms = Some(self.review.since_ms.map_or(at, |since| since.min(at)));
        let (from, to) = (Judged::of(before), Judged::of(after));
        let Some(effect) = from.shift_to(to) else { return };
        *self.shifts.entry((effect, from, to)).or_default() += 1;
        let title = title();
        let rules = || match after {
            Decision::Allow { fired, .. } | Decision::NeedsApproval { fired, .. } => {
                fired.iter().take(4).map(|fired| fired.rule.clone()).collect()
            }
            Decision::Deny { .. } => Vec::new(),
        };
        let shown = self.titles.entry((effect, agent.clone(), title, from, to)).or_insert_with_key(|key| {
            let (effect, agent, title, from, to) = key.clone();
            Shown { effect, agent, title, from, to, rules: rules(), at_ms: at, count: 0 }
        });
        shown.count += 1;
        shown.at_ms = shown.at_ms.max(at);
    }

    /// The review, within its bounds.
    #[must_use]
    pub fn finish(self) -> Review {
        let Self { mut review, shifts, titles } = self;
        review.shifts =
            shifts.into_iter().map(|((effect, from, to), count)| Shift { effect, from, to, count }).collect();
        review.calls = titles.into_values().collect();
        review.calls.sort_by_key(|shown| (shown.effect, std::cmp::Reverse(shown.at_ms)));
        let all = review.calls.len();
        let mut bytes = 0;
        let fitting = review.calls.iter().take(MOST_SHOWN).take_while(|shown| {
            bytes += serde_json::to_string(shown).map_or(MOST_BYTES, |text| text.len() + 1);
            bytes < MOST_BYTES
        });
        let fitting = fitting.count();
        review.calls.truncate(fitting);
        review.left_out = u64::try_from(all - fitting).unwrap_or(u64::MAX);
        review
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(class: Class) -> Decision {
        Decision::Allow { class, fired: Vec::new() }
    }

    fn ask(class: Class, factor: Factor) -> Decision {
        Decision::NeedsApproval { class, fired: Vec::new(), factor }
    }

    fn refuse(class: Option<Class>) -> Decision {
        Decision::Deny { class, reasons: Vec::new() }
    }

    #[test]
    fn every_way_has_a_direction() {
        use Class::{CriticalRed, Green, Red, Yellow};
        for (from, to, want) in [
            (refuse(None), run(Green), Some(Effect::Loosens)),
            (refuse(Some(Red)), ask(Red, Factor::Person), Some(Effect::Loosens)),
            (ask(CriticalRed, Factor::Passkey), ask(Red, Factor::Person), Some(Effect::Loosens)),
            (ask(Yellow, Factor::Person), run(Yellow), Some(Effect::Loosens)),
            (run(Yellow), run(Green), Some(Effect::Loosens)),
            (ask(Yellow, Factor::Person), run(Red), Some(Effect::Loosens)),
            (run(Green), run(Yellow), Some(Effect::Tightens)),
            (run(Yellow), ask(Yellow, Factor::Person), Some(Effect::Tightens)),
            (ask(Red, Factor::Person), refuse(None), Some(Effect::Tightens)),
            (refuse(None), refuse(Some(Red)), None),
            (run(Green), run(Green), None),
        ] {
            assert_eq!(Judged::of(&from).shift_to(Judged::of(&to)), want, "{from:?} {to:?}");
        }
    }

    #[test]
    fn a_review_is_bounded_and_loosening_stands_first() {
        let agent: AgentName = "office".parse().expect("a name");
        let mut reviewer = Reviewer::against(3);
        for n in 0..2000_i64 {
            let (before, after) = if n % 2 == 0 {
                (run(Class::Green), ask(Class::Yellow, Factor::Person))
            } else {
                (ask(Class::Yellow, Factor::Person), run(Class::Green))
            };
            reviewer.call(Timestamp(n), &agent, (&before, &after), || format!("{n} {}", "\u{1F600}".repeat(120)));
        }
        reviewer.call(Timestamp(9), &agent, (&run(Class::Green), &run(Class::Green)), || unreachable!("not shown"));
        let review = reviewer.finish();
        assert_eq!((review.judged, review.loosened(), review.since_ms), (2001, 1000, Some(Timestamp(0))));
        assert!(review.calls.len() <= MOST_SHOWN && review.calls.iter().all(|shown| shown.effect == Effect::Loosens));
        assert_eq!(review.calls[0].at_ms, Timestamp(1999), "the newest first");
        assert_eq!(review.left_out + review.calls.len() as u64, 2000);
        assert!(serde_json::to_string(&review).expect("JSON").len() < 60 * 1024);
        assert_eq!(review.shifts[0].effect, Effect::Loosens);
    }
}
