-- Passkeys of people. None of them is secret, and none is trusted because it stands here: each tenant pins its own.

CREATE TABLE passkeys (
    -- SHA-256 that names credential, key and site; see docs/data-model.md.
    fingerprint TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    credential_id BLOB NOT NULL,
    -- COSE_Key.
    public_key BLOB NOT NULL,
    -- The site it was made on: public_url of that day.
    origin TEXT NOT NULL,
    -- As its owner calls it.
    name TEXT NOT NULL,
    -- 1 when its owner's devices may share it.
    synced BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    -- NULL while in force; a removed one is told to the tenants as withdrawn.
    removed_ms BIGINT
);
CREATE INDEX passkeys_of_user ON passkeys (user_id);

-- What a browser is to sign when it makes a key; spent once.
CREATE TABLE passkey_challenges (
    challenge TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    expires_ms BIGINT NOT NULL
);

-- What a key that a tenant has pinned signed to let another one in.
CREATE TABLE passkey_introductions (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    -- The new key.
    fingerprint TEXT NOT NULL REFERENCES passkeys (fingerprint),
    expires_ms BIGINT NOT NULL,
    -- JSON, as a browser gave it.
    assertion TEXT NOT NULL,
    PRIMARY KEY (tenant_id, fingerprint)
);

-- JSON array of fingerprints that the tenant has pinned; NULL from daemons that know no passkeys.
ALTER TABLE tenant_status ADD COLUMN passkeys TEXT;
-- What a passkey signed, JSON, for a decision that takes one.
ALTER TABLE approvals ADD COLUMN assertion TEXT;
