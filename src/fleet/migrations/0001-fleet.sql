-- The fleet: the only data that agents change. Change marks are counters, never clocks.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,            -- 'change', 'view', 'server-id', 'cookie-key', …
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE target_group (
    group_id BLOB PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE COLLATE NOCASE,
    parent   BLOB REFERENCES target_group (group_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE computer (
    computer_id     TEXT PRIMARY KEY COLLATE NOCASE,  -- clientId of the agent
    dns_name        TEXT NOT NULL,
    requested_group TEXT,              -- client-side targeting, as asked
    details         TEXT,              -- JSON: what RegisterComputer said
    first_seen      TEXT NOT NULL,
    last_seen       TEXT NOT NULL,
    last_sync       TEXT,
    last_report     TEXT,
    -- Who chose its groups. An administrator's choice stands; one by client-side targeting follows
    -- what the computer asks for.
    placed          TEXT NOT NULL DEFAULT 'nobody' CHECK (placed IN ('nobody', 'client', 'administrator'))
) STRICT, WITHOUT ROWID;

-- A computer without a row here is in Unassigned Computers.
CREATE TABLE membership (
    computer_id TEXT NOT NULL COLLATE NOCASE
                REFERENCES computer (computer_id) ON DELETE CASCADE,
    group_id    BLOB NOT NULL REFERENCES target_group (group_id) ON DELETE CASCADE,
    PRIMARY KEY (computer_id, group_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE approval (
    update_id BLOB NOT NULL,
    group_id  BLOB NOT NULL REFERENCES target_group (group_id) ON DELETE CASCADE,
    action    TEXT NOT NULL CHECK (action IN ('install', 'optional-install', 'uninstall', 'detect', 'block')),
    deadline  TEXT,
    origin    TEXT NOT NULL CHECK (origin IN ('local', 'policy')),
    changed   TEXT NOT NULL,
    change    INTEGER NOT NULL,
    PRIMARY KEY (update_id, group_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE declined (
    update_id BLOB PRIMARY KEY,
    origin    TEXT NOT NULL CHECK (origin IN ('local', 'policy')),
    changed   TEXT NOT NULL,
    change    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE eula_accepted (
    eula_id  TEXT PRIMARY KEY,
    accepted TEXT NOT NULL,
    change   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What each set of groups was last offered: gives deployments their ids and change marks.
CREATE TABLE deployment (
    deployment_id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope         TEXT NOT NULL,       -- the set of groups, canonical
    revision_id   INTEGER NOT NULL,
    action        TEXT NOT NULL,
    deadline      TEXT,
    is_leaf       INTEGER NOT NULL,
    changed       TEXT NOT NULL,       -- date for the wire
    change        INTEGER NOT NULL,
    UNIQUE (scope, revision_id)
) STRICT;

-- What computers reported, in the order in which it arrived. Instance ids are unique for a computer,
-- not among computers: copies of one machine may report the same event.
CREATE TABLE event (
    arrival           INTEGER PRIMARY KEY,
    computer_id       TEXT NOT NULL COLLATE NOCASE
                      REFERENCES computer (computer_id) ON DELETE CASCADE,
    event_instance_id BLOB NOT NULL,
    received          TEXT NOT NULL,
    at_target         TEXT NOT NULL,
    namespace_id      INTEGER NOT NULL,
    event_id          INTEGER NOT NULL,
    source_id         INTEGER NOT NULL,
    update_id         BLOB,
    revision_number   INTEGER,
    hresult           INTEGER NOT NULL,
    app_name          TEXT,
    strings           TEXT NOT NULL,   -- JSON array
    misc              TEXT NOT NULL,   -- JSON array
    extended          TEXT NOT NULL,   -- JSON
    UNIQUE (computer_id, event_instance_id)
) STRICT;
CREATE INDEX event_by_computer ON event (computer_id, arrival);

CREATE TABLE compliance (
    computer_id TEXT NOT NULL COLLATE NOCASE
                REFERENCES computer (computer_id) ON DELETE CASCADE,
    update_id   BLOB NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('needed', 'installed', 'downloaded', 'restart-pending', 'failed')),
    hresult     INTEGER NOT NULL,
    changed     TEXT NOT NULL,
    PRIMARY KEY (computer_id, update_id)
) STRICT, WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('change', CAST('0' AS BLOB));
-- Well-known groups, see client-server protocol reference on groups and approvals.
INSERT INTO target_group (group_id, name, parent) VALUES
    (x'a0a087464dbe4a379adf9e7652c0b421', 'All Computers', NULL),
    (x'b73ca6ed572747f384de015e03f6a88a', 'Unassigned Computers', x'a0a087464dbe4a379adf9e7652c0b421');
