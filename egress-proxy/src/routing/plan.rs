//! One request's way through the targets of its route: what was tried, what comes next.

use std::time::Duration;

use wardkeep_policy::bundle::llm::Retry;
use wardkeep_proto::chance::Chance;
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::time::Timestamp;

use super::{Heard, Standing, jitter};

/// What was tried so far. Every target once, in order; then again, after a wait, as often as the route says.
pub(crate) struct Plan {
    retry: Retry,
    began: Timestamp,
    attempts: u32,
    seats: Vec<Seat>,
}

/// One target.
struct Seat {
    /// Its place in the route.
    target: usize,
    tries: u32,
    /// Not for this request.
    out: bool,
    not_before: Option<Timestamp>,
}

/// What is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Try(Try),
    /// Nothing more; `Some` is when the first breaker opens, if nothing at all was tried for that.
    Done(Option<Timestamp>),
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Try {
    /// Its place in the route.
    pub(crate) target: usize,
    pub(crate) key: Option<SecretName>,
    /// Before it.
    pub(crate) wait: Duration,
}

impl Plan {
    /// `order`: the places of the targets, the first one first.
    pub(crate) fn new(order: Vec<usize>, retry: Retry, began: Timestamp) -> Self {
        let seats = order.into_iter().map(|target| Seat { target, tries: 0, out: false, not_before: None });
        Self { retry, began, attempts: 0, seats: seats.collect() }
    }

    /// The next attempt, which counts from here on. `standing` is asked of a target that would be next, `may_repeat` takes from
    /// what the route has left.
    pub(crate) fn next(
        &mut self,
        now: Timestamp,
        chance: &dyn Chance,
        mut standing: impl FnMut(usize) -> Standing,
        may_repeat: impl FnOnce() -> bool,
    ) -> Next {
        let late = now.since(self.began) > Duration::from_secs(self.retry.within_s.into());
        if self.attempts >= self.retry.attempts || (self.attempts > 0 && late) {
            return Next::Done(None);
        }
        let mut may_repeat = Some(may_repeat);
        let most = Duration::from_millis(self.retry.most_ms.into());
        let (mut cooling, mut rests) = (None, None);
        for round in 0..self.retry.rounds {
            for at in 0..self.seats.len() {
                let Seat { target, tries, out, not_before } = self.seats[at];
                if out || tries != round {
                    continue;
                }
                let asked = not_before.map_or(Duration::ZERO, |until| until.since(now));
                if asked > most {
                    continue;
                }
                let key = match standing(target) {
                    Standing::Ready(key) => key,
                    Standing::Cooling(key, until) => {
                        if round == 0 && cooling.as_ref().is_none_or(|(_, _, other)| until < *other) {
                            cooling = Some((at, key, until));
                        }
                        continue;
                    }
                    Standing::Resting(until) => {
                        rests = Some(rests.map_or(until, |other: Timestamp| other.min(until)));
                        continue;
                    }
                };
                if round > 0 && !may_repeat.take().is_some_and(|take| take()) {
                    return Next::Done(None);
                }
                return Next::Try(self.take(at, key, asked.max(self.backoff(round, chance))));
            }
        }
        match cooling {
            // Nobody is better: an answer from the provider itself says more than one from here.
            Some((at, key, _)) if self.attempts == 0 => Next::Try(self.take(at, key, Duration::ZERO)),
            _ => Next::Done(rests.filter(|_| self.attempts == 0)),
        }
    }

    fn take(&mut self, at: usize, key: Option<SecretName>, wait: Duration) -> Try {
        self.attempts += 1;
        self.seats[at].tries += 1;
        Try { target: self.seats[at].target, key, wait }
    }

    fn backoff(&self, round: u32, chance: &dyn Chance) -> Duration {
        let Some(doublings) = round.checked_sub(1) else { return Duration::ZERO };
        let most = u64::from(self.retry.base_ms).saturating_mul(1 << doublings.min(32));
        jitter(Duration::from_millis(most.min(self.retry.most_ms.into())), chance)
    }

    /// What was heard of `target`; `another_key`: it may be asked with another one at once.
    pub(crate) fn failed(&mut self, target: usize, heard: &Heard, another_key: bool, now: Timestamp) {
        let Some(seat) = self.seats.iter_mut().find(|seat| seat.target == target) else { return };
        seat.not_before = heard.after().map(|after| now.plus(after));
        match heard {
            Heard::Limited(_) | Heard::Rejected if another_key => {
                seat.tries = seat.tries.saturating_sub(1);
                seat.not_before = None;
            }
            Heard::Rejected | Heard::Elsewhere | Heard::Answered => seat.out = true,
            Heard::Trouble(_) | Heard::Limited(_) => {}
        }
    }

    /// The request cannot be told to `target`: it was no attempt.
    pub(crate) fn unfit(&mut self, target: usize) {
        self.attempts = self.attempts.saturating_sub(1);
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.target == target) {
            seat.out = true;
        }
    }

    /// Whether there may be another attempt if this one fails.
    pub(crate) fn may_go_on(&self) -> bool {
        let left = |seat: &Seat| !seat.out && seat.tries < self.retry.rounds;
        self.attempts < self.retry.attempts && self.seats.iter().any(left)
    }

    /// Whether there is one attempt and no other, whatever becomes of it.
    pub(crate) fn is_only(&self) -> bool {
        self.seats.len() == 1 && self.retry.attempts == 1
    }

    /// How many there were.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }
}
