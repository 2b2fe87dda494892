-- Authority: what operators applied for, what was said of it, what was granted, and what became of it.

-- A revoked certificate is refused at the next call, whatever it says of its own end.
ALTER TABLE identities ADD COLUMN revoked_at TEXT;
ALTER TABLE identities ADD COLUMN revoked_by TEXT;
ALTER TABLE identities ADD COLUMN revoke_reason TEXT;

CREATE TABLE applications (
    id           TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    person       TEXT NOT NULL,
    scenario     TEXT NOT NULL,
    -- TOML as it was handed in, and its digest: opinions and the grant bind to it.
    text         TEXT NOT NULL,
    digest       TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('submitted', 'reviewed', 'returned', 'rejected', 'withdrawn', 'granted')),
    submitted_at TEXT NOT NULL,
    decided_by   TEXT,
    decided_at   TEXT,
    reason       TEXT,
    grant_id     TEXT
) STRICT;

-- One scenario, one application.
CREATE UNIQUE INDEX application_open ON applications (organisation, scenario) WHERE state IN ('submitted', 'reviewed', 'returned');

-- The newest opinion of an organisation on a dataset of an application. The empty dataset is the application as a whole.
CREATE TABLE opinions (
    application  TEXT NOT NULL REFERENCES applications (id),
    dataset      TEXT NOT NULL,
    organisation TEXT NOT NULL,
    person       TEXT NOT NULL,
    digest       TEXT NOT NULL,
    supports     INTEGER NOT NULL CHECK (supports IN (0, 1)),
    text         TEXT NOT NULL,
    given_at     TEXT NOT NULL,
    PRIMARY KEY (application, dataset, organisation)
) STRICT;

CREATE TABLE grants (
    id           TEXT PRIMARY KEY,
    -- The grant it is a part of, for one that was delegated.
    parent       TEXT REFERENCES grants (id),
    application  TEXT NOT NULL REFERENCES applications (id),
    organisation TEXT NOT NULL,
    scenario     TEXT NOT NULL,
    -- What is granted, signed with the log's key: it never changes.
    note         TEXT NOT NULL,
    digest       TEXT NOT NULL,
    not_before   TEXT NOT NULL,
    not_after    TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('active', 'mending', 'suspended', 'revoked', 'expired', 'terminated')),
    deadline     TEXT,
    reason       TEXT,
    changed_by   TEXT NOT NULL,
    changed_at   TEXT NOT NULL
) STRICT;

CREATE INDEX grants_by_organisation ON grants (organisation);
CREATE INDEX grants_by_parent ON grants (parent);

-- What was charged to a grant and to those above it. A run is charged before it reads.
CREATE TABLE grant_uses (
    grant_id       TEXT NOT NULL REFERENCES grants (id),
    run            TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    cells          INTEGER NOT NULL,
    charged_at     TEXT NOT NULL,
    PRIMARY KEY (grant_id, run, request_digest)
) STRICT;

-- What is frozen now.
CREATE TABLE freezes (
    scope     TEXT NOT NULL CHECK (scope IN ('dataset', 'operator', 'domain')),
    name      TEXT NOT NULL,
    reason    TEXT NOT NULL,
    frozen_by TEXT NOT NULL,
    frozen_at TEXT NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT;

-- Requests that were carried out, by the key that their caller chose: a repetition changes nothing.
CREATE TABLE grant_requests (
    key          TEXT PRIMARY KEY,
    organisation TEXT NOT NULL,
    person       TEXT NOT NULL,
    digest       TEXT NOT NULL,
    subject      TEXT NOT NULL
) STRICT;
