-- What an operator says of a dataset's quality, and what the bureau answers. Text that people wrote, no data.
CREATE TABLE feedback (
    id           TEXT PRIMARY KEY,
    dataset      TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('quality', 'objection')),
    text         TEXT NOT NULL,
    organisation TEXT NOT NULL,
    filed_by     TEXT NOT NULL,
    filed_at     TEXT NOT NULL,
    answer       TEXT,
    answered_by  TEXT,
    answered_at  TEXT,
    CHECK ((answer IS NULL) = (answered_by IS NULL) AND (answer IS NULL) = (answered_at IS NULL))
) STRICT;

CREATE INDEX feedback_by_dataset ON feedback (dataset, filed_at);
