//! The one step between a request that may leave and one that does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wardkeep_policy::{Bundle, Model};
use wardkeep_proto::ids::AgentName;

use super::ask::Ask;
use super::brake::{Brake, Braked};
use super::kept::Kept;
use super::pace::{Pace, Ticket, Wait};
use super::{Cap, Over, Reason, Reports, Stop};
use crate::api::Account;
use crate::gateway::Parts;
use crate::meter::{Admission, Admitted, MeterError, NotAdmitted, Run};
use crate::usage::estimate_tokens;

/// How long a request waits for its turn before it is answered instead: less than any client's patience.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at what others hold.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The same reason of the same agent is told once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// Reasons that are remembered as told.
const TOLD: usize = 1024;
/// Output tokens that are held where neither the request nor the bundle says how many there may be.
pub(crate) const USUAL_OUTPUT: u64 = 16_384;

/// What budgets remember.
#[derive(Default)]
pub(crate) struct Desk {
    brake: Brake,
    pace: Arc<Pace>,
    kept: Kept,
    told: Mutex<HashMap<Told, (Instant, u64)>>,
}

/// Agent, whose budget, which reason, whether it stopped.
type Told = (AgentName, Option<AgentName>, &'static str, bool);

/// A request at the desk.
pub(crate) struct Order<'a> {
    pub(crate) agent: &'a AgentName,
    pub(crate) provider: &'a str,
    /// In the records.
    pub(crate) model: &'a str,
    /// What is paid for it; `None` is nothing.
    pub(crate) priced: Option<&'a Model>,
    pub(crate) ask: &'a Ask,
    pub(crate) run: Run,
    /// What it will be billed for.
    pub(crate) account: Account,
    /// Bytes that would leave.
    pub(crate) bytes: usize,
    /// Tokens that it may go on from or refers to: its provider has them, or fetches them.
    pub(crate) kept: u64,
}

/// What the desk says.
pub(crate) enum Verdict {
    /// It may leave.
    Admitted(Admitted),
    /// It is answered with a message of the assistant.
    Stopped(Box<Stop>),
}

impl Order<'_> {
    /// Whether a model answers it: counting, embedding and storing are no turns.
    const fn is_turn(&self) -> bool {
        !matches!(self.account, Account::Embeddings | Account::Free)
    }

    /// Input tokens to hold, and to charge if nothing better is ever known.
    fn estimated_input(&self) -> u64 {
        match self.account {
            Account::Free => 0,
            _ => estimate_tokens(self.bytes as u64).saturating_add(self.kept),
        }
    }

    /// The most that may come back, as far as anybody said.
    fn max_output(&self) -> u64 {
        if !self.is_turn() {
            return 0;
        }
        let one = match (self.ask.max_output, self.priced.and_then(|model| model.max_output)) {
            (Some(asked), Some(possible)) => asked.min(possible),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => USUAL_OUTPUT,
        };
        one.saturating_mul(self.ask.answers.max(1))
    }

    fn stop(&self, bundle: &Bundle, reason: Reason, budget: Option<usize>) -> Stop {
        let budget = budget.and_then(|at| bundle.budgets.get(at));
        Stop {
            agent: self.agent.clone(),
            session: self.run.session.clone(),
            model: self.model.to_owned(),
            reason,
            opens: None,
            contact: budget.and_then(|budget| budget.contact.clone()),
            enforced: budget.is_none_or(|budget| budget.enforce),
            untold: 0,
        }
    }

    fn braked(&self, bundle: &Bundle, braked: Braked) -> Stop {
        let Braked { reason, opens, budget } = braked;
        Stop { opens: Some(opens), ..self.stop(bundle, reason, Some(budget)) }
    }

    fn waited(&self, bundle: &Bundle, wait: Wait) -> Stop {
        self.stop(bundle, wait.reason, Some(wait.budget))
    }

    fn over(&self, bundle: &Bundle, over: Over) -> Stop {
        let own =
            |budget: &wardkeep_policy::Budget| budget.agent == over.cap.scope && budget.enforce == over.cap.enforce;
        let budget = bundle.budgets.iter().position(own);
        let opens = Some(over.opens);
        Stop { opens, ..self.stop(bundle, Reason::Amount(Box::new(over)), budget) }
    }
}

impl Desk {
    /// How much a request of `agent` may bring that does not stand in it.
    pub(crate) fn kept(&self, agent: &AgentName, model: &str, ask: &Ask) -> u64 {
        if !ask.goes_on && ask.refers_to == 0 {
            return 0;
        }
        let most = self.kept.most(agent, model);
        let goes_on = if ask.goes_on { most.unwrap_or(USUAL_OUTPUT) } else { 0 };
        let refers_to = if ask.refers_to > 0 { ask.refers_to.max(most.unwrap_or(0)) } else { 0 };
        goes_on.saturating_add(refers_to)
    }

    /// Counts a turn, once however often it is attempted; an agent that runs by itself is stopped.
    pub(crate) fn brake(&self, parts: &Parts, bundle: &Bundle, order: &Order<'_>) -> Result<(), Box<Stop>> {
        if !order.is_turn() || bundle.budgets.is_empty() {
            return Ok(());
        }
        let session = order.run.session.as_ref();
        match self.brake.turn(&bundle.budgets, order.agent, session, order.ask, parts.clock.now()) {
            Ok(told) => {
                told.into_iter().for_each(|braked| self.tell(&*parts.reports, order.braked(bundle, braked)));
                Ok(())
            }
            Err(braked) => {
                let stop = order.braked(bundle, braked);
                self.tell(&*parts.reports, stop.clone());
                Err(Box::new(stop))
            }
        }
    }

