-- Prerequisite clauses that name no update at all: they never hold. A WSUS writes them. The table
-- `prerequisite` has a row per alternative, and so none for them.
CREATE TABLE empty_clause (
    revision_id INTEGER NOT NULL REFERENCES revision (revision_id) ON DELETE CASCADE,
    clause      INTEGER NOT NULL,      -- counted together with those of `prerequisite`
    is_category INTEGER NOT NULL,
    PRIMARY KEY (revision_id, clause)
) STRICT, WITHOUT ROWID;
