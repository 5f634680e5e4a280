//! People who are asked too often say yes to everything: beyond the policy's bounds nobody is asked.

use std::time::Duration;

use serde_json::json;
use wardkeep_policy::Asking;
use wardkeep_proto::time::Timestamp;

use crate::audit;
use crate::call::CallKey;
use crate::store::{StoreError, Tx, activity, people};

/// Of [`Asking::hourly`].
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Why nobody is asked about one more call, for the agent; `None` counts the question. People hear of it once an hour.
pub(super) fn too_many(
    tx: &Tx<'_>,
    key: &CallKey,
    asking: Asking,
    at: Timestamp,
) -> Result<Option<String>, StoreError> {
    let hour = i64::try_from(HOUR.as_millis()).unwrap_or(i64::MAX);
    let agent = &key.agent;
    let found = people::questions(tx, agent, Timestamp(at.0.saturating_sub(hour)))?;
    let why = if found.waiting >= asking.waiting {
        format!("{} questions about this agent wait for a person already; wait for their answers", found.waiting)
    } else if found.asked >= asking.hourly {
        format!("people were asked {} times about this agent within an hour; go on later", found.asked)
    } else {
        people::question(tx, agent, at, false)?;
        return Ok(None);
    };
    people::question(tx, agent, at, true)?;
    if found.refused == 0 {
        let fields = json!({"agent": agent, "waiting": found.waiting, "asked": found.asked});
        audit::append(tx, at, "asking-limit", Some(key), &fields)?;
        let line = format!(
            "agent {agent} wants to ask too much ({} wait, {} within the hour): its calls are refused instead; look at what it \
             does, or raise [asking] in the policy",
            found.waiting, found.asked
        );
        activity::notice(tx, at, "policy", &line)?;
    }
    Ok(Some(why))
}
