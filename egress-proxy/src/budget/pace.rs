//! Rates: requests and tokens within any minute, and requests at the same time. In memory; a restart begins anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use wardkeep_policy::Budget;
use wardkeep_proto::ids::AgentName;

use super::Reason;

/// What a rate looks back over.
const MINUTE: Duration = Duration::from_secs(60);
/// Requests that may wait for their turn at the same time; more are answered at once.
const WAITING: usize = 256;

/// The rates of one server.
#[derive(Default)]
pub(crate) struct Pace {
    lanes: Mutex<Lanes>,
    /// Wakes who waits: a request ended, or used less than was held for it.
    freed: Notify,
}

#[derive(Default)]
struct Lanes {
    lanes: HashMap<Option<AgentName>, Lane>,
    next: u64,
    waiting: usize,
}

/// What one agent, or all together, began of late.
#[derive(Default)]
struct Lane {
    /// Oldest first; by rising number.
    recent: VecDeque<Begun>,
    /// Sum of `recent`.
    tokens: u64,
    running: u32,
}

struct Begun {
    number: u64,
    at: Instant,
    tokens: u64,
}

/// Why a request must wait, and until when at least; `None` until another ends.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) reason: Reason,
    pub(crate) until: Option<Instant>,
    /// Which budget says so.
    pub(crate) budget: usize,
}

/// A place among the requests under way.
pub(crate) struct Ticket {
    pace: Arc<Pace>,
    scopes: Vec<Option<AgentName>>,
    number: u64,
    settled: bool,
}

