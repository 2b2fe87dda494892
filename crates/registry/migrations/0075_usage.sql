-- What was used, read out of the log. All of it can be thrown away and read out again.

-- One row for a dataset that a run read. A request that was charged more than once under one run id is here once.
CREATE TABLE usage_reads (
    operator       TEXT NOT NULL,
    run            TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    dataset        TEXT NOT NULL,
    provider       TEXT NOT NULL,
    product        TEXT NOT NULL,
    grant_id       TEXT NOT NULL,
    -- Of the charge, as in `2026-11`, UTC.
    month          TEXT NOT NULL,
    rows           INTEGER NOT NULL,
    bytes          INTEGER NOT NULL,
    -- In millions of instructions.
    fuel           INTEGER NOT NULL,
    cells          INTEGER NOT NULL DEFAULT 0,
    releases       INTEGER NOT NULL DEFAULT 0 CHECK (releases IN (0, 1)),
    PRIMARY KEY (operator, run, request_digest, dataset)
) STRICT;

CREATE INDEX usage_by_month ON usage_reads (month);

-- When a snapshot was stored. RFC 3339; NULL while it still is.
CREATE TABLE usage_storage (
    snapshot     TEXT PRIMARY KEY,
    dataset      TEXT NOT NULL,
    rows         INTEGER NOT NULL,
    stored_at    TEXT NOT NULL,
    destroyed_at TEXT
) STRICT;

-- How many entries of the log were read so far.
CREATE TABLE usage_cursor (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    entries INTEGER NOT NULL
) STRICT;

INSERT INTO usage_cursor (one, entries) VALUES (1, 0);
