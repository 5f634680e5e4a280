-- The hub's first schema.
--
-- One text for two databases: BIGINT, TEXT and BLOB only, parameters are numbered, upserts are ON CONFLICT DO UPDATE.
-- The SQLite adapter turns BIGINT into INTEGER and makes each table STRICT (see store/db.rs).
-- Columns ending in _ms are UTC milliseconds since 1970. Ids are lower-case hyphenated UUIDs. Digests are 64 lower-case
-- hex digits. Flags are 0 or 1.

-- A customer.
CREATE TABLE organisations (
    id TEXT PRIMARY KEY,
    -- For people; unique on this hub.
    name TEXT NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL
);

-- A person who signs in.
CREATE TABLE users (
    id TEXT PRIMARY KEY,
    -- As shown to people, e.g. an e-mail address.
    name TEXT NOT NULL UNIQUE,
    -- 'operator' sees every organisation, 'member' only own ones.
    role TEXT NOT NULL CHECK (role IN ('operator', 'member')),
    created_ms BIGINT NOT NULL
);

-- Which organisations a user belongs to.
CREATE TABLE members (
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    PRIMARY KEY (organisation_id, user_id)
);
CREATE INDEX members_of_user ON members (user_id);

-- One-time login links. Only the hash of a token is here.
CREATE TABLE login_links (
    hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    -- NULL until spent; a link is spent once.
    used_ms BIGINT
);

-- Browser sessions. Only the hash of a cookie is here.
CREATE TABLE sessions (
    hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);

-- Tokens of the JSON API. Only the hash of a token is here.
CREATE TABLE api_tokens (
    hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    -- What it is for, as its maker named it.
    label TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    -- NULL while in force.
    revoked_ms BIGINT
);

-- One customer's server.
CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL,
    -- NULL until a daemon has enrolled.
    enrolled_ms BIGINT,
    -- Number of the newest accepted stream; writes of older streams are refused.
    epoch BIGINT NOT NULL
);
CREATE INDEX tenants_of_organisation ON tenants (organisation_id);

-- One-time enrolment tokens. Only the hash of a token is here.
CREATE TABLE enrolment_tokens (
    hash TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    -- NULL until spent.
    used_ms BIGINT,
    -- SHA-256 of the certificate request that spent it: the very same request is answered again until the token expires.
    csr_digest TEXT,
    -- The certificate given for it, PEM.
    certificate_pem TEXT
);

-- Client certificates given to tenants.
CREATE TABLE certificates (
    -- Serial number, lower-case hex.
    serial TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    issued_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    -- NULL while in force; set when the tenant enrols anew.
    revoked_ms BIGINT
);
CREATE INDEX certificates_of_tenant ON certificates (tenant_id);

-- What a tenant last said about itself: observed, never desired.
CREATE TABLE tenant_status (
    tenant_id TEXT PRIMARY KEY REFERENCES tenants (id),
    -- The stream that wrote this row.
    epoch BIGINT NOT NULL,
    last_seen_ms BIGINT NOT NULL,
    -- 1 while that stream is open; a hub that was killed leaves 1, so last_seen_ms decides.
    connected BIGINT NOT NULL,
    agent_version TEXT NOT NULL,
    hostname TEXT NOT NULL,
    -- Start of the daemon, by the tenant's clock.
    started_ms BIGINT NOT NULL,
    -- Policy version that is applied and runs there.
    generation BIGINT NOT NULL,
    -- Newest version it refused, and why; NULL when the newest answer was good.
    refused_generation BIGINT,
    refused_reason TEXT,
    -- JSON array of names of closed states.
    closed TEXT NOT NULL,
    -- JSON array of {"agent","lease_until_ms","runtime","paused"}.
    agents TEXT NOT NULL,
    audit_length BIGINT NOT NULL,
    audit_head TEXT,
    open_approvals BIGINT NOT NULL,
    memory_bytes BIGINT NOT NULL,
    -- Tenant clock minus hub clock, milliseconds.
    clock_skew_ms BIGINT NOT NULL
);

-- Signed configurations by tenant; the highest version is the desired one.
CREATE TABLE policies (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    version BIGINT NOT NULL,
    -- Digest of the bundle's JSON bytes, as the next version names it.
    digest TEXT NOT NULL,
    -- The TOML a person wrote.
    source TEXT NOT NULL,
    -- DSSE envelope as sent to the tenant.
    envelope BLOB NOT NULL,
    issued_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    published_by TEXT NOT NULL,
    PRIMARY KEY (tenant_id, version)
);

