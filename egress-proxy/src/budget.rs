//! Budgets: what an agent, and all agents together, may use up, judged before a request leaves.
//!
//! * [`desk`] is the one step of a request's way: brake, rates, amounts, in this order, with the waits between them.
//! * [`brake`] and [`pace`] keep what they need in memory; a restart forgets minutes.
//! * Amounts by hour, day and month are the meter's: what was used and what is held for requests under way, in one place.
//! * [`stop`] words the end of a budget as an answer of the model, because agents retry or give up on errors.

use std::fmt;

use wardkeep_policy::{Bundle, Limit, Window};
use wardkeep_proto::ids::{AgentName, SessionId};
use wardkeep_proto::time::Timestamp;

use crate::prefix::PrefixChange;
use crate::price::Cost;

pub(crate) mod ask;
pub(crate) mod brake;
pub(crate) mod desk;
pub(crate) mod kept;
pub(crate) mod pace;
pub(crate) mod stop;
#[cfg(test)]
mod tests;

/// One limit of one budget, as it counts for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Whose; `None` is all agents together.
    pub scope: Option<AgentName>,
    /// How much, within which window.
    pub limit: Limit,
    /// Whether going over it is refused, or only told.
    pub enforce: bool,
}

/// Tokens and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Tokens of every kind.
    pub tokens: u128,
    /// Their cost.
    pub cost: Cost,
}

impl Amount {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { tokens: self.tokens.saturating_add(other.tokens), cost: self.cost.plus(other.cost) }
    }

    /// What is left; never below nothing.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { tokens: self.tokens.saturating_sub(other.tokens), cost: self.cost.minus(other.cost) }
    }
}

/// A cap that a request would go over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// Which cap.
    pub cap: Cap,
    /// Used within the window so far.
    pub used: Amount,
    /// Held for requests under way.
    pub held: Amount,
    /// What the request may need.
    pub need: Amount,
    /// When the next window begins.
    pub opens: Timestamp,
}

impl Cap {
    /// The limits that count for `agent`.
    pub(crate) fn all(bundle: &Bundle, agent: &AgentName) -> Vec<Self> {
        let budgets = bundle.budgets.iter().filter(|budget| budget.covers(agent));
        budgets
            .flat_map(|budget| {
                let cap = |limit: &Limit| Self { scope: budget.agent.clone(), limit: *limit, enforce: budget.enforce };
                budget.limits.iter().map(cap)
            })
            .collect()
    }

    /// Whether `sum` is more than the limit.
    pub(crate) fn is_passed(&self, sum: Amount) -> bool {
        let Limit { window: _, tokens, micros } = self.limit;
        tokens.is_some_and(|most| sum.tokens > u128::from(most))
            || micros.is_some_and(|most| sum.cost > Cost::from_micros(most))
    }
}

impl Over {
    /// Whether it would fit if what is held for others came back.
    pub(crate) fn is_held(&self) -> bool {
        !self.cap.is_passed(self.used.plus(self.need))
    }

    /// Whether the request would not fit into an unused window.
    pub(crate) fn is_too_large(&self) -> bool {
        self.cap.is_passed(self.need)
    }
}

/// What ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An amount of a window.
    Amount(Box<Over>),
    /// Requests within a minute.
    Requests {
        /// Whose; `None` is all agents together.
        scope: Option<AgentName>,
        /// How many are allowed.
        most: u32,
    },
    /// Tokens within a minute.
    Tokens {
        /// Whose.
        scope: Option<AgentName>,
        /// How many are allowed.
        most: u64,
    },
    /// Requests at the same time.
    Concurrent {
        /// Whose.
        scope: Option<AgentName>,
        /// How many are allowed.
        most: u32,
    },
    /// Turns without a person.
    Turns {
        /// Whose budget it is.
        scope: Option<AgentName>,
        /// How many are allowed.
        most: u32,
        /// Within so many minutes.
        minutes: u32,
    },
    /// The same request again and again.
    Repeats {
        /// Whose budget it is.
        scope: Option<AgentName>,
        /// How often it came.
        most: u32,
    },
}

/// A request that a budget stopped, or would have stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Whose request.
    pub agent: AgentName,
    /// In which session.
    pub session: Option<SessionId>,
    /// The model that was asked for.
    pub model: String,
    /// What ended.
    pub reason: Reason,
    /// When it opens again by itself, if that is known.
    pub opens: Option<Timestamp>,
    /// Whom to ask, as the policy says.
    pub contact: Option<String>,
    /// `false`: it was not stopped, only told.
    pub enforced: bool,
    /// Stops of the same kind since the last one that was told.
    pub untold: u64,
}

