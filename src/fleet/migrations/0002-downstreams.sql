-- The servers below this one, what they report, and what their replicas take over.

-- A server that said who it is, or that another server reported. All of it is a claim.
CREATE TABLE downstream (
    server_id    BLOB PRIMARY KEY,
    name         TEXT NOT NULL,
    parent       BLOB,                 -- the server that it comes to; NULL: this one
    protocol     TEXT,                 -- x.y, of GetCookie
    version      TEXT,                 -- of its program, as reported
    replica      INTEGER,              -- as reported
    first_seen   TEXT NOT NULL,
    last_contact TEXT NOT NULL,        -- by itself, or by a report on it
    last_sync    TEXT,                 -- as reported
    last_rollup  TEXT,                 -- as reported
    -- The catalogue's change marks that it was given last: all below them it was told of.
    categories   INTEGER,
    updates      INTEGER,
    listed       TEXT,                 -- when it was given the last of them
    -- The change mark of the deployments that it was given last.
    deployments  INTEGER,
    deployed     TEXT,
    summary      TEXT,                 -- JSON
    clients      TEXT                  -- JSON: its computers by system
) STRICT, WITHOUT ROWID;

-- Installations that a server reported, added up.
CREATE TABLE downstream_activity (
    server_id       BLOB NOT NULL REFERENCES downstream (server_id) ON DELETE CASCADE,
    update_id       BLOB NOT NULL,
    revision_number INTEGER NOT NULL,
    succeeded       INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    PRIMARY KEY (server_id, update_id, revision_number)
) STRICT, WITHOUT ROWID;

-- Computers of the servers below. Those that come here themselves are in 'computer'.
CREATE TABLE rolled_computer (
    computer_id      TEXT PRIMARY KEY COLLATE NOCASE,
    server_id        BLOB NOT NULL REFERENCES downstream (server_id) ON DELETE CASCADE,
    last_sync        TEXT,
    last_sync_result INTEGER NOT NULL,
    last_reboot      TEXT,
    last_report      TEXT,
    last_inventory   TEXT,
    received         TEXT NOT NULL,
    details          TEXT NOT NULL,    -- JSON
    rollup_number    INTEGER NOT NULL DEFAULT 0,
    last_detection   TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX rolled_computer_by_server ON rolled_computer (server_id);

-- States of updates on them; without a row there is nothing to do.
CREATE TABLE rolled_compliance (
    computer_id TEXT NOT NULL COLLATE NOCASE
                REFERENCES rolled_computer (computer_id) ON DELETE CASCADE,
    update_id   BLOB NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('needed', 'installed', 'downloaded', 'restart-pending', 'failed')),
    changed     TEXT NOT NULL,
    PRIMARY KEY (computer_id, update_id)
) STRICT, WITHOUT ROWID;

-- Approvals as replicas know them: a deployment keeps its id as long as it lives. A dead one stays
-- as a tombstone.
CREATE TABLE replicated (
    deployment_guid BLOB PRIMARY KEY,
    update_id       BLOB NOT NULL,
    group_id        BLOB NOT NULL,
    revision_number INTEGER NOT NULL,
    revision_change INTEGER NOT NULL,  -- the catalogue's change mark of the revision
    action          TEXT NOT NULL,
    deadline        TEXT,
    go_live         TEXT NOT NULL,
    dead            INTEGER NOT NULL DEFAULT 0,
    change          INTEGER NOT NULL   -- counter 'replicated' in meta
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX replicated_alive ON replicated (update_id, group_id) WHERE dead = 0;
CREATE INDEX replicated_by_change ON replicated (change);

-- Files that downstream servers miss here.
CREATE TABLE wanted_file (
    sha1  BLOB PRIMARY KEY,
    first TEXT NOT NULL,
    last  TEXT NOT NULL,
    times INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
