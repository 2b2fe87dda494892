-- What was charged in all, kept as it changes: what a run is charged is held against it, however many runs there were.
CREATE TABLE grant_totals (
    grant_id           TEXT PRIMARY KEY,
    runs               INTEGER NOT NULL,
    cells              INTEGER NOT NULL,
    bits_out           INTEGER NOT NULL,
    epsilon_millionths INTEGER NOT NULL,
    fuel               INTEGER NOT NULL,
    bytes              INTEGER NOT NULL
) STRICT;

INSERT INTO grant_totals
SELECT grant_id, COUNT(*), SUM(cells), SUM(bits_out), SUM(epsilon_millionths), SUM(fuel), SUM(bytes)
FROM grant_uses GROUP BY grant_id;

CREATE TRIGGER grant_use_added AFTER INSERT ON grant_uses BEGIN
    INSERT INTO grant_totals VALUES
        (NEW.grant_id, 1, NEW.cells, NEW.bits_out, NEW.epsilon_millionths, NEW.fuel, NEW.bytes)
    ON CONFLICT (grant_id) DO UPDATE SET runs = runs + 1, cells = cells + excluded.cells,
        bits_out = bits_out + excluded.bits_out, epsilon_millionths = epsilon_millionths + excluded.epsilon_millionths,
        fuel = fuel + excluded.fuel, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER grant_use_changed AFTER UPDATE ON grant_uses
WHEN (NEW.cells, NEW.bits_out, NEW.epsilon_millionths, NEW.fuel, NEW.bytes)
    IS NOT (OLD.cells, OLD.bits_out, OLD.epsilon_millionths, OLD.fuel, OLD.bytes)
BEGIN
    UPDATE grant_totals SET cells = cells + NEW.cells - OLD.cells, bits_out = bits_out + NEW.bits_out - OLD.bits_out,
        epsilon_millionths = epsilon_millionths + NEW.epsilon_millionths - OLD.epsilon_millionths,
        fuel = fuel + NEW.fuel - OLD.fuel, bytes = bytes + NEW.bytes - OLD.bytes
    WHERE grant_id = NEW.grant_id;
END;

CREATE TRIGGER grant_use_gone AFTER DELETE ON grant_uses BEGIN
    UPDATE grant_totals SET runs = runs - 1, cells = cells - OLD.cells, bits_out = bits_out - OLD.bits_out,
        epsilon_millionths = epsilon_millionths - OLD.epsilon_millionths, fuel = fuel - OLD.fuel,
        bytes = bytes - OLD.bytes
    WHERE grant_id = OLD.grant_id;
END;

CREATE TABLE budget_totals (
    budget TEXT NOT NULL,
    of     TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (budget, of)
) STRICT, WITHOUT ROWID;

INSERT INTO budget_totals SELECT budget, of, SUM(amount) FROM budget_uses GROUP BY budget, of;

CREATE TRIGGER budget_use_added AFTER INSERT ON budget_uses BEGIN
    INSERT INTO budget_totals VALUES (NEW.budget, NEW.of, NEW.amount)
    ON CONFLICT (budget, of) DO UPDATE SET amount = amount + excluded.amount;
END;

CREATE TRIGGER budget_use_changed AFTER UPDATE ON budget_uses WHEN NEW.amount <> OLD.amount BEGIN
    UPDATE budget_totals SET amount = amount + NEW.amount - OLD.amount WHERE budget = NEW.budget AND of = NEW.of;
END;

CREATE TRIGGER budget_use_gone AFTER DELETE ON budget_uses BEGIN
    UPDATE budget_totals SET amount = amount - OLD.amount WHERE budget = OLD.budget AND of = OLD.of;
END;

-- A run's own parts of the budgets are looked up by the run.
CREATE INDEX budget_runs ON budget_uses (run, request_digest, grant_id);