/// Who is told of stops, to record and report them.
pub trait Reports: Send + Sync + 'static {
    /// Must not block. The same reason of the same agent is told once a minute at most.
    fn stopped(&self, stop: Stop);

    /// Must not block. Told once of each change.
    fn prefix_changed(&self, change: PrefixChange) {
        let _ = change;
    }
}

/// Nobody is told.
impl Reports for () {
    fn stopped(&self, _: Stop) {}
}

impl Reason {
    /// Its stable name, for records.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Amount(over) => match over.cap.limit.window {
                Window::Hour => "hour",
                Window::Day => "day",
                Window::Month => "month",
            },
            Self::Requests { .. } => "requests-per-minute",
            Self::Tokens { .. } => "tokens-per-minute",
            Self::Concurrent { .. } => "concurrent",
            Self::Turns { .. } => "turns",
            Self::Repeats { .. } => "repeats",
        }
    }

    /// Whose budget it is; `None` is all agents together.
    #[must_use]
    pub const fn scope(&self) -> Option<&AgentName> {
        match self {
            Self::Amount(over) => over.cap.scope.as_ref(),
            Self::Requests { scope, .. }
            | Self::Tokens { scope, .. }
            | Self::Concurrent { scope, .. }
            | Self::Turns { scope, .. }
            | Self::Repeats { scope, .. } => scope.as_ref(),
        }
    }
}

/// What ended, as a clause.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = Whose(self.scope());
        match self {
            Self::Amount(over) => write!(f, "{over}"),
            Self::Requests { most, .. } => write!(f, "{whose} may begin {} a minute", counted(*most, "request")),
            Self::Tokens { most, .. } => write!(f, "{whose} may use {most} tokens a minute"),
            Self::Concurrent { most, .. } => {
                write!(f, "{whose} may have {} under way at the same time", counted(*most, "request"))
            }
            Self::Turns { most, minutes, .. } => write!(
                f,
                "this session made {} within {minutes} minutes without a new message from a person",
                counted(*most, "turn")
            ),
            Self::Repeats { most, .. } => write!(f, "the same request came {most} times in a row"),
        }
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cap: Cap { scope, limit, .. }, used, held, need, opens: _ } = self;
        let Limit { window, tokens, micros } = limit;
        let over = |sum: Amount| tokens.is_some_and(|most| sum.tokens > u128::from(most));
        // The unit that is gone over; where both are, tokens.
        let (most, used, held, need) = if over(used.plus(*held).plus(*need)) {
            let show = |amount: &Amount| format!("{} tokens", amount.tokens);
            (format!("{} tokens", tokens.unwrap_or(0)), show(used), show(held), show(need))
        } else {
            let show = |amount: &Amount| Dollars(amount.cost.micros_up()).to_string();
            (Dollars(micros.unwrap_or(0)).to_string(), show(used), show(held), show(need))
        };
        write!(f, "{} may use {most} in one {window}", Whose(scope.as_ref()))?;
        if self.is_too_large() {
            write!(f, ", and this request alone may need {need}")
        } else if self.is_held() {
            write!(f, "; {used} are used, {held} are held for requests under way, this one may need {need}")
        } else {
            write!(f, "; {used} are used, this request may need {need}")
        }
    }
}

/// The whole message for agents and people.
impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wardkeep stopped this request before it reached the model: {}.", self.reason)?;
        match (&self.reason, self.opens) {
            (Reason::Amount(over), _) if over.is_too_large() => {
                f.write_str(" Ask for less (a shorter conversation, a lower max_tokens), or have the budget raised.")?;
            }
            (Reason::Amount(over), Some(at)) if over.is_held() => {
                write!(f, " It fits again when some of those have ended, at the latest at {at}.")?;
            }
            (Reason::Turns { .. } | Reason::Repeats { .. }, Some(at)) => {
                write!(f, " It goes on with the next message from a person, or at {at}.")?;
            }
            (_, Some(at)) => write!(f, " It opens again at {at}.")?,
            (_, None) => f.write_str(" Try again in a minute.")?,
        }
        match &self.contact {
            Some(contact) => write!(f, " Whom to ask: {contact}."),
            None => f.write_str(" Whom to ask: the people who run this server; the budget stands in its policy."),
        }
    }
}

struct Whose<'a>(Option<&'a AgentName>);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(agent) => write!(f, "agent {agent}"),
            None => f.write_str("all agents of this server together"),
        }
    }
}

fn counted(count: u32, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Millionths of a dollar, as dollars.
pub(crate) struct Dollars(pub(crate) u64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let rest = format!("{rest:06}");
        // Cents at least, more digits where they say something.
        let digits = rest.trim_end_matches('0').len().max(2);
        write!(f, "{whole}.{} USD", &rest[..digits])
    }
}
