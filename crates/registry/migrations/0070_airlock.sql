-- Tables that wait for people, what people said of them and of models, and how runs ended.

-- The table itself is sealed under a key that is not here and goes with the snapshots that were read. It and the SQL are
-- kept only while somebody may still decide.
CREATE TABLE airlock (
    run            TEXT PRIMARY KEY,
    organisation   TEXT NOT NULL,
    person         TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    sql            TEXT NOT NULL,
    grant_id       TEXT NOT NULL REFERENCES grants (id),
    -- Names of the datasets read, and ids of their snapshots, separated by ', '.
    datasets       TEXT NOT NULL,
    snapshots      TEXT NOT NULL,
    -- One a line: name, a space, digest.
    models         TEXT NOT NULL,
    -- The folded policy that it was judged by, in its canonical form.
    policy         TEXT NOT NULL,
    sealed         BLOB,
    sealed_digest  TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'approved', 'released', 'rejected', 'expired', 'withdrawn', 'overtaken')),
    entered_at     TEXT NOT NULL,
    expires_at     TEXT NOT NULL,
    ended_at       TEXT
) STRICT;

CREATE INDEX airlock_open ON airlock (expires_at) WHERE state IN ('waiting', 'approved');

-- What an organisation said of a table, once.
CREATE TABLE airlock_reviews (
    run          TEXT NOT NULL REFERENCES airlock (run),
    organisation TEXT NOT NULL,
    person       TEXT NOT NULL,
    approves     INTEGER NOT NULL CHECK (approves IN (0, 1)),
    text         TEXT NOT NULL,
    given_at     TEXT NOT NULL,
    PRIMARY KEY (run, organisation)
) STRICT;

-- Who approves a version of a model, where more than one has to.
CREATE TABLE model_reviews (
    name          TEXT NOT NULL,
    digest        TEXT NOT NULL,
    organisation  TEXT NOT NULL,
    person        TEXT NOT NULL,
    report_digest TEXT NOT NULL,
    given_at      TEXT NOT NULL,
    PRIMARY KEY (name, digest, organisation),
    FOREIGN KEY (name, digest) REFERENCES models (name, digest)
) STRICT;

-- How a run that began to read ended, as its operator may know it.
CREATE TABLE run_ends (
    organisation    TEXT NOT NULL,
    run             TEXT NOT NULL,
    grant_id        TEXT NOT NULL,
    released        INTEGER NOT NULL CHECK (released IN (0, 1)),
    -- Rounded up to coarse steps.
    seconds_at_most INTEGER NOT NULL,
    PRIMARY KEY (organisation, run)
) STRICT;
