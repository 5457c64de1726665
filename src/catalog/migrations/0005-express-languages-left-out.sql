-- What agents can do without, which languages payloads are for, and what is left out by choice.
ALTER TABLE file ADD COLUMN express INTEGER NOT NULL DEFAULT 0; -- an express file beside self-contained ones

-- Which languages the payload of a revision is for; none: all.
CREATE TABLE payload_language (
    revision_id INTEGER NOT NULL REFERENCES revision (revision_id) ON DELETE CASCADE,
    language    TEXT NOT NULL,         -- short name, in lower case
    PRIMARY KEY (revision_id, language)
) STRICT, WITHOUT ROWID;

-- Why this side does not keep a payload that the mirror has: a decision of this side. 'wanted again'
-- where that was taken back and the bytes have not come yet.
ALTER TABLE payload ADD COLUMN left_out TEXT;

-- Both stand in documents that were stored before: they are read once more.
INSERT INTO meta (key, value) VALUES ('documents-to-reread', '1');
