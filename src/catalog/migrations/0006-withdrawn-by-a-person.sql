-- Connected side: a person withdrew the revision. It stays withdrawn when a source brings it again.
ALTER TABLE revision ADD COLUMN withdrawn_by_person INTEGER NOT NULL DEFAULT 0;
