//! The live view of calls.

use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use super::value::{Row, args};
use super::{Caller, Store, StoreError, asked_by, visible};

/// What happened to one call, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityRow {
    /// Numbered by the tenant, for ever.
    pub number: u64,
    /// When, by the tenant's clock.
    pub at: Timestamp,
    /// Which agent.
    pub agent: String,
    /// In which session.
    pub session: String,
    /// Which call of the session.
    pub call: String,
    /// Which tool.
    pub tool: String,
    /// `green`, `yellow`, `yellow_external`, `red`, `critical_red`.
    pub class: String,
    /// `allowed`, `pending`, `approved`, `denied`, `done`, `failed`, `expired`, `interrupted`, `refused`.
    pub outcome: String,
    /// One line for a person, redacted.
    pub summary: String,
    /// The approval, when there is one.
    pub digest: Option<Digest>,
}

/// A row with the tenant it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantActivity {
    /// Whose.
    pub tenant: TenantId,
    /// Name of the tenant.
    pub tenant_name: String,
    /// What.
    pub row: ActivityRow,
}

/// Where a listing begins: rows strictly before this place, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Moment of the last row seen.
    pub at: Timestamp,
    /// Number of the last row seen.
    pub number: u64,
}

impl Store {
    /// Stores rows of `tenant`; a number that is there already changes nothing. Answers with the highest number up to
    /// which nothing is missing in this batch, for the receipt.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_activity(&self, tenant: TenantId, rows: Vec<ActivityRow>) -> Result<u64, StoreError> {
        self.db
            .run_tx("put_activity", move |tx| {
                let mut highest = 0;
                for row in rows {
                    highest = highest.max(row.number);
                    tx.execute(
                        "INSERT INTO activity (tenant_id, number, at_ms, agent, session, call, tool, class, outcome, summary, digest) \
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (tenant_id, number) DO NOTHING",
                        args![
                            tenant, row.number, row.at, row.agent, row.session, row.call, row.tool, row.class, row.outcome,
                            row.summary, row.digest
                        ],
                    )?;
                }
                Ok(highest)
            })
            .await
    }

    /// The newest rows that `caller` may see, newest first; of one tenant or of all, of one approval or of all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn activity(
        &self,
        caller: &Caller,
        tenant: Option<TenantId>,
        before: Option<Before>,
        limit: u32,
    ) -> Result<Vec<TenantActivity>, StoreError> {
        let caller = *caller;
        let before = before.unwrap_or(Before { at: Timestamp(i64::MAX), number: u64::MAX });
        self.db
            .read("activity", move |tx| {
                let rows = tx.query(
                    concat!(
                        "SELECT a.tenant_id, t.name, a.number, a.at_ms, a.agent, a.session, a.call, a.tool, a.class, a.outcome, \
                         a.summary, a.digest FROM activity a JOIN tenants t ON t.id = a.tenant_id WHERE ",
                        visible!("a.tenant_id"),
                        " AND ($3 = '' OR a.tenant_id = $3) AND (a.at_ms < $4 OR (a.at_ms = $4 AND a.number < $5)) \
                         ORDER BY a.at_ms DESC, a.number DESC LIMIT $6"
                    ),
                    asked_by![
                        caller,
                        tenant.map(|id| id.to_string()).unwrap_or_default(),
                        before.at,
                        before.number,
                        i64::from(limit)
                    ],
                )?;
                rows.into_iter().map(|mut row| TenantActivity::of(&mut row)).collect()
            })
            .await
    }

    /// Forgets rows from before `before`; says how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_old_activity(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.db
            .run_tx("forget_old_activity", move |tx| tx.execute("DELETE FROM activity WHERE at_ms < $1", args![before]))
            .await
    }
}

impl TenantActivity {
    fn of(row: &mut Row) -> Result<Self, StoreError> {
        let (tenant, tenant_name) = (row.next()?, row.next()?);
        let (number, at, agent, session, call) = (row.next()?, row.next()?, row.next()?, row.next()?, row.next()?);
        let (tool, class, outcome, summary) = (row.next()?, row.next()?, row.next()?, row.next()?);
        let row = ActivityRow { number, at, agent, session, call, tool, class, outcome, summary, digest: row.next()? };
        Ok(Self { tenant, tenant_name, row })
    }
}
