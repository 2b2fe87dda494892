-- Every snapshot of every dataset. The newest of a dataset stands in `datasets` too, as before.
-- A snapshot is destroyed at most once and never comes back.
CREATE TABLE snapshots (
    id            TEXT PRIMARY KEY,
    dataset       TEXT NOT NULL REFERENCES datasets (name),
    manifest_toml TEXT NOT NULL,
    digest        TEXT NOT NULL,
    rows          INTEGER NOT NULL,
    units         INTEGER NOT NULL,
    rows_without_unit INTEGER NOT NULL,
    registered_at TEXT NOT NULL,
    registered_by TEXT NOT NULL,
    destroyed_at  TEXT,
    destroyed_by  TEXT,
    destroy_reason TEXT,
    -- The certificate and the receipt of its entry in the log, JSON.
    certificate   TEXT,
    CHECK ((destroyed_at IS NULL) = (certificate IS NULL)),
    CHECK ((destroyed_at IS NULL) = (destroyed_by IS NULL)),
    CHECK ((destroyed_at IS NULL) = (destroy_reason IS NULL))
) STRICT;

CREATE INDEX snapshots_of_dataset ON snapshots (dataset);

INSERT INTO snapshots (id, dataset, manifest_toml, digest, rows, units, rows_without_unit, registered_at, registered_by)
SELECT snapshot, name, manifest_toml, digest, rows, units, rows_without_unit, registered_at, registered_by FROM datasets;
