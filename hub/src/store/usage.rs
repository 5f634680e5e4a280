//! Metered usage: "my total for this bucket is now X". A repeat changes nothing, totals never shrink.

use wardkeep_proto::ids::TenantId;
use wardkeep_proto::time::Timestamp;

use super::db::Tx;
use super::value::{Row, args};
use super::{Caller, Store, StoreError, asked_by, visible};

/// What was used, as totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Requests that reached a provider.
    pub requests: u64,
    /// Tokens sent, cache reads and writes excluded.
    pub input_tokens: u64,
    /// Tokens received.
    pub output_tokens: u64,
    /// Tokens read from a provider's prompt cache.
    pub cache_read_tokens: u64,
    /// Tokens written to a provider's prompt cache.
    pub cache_write_tokens: u64,
    /// Tokens spent on reasoning, part of output with most providers.
    pub reasoning_tokens: u64,
    /// Estimated cost, millionths of a US dollar.
    pub cost_micros: u64,
    /// Requests whose numbers are estimates because the stream ended early.
    pub estimated_requests: u64,
    /// Part of the tokens written to a cache that is kept for an hour.
    pub cache_write_1h_tokens: u64,
    /// Requests whose cost is a guess, because the policy names no price for their model.
    pub guessed_price_requests: u64,
}

impl Totals {
    fn of(row: &mut Row) -> Result<Self, StoreError> {
        Ok(Self {
            requests: row.next()?,
            input_tokens: row.next()?,
            output_tokens: row.next()?,
            cache_read_tokens: row.next()?,
            cache_write_tokens: row.next()?,
            reasoning_tokens: row.next()?,
            cost_micros: row.next()?,
            estimated_requests: row.next()?,
            cache_write_1h_tokens: row.next()?,
            guessed_price_requests: row.next()?,
        })
    }

    /// The larger of both, number by number.
    fn max(self, other: Self) -> Self {
        Self {
            requests: self.requests.max(other.requests),
            input_tokens: self.input_tokens.max(other.input_tokens),
            output_tokens: self.output_tokens.max(other.output_tokens),
            cache_read_tokens: self.cache_read_tokens.max(other.cache_read_tokens),
            cache_write_tokens: self.cache_write_tokens.max(other.cache_write_tokens),
            reasoning_tokens: self.reasoning_tokens.max(other.reasoning_tokens),
            cost_micros: self.cost_micros.max(other.cost_micros),
            estimated_requests: self.estimated_requests.max(other.estimated_requests),
            cache_write_1h_tokens: self.cache_write_1h_tokens.max(other.cache_write_1h_tokens),
            guessed_price_requests: self.guessed_price_requests.max(other.guessed_price_requests),
        }
    }
}

/// Which bucket of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketKey {
    /// Which agent.
    pub agent: String,
    /// Which provider.
    pub provider: String,
    /// Which model, as the provider calls it.
    pub model: String,
    /// Start of the hour.
    pub hour: Timestamp,
}

/// One bucket as reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Which.
    pub key: BucketKey,
    /// Grows with each change.
    pub revision: u64,
    /// Totals at that revision.
    pub totals: Totals,
}

/// Totals of one tenant, agent and model over a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageLine {
    /// Whose.
    pub tenant: TenantId,
    /// Name of the tenant.
    pub tenant_name: String,
    /// Which agent.
    pub agent: String,
    /// Which provider.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// How much.
    pub totals: Totals,
    /// A tenant once reported less than before; the larger totals were kept, and someone should look.
    pub shrunk: bool,
}

/// Totals of one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageHour {
    /// Start of the hour.
    pub hour: Timestamp,
    /// How much.
    pub totals: Totals,
}

/// Sums of the totals in their order.
macro_rules! sums {
    () => {
        "CAST(SUM(b.requests) AS BIGINT), CAST(SUM(b.input_tokens) AS BIGINT), CAST(SUM(b.output_tokens) AS BIGINT), \
         CAST(SUM(b.cache_read_tokens) AS BIGINT), CAST(SUM(b.cache_write_tokens) AS BIGINT), \
         CAST(SUM(b.reasoning_tokens) AS BIGINT), CAST(SUM(b.cost_micros) AS BIGINT), \
         CAST(SUM(b.estimated_requests) AS BIGINT), CAST(SUM(b.cache_write_1h_tokens) AS BIGINT), \
         CAST(SUM(b.guessed_price_requests) AS BIGINT)"
    };
}

