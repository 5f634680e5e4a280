//! What the requests of each agent's version begin with.

use rusqlite::params;
use wardkeep_proto::ids::AgentName;
use wardkeep_proto::time::Timestamp;

use super::store::Within;
use crate::prefix::{MOST, Recorded};

impl Within<'_> {
    /// Notes a fingerprint, unless too many are known. Other versions of the agent are forgotten: theirs says nothing any more.
    pub(super) fn prefix(
        &self,
        agent: &AgentName,
        version: &str,
        print: &[u8; 16],
        now: Timestamp,
    ) -> Result<Recorded, rusqlite::Error> {
        self.0
            .prepare_cached("DELETE FROM prefixes WHERE agent = ?1 AND version <> ?2")?
            .execute(params![agent.as_str(), version])?;
        let (all, known): (i64, i64) = self
            .0
            .prepare_cached(
                "SELECT count(*), count(*) FILTER (WHERE print = ?3) FROM prefixes WHERE agent = ?1 AND version = ?2",
            )?
            .query_row(params![agent.as_str(), version, print], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (all, is_new) = (all.unsigned_abs(), known == 0);
        if is_new && all < MOST {
            self.0
                .prepare_cached("INSERT INTO prefixes (agent, version, print, first_ms) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![agent.as_str(), version, print, now.millis()])?;
        }
        Ok(Recorded { is_new: is_new && all < MOST, others: all - u64::from(!is_new) })
    }
}
