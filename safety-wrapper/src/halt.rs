//! How far an agent is let: the states, who holds it there, and the one table of who may move what.
//!
//! Each of three may hold an agent (or all) in a state of its own: the gate after too many denials, the hub, a person on this
//! server. The gravest counts. So nobody loosens what another one tightened, but as [`may`] says.

use std::fmt;

use serde::{Deserialize, Serialize};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;
use wardkeep_proto::whom::Whom;

/// How far an agent is let; the graver is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// As the policy says.
    Free,
    /// Nothing new beyond Green; no model, no proxy.
    Paused,
    /// Nothing at all; what runs is ended.
    Stopped,
}

impl Standing {
    /// The name in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Free, Self::Paused, Self::Stopped].into_iter().find(|standing| standing.as_str() == name)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who moves a standing, and in whose name it is held. An agent is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// The gate itself, after too many denials.
    Gate,
    /// A person at the hub.
    Hub,
    /// A person on this server.
    Local,
}

impl Holder {
    pub(crate) const ALL: [Self; 3] = [Self::Gate, Self::Hub, Self::Local];

    /// The name in rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Hub => "hub",
            Self::Local => "local",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|holder| holder.as_str() == name)
    }
}

/// Whether `who` may move what `whose` holds to `to`. Everything that is not here is refused.
///
/// The hub is a relay, not an authority (P7): it tightens, and lets go what was tightened by itself or by the denials that it
/// mostly carried; what a person on the server holds, only a person on the server lets go. An order to pause does not loosen a
/// stop: `Gate::halt` only ever goes up.
pub(crate) const fn may(who: Holder, whose: Holder, to: Standing) -> bool {
    match (who, whose, to) {
        // Each tightens in its own name.
        (Holder::Gate, Holder::Gate, Standing::Paused)
        | (Holder::Hub, Holder::Hub, Standing::Paused | Standing::Stopped)
        | (Holder::Local, Holder::Local, Standing::Paused | Standing::Stopped)
        // Only people let go.
        | (Holder::Hub, Holder::Gate | Holder::Hub, Standing::Free)
        | (Holder::Local, _, Standing::Free) => true,
        _ => false,
    }
}

/// Why an agent is not free, in one holder's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// One agent, or all.
    pub whom: Whom,
    /// In whose name.
    pub holder: Holder,
    /// Paused or stopped.
    pub standing: Standing,
    /// Who said so, for people.
    pub by: String,
    /// Why, for people; redacted.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whom, standing, by, reason, .. } = self;
        write!(f, "{} is {standing} by {by}: {reason}", whom.spoken())
    }
}

/// An order of a person, or of the gate's own count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Whom it is about.
    pub whom: Whom,
    /// In whose name.
    pub holder: Holder,
    /// Who, as shown to people: `local:uid-0`, `ada@example.com`.
    pub by: String,
    /// Why; a resume without one is refused.
    pub reason: String,
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Whom it was about.
    pub whom: Whom,
    /// What counts for them now.
    pub standing: Standing,
    /// Whether the policy names the agent; all of them are known.
    pub known: bool,
    /// Whether the order changed anything.
    pub changed: bool,
    /// Calls that waited or were allowed, and are over now.
    pub ended: usize,
    /// Runs and connections that did not end in time; they are dead to the gate, and the log names them.
    pub lingering: usize,
    /// What still holds them, or some of them when the order was about all.
    pub held: Vec<Hold>,
}

/// Every hold in force, in memory; the rows are the truth.
#[derive(Debug, Default)]
pub(crate) struct Holds(Vec<Hold>);

impl Holds {
    pub(crate) fn new(holds: Vec<Hold>) -> Self {
        Self(holds)
    }

    /// How far `agent` is let.
    pub(crate) fn standing(&self, agent: &AgentName) -> Standing {
        // Nearly always empty: this is asked for each request.
        let covering = self.0.iter().filter(|hold| hold.whom.covers(agent));
        covering.map(|hold| hold.standing).max().unwrap_or(Standing::Free)
    }

