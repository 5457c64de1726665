-- Connected side: why no snapshot has a revision that its source offers: its document contradicts a
-- payload. As long as that stands, it counts as withdrawn too.
ALTER TABLE revision ADD COLUMN left_out TEXT;
