-- What releases are made from, so that they can be made again. Texts stand under their digests: whoever reads one computes
-- the digest again, so that none can be swapped.
CREATE TABLE kept_texts (
    digest TEXT PRIMARY KEY,
    kind   TEXT NOT NULL CHECK (kind IN ('basis', 'manifest', 'policy', 'request')),
    text   BLOB NOT NULL
) STRICT;

-- The basis of each computation of a run, and the entry of the log that has its digest.
CREATE TABLE bases (
    log_index      INTEGER PRIMARY KEY,
    run            TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    basis          TEXT NOT NULL REFERENCES kept_texts (digest)
) STRICT;

CREATE INDEX bases_of_run ON bases (run);