impl Pace {
    /// Takes a place for a request of `agent` that may use `tokens`, waiting for it until `deadline`. `budgets` are those that
    /// cover the agent; what only reports is said in the list.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        budgets: &[Budget],
        agent: &AgentName,
        tokens: u64,
        deadline: Instant,
    ) -> Result<(Option<Ticket>, Vec<Wait>), Wait> {
        let paced = |budget: &Budget| {
            budget.covers(agent)
                && (budget.requests_per_minute.is_some()
                    || budget.tokens_per_minute.is_some()
                    || budget.concurrent.is_some())
        };
        if !budgets.iter().any(paced) {
            return Ok((None, Vec::new()));
        }
        let mut place: Option<Place<'_>> = None;
        loop {
            // Before the look, so that nothing that is freed after it is missed.
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let now = Instant::now();
            let wait = match self.lock().take(budgets, agent, tokens, now) {
                Ok((number, scopes, told)) => {
                    return Ok((Some(Ticket { pace: Arc::clone(self), scopes, number, settled: false }), told));
                }
                Err(wait) => wait,
            };
            if now >= deadline || (place.is_none() && self.lock().waiting >= WAITING) {
                return Err(wait);
            }
            if place.is_none() {
                place = Some(Place::new(self));
            }
            let until = wait.until.map_or(deadline, |until| until.min(deadline));
            tokio::select! {
                () = freed => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counted among those who wait.
struct Place<'a>(&'a Pace);

impl<'a> Place<'a> {
    fn new(pace: &'a Pace) -> Self {
        pace.lock().waiting += 1;
        Self(pace)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

type Taken = (u64, Vec<Option<AgentName>>, Vec<Wait>);

impl Lanes {
    fn take(&mut self, budgets: &[Budget], agent: &AgentName, tokens: u64, now: Instant) -> Result<Taken, Wait> {
        let mut told = Vec::new();
        for (index, budget) in budgets.iter().enumerate().filter(|(_, budget)| budget.covers(agent)) {
            let lane = self.lanes.entry(budget.agent.clone()).or_default();
            lane.forget(now);
            if let Some((reason, until)) = lane.hinders(budget, tokens) {
                let wait = Wait { reason, until, budget: index };
                if budget.enforce {
                    return Err(wait);
                }
                told.push(wait);
            }
        }
        let number = self.next;
        self.next += 1;
        let mut scopes: Vec<_> =
            budgets.iter().filter(|budget| budget.covers(agent)).map(|budget| budget.agent.clone()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        for scope in &scopes {
            let lane = self.lanes.entry(scope.clone()).or_default();
            lane.running += 1;
            lane.tokens = lane.tokens.saturating_add(tokens);
            lane.recent.push_back(Begun { number, at: now, tokens });
        }
        Ok((number, scopes, told))
    }
}

impl Lane {
    fn forget(&mut self, now: Instant) {
        while let Some(oldest) = self.recent.front()
            && now.saturating_duration_since(oldest.at) >= MINUTE
        {
            self.tokens = self.tokens.saturating_sub(oldest.tokens);
            self.recent.pop_front();
        }
        if self.recent.is_empty() {
            // What saturated is whole again.
            self.tokens = 0;
        }
    }

    fn hinders(&self, budget: &Budget, tokens: u64) -> Option<(Reason, Option<Instant>)> {
        let scope = || budget.agent.clone();
        if let Some(most) = budget.concurrent
            && self.running >= most
        {
            return Some((Reason::Concurrent { scope: scope(), most }, None));
        }
        if let Some(most) = budget.requests_per_minute {
            let over = (self.recent.len() + 1).saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
            if over > 0 {
                let until = self.recent.get(over - 1).map(|begun| begun.at + MINUTE);
                return Some((Reason::Requests { scope: scope(), most }, until));
            }
        }
        // What alone is more than a minute's tokens passes when nothing else did for a minute.
        if let Some(most) = budget.tokens_per_minute
            && self.tokens > 0
            && self.tokens.saturating_add(tokens) > most
        {
            let mut left = self.tokens;
            let fits = self.recent.iter().find(|begun| {
                left = left.saturating_sub(begun.tokens);
                left == 0 || left.saturating_add(tokens) <= most
            });
            return Some((Reason::Tokens { scope: scope(), most }, fits.map(|begun| begun.at + MINUTE)));
        }
        None
    }
}

impl Ticket {
    /// The request used so many tokens, which is less or more than was taken for it.
    pub(crate) fn used(mut self, tokens: u64) {
        self.settled = true;
        self.change(|lane, at| {
            let begun = &mut lane.recent[at];
            lane.tokens = lane.tokens.saturating_sub(begun.tokens).saturating_add(tokens);
            begun.tokens = tokens;
        });
        // The place itself is given back by the drop.
    }

    fn change(&self, change: impl Fn(&mut Lane, usize)) {
        let mut lanes = self.pace.lock();
        for scope in &self.scopes {
            if let Some(lane) = lanes.lanes.get_mut(scope)
                && let Ok(at) = lane.recent.binary_search_by_key(&self.number, |begun| begun.number)
            {
                change(lane, at);
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            // The request never left: it was not begun.
            self.change(|lane, at| {
                let tokens = lane.recent.remove(at).map_or(0, |begun| begun.tokens);
                lane.tokens = lane.tokens.saturating_sub(tokens);
            });
        }
        {
            let mut lanes = self.pace.lock();
            for scope in &self.scopes {
                if let Some(lane) = lanes.lanes.get_mut(scope) {
                    lane.running = lane.running.saturating_sub(1);
                }
            }
        }
        self.pace.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(json: &str) -> Vec<Budget> {
        serde_json::from_str(json).unwrap()
    }

    fn office() -> AgentName {
        "office".parse().unwrap()
    }

    async fn enter(pace: &Arc<Pace>, budgets: &[Budget], tokens: u64, patience: u64) -> Result<Ticket, Reason> {
        let deadline = Instant::now() + Duration::from_secs(patience);
        match pace.enter(budgets, &office(), tokens, deadline).await {
            Ok((ticket, _)) => Ok(ticket.expect("a budget that paces")),
            Err(wait) => Err(wait.reason),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_sees_more_requests_than_allowed() {
        let (pace, budgets) = (Arc::new(Pace::default()), budget(r#"[{"agent":"office","requests_per_minute":3}]"#));
        let begin = Instant::now();
        let mut begun: Vec<Duration> = Vec::new();
        for _ in 0..12 {
            // Each waits as long as it takes.
            enter(&pace, &budgets, 1, 600).await.unwrap().used(1);
            begun.push(begin.elapsed());
            tokio::time::advance(Duration::from_secs(7)).await;
        }
        for four in begun.windows(4) {
            assert!(four[3] - four[0] >= MINUTE, "{begun:?}");
        }
        assert!(begin.elapsed() < 4 * MINUTE, "nobody waits longer than needed: {begun:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_has_an_end_and_a_reason() {
        let (pace, budgets) = (Arc::new(Pace::default()), budget(r#"[{"requests_per_minute":1}]"#));
        enter(&pace, &budgets, 1, 30).await.unwrap().used(1);
        let begin = Instant::now();
        assert_eq!(enter(&pace, &budgets, 1, 30).await.err(), Some(Reason::Requests { scope: None, most: 1 }));
        assert_eq!(begin.elapsed(), Duration::from_secs(30));
        assert!(enter(&pace, &budgets, 1, 30).await.is_ok(), "the second half of the minute is within its patience");
        assert_eq!(pace.lock().waiting, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_that_were_taken_and_not_used_come_back() {
        let (pace, budgets) = (Arc::new(Pace::default()), budget(r#"[{"tokens_per_minute":1000}]"#));
        let first = enter(&pace, &budgets, 900, 0).await.unwrap();
        assert_eq!(enter(&pace, &budgets, 200, 0).await.err(), Some(Reason::Tokens { scope: None, most: 1000 }));
        let (settled, second) = tokio::join!(
            async {
                tokio::time::sleep(Duration::from_secs(5)).await;
                first.used(100);
            },
            enter(&pace, &budgets, 900, 30)
        );
        let () = settled;
        // One that never left counts as nothing, one that used more than was thought counts for that.
        drop(second.unwrap());
        enter(&pace, &budgets, 900, 0).await.unwrap().used(5000);
        assert!(enter(&pace, &budgets, 1, 30).await.is_err());
        tokio::time::advance(Duration::from_secs(31)).await;
        let huge = enter(&pace, &budgets, u64::MAX, 0).await.expect("alone it passes");
        assert!(enter(&pace, &budgets, 1, 0).await.is_err());
        huge.used(0);
        assert!(enter(&pace, &budgets, 1000, 0).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_given_back_however_a_request_ends() {
        let pace = Arc::new(Pace::default());
        let budgets =
            budget(r#"[{"concurrent":2},{"agent":"office","concurrent":5},{"agent":"other","concurrent":1}]"#);
        let first = enter(&pace, &budgets, 1, 0).await.unwrap();
        let second = enter(&pace, &budgets, 1, 0).await.unwrap();
        assert_eq!(enter(&pace, &budgets, 1, 1).await.err(), Some(Reason::Concurrent { scope: None, most: 2 }));
        first.used(1);
        let third = enter(&pace, &budgets, 1, 0).await.unwrap();
        drop(second);
        let fourth = enter(&pace, &budgets, 1, 0).await.unwrap();
        drop((third, fourth));
        assert!(pace.lock().lanes.values().all(|lane| lane.running == 0));
        // One who leaves while he waits holds nothing.
        let _two = (enter(&pace, &budgets, 1, 0).await.unwrap(), enter(&pace, &budgets, 1, 0).await.unwrap());
        let left = tokio::time::timeout(Duration::from_secs(1), enter(&pace, &budgets, 1, 30)).await;
        assert!(left.is_err());
        assert_eq!(pace.lock().waiting, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_that_only_reports_holds_up_nobody() {
        let (pace, budgets) = (Arc::new(Pace::default()), budget(r#"[{"enforce":false,"concurrent":1}]"#));
        let _first = enter(&pace, &budgets, 1, 0).await.unwrap();
        let (_second, told) = pace.enter(&budgets, &office(), 1, Instant::now()).await.unwrap();
        assert_eq!(
            told.into_iter().map(|wait| wait.reason).collect::<Vec<_>>(),
            [Reason::Concurrent { scope: None, most: 1 }]
        );
        let none = pace.enter(&[], &office(), 1, Instant::now()).await.unwrap();
        assert!(none.0.is_none());
    }
}
