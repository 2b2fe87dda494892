-- A model's vetting report is made once, at submission, and approval binds to its digest. What was submitted may be a core
-- module that was packaged here: it has a digest of its own. Rows of before vetting have no report.
ALTER TABLE models ADD COLUMN submitted_digest TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN report TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN report_digest TEXT NOT NULL DEFAULT '';
