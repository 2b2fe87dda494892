-- What runs may say of a dataset, or of a population, over everybody who asks. A row is one run's part of a budget.
CREATE TABLE budget_uses (
    budget         TEXT NOT NULL CHECK (budget IN ('bits', 'chosen_bits', 'epsilon_millionths')),
    -- The dataset's name, or the population's.
    of             TEXT NOT NULL,
    grant_id       TEXT NOT NULL,
    run            TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    -- Digest of what was asked: the request, what it reads, and the policy.
    question       TEXT NOT NULL,
    amount         INTEGER NOT NULL,
    -- How often the run began to read and nobody knows how it ended. Where it is more than once, nothing is given back.
    begun          INTEGER NOT NULL,
    answered       INTEGER NOT NULL DEFAULT 0 CHECK (answered IN (0, 1)),
    charged_at     TEXT NOT NULL,
    PRIMARY KEY (budget, of, grant_id, run, request_digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX budget_questions ON budget_uses (question, answered);
