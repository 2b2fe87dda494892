-- How far a model is, and who ended it and why. What was approved stays said after an approval was withdrawn.
ALTER TABLE models ADD COLUMN state TEXT NOT NULL DEFAULT 'submitted' CHECK (state IN ('submitted', 'approved', 'rejected', 'withdrawn'));
ALTER TABLE models ADD COLUMN ended_by TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN ended_at TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN end_reason TEXT NOT NULL DEFAULT '';
UPDATE models SET state = 'approved' WHERE approved_by IS NOT NULL;

-- Requests that are known by a key, with what they were answered: whoever sends one again is answered as before.
CREATE TABLE answered_requests (
    key          TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    person       TEXT NOT NULL,
    -- Of what was asked.
    digest       TEXT NOT NULL,
    -- Entries of the log when it was begun: what it did is said by later ones.
    log_size     INTEGER NOT NULL,
    -- As it was sent, without a secret; empty until then.
    answer       BLOB NOT NULL
) STRICT;
