//! Everything that the gateway asks, and what a test sets there.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use wardkeep_policy::Posture;
use wardkeep_proto::ids::{AgentName, SecretName, SessionId};
use wardkeep_proto::secret::{AgentTokens, Destination, KnownValue, NotGiven, SecretSource, SecretValue};
use wardkeep_proto::time::{Clock, Timestamp};
use wardkeep_proto::waypoint::{Waypoint, Waypoints};
use wardkeep_redaction::{Engine, Shared};

use super::{AWS_ID, AWS_SECRET, KEY, KEY_2, TOKEN};
use crate::{Answering, Bypass, Decisions, LeaseBook, PrefixChange, Reports, Stop};

/// What a test can turn.
pub(crate) struct Switches {
    pub(crate) lease: AtomicBool,
    pub(crate) locked: AtomicBool,
    pub(crate) bound: AtomicBool,
    pub(crate) posture: Mutex<Posture>,
    /// What the clock says, in milliseconds.
    pub(crate) now: AtomicI64,
    pub(crate) passed: Mutex<Vec<Waypoint>>,
    pub(crate) session: Mutex<Option<SessionId>>,
    pub(crate) stops: Mutex<Vec<Stop>>,
    pub(crate) prefixes: Mutex<Vec<PrefixChange>>,
    /// Ids of calls that the gate decided on, and when.
    pub(crate) decided: Mutex<BTreeMap<String, Timestamp>>,
    pub(crate) past: Mutex<Vec<Bypass>>,
    /// What redaction learns when somebody asks for it.
    pub(crate) news: Mutex<Option<Engine>>,
    pub(super) redaction: Shared,
}

impl SecretSource for Switches {
    fn resolve(&self, name: &SecretName, to: Destination<'_>) -> Result<SecretValue, NotGiven> {
        self.catch_up();
        if self.locked.load(Ordering::SeqCst) {
            return Err(NotGiven::Locked);
        }
        match to {
            Destination::Host { host: "127.0.0.1" | "localhost", .. } if self.bound.load(Ordering::SeqCst) => {
                let values = [("llm_key", KEY), ("llm_key_2", KEY_2), ("aws_id", AWS_ID), ("aws_secret", AWS_SECRET)];
                let value = values.iter().find(|(known, _)| *known == name.as_str());
                value.map(|(_, value)| SecretValue::new((*value).to_owned())).ok_or(NotGiven::Unknown(name.clone()))
            }
            _ => Err(NotGiven::not_bound(name, to)),
        }
    }

    fn every_value(&self) -> Result<Vec<KnownValue>, NotGiven> {
        Err(NotGiven::Unreadable)
    }

    fn catch_up(&self) {
        if let Some(engine) = self.news.lock().unwrap().take() {
            self.redaction.replace(engine);
        }
    }
}

impl AgentTokens for Switches {
    fn agent_of(&self, token: &str) -> Option<AgentName> {
        match token {
            TOKEN => "office".parse().ok(),
            "wka_token_of_a_stranger" => "stranger".parse().ok(),
            _ => None,
        }
    }
}

impl LeaseBook for Switches {
    fn alive(&self, _: &AgentName) -> bool {
        self.lease.load(Ordering::SeqCst)
    }

    fn session(&self, _: &AgentName) -> Option<SessionId> {
        self.session.lock().unwrap().clone()
    }
}

impl Reports for Switches {
    fn stopped(&self, stop: Stop) {
        self.stops.lock().unwrap().push(stop);
    }

    fn prefix_changed(&self, change: PrefixChange) {
        self.prefixes.lock().unwrap().push(change);
    }
}

impl Decisions for Switches {
    fn decided<'a>(&'a self, _: &'a AgentName, calls: &'a [String]) -> Answering<'a, Vec<Option<Timestamp>>> {
        let decided = self.decided.lock().unwrap();
        let found = calls.iter().map(|call| decided.get(call).copied()).collect();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn decided_for<'a>(&'a self, _: &'a AgentName, tool: &'a str) -> Answering<'a, u64> {
        let count = self.decided.lock().unwrap().keys().filter(|id| id.starts_with(tool)).count();
        Box::pin(std::future::ready(Ok(count as u64)))
    }

    fn passed_by(&self, bypass: Bypass) -> Answering<'_, ()> {
        self.past.lock().unwrap().push(bypass);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Waypoints for Switches {
    fn pass(&self, at: Waypoint) {
        self.passed.lock().unwrap().push(at);
    }
}

impl Clock for Switches {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }
}
