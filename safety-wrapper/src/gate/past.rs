//! What happened before and counts for a decision.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use wardkeep_policy::agents::subagents::starts;
use wardkeep_policy::{Action, Bundle, Decision, Grant, Posture, decide, decide_for};
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::Gate;
use crate::store::StoreError;
use crate::store::grants::Ledger;
use crate::store::subagents::Kin;

/// Uses of grants, and sub-agents.
#[derive(Debug, Default)]
pub(super) struct Past {
    grants: Ledger,
    kin: Kin,
}

/// The past of each agent, at a revision of the tables in which it stands.
#[derive(Debug, Default)]
pub(super) struct Pasts(Mutex<HashMap<AgentName, (u64, Arc<Past>)>>);

impl Gate {
    /// What counts for `action`; from memory while none of it has changed.
    pub(super) fn past(&self, action: &Action, now: Timestamp) -> Result<Arc<Past>, StoreError> {
        // Starts of sub-agents are counted each time; none of them takes the short way.
        if starts(&action.tool) {
            return Ok(Arc::new(self.store.glance(|conn| Past::of(conn, action, None, now))?));
        }
        let pasts = || self.pasts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = self.store.past_revision();
        if let Some((of, past)) = pasts().get(&action.agent)
            && *of == revision
        {
            return Ok(Arc::clone(past));
        }
        // Nobody writes while this looks.
        let look = |conn: &Connection| Ok((self.store.past_revision(), Past::of(conn, action, None, now)?));
        let (revision, past) = self.store.glance(look)?;
        let past = Arc::new(past);
        // Something that a person gave is held against the newest time on record.
        if past.grants.given().is_empty() {
            pasts().insert(action.agent.clone(), (revision, Arc::clone(&past)));
        }
        Ok(past)
    }
}

impl Past {
    /// Reads it for `action`; what the call `but` itself did does not count.
    pub(super) fn of(conn: &Connection, action: &Action, but: Option<i64>, now: Timestamp) -> Result<Self, StoreError> {
        let grants = Ledger::of(conn, &action.agent, but)?;
        Ok(Self { grants, kin: Kin::of(conn, action, but, now)? })
    }

    /// Decides on a call with those grants that have a use left, and says which of them let it pass.
    pub(super) fn decide(
        &self,
        action: &Action,
        bundle: &Bundle,
        posture: &Posture,
        now: Timestamp,
    ) -> (Decision, Option<Grant>) {
        let Some(mut agent) = bundle.agent(&action.agent) else {
            return (decide_for(action, bundle, posture, now), None);
        };
        if self.kin.is_below(&action.session) {
            agent.level = agent.subagents.level_under(agent.level);
        }
        let mut grants = std::mem::take(&mut agent.grants);
        grants.extend(self.grants.given_now(bundle.granting, now));
        let without = decide(action, &agent, bundle, posture, now);
        if matches!(without, Decision::Deny { .. }) {
            return (without, None);
        }
        if let Some(why) = self.kin.refuse(action, &agent) {
            return (Decision::Deny { class: None, reasons: vec![why] }, None);
        }
        if grants.is_empty() || matches!(without, Decision::Allow { .. }) {
            return (without, None);
        }
        agent.grants = grants.into_iter().filter(|grant| self.grants.is_live(&agent.name, grant)).collect();
        let with = decide(action, &agent, bundle, posture, now);
        let grant = matches!(with, Decision::Allow { .. }).then(|| agent.granting(action, now).cloned()).flatten();
        (with, grant)
    }
}
