//! The tables, and how an older file becomes a newer one: each step in the transaction that also names its number.

/// Each step leads from the schema of its index to the next.
pub(super) const STEPS: [&str; 4] = [FIRST, SECOND, THIRD, FOURTH];

const FIRST: &str = "
-- Requests that the provider may have seen and whose usage is not known yet.
CREATE TABLE open_requests (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    agent           TEXT NOT NULL,
    provider        TEXT NOT NULL,
    model           TEXT NOT NULL,
    admitted_ms     INTEGER NOT NULL, -- UTC, milliseconds since 1970
    estimated_input INTEGER NOT NULL, -- tokens
    -- Millionths of a US dollar per million tokens, at the time of asking.
    price_input     INTEGER NOT NULL
) STRICT;
-- Totals of one hour; they only grow.
CREATE TABLE buckets (
    agent              TEXT NOT NULL,
    provider           TEXT NOT NULL,
    model              TEXT NOT NULL,
    hour_ms            INTEGER NOT NULL, -- start of the hour, UTC, milliseconds since 1970
    revision           INTEGER NOT NULL, -- rises with each change
    acked              INTEGER NOT NULL DEFAULT 0, -- highest revision on the hub's disk
    requests           INTEGER NOT NULL,
    estimated_requests INTEGER NOT NULL,
    input_tokens       INTEGER NOT NULL,
    output_tokens      INTEGER NOT NULL,
    cache_read_tokens  INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens   INTEGER NOT NULL,
    cost_micros        INTEGER NOT NULL, -- millionths of a US dollar
    PRIMARY KEY (agent, provider, model, hour_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX buckets_due ON buckets (hour_ms) WHERE revision > acked;
";

const SECOND: &str = "
-- Anew, because the writer numbers its rows itself: a second table for the last number cost a write each time.
ALTER TABLE open_requests RENAME TO old_requests;
CREATE TABLE open_requests (
    id              INTEGER PRIMARY KEY,
    agent           TEXT NOT NULL,
    provider        TEXT NOT NULL,
    model           TEXT NOT NULL,
    admitted_ms     INTEGER NOT NULL, -- UTC, milliseconds since 1970
    estimated_input INTEGER NOT NULL, -- tokens
    -- Millionths of a US dollar per million tokens, at the time of asking.
    price_input     INTEGER NOT NULL,
    guessed_price   INTEGER NOT NULL, -- 1: the bundle names no price for the model
    -- Named by the hook's lease and the caller's traceparent; empty where there is none.
    session         TEXT NOT NULL,
    run             TEXT NOT NULL,
    span            TEXT NOT NULL,
    held_tokens     INTEGER NOT NULL, -- the most output that was asked for
    -- Of output: millionths of a US dollar per million tokens, at the time of asking.
    held_micros     INTEGER NOT NULL
) STRICT;
INSERT INTO open_requests SELECT id, agent, provider, model, admitted_ms, estimated_input, price_input, 0, '', '', '', 0, 0
    FROM old_requests;
DROP TABLE old_requests;

ALTER TABLE buckets ADD COLUMN guessed_price_requests INTEGER NOT NULL DEFAULT 0;
-- Part of cache_write_tokens.
ALTER TABLE buckets ADD COLUMN cache_write_1h_tokens INTEGER NOT NULL DEFAULT 0;
-- What is left over beside cost_micros, in millionths of a millionth of a US dollar; below 1000000.
ALTER TABLE buckets ADD COLUMN cost_rest INTEGER NOT NULL DEFAULT 0;
-- For the sums that budgets begin with, once for each window.
CREATE INDEX buckets_by_hour ON buckets (hour_ms);

-- Totals of one run of an agent within one session. Forgotten in the end; buckets are not.
CREATE TABLE runs (
    agent                  TEXT NOT NULL,
    session                TEXT NOT NULL, -- of the hook's lease; empty outside of one
    run                    TEXT NOT NULL, -- trace id of the caller; empty without one
    span                   TEXT NOT NULL, -- the caller's span of the last request
    first_ms               INTEGER NOT NULL, -- when the first and the last request were settled
    last_ms                INTEGER NOT NULL,
    requests               INTEGER NOT NULL,
    estimated_requests     INTEGER NOT NULL,
    guessed_price_requests INTEGER NOT NULL,
    input_tokens           INTEGER NOT NULL,
    output_tokens          INTEGER NOT NULL,
    cache_read_tokens      INTEGER NOT NULL,
    cache_write_tokens     INTEGER NOT NULL,
    cache_write_1h_tokens  INTEGER NOT NULL,
    reasoning_tokens       INTEGER NOT NULL,
    cost_micros            INTEGER NOT NULL,
    cost_rest              INTEGER NOT NULL,
    PRIMARY KEY (agent, session, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_age ON runs (first_ms);
";

const THIRD: &str = "
-- Calls of tools that models asked for, and what was handed in for each. Keyed fingerprints, no text. Forgotten in the end.
CREATE TABLE asked_calls (
    agent        TEXT NOT NULL,
    call         BLOB NOT NULL,
    asked_ms     INTEGER NOT NULL, -- UTC, milliseconds since 1970
    result       BLOB,             -- of the last result that a provider took
    result_bytes INTEGER,
    PRIMARY KEY (agent, call)
) STRICT, WITHOUT ROWID;
CREATE INDEX asked_calls_by_age ON asked_calls (agent, asked_ms);
-- What the requests of an agent's version begin with: keyed fingerprints of instructions and tools. The newest version only.
CREATE TABLE prefixes (
    agent    TEXT NOT NULL,
    version  TEXT NOT NULL, -- by the policy
    print    BLOB NOT NULL,
    first_ms INTEGER NOT NULL,
    PRIMARY KEY (agent, version, print)
) STRICT, WITHOUT ROWID;
";

const FOURTH: &str = "
-- The number of the usage journal up to which it is in the tables; open_requests says what was open then.
CREATE TABLE journal (folded INTEGER NOT NULL) STRICT;
INSERT INTO journal VALUES (0);
";
