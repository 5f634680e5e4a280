-- What people grant with an approval.

-- JSON {"hours","scope","uses"}; NULL where only the call itself was approved.
ALTER TABLE approvals ADD COLUMN grant_terms TEXT;
-- JSON array of what the tenant says was given and has not ended; NULL from daemons that know no such grants.
ALTER TABLE tenant_status ADD COLUMN grants TEXT;