    /// Judges one attempt by the budgets of `bundle`, waits where waiting helps, and puts it on disk.
    pub(crate) async fn admit(&self, parts: &Parts, bundle: &Bundle, order: &Order<'_>) -> Result<Verdict, MeterError> {
        let (budgets, agent) = (&bundle.budgets, order.agent);
        if budgets.is_empty() {
            // There is nothing to wait for.
            return self.reserve(parts, bundle, order, None, None).await;
        }
        let deadline = Instant::now() + PATIENCE;
        let tokens = order.estimated_input().saturating_add(order.max_output());
        let ticket = match self.pace.enter(budgets, agent, tokens, deadline).await {
            Ok((ticket, told)) => {
                told.into_iter().for_each(|wait| self.tell(&*parts.reports, order.waited(bundle, wait)));
                ticket
            }
            Err(wait) => return Ok(self.stopped(&*parts.reports, order.waited(bundle, wait))),
        };
        self.reserve(parts, bundle, order, ticket, Some(deadline)).await
    }

    /// Takes what the request may need from every window. What is only held by others may come back in a moment.
    async fn reserve(
        &self,
        parts: &Parts,
        bundle: &Bundle,
        order: &Order<'_>,
        ticket: Option<Ticket>,
        deadline: Option<Instant>,
    ) -> Result<Verdict, MeterError> {
        let mut waits = deadline.map(|deadline| (deadline, parts.meter.changes()));
        loop {
            if let Some((_, changes)) = &mut waits {
                changes.mark_unchanged();
            }
            match parts.meter.admit(Self::admission(parts, bundle, order)).await {
                Ok(mut admitted) => {
                    for over in admitted.take_told() {
                        self.tell(&*parts.reports, order.over(bundle, over));
                    }
                    let admitted = match ticket {
                        Some(ticket) => admitted.with_ticket(ticket),
                        None => admitted,
                    };
                    let lesson = order.is_turn().then(|| self.kept.lesson(order.agent, order.model));
                    return Ok(Verdict::Admitted(admitted.with_lesson(lesson)));
                }
                Err(NotAdmitted::Meter(error)) => return Err(error),
                Err(NotAdmitted::Over(over)) => {
                    let now = Instant::now();
                    let waits = waits.as_mut().filter(|(deadline, _)| over.is_held() && now < *deadline);
                    let Some((deadline, changes)) = waits else {
                        return Ok(self.stopped(&*parts.reports, order.over(bundle, *over)));
                    };
                    // Woken by whoever settles; looked after by itself for those that never left.
                    let next = (*deadline).min(now + LOOK_EVERY);
                    drop(tokio::time::timeout_at(next, changes.changed()).await);
                }
            }
        }
    }

    fn admission(parts: &Parts, bundle: &Bundle, order: &Order<'_>) -> Admission {
        // The price in force when the request leaves.
        let tariff = order.priced.map(|model| bundle.llm.tariff(model, parts.clock.now()));
        Admission {
            agent: order.agent.clone(),
            provider: order.provider.to_owned(),
            model: order.model.to_owned(),
            estimated_input: order.estimated_input(),
            max_output: order.max_output(),
            tariff: tariff.unwrap_or_default(),
            run: order.run.clone(),
            caps: Cap::all(bundle, order.agent),
        }
    }

    fn stopped(&self, reports: &dyn Reports, stop: Stop) -> Verdict {
        self.tell(reports, stop.clone());
        Verdict::Stopped(Box::new(stop))
    }

    /// Tells of a stop, unless the same one was told just now: an agent may run into it many times a second.
    fn tell(&self, reports: &dyn Reports, stop: Stop) {
        let key: Told = (stop.agent.clone(), stop.reason.scope().cloned(), stop.reason.name(), stop.enforced);
        let now = Instant::now();
        let untold = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((last, untold)) = told.get_mut(&key)
                && now.saturating_duration_since(*last) < TOLD_EVERY
            {
                *untold += 1;
                return;
            }
            if told.len() >= TOLD {
                told.retain(|_, (last, _)| now.saturating_duration_since(*last) < TOLD_EVERY);
            }
            told.insert(key, (now, 0)).map_or(0, |(_, untold)| untold)
        };
        tracing::warn!(agent = %stop.agent, reason = stop.reason.name(), enforced = stop.enforced, "a budget ended");
        reports.stopped(Stop { untold, ..stop });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Book(Mutex<Vec<(String, u64)>>);

    impl Reports for Book {
        fn stopped(&self, stop: Stop) {
            self.0.lock().unwrap().push((stop.agent.to_string(), stop.untold));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_end_is_told_once_a_minute_with_how_often_it_came() {
        let (desk, book) = (Desk::default(), Book::default());
        let stop = |agent: &str, most| Stop {
            agent: agent.parse().unwrap(),
            session: None,
            model: "sonnet".to_owned(),
            reason: Reason::Repeats { scope: None, most },
            opens: None,
            contact: None,
            enforced: true,
            untold: 0,
        };
        for _ in 0..4 {
            desk.tell(&book, stop("office", 5));
        }
        desk.tell(&book, stop("other", 5));
        desk.tell(&book, Stop { enforced: false, ..stop("office", 5) });
        tokio::time::advance(TOLD_EVERY).await;
        desk.tell(&book, stop("office", 5));
        let told: Vec<_> = book.0.lock().unwrap().clone();
        let want = [("office", 0), ("other", 0), ("office", 0), ("office", 3)];
        assert_eq!(told, want.map(|(agent, untold)| (agent.to_owned(), untold)));
    }
}
