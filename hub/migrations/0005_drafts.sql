-- Drafts of policy are looked at by the moment in which servers were asked.

CREATE INDEX commands_by_time ON commands (created_ms);
