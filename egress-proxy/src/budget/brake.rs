//! The brake: an agent that goes on without anybody asking it to is stopped. In memory; a restart begins anew.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wardkeep_policy::{Brake as Rule, Budget};
use wardkeep_proto::ids::{AgentName, SessionId};
use wardkeep_proto::time::Timestamp;

use super::Reason;
use super::ask::Ask;

/// Sessions that are remembered; the one that was quiet for longest is forgotten first.
const SESSIONS: usize = 4096;

#[derive(Default)]
pub(crate) struct Brake(Mutex<HashMap<(AgentName, Option<SessionId>), Session>>);

/// A rule that stops a turn, or would.
#[derive(Debug)]
pub(crate) struct Braked {
    pub(crate) reason: Reason,
    pub(crate) opens: Timestamp,
    /// Which budget says so.
    pub(crate) budget: usize,
}

struct Session {
    last: Timestamp,
    /// The person's message that came last.
    person: Option<u64>,
    mark: (usize, u64),
    /// For each rule that covers the agent, in their order.
    counts: Vec<Counts>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    /// Turns since a person's message, or since the window began.
    turns: Run,
    /// The same request in a row.
    repeats: Run,
}

/// A count with the moment of its first.
#[derive(Clone, Copy, Default)]
struct Run(Option<(Timestamp, u32)>);

impl Run {
    /// One more, or the first of another window; gives the count and when the window ends.
    fn count(&mut self, now: Timestamp, window: Duration) -> (u32, Timestamp) {
        let (since, count) = match self.0 {
            Some((since, count)) if now.since(since) < window => (since, count.saturating_add(1)),
            _ => (now, 1),
        };
        self.0 = Some((since, count));
        (count, since.plus(window))
    }
}

impl Brake {
    /// Counts a turn, unless it is stopped. The first rule that is enforced stops it; those that only tell are all named.
    pub(crate) fn turn(
        &self,
        budgets: &[Budget],
        agent: &AgentName,
        session: Option<&SessionId>,
        ask: &Ask,
        now: Timestamp,
    ) -> Result<Vec<Braked>, Braked> {
        let covering = budgets.iter().enumerate().filter(|(_, budget)| budget.covers(agent));
        let rules: Vec<_> = covering.filter_map(|(at, budget)| Some((at, budget.enforce, budget.brake?))).collect();
        if rules.is_empty() {
            return Ok(Vec::new());
        }
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (agent.clone(), session.cloned());
        let before = sessions.get(&key);
        let is_news = ask.person.is_some() && ask.person != before.and_then(|before| before.person);
        let is_same = before.is_some_and(|before| before.mark == ask.mark);
        let mut counts = before.map(|before| before.counts.clone()).unwrap_or_default();
        counts.resize(rules.len(), Counts::default());
        let mut told = Vec::new();
        for ((budget, enforced, rule), counts) in rules.into_iter().zip(&mut counts) {
            let scope = budgets.get(budget).and_then(|budget| budget.agent.clone());
            let Some((reason, opens)) = counts.turn(&rule, scope, (is_news, is_same), now) else { continue };
            let braked = Braked { reason, opens, budget };
            if enforced {
                return Err(braked);
            }
            told.push(braked);
        }
        let person = ask.person.or(before.and_then(|before| before.person));
        if sessions.len() >= SESSIONS && !sessions.contains_key(&key) {
            let quiet = sessions.iter().min_by_key(|(_, session)| session.last).map(|(key, _)| key.clone());
            quiet.and_then(|quiet| sessions.remove(&quiet));
        }
        sessions.insert(key, Session { last: now, person, mark: ask.mark, counts });
        Ok(told)
    }
}

