-- Policies: what is in force, what was proposed, and on what evidence past releases were judged.

-- One row a scope: the domain's policy under the empty name, and that of each dataset that has one.
CREATE TABLE policies_in_force (
    dataset TEXT PRIMARY KEY,
    name    TEXT NOT NULL,
    digest  TEXT NOT NULL,
    text    TEXT NOT NULL,
    since   TEXT NOT NULL,
    set_by  TEXT NOT NULL
) STRICT;

CREATE TABLE policy_changes (
    id                    TEXT PRIMARY KEY,
    dataset               TEXT NOT NULL,
    name                  TEXT NOT NULL,
    digest                TEXT NOT NULL,
    text                  TEXT NOT NULL,
    -- Digest of the policy in force when it was proposed: it takes the place of that one and no other.
    replaces              TEXT NOT NULL,
    state                 TEXT NOT NULL CHECK (state IN ('proposed', 'approved', 'in_force', 'withdrawn', 'overtaken')),
    proposed_person       TEXT NOT NULL,
    proposed_organisation TEXT NOT NULL,
    proposed_at           TEXT NOT NULL,
    approved_by           TEXT,
    approved_at           TEXT,
    effective_at          TEXT,
    ended_by              TEXT,
    ended_at              TEXT,
    CHECK ((approved_by IS NULL) = (approved_at IS NULL) AND (approved_by IS NULL) = (effective_at IS NULL)),
    CHECK ((ended_by IS NULL) = (ended_at IS NULL))
) STRICT;

-- At most one change of a scope is open.
CREATE UNIQUE INDEX policy_change_open ON policy_changes (dataset) WHERE state IN ('proposed', 'approved');

-- Sealed under a key that is not here and goes with the snapshots that were read. NULL where it was larger than is kept.
CREATE TABLE evidence (
    run       TEXT PRIMARY KEY,
    -- The folded policy that the run was judged by, in its canonical form.
    policy    TEXT NOT NULL,
    -- Names of the datasets read, separated by ', '.
    datasets  TEXT NOT NULL,
    -- Ids of the snapshots read, separated by ', '.
    snapshots TEXT NOT NULL,
    kept_at   TEXT NOT NULL,
    sealed    BLOB
) STRICT;
