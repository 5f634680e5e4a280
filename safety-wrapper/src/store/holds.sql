-- From schema 1 to 2: a pause is a hold. In whose name it was is not known: a person on the server lets it go, but what the gate
-- itself paused for denials.
CREATE TABLE holds (
    whom          TEXT NOT NULL,
    holder        TEXT NOT NULL,
    standing      TEXT NOT NULL,
    by            TEXT NOT NULL,
    reason        TEXT NOT NULL,
    since         INTEGER NOT NULL,
    PRIMARY KEY (whom, holder)
) STRICT;
INSERT INTO holds (whom, holder, standing, by, reason, since)
    SELECT agent, iif(reason GLOB '[0-9]* denials within *', 'gate', 'local'), 'paused', 'an earlier version', reason, since FROM paused;
DROP TABLE paused;
