-- What a run is charged beside its cells. Runs of before were not charged for these.
ALTER TABLE grant_uses ADD COLUMN bits_out INTEGER NOT NULL DEFAULT 0;
ALTER TABLE grant_uses ADD COLUMN epsilon_millionths INTEGER NOT NULL DEFAULT 0;
ALTER TABLE grant_uses ADD COLUMN fuel INTEGER NOT NULL DEFAULT 0;
ALTER TABLE grant_uses ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