impl Store {
    /// Takes a report of `tenant`; answers with the revision that is on disk for each bucket.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_usage(
        &self,
        tenant: TenantId,
        buckets: Vec<Bucket>,
        now: Timestamp,
    ) -> Result<Vec<(BucketKey, u64)>, StoreError> {
        self.db
            .run_tx("put_usage", move |tx| {
                buckets.into_iter().map(|bucket| put_bucket(tx, tenant, bucket, now)).collect()
            })
            .await
    }

    /// What was used from `from` (included) to `until` (excluded), by tenant, agent and model, costliest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn usage(
        &self,
        caller: &Caller,
        tenant: Option<TenantId>,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<UsageLine>, StoreError> {
        let caller = *caller;
        self.db
            .read("usage", move |tx| {
                let rows = tx.query(
                    concat!(
                        "SELECT b.tenant_id, t.name, b.agent, b.provider, b.model, MAX(b.shrunk), ",
                        sums!(),
                        " FROM usage_buckets b JOIN tenants t ON t.id = b.tenant_id WHERE ",
                        visible!("b.tenant_id"),
                        " AND ($3 = '' OR b.tenant_id = $3) AND b.hour_ms >= $4 AND b.hour_ms < $5 \
                         GROUP BY b.tenant_id, t.name, b.agent, b.provider, b.model ORDER BY SUM(b.cost_micros) DESC, b.agent, b.model"
                    ),
                    asked_by![caller, tenant.map(|id| id.to_string()).unwrap_or_default(), from, until],
                )?;
                rows.into_iter().map(|mut row| UsageLine::of(&mut row)).collect()
            })
            .await
    }

    /// What was used hour by hour; hours without use are absent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn usage_by_hour(
        &self,
        caller: &Caller,
        tenant: Option<TenantId>,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<UsageHour>, StoreError> {
        let caller = *caller;
        self.db
            .read("usage_by_hour", move |tx| {
                let rows = tx.query(
                    concat!(
                        "SELECT b.hour_ms, ",
                        sums!(),
                        " FROM usage_buckets b WHERE ",
                        visible!("b.tenant_id"),
                        " AND ($3 = '' OR b.tenant_id = $3) AND b.hour_ms >= $4 AND b.hour_ms < $5 \
                         GROUP BY b.hour_ms ORDER BY b.hour_ms"
                    ),
                    asked_by![caller, tenant.map(|id| id.to_string()).unwrap_or_default(), from, until],
                )?;
                let hour = |mut row: Row| Ok(UsageHour { hour: row.next()?, totals: Totals::of(&mut row)? });
                rows.into_iter().map(hour).collect()
            })
            .await
    }
}

impl UsageLine {
    fn of(row: &mut Row) -> Result<Self, StoreError> {
        let (tenant, tenant_name) = (row.next()?, row.next()?);
        let (agent, provider, model, shrunk) = (row.next()?, row.next()?, row.next()?, row.next()?);
        Ok(Self { tenant, tenant_name, agent, provider, model, totals: Totals::of(row)?, shrunk })
    }
}

fn put_bucket(tx: &Tx<'_>, tenant: TenantId, bucket: Bucket, now: Timestamp) -> Result<(BucketKey, u64), StoreError> {
    let Bucket { key, revision, totals } = bucket;
    let stored = tx.first(
        "SELECT revision, shrunk, requests, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, \
         reasoning_tokens, cost_micros, estimated_requests, cache_write_1h_tokens, guessed_price_requests FROM usage_buckets \
         WHERE tenant_id = $1 AND agent = $2 AND provider = $3 AND model = $4 AND hour_ms = $5",
        args![tenant, key.agent.as_str(), key.provider.as_str(), key.model.as_str(), key.hour],
    )?;
    let (mut keep, mut shrunk) = (totals, false);
    if let Some(mut row) = stored {
        let (known, was_shrunk) = (row.next::<u64>()?, row.next::<bool>()?);
        if revision <= known {
            return Ok((key, known));
        }
        let before = Totals::of(&mut row)?;
        keep = totals.max(before);
        shrunk = was_shrunk || keep != totals;
    }
    tx.execute(
        "INSERT INTO usage_buckets (tenant_id, agent, provider, model, hour_ms, revision, requests, input_tokens, output_tokens, \
         cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_micros, estimated_requests, shrunk, received_ms, \
         cache_write_1h_tokens, guessed_price_requests) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) \
         ON CONFLICT (tenant_id, agent, provider, model, hour_ms) DO UPDATE SET revision = excluded.revision, \
         requests = excluded.requests, input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens, \
         cache_read_tokens = excluded.cache_read_tokens, cache_write_tokens = excluded.cache_write_tokens, \
         reasoning_tokens = excluded.reasoning_tokens, cost_micros = excluded.cost_micros, \
         estimated_requests = excluded.estimated_requests, shrunk = excluded.shrunk, received_ms = excluded.received_ms, \
         cache_write_1h_tokens = excluded.cache_write_1h_tokens, guessed_price_requests = excluded.guessed_price_requests",
        args![
            tenant,
            key.agent.as_str(),
            key.provider.as_str(),
            key.model.as_str(),
            key.hour,
            revision,
            keep.requests,
            keep.input_tokens,
            keep.output_tokens,
            keep.cache_read_tokens,
            keep.cache_write_tokens,
            keep.reasoning_tokens,
            keep.cost_micros,
            keep.estimated_requests,
            shrunk,
            now,
            keep.cache_write_1h_tokens,
            keep.guessed_price_requests,
        ],
    )?;
    Ok((key, revision))
}
