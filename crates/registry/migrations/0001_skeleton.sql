-- Times are RFC 3339 UTC. Digests are "sha256:" and 64 hex digits. Nothing here is raw data.

-- Small facts about the domain as a whole, such as the digest of the policy in force.
CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE identities (
    fingerprint  TEXT PRIMARY KEY,
    role         TEXT NOT NULL CHECK (role IN ('bureau', 'provider', 'operator', 'auditor')),
    organisation TEXT NOT NULL,
    person       TEXT NOT NULL,
    not_after    TEXT NOT NULL,
    issued_at    TEXT NOT NULL
) STRICT;

-- The newest snapshot of a dataset is the one that runs read.
CREATE TABLE datasets (
    name          TEXT PRIMARY KEY,
    population    TEXT NOT NULL,
    manifest_toml TEXT NOT NULL,
    snapshot      TEXT NOT NULL UNIQUE,
    digest        TEXT NOT NULL,
    rows          INTEGER NOT NULL,
    units         INTEGER NOT NULL,
    rows_without_unit INTEGER NOT NULL,
    registered_at TEXT NOT NULL,
    registered_by TEXT NOT NULL
) STRICT;

CREATE TABLE models (
    name         TEXT NOT NULL,
    digest       TEXT NOT NULL,
    component    BLOB NOT NULL,
    signature    TEXT NOT NULL,
    organisation TEXT NOT NULL,
    submitted_by TEXT NOT NULL,
    submitted_at TEXT NOT NULL,
    approved_by  TEXT,
    approved_at  TEXT,
    PRIMARY KEY (name, digest),
    CHECK ((approved_by IS NULL) = (approved_at IS NULL))
) STRICT;

-- A run's answer is kept so that a retry gets the same one.
CREATE TABLE runs (
    run            TEXT PRIMARY KEY,
    organisation   TEXT NOT NULL,
    person         TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    dataset        TEXT NOT NULL,
    cells_released INTEGER NOT NULL,
    cells_withheld INTEGER NOT NULL,
    table_digest   TEXT NOT NULL,
    log_index      INTEGER NOT NULL,
    finished_at    TEXT NOT NULL,
    answer         BLOB NOT NULL
) STRICT;
