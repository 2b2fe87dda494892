-- What the rules over the stream of events raised. Names, codes and counts, no data. An alert never changes but for who
-- has looked at it and whether the webhook has it.
CREATE TABLE alerts (
    id              TEXT PRIMARY KEY,
    rule            TEXT NOT NULL,
    severity        TEXT NOT NULL CHECK (severity IN ('low', 'medium', 'high')),
    subject         TEXT NOT NULL,
    raised_at       TEXT NOT NULL,
    since           TEXT NOT NULL,
    measured        INTEGER NOT NULL,
    threshold       INTEGER NOT NULL,
    -- The entry of the log that made the rule hold; none for what never reached the log.
    log_index       INTEGER,
    webhook         TEXT NOT NULL CHECK (webhook IN ('none', 'waiting', 'sent', 'given up')),
    attempts        INTEGER NOT NULL DEFAULT 0,
    acknowledged_by TEXT,
    acknowledged_at TEXT,
    note            TEXT,
    CHECK ((acknowledged_by IS NULL) = (acknowledged_at IS NULL))
) STRICT;

CREATE INDEX alerts_by_time ON alerts (raised_at);
CREATE INDEX alerts_waiting ON alerts (raised_at) WHERE webhook = 'waiting';
CREATE INDEX alerts_open ON alerts (rule) WHERE acknowledged_at IS NULL;
