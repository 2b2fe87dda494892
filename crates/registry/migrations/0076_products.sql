-- Queries that were registered, reviewed and listed.
CREATE TABLE products (
    name          TEXT PRIMARY KEY,
    organisation  TEXT NOT NULL,
    person        TEXT NOT NULL,
    -- JSON: what is reviewed and run. It changes only with the digest.
    terms         TEXT NOT NULL,
    digest        TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('registered', 'approved', 'rejected', 'retired')),
    registered_at TEXT NOT NULL,
    changed_by    TEXT NOT NULL,
    changed_at    TEXT NOT NULL,
    reason        TEXT NOT NULL
) STRICT;

-- How the run of a slot ended. One that is not here was not run, or not to its end.
CREATE TABLE product_runs (
    name     TEXT NOT NULL,
    digest   TEXT NOT NULL,
    -- RFC 3339: when the slot begins.
    slot     TEXT NOT NULL,
    run      TEXT NOT NULL,
    -- Empty for a run that was answered.
    code     TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    PRIMARY KEY (name, digest, slot)
) STRICT;