impl Counts {
    fn turn(
        &mut self,
        rule: &Rule,
        scope: Option<AgentName>,
        (is_news, is_same): (bool, bool),
        now: Timestamp,
    ) -> Option<(Reason, Timestamp)> {
        let window = Duration::from_secs(60 * u64::from(rule.minutes));
        if is_news {
            // The answer to a person is asked for; what follows it is counted.
            self.turns = Run::default();
        } else if let (count, opens) = self.turns.count(now, window)
            && let Some(most) = rule.turns.filter(|most| count > *most)
        {
            return Some((Reason::Turns { scope, most, minutes: rule.minutes }, opens));
        }
        if !is_same {
            self.repeats = Run::default();
        }
        let (count, opens) = self.repeats.count(now, window);
        rule.repeats.filter(|most| count > *most).map(|most| (Reason::Repeats { scope, most }, opens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    struct Desk(Brake, Vec<Budget>);

    impl Desk {
        fn new(rule: &str) -> Self {
            let budgets = format!(r#"[{{"brake":{rule}}}]"#);
            Self(Brake::default(), serde_json::from_str(&budgets).unwrap())
        }

        /// A turn of `session`: what a person said last, and which request it is.
        fn turn(&self, session: &str, person: Option<u64>, mark: u64, at: i64) -> Result<(), (String, i64)> {
            let ask = Ask { answers: 1, person, mark: (1, mark), ..Ask::default() };
            let session = session.parse().ok();
            let turn = self.0.turn(&self.1, &"office".parse().unwrap(), session.as_ref(), &ask, Timestamp(at));
            turn.map(|_| ()).map_err(|braked| (braked.reason.name().to_owned(), braked.opens.millis()))
        }
    }

    #[test]
    fn an_agent_that_goes_on_by_itself_is_stopped_until_somebody_speaks() {
        let desk = Desk::new(r#"{"turns":3,"minutes":10}"#);
        desk.turn("s", Some(1), 0, 0).unwrap();
        for turn in 1..=3 {
            desk.turn("s", None, turn, turn.cast_signed() * MINUTE).unwrap();
        }
        let stopped = Err(("turns".to_owned(), 11 * MINUTE));
        assert_eq!(desk.turn("s", None, 4, 5 * MINUTE), stopped);
        assert_eq!(desk.turn("s", Some(1), 5, 6 * MINUTE), stopped, "the same message of a person is not a new one");
        desk.turn("other", None, 6, 6 * MINUTE).expect("another session has its own count");
        desk.turn("s", Some(2), 7, 7 * MINUTE).expect("a person spoke");
        for turn in 8..11 {
            desk.turn("s", None, turn, 8 * MINUTE).unwrap();
        }
        assert_eq!(desk.turn("s", None, 12, 9 * MINUTE), Err(("turns".to_owned(), 18 * MINUTE)));
        desk.turn("s", None, 13, 18 * MINUTE).expect("the window is over");
    }

    #[test]
    fn a_request_that_comes_again_and_again_is_stopped_until_another_comes() {
        let desk = Desk::new(r#"{"repeats":2,"minutes":10}"#);
        for at in [0, 1] {
            desk.turn("s", Some(1), 7, at).unwrap();
        }
        for at in 2..9 {
            assert_eq!(desk.turn("s", Some(1), 7, at), Err(("repeats".to_owned(), 10 * MINUTE)));
        }
        desk.turn("s", Some(1), 8, 9).unwrap();
        desk.turn("s", Some(1), 7, 10).unwrap();
        desk.turn("s", Some(1), 7, 11).unwrap();
        assert!(desk.turn("s", Some(1), 7, 12).is_err());
        desk.turn("s", Some(1), 7, 10 * MINUTE + 10).expect("the window is over");
    }

    #[test]
    fn each_rule_counts_for_itself_and_one_that_only_reports_stops_nothing() {
        let rules = r#"[{"brake":{"turns":1},"enforce":false},{"agent":"office","brake":{"turns":3,"repeats":9}},
            {"agent":"other","brake":{"turns":1}}]"#;
        let desk = Desk(Brake::default(), serde_json::from_str(rules).unwrap());
        let ask = |mark| Ask { answers: 1, mark: (1, mark), ..Ask::default() };
        let mut told = Vec::new();
        for turn in 0..4 {
            let result = desk.0.turn(&desk.1, &"office".parse().unwrap(), None, &ask(turn), Timestamp(0));
            told.push(result.map(|told| told.len()).map_err(|braked| braked.budget));
        }
        assert_eq!(told, [Ok(0), Ok(1), Ok(1), Err(1)]);
        let strangers = desk.0.turn(&desk.1, &"stranger".parse().unwrap(), None, &ask(0), Timestamp(0));
        assert!(strangers.unwrap().is_empty());
    }

    #[test]
    fn memory_is_bounded_and_the_quietest_is_forgotten() {
        let desk = Desk::new(r#"{"turns":1}"#);
        for session in 0..SESSIONS + 10 {
            desk.turn(&format!("s{session}"), None, 0, session.cast_signed() as i64).unwrap();
        }
        assert_eq!(desk.0.0.lock().unwrap().len(), SESSIONS);
        assert!(desk.turn(&format!("s{}", SESSIONS + 9), None, 1, 9_999).is_err());
        desk.turn("s0", None, 1, 9_999).expect("forgotten");
    }

    #[test]
    fn a_clock_that_goes_back_frees_nobody_early_and_stops_nobody_for_ever() {
        let desk = Desk::new(r#"{"turns":1,"minutes":1}"#);
        desk.turn("s", None, 1, 10 * MINUTE).unwrap();
        assert!(desk.turn("s", None, 2, 0).is_err());
        desk.turn("s", None, 3, 11 * MINUTE).unwrap();
    }
}
