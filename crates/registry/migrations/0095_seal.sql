-- What the rows of all tables add up to, sealed under a key that is not here. It changes with every transaction that changes
-- a row.
CREATE TABLE seal (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    state BLOB NOT NULL
) STRICT;