    /// What counts for all of them.
    pub(crate) fn of_all(&self) -> Standing {
        let all = self.0.iter().filter(|hold| hold.whom == Whom::All);
        all.map(|hold| hold.standing).max().unwrap_or(Standing::Free)
    }

    /// Whether `hold` would change anything: it only ever goes up.
    pub(crate) fn is_news(&self, hold: &Hold) -> bool {
        self.find(hold).is_none_or(|present| present.standing < hold.standing)
    }

    pub(crate) fn put(&mut self, hold: Hold) {
        self.0.retain(|present| (&present.whom, present.holder) != (&hold.whom, hold.holder));
        self.0.push(hold);
    }

    /// Takes out what `who` may let go of `whom`.
    pub(crate) fn release(&mut self, whom: &Whom, who: Holder) {
        self.0.retain(|hold| hold.whom != *whom || !may(who, hold.holder, Standing::Free));
    }

    pub(crate) fn all(&self) -> &[Hold] {
        &self.0
    }

    /// What holds `whom`: for an agent what covers it, for all agents what holds any.
    pub(crate) fn holding(&self, whom: &Whom) -> Vec<Hold> {
        let holds = self.0.iter().filter(|hold| match whom {
            Whom::All => true,
            Whom::Agent(agent) => hold.whom.covers(agent),
        });
        holds.cloned().collect()
    }

    fn find(&self, like: &Hold) -> Option<&Hold> {
        self.0.iter().find(|hold| (&hold.whom, hold.holder) == (&like.whom, like.holder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table once more, by hand: rows are who moves, columns are `free paused stopped` of what the gate, the hub and a
    /// person here hold.
    #[test]
    fn the_whole_table_of_who_may_move_what() {
        for (who, want) in [(Holder::Gate, "-p- --- ---"), (Holder::Hub, "f-- fps ---"), (Holder::Local, "f-- f-- fps")]
        {
            let cells = Holder::ALL.map(|whose| {
                let letters = [(Standing::Free, 'f'), (Standing::Paused, 'p'), (Standing::Stopped, 's')];
                letters.map(|(to, letter)| if may(who, whose, to) { letter } else { '-' }).iter().collect::<String>()
            });
            assert_eq!(cells.join(" "), want, "{who:?}");
        }
    }

    fn hold(whom: &str, holder: Holder, standing: Standing) -> Hold {
        let whom = whom.parse().unwrap();
        Hold { whom, holder, standing, by: "x".into(), reason: "y".into(), since: Timestamp(1) }
    }

    #[test]
    fn the_gravest_counts_and_nobody_loosens_what_another_tightened() {
        let office: AgentName = "office".parse().unwrap();
        let mut holds = Holds::default();
        assert_eq!(holds.standing(&office), Standing::Free);
        holds.put(hold("office", Holder::Hub, Standing::Paused));
        holds.put(hold("*", Holder::Local, Standing::Stopped));
        assert_eq!((holds.standing(&office), holds.of_all()), (Standing::Stopped, Standing::Stopped));
        // The hub lets go of its own only, and resuming all is not resuming each.
        holds.release(&Whom::All, Holder::Hub);
        assert_eq!(holds.of_all(), Standing::Stopped);
        holds.release(&Whom::All, Holder::Local);
        assert_eq!((holds.standing(&office), holds.of_all()), (Standing::Paused, Standing::Free));
        holds.release(&Whom::Agent(office.clone()), Holder::Local);
        assert_eq!(holds.standing(&office), Standing::Free);
    }

    #[test]
    fn a_hold_only_ever_goes_up() {
        let mut holds = Holds::default();
        let stop = hold("office", Holder::Hub, Standing::Stopped);
        assert!(holds.is_news(&stop));
        holds.put(stop.clone());
        assert!(!holds.is_news(&stop) && !holds.is_news(&hold("office", Holder::Hub, Standing::Paused)));
        assert!(holds.is_news(&hold("office", Holder::Local, Standing::Paused)), "in another name it is another hold");
    }
}
