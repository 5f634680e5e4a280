//! One provider's breaker: closed while it answers, open when it failed too often, and then one request decides.

use wardkeep_policy::bundle::llm::Breaker;
use wardkeep_proto::time::Timestamp;

use super::Heard;

#[derive(Debug, Default)]
pub(super) struct State {
    /// Failures in a row.
    failures: u32,
    /// The last requests, the newest in the lowest bit; a set one failed.
    recent: u64,
    /// How many of them there are.
    seen: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    until: Timestamp,
    /// Since when a request is out that decides.
    probe: Option<Timestamp>,
}

impl State {
    /// Until when nobody is to ask, or `None`: then whoever asks goes, and decides if the breaker was open.
    pub(super) fn rests(&mut self, rule: &Breaker, now: Timestamp) -> Option<Timestamp> {
        let open = self.open.as_mut()?;
        if now < open.until {
            return Some(open.until);
        }
        // One that never came back is not waited for for ever.
        match open.probe.map(|since| since.plus(rule.rest())) {
            Some(until) if now < until => Some(until),
            _ => {
                open.probe = Some(now);
                None
            }
        }
    }

    pub(super) fn note(&mut self, rule: &Breaker, heard: &Heard, now: Timestamp) {
        match heard {
            Heard::Trouble(_) => self.failed(rule, now),
            // It is there, whatever it says.
            Heard::Answered | Heard::Limited(_) | Heard::Rejected | Heard::Elsewhere => self.worked(),
        }
    }

    fn worked(&mut self) {
        if self.open.take().is_some() {
            (self.recent, self.seen) = (0, 0);
        }
        self.failures = 0;
        self.push(0);
    }

    fn failed(&mut self, rule: &Breaker, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.push(1);
        let open = match &self.open {
            // Asked before it opened, and heard of since: nothing new.
            Some(open) if now < open.until => return,
            Some(_) => true,
            None => self.failures >= rule.failures || self.is_worse_than(rule),
        };
        if open {
            self.open = Some(Open { until: now.plus(rule.rest()), probe: None });
        }
    }

    fn is_worse_than(&self, rule: &Breaker) -> bool {
        let Some(percent) = rule.percent.filter(|_| self.seen >= rule.of) else { return false };
        let last = u64::MAX >> (64 - rule.of.clamp(1, 64));
        (self.recent & last).count_ones() * 100 >= percent * rule.of
    }

    fn push(&mut self, bit: u64) {
        self.recent = self.recent << 1 | bit;
        self.seen = (self.seen + 1).min(64);
    }

    pub(super) fn open_until(&self) -> Option<Timestamp> {
        self.open.as_ref().map(|open| open.until)
    }

    pub(super) fn in_a_row(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Breaker = Breaker { failures: 3, percent: None, of: 20, rest_s: 30 };
    const FAILED: Heard = Heard::Trouble(None);

    fn at(second: i64) -> Timestamp {
        Timestamp(second * 1000)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_one_request_decides() {
        let mut state = State::default();
        for second in 0..2 {
            state.note(&RULE, &FAILED, at(second));
        }
        state.note(&RULE, &Heard::Answered, at(2));
        for second in 3..5 {
            state.note(&RULE, &FAILED, at(second));
            assert_eq!(state.rests(&RULE, at(second)), None, "not three in a row");
        }
        state.note(&RULE, &FAILED, at(5));
        assert_eq!(state.rests(&RULE, at(6)), Some(at(35)));
        // Those under way when it opened do not prolong it.
        state.note(&RULE, &FAILED, at(20));
        assert_eq!(state.rests(&RULE, at(34)), Some(at(35)));
        assert_eq!(state.rests(&RULE, at(35)), None, "one may try");
        assert_eq!(state.rests(&RULE, at(35)), Some(at(65)), "and only one");
        state.note(&RULE, &FAILED, at(40));
        assert_eq!(state.rests(&RULE, at(41)), Some(at(70)), "it failed, too");
        assert_eq!(state.rests(&RULE, at(70)), None);
        state.note(&RULE, &Heard::Answered, at(71));
        assert_eq!((state.rests(&RULE, at(71)), state.in_a_row()), (None, 0));
        state.note(&RULE, &FAILED, at(72));
        assert_eq!(state.rests(&RULE, at(72)), None, "it begins anew");
    }

    #[test]
    fn a_request_that_was_to_decide_and_never_came_back_is_not_waited_for_for_ever() {
        let mut state = State::default();
        (0..3).for_each(|second| state.note(&RULE, &FAILED, at(second)));
        assert_eq!(state.rests(&RULE, at(32)), None);
        assert_eq!(state.rests(&RULE, at(61)), Some(at(62)));
        assert_eq!(state.rests(&RULE, at(62)), None);
    }

    #[test]
    fn it_opens_by_a_share_of_the_last_requests() {
        let rule = Breaker { failures: 100, percent: Some(50), of: 10, rest_s: 30 };
        let mut state = State::default();
        for turn in 0..9 {
            state.note(&rule, if turn % 2 == 0 { &FAILED } else { &Heard::Answered }, at(turn));
            assert_eq!(state.rests(&rule, at(turn)), None, "too few requests to say");
        }
        state.note(&rule, &Heard::Answered, at(9));
        assert_eq!(state.rests(&rule, at(9)), None, "an answer never opens it");
        state.note(&rule, &FAILED, at(10));
        assert_eq!(state.rests(&rule, at(10)), Some(at(40)));
        let mut state = State::default();
        for turn in 0..200 {
            state.note(&rule, if turn % 3 == 0 { &FAILED } else { &Heard::Answered }, at(turn));
            assert_eq!(state.rests(&rule, at(turn)), None);
        }
    }

    #[test]
    fn only_trouble_counts() {
        let mut state = State::default();
        for heard in [Heard::Limited(None), Heard::Rejected, Heard::Elsewhere, Heard::Answered] {
            (0..9).for_each(|_| state.note(&RULE, &heard, at(0)));
            assert_eq!((state.rests(&RULE, at(0)), state.in_a_row()), (None, 0), "{heard:?}");
        }
    }
}