-- Approvals; a row is never deleted and its state only moves forward.
CREATE TABLE approvals (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    -- SHA-256 of the document.
    digest TEXT NOT NULL,
    -- RFC 8785 canonical JSON, redacted by the tenant.
    document BLOB NOT NULL,
    created_ms BIGINT NOT NULL,
    approve_by_ms BIGINT NOT NULL,
    received_ms BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'claimed', 'done', 'failed', 'superseded', 'interrupted')),
    -- When the state was entered.
    state_ms BIGINT NOT NULL,
    -- The decision: who, when, why, where ('hub' or 'tenant'); NULL until decided.
    verdict TEXT CHECK (verdict IN ('approved', 'denied')),
    decided_by TEXT,
    decided_ms BIGINT,
    note TEXT,
    origin TEXT CHECK (origin IN ('hub', 'tenant')),
    -- Ed25519 by the decision key; NULL for decisions taken on the tenant.
    signature BLOB,
    -- The tenant's receipt for a decision of the hub: NULL until it came; then 1 accepted, 0 refused with the reason.
    receipt_ms BIGINT,
    receipt_accepted BIGINT,
    receipt_error TEXT,
    -- What the call gave, redacted, at most 4 KiB.
    result TEXT,
    PRIMARY KEY (tenant_id, digest)
);
CREATE INDEX approvals_by_digest ON approvals (digest);
CREATE INDEX approvals_by_state ON approvals (state, received_ms);

-- Hourly totals as reported: monotonic, with a revision.
CREATE TABLE usage_buckets (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    agent TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    -- Start of the hour.
    hour_ms BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    cache_read_tokens BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    -- Millionths of a US dollar.
    cost_micros BIGINT NOT NULL,
    estimated_requests BIGINT NOT NULL,
    -- 1 when a newer revision came with a smaller total than before; the larger totals were kept.
    shrunk BIGINT NOT NULL,
    received_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, agent, provider, model, hour_ms)
);
CREATE INDEX usage_by_hour ON usage_buckets (hour_ms);

-- The key a tenant signs its audit checkpoints with; the first one seen after enrolment stays.
CREATE TABLE audit_keys (
    tenant_id TEXT PRIMARY KEY REFERENCES tenants (id),
    -- Ed25519 public key, 32 bytes.
    public_key BLOB NOT NULL,
    seen_ms BIGINT NOT NULL
);

-- Signed heads of the tenants' audit logs.
CREATE TABLE audit_checkpoints (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    -- SHA-256 of the audit key: a tenant that enrolls anew begins a new log with a new key.
    key_digest TEXT NOT NULL,
    -- Rows in the log.
    length BIGINT NOT NULL,
    head TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    signature BLOB NOT NULL,
    received_ms BIGINT NOT NULL,
    -- 0 when another head was stored for this length before: history was rewritten. Such rows are kept beside the first.
    consistent BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key_digest, length, head)
);

-- The live view of calls, one row a call and outcome.
CREATE TABLE activity (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    -- Numbered by the tenant, for ever.
    number BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    agent TEXT NOT NULL,
    session TEXT NOT NULL,
    call TEXT NOT NULL,
    tool TEXT NOT NULL,
    class TEXT NOT NULL,
    outcome TEXT NOT NULL,
    -- One line for a person, redacted by the tenant.
    summary TEXT NOT NULL,
    -- NULL when the call needs no approval.
    digest TEXT,
    PRIMARY KEY (tenant_id, number)
);

-- Orders to a tenant with a deadline and a final state.
CREATE TABLE commands (
    id TEXT PRIMARY KEY,
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    -- JSON {"kind", ...}.
    payload TEXT NOT NULL,
    ordered_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    deadline_ms BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'received', 'succeeded', 'failed', 'refused', 'expired')),
    state_ms BIGINT NOT NULL,
    output TEXT NOT NULL
);
CREATE INDEX commands_of_tenant ON commands (tenant_id, state);

-- Private keys, sealed with the master key together with table, row and column.
CREATE TABLE keys (
    -- 'ca', 'decision', 'bundle'.
    name TEXT PRIMARY KEY,
    -- Certificate (ca) or Ed25519 public key.
    public BLOB NOT NULL,
    -- AES-256-GCM: 12 bytes nonce, ciphertext, 16 bytes tag.
    sealed BLOB NOT NULL,
    created_ms BIGINT NOT NULL
);

-- Lists of keys that may sign bundles, signed by the offline root.
CREATE TABLE key_lists (
    version BIGINT PRIMARY KEY,
    -- Ed25519 public key of the root, 32 bytes.
    root_public BLOB NOT NULL,
    -- DSSE envelope.
    envelope BLOB NOT NULL,
    created_ms BIGINT NOT NULL
);

-- What one process tells the others that share this database; read once a second.
CREATE TABLE changes (
    number BIGINT PRIMARY KEY,
    -- Random name of the process that wrote it.
    origin TEXT NOT NULL,
    topic TEXT NOT NULL,
    -- NULL when no single tenant is meant.
    tenant_id TEXT,
    at_ms BIGINT NOT NULL
);
