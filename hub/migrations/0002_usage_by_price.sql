-- What usage reports tell since budgets: both are 0 where a daemon does not tell.

-- Part of cache_write_tokens that is kept for an hour.
ALTER TABLE usage_buckets ADD COLUMN cache_write_1h_tokens BIGINT NOT NULL DEFAULT 0;
-- Requests whose cost is a guess, because the policy names no price for their model.
ALTER TABLE usage_buckets ADD COLUMN guessed_price_requests BIGINT NOT NULL DEFAULT 0;
