//! Who is locked in, and which doors stay open.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// User ids `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UidRange {
    /// The first.
    pub first: u32,
    /// The last; the same for one user.
    pub last: u32,
}

/// What the lock is to do. Always sound: see [`Plan::new`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Plan {
    uids: Vec<UidRange>,
    doors: BTreeSet<SocketAddr>,
}

/// The kernel gives this id to nobody; it means "no change" or "none".
pub const NOBODY: u32 = u32::MAX;

/// Why a plan would not do what it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nobody would be locked in.
    #[error("no user is named; set lock.users in the configuration")]
    NoUsers,
    /// Root, or the daemon.
    #[error("user id {0} cannot be locked in: root and the daemon's user need the network; see lock.users")]
    Spared(u32),
    /// The id that stands for none, -1.
    #[error("user id {NOBODY} is nobody's: no rule would hold anybody; correct lock.users")]
    Nobody,
    /// A range that ends before it begins.
    #[error("user ids {0} to {1} are no range")]
    Backwards(u32, u32),
    /// Agents without a door could not even ask.
    #[error("no door is named: the lock would cut agents off from the gates")]
    NoDoors,
    /// A door that is not on this machine.
    #[error("{0} is not on loopback")]
    NotLoopback(SocketAddr),
    /// A port that is chosen anew at each start.
    #[error(
        "port 0 of {0} changes at each start of the daemon; give hooks.listen, llm.listen and proxy.listen fixed ports to lock"
    )]
    NoPort(SocketAddr),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    uids: Vec<UidRange>,
    doors: BTreeSet<SocketAddr>,
}

impl TryFrom<Unchecked> for Plan {
    type Error = PlanError;

    fn try_from(plan: Unchecked) -> Result<Self, PlanError> {
        Self::new(plan.uids, plan.doors, 0)
    }
}

impl Plan {
    /// Checks and sorts. `daemon` is the user id of the daemon, which needs the network as root does.
    ///
    /// # Errors
    /// All of [`PlanError`].
    pub fn new(
        mut uids: Vec<UidRange>,
        doors: impl IntoIterator<Item = SocketAddr>,
        daemon: u32,
    ) -> Result<Self, PlanError> {
        let doors: BTreeSet<SocketAddr> = doors.into_iter().collect();
        for range in &uids {
            if range.first > range.last {
                return Err(PlanError::Backwards(range.first, range.last));
            }
            if range.last == NOBODY {
                return Err(PlanError::Nobody);
            }
            if let Some(spared) = [0, daemon].into_iter().find(|uid| (range.first..=range.last).contains(uid)) {
                return Err(PlanError::Spared(spared));
            }
        }
        for door in &doors {
            if !door.ip().is_loopback() {
                return Err(PlanError::NotLoopback(*door));
            }
            if door.port() == 0 {
                return Err(PlanError::NoPort(*door));
            }
        }
        uids.sort_unstable();
        let uids = joined(uids);
        if uids.is_empty() {
            return Err(PlanError::NoUsers);
        }
        if doors.is_empty() {
            return Err(PlanError::NoDoors);
        }
        Ok(Self { uids, doors })
    }

    /// Users, sorted; no two ranges touch.
    #[must_use]
    pub fn uids(&self) -> &[UidRange] {
        &self.uids
    }

    /// Doors, sorted.
    #[must_use]
    pub fn doors(&self) -> &BTreeSet<SocketAddr> {
        &self.doors
    }
}

/// nftables refuses ranges that overlap.
fn joined(sorted: Vec<UidRange>) -> Vec<UidRange> {
    let mut all: Vec<UidRange> = Vec::new();
    for range in sorted {
        match all.last_mut() {
            Some(last) if range.first <= last.last.saturating_add(1) => last.last = last.last.max(range.last),
            _ => all.push(range),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u32, last: u32) -> UidRange {
        UidRange { first, last }
    }

    fn door(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_plan_that_would_not_hold_is_refused() {
        let doors = || [door("127.0.0.1:7400")];
        for (uids, refused) in [
            (vec![], PlanError::NoUsers),
            (vec![range(0, 0)], PlanError::Spared(0)),
            (vec![range(5, 5), range(998, 1002)], PlanError::Spared(999)),
            (vec![range(7, 6)], PlanError::Backwards(7, 6)),
            (vec![range(u32::MAX, u32::MAX)], PlanError::Nobody),
            (vec![range(7, 7), range(100_000, u32::MAX)], PlanError::Nobody),
        ] {
            assert_eq!(Plan::new(uids, doors(), 999), Err(refused));
        }
        for (addr, refused) in [
            ("127.0.0.1:0", PlanError::NoPort(door("127.0.0.1:0"))),
            ("10.0.0.1:80", PlanError::NotLoopback(door("10.0.0.1:80"))),
            ("[::]:80", PlanError::NotLoopback(door("[::]:80"))),
        ] {
            assert_eq!(Plan::new(vec![range(5, 5)], [door(addr)], 999), Err(refused));
        }
        assert_eq!(Plan::new(vec![range(5, 5)], [], 999), Err(PlanError::NoDoors));
    }

    #[test]
    fn ranges_are_sorted_and_joined() {
        let uids = vec![range(100_000, 165_535), range(7, 7), range(165_536, 165_536), range(6, 6), range(6, 7)];
        let plan = Plan::new(uids, [door("[::1]:1")], 999).expect("sound");
        assert_eq!(plan.uids(), [range(6, 7), range(100_000, 165_536)]);
    }

    #[test]
    fn what_was_saved_is_checked_when_it_is_read() {
        let plan = Plan::new(vec![range(5, 5)], [door("[::1]:1")], 999).expect("sound");
        let text = serde_json::to_string(&plan).expect("JSON");
        assert_eq!(serde_json::from_str::<Plan>(&text).expect("the same"), plan);
        for bad in
            [text.replace("\"first\":5", "\"first\":0"), text.replace("[::1]", "[::2]"), text.replace("doors", "x")]
        {
            assert!(serde_json::from_str::<Plan>(&bad).is_err(), "{bad}");
        }
    }
}
