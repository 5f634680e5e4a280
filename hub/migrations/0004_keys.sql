-- Keys that sign can be rotated.

-- Version of the list of keys that the daemon goes by; NULL from daemons that do not tell.
ALTER TABLE tenant_status ADD COLUMN keys_version BIGINT;
-- Id of the key that signed the envelope; NULL in rows of before: the key of `init`.
ALTER TABLE policies ADD COLUMN signer TEXT;
