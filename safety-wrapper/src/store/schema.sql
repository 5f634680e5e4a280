-- Times are UTC milliseconds since 1970. Digests are 32 bytes. State names repeat the tag of `data` for indexes.

CREATE TABLE calls (
    id            INTEGER PRIMARY KEY,
    agent         TEXT NOT NULL,
    session       TEXT NOT NULL,
    call          TEXT NOT NULL,
    tool          TEXT NOT NULL,
    action        BLOB,               -- canonical JSON, exactly what runs; NULL when it was refused at once
    action_digest BLOB NOT NULL,      -- over the call as it came
    class         TEXT,
    factor        TEXT,               -- what approving takes; NULL when no person is asked
    rules         TEXT NOT NULL,      -- JSON list of what fired
    title         TEXT NOT NULL,      -- one redacted line for people
    permit        TEXT UNIQUE,
    approval      BLOB UNIQUE,
    state         TEXT NOT NULL,
    data          TEXT NOT NULL,      -- JSON of the state with what only it has
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    UNIQUE (agent, session, call)
) STRICT;

CREATE TABLE approvals (
    digest        BLOB PRIMARY KEY,
    call_id       INTEGER NOT NULL UNIQUE REFERENCES calls (id),
    document      BLOB NOT NULL,      -- RFC 8785 JSON, redacted
    created_at    INTEGER NOT NULL,
    approve_by    INTEGER NOT NULL,
    ruling        TEXT,               -- JSON of what a person decided
    sent          INTEGER NOT NULL DEFAULT 0,  -- 1: the hub has it on disk
    told          TEXT NOT NULL DEFAULT ''     -- the last state that the hub has on disk
) STRICT;

CREATE TABLE leases (
    agent         TEXT PRIMARY KEY,
    session       TEXT NOT NULL,
    runtime       TEXT NOT NULL,
    until         INTEGER NOT NULL
) STRICT;

-- Why agents are paused or stopped; a row for each in whose name. `*` is all agents.
CREATE TABLE holds (
    whom          TEXT NOT NULL,
    holder        TEXT NOT NULL,      -- gate, hub, local
    standing      TEXT NOT NULL,      -- paused, stopped
    by            TEXT NOT NULL,      -- who, for people
    reason        TEXT NOT NULL,      -- redacted
    since         INTEGER NOT NULL,
    PRIMARY KEY (whom, holder)
) STRICT;

-- What people refused lately: too much of it pauses an agent. Cleared by resuming.
CREATE TABLE denials (
    id            INTEGER PRIMARY KEY,
    agent         TEXT NOT NULL,
    at            INTEGER NOT NULL
) STRICT;

-- AUTOINCREMENT: a number is never given twice, also after rows were removed.
CREATE TABLE activity (
    number        INTEGER PRIMARY KEY AUTOINCREMENT,
    at            INTEGER NOT NULL,
    agent         TEXT NOT NULL,
    session       TEXT NOT NULL,
    call          TEXT NOT NULL,
    tool          TEXT NOT NULL,
    class         TEXT NOT NULL,
    outcome       TEXT NOT NULL,
    summary       TEXT NOT NULL,
    digest        BLOB
) STRICT;

CREATE TABLE audit (
    number        INTEGER PRIMARY KEY,
    at            INTEGER NOT NULL,
    kind          TEXT NOT NULL,
    call          TEXT NOT NULL,
    fields        TEXT NOT NULL,
    previous      BLOB NOT NULL,
    hash          BLOB NOT NULL
) STRICT;
