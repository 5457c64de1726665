-- The catalogue. Change marks are counters, never clocks. UUIDs and digests are blobs.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,            -- 'mirror-id', 'change', 'next-revision-id'
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE revision (
    revision_id           INTEGER PRIMARY KEY,     -- given once by the mirror
    update_id             BLOB NOT NULL,
    revision_number       INTEGER NOT NULL,
    update_type           TEXT NOT NULL,
    expired               INTEGER NOT NULL,        -- by its publisher (PublicationState)
    withdrawn             INTEGER NOT NULL DEFAULT 0, -- by the mirror
    explicitly_deployable INTEGER NOT NULL,
    category_type         TEXT,
    title                 TEXT NOT NULL,           -- English, else default language
    severity              TEXT,
    eula_id               TEXT,
    created               TEXT,                    -- CreationDate as written
    arrived               TEXT NOT NULL,           -- UTC, when this store first held it
    local                 INTEGER NOT NULL DEFAULT 0, -- published on the isolated side
    change                INTEGER NOT NULL,        -- counter when the row was last changed
    sealed                INTEGER,                 -- snapshot that first carried it
    withdrawal_sealed     INTEGER,                 -- snapshot that first carried the withdrawal
    document_sha256       BLOB NOT NULL,
    document_size         INTEGER NOT NULL,
    UNIQUE (update_id, revision_number)
) STRICT;

-- The original, byte for byte, zstd-compressed. Apart, so that lists do not page through it.
CREATE TABLE document (
    revision_id INTEGER PRIMARY KEY REFERENCES revision (revision_id) ON DELETE CASCADE,
    zstd        BLOB NOT NULL
) STRICT;

-- References go to updates that may be outside the catalogue: no foreign keys on the far side.
CREATE TABLE prerequisite (
    revision_id INTEGER NOT NULL REFERENCES revision (revision_id) ON DELETE CASCADE,
    clause      INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    is_category INTEGER NOT NULL,
    update_id   BLOB NOT NULL,
    PRIMARY KEY (revision_id, clause, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX prerequisite_by_update ON prerequisite (update_id);

CREATE TABLE bundled (
    revision_id     INTEGER NOT NULL REFERENCES revision (revision_id) ON DELETE CASCADE,
    clause          INTEGER NOT NULL,
    position        INTEGER NOT NULL,
    update_id       BLOB NOT NULL,
    revision_number INTEGER NOT NULL,
    PRIMARY KEY (revision_id, clause, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX bundled_by_update ON bundled (update_id, revision_number);

CREATE TABLE superseded (
    revision_id INTEGER NOT NULL REFERENCES revision (revision_id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    update_id   BLOB NOT NULL,
    PRIMARY KEY (revision_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX superseded_by_update ON superseded (update_id);

CREATE TABLE kb (
    revision_id INTEGER NOT NULL REFERENCES revision (revision_id) ON DELETE CASCADE,
    kb          TEXT NOT NULL,
    PRIMARY KEY (revision_id, kb)
) STRICT, WITHOUT ROWID;
CREATE INDEX kb_by_kb ON kb (kb);

CREATE TABLE file (
    revision_id INTEGER NOT NULL REFERENCES revision (revision_id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    eula        INTEGER NOT NULL,      -- a licence text, not a payload to install
    sha1        BLOB NOT NULL,
    sha256      BLOB,
    size        INTEGER NOT NULL,
    name        TEXT NOT NULL,
    PRIMARY KEY (revision_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX file_by_sha1 ON file (sha1);
CREATE INDEX file_by_sha256 ON file (sha256);

-- Payloads that the mirror knows. A file of a document without a row here is missing.
CREATE TABLE payload (
    sha256      BLOB PRIMARY KEY,
    sha1        BLOB NOT NULL,
    size        INTEGER NOT NULL,
    chunks      BLOB NOT NULL,         -- digests of 16 MiB chunks, one after another
    present     INTEGER NOT NULL,      -- its bytes are in content/
    not_carried TEXT,                  -- why the mirror does not carry it
    change      INTEGER NOT NULL,
    sealed      INTEGER,               -- snapshot that last carried this row
    sealed_as   TEXT                   -- how: 'present', or why it was not carried
) STRICT, WITHOUT ROWID;
CREATE INDEX payload_by_sha1 ON payload (sha1);

-- Snapshots: sealed here (connected side) or taken in (isolated side).
CREATE TABLE snapshot (
    number       INTEGER PRIMARY KEY,
    state        TEXT NOT NULL CHECK (state IN ('sealed', 'pending', 'in-force', 'past')),
    index_sha256 BLOB NOT NULL,
    created      TEXT NOT NULL,
    expires      TEXT,                 -- of its signatures, where it was sealed
    switched     TEXT,                 -- UTC, when it became the generation that is served
    bundle_set   TEXT                  -- the set id of the bundle that brought it
) STRICT;

CREATE TABLE segment (
    sha256        BLOB PRIMARY KEY,
    kind          TEXT NOT NULL,
    size          INTEGER NOT NULL,
    unpacked_size INTEGER NOT NULL,
    records       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot_segment (
    number   INTEGER NOT NULL REFERENCES snapshot (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    sha256   BLOB NOT NULL REFERENCES segment (sha256),
    PRIMARY KEY (number, position)
) STRICT, WITHOUT ROWID;

-- Connected side: which sites there are, and what was packed for each (built, not delivered).
CREATE TABLE site (
    site TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE packed (
    site     TEXT NOT NULL REFERENCES site (site) ON DELETE CASCADE,
    sha256   BLOB NOT NULL,
    snapshot INTEGER NOT NULL,
    PRIMARY KEY (site, sha256)
) STRICT, WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('change', '0'), ('next-revision-id', '1');
