-- A replica: groups, approvals, declines and accepted licences are those of its upstream server.
-- Values: 'replica-of' (address), 'replica-anchor' (of its last answer), and 'replicating' while an
-- answer is applied.

-- What the upstream told, by the ids it uses to change and delete it. Approvals follow from it.
CREATE TABLE replica_deployment (
    deployment_id   BLOB PRIMARY KEY,
    update_id       BLOB NOT NULL,
    revision_number INTEGER NOT NULL,
    group_id        BLOB NOT NULL,      -- may be told before its group
    action          TEXT NOT NULL,
    deadline        TEXT,
    admin           TEXT NOT NULL,
    go_live         TEXT NOT NULL,
    priority        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX replica_deployment_by_group ON replica_deployment (group_id);

-- Whoever writes, a replica decides nothing by itself.
CREATE TRIGGER replica_approval_insert BEFORE INSERT ON approval
WHEN EXISTS (SELECT 1 FROM meta WHERE key = 'replica-of')
 AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'replicating')
BEGIN SELECT RAISE(ABORT, 'replica'); END;
CREATE TRIGGER replica_approval_update BEFORE UPDATE ON approval
WHEN EXISTS (SELECT 1 FROM meta WHERE key = 'replica-of')
 AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'replicating')
BEGIN SELECT RAISE(ABORT, 'replica'); END;
CREATE TRIGGER replica_approval_delete BEFORE DELETE ON approval
WHEN EXISTS (SELECT 1 FROM meta WHERE key = 'replica-of')
 AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'replicating')
BEGIN SELECT RAISE(ABORT, 'replica'); END;

CREATE TRIGGER replica_declined_insert BEFORE INSERT ON declined
WHEN EXISTS (SELECT 1 FROM meta WHERE key = 'replica-of')
 AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'replicating')
BEGIN SELECT RAISE(ABORT, 'replica'); END;
CREATE TRIGGER replica_declined_update BEFORE UPDATE ON declined
WHEN EXISTS (SELECT 1 FROM meta WHERE key = 'replica-of')
 AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'replicating')
BEGIN SELECT RAISE(ABORT, 'replica'); END;
CREATE TRIGGER replica_declined_delete BEFORE DELETE ON declined
WHEN EXISTS (SELECT 1 FROM meta WHERE key = 'replica-of')
 AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'replicating')
BEGIN SELECT RAISE(ABORT, 'replica'); END;

CREATE TRIGGER replica_eula_insert BEFORE INSERT ON eula_accepted
WHEN EXISTS (SELECT 1 FROM meta WHERE key = 'replica-of')
 AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'replicating')
BEGIN SELECT RAISE(ABORT, 'replica'); END;
CREATE TRIGGER replica_eula_delete BEFORE DELETE ON eula_accepted
WHEN EXISTS (SELECT 1 FROM meta WHERE key = 'replica-of')
 AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'replicating')
BEGIN SELECT RAISE(ABORT, 'replica'); END;

CREATE TRIGGER replica_group_insert BEFORE INSERT ON target_group
WHEN EXISTS (SELECT 1 FROM meta WHERE key = 'replica-of')
 AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'replicating')
BEGIN SELECT RAISE(ABORT, 'replica'); END;
CREATE TRIGGER replica_group_update BEFORE UPDATE ON target_group
WHEN EXISTS (SELECT 1 FROM meta WHERE key = 'replica-of')
 AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'replicating')
BEGIN SELECT RAISE(ABORT, 'replica'); END;
CREATE TRIGGER replica_group_delete BEFORE DELETE ON target_group
WHEN EXISTS (SELECT 1 FROM meta WHERE key = 'replica-of')
 AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'replicating')
BEGIN SELECT RAISE(ABORT, 'replica'); END;

-- What the upstream server was told of the computers here and below (the reporting rollup). Values:
-- 'rollup-upstream', 'rollup-reset' (its RollupResetGuid), 'rollup-events' (up to which arrival
-- installations are counted).
CREATE TABLE told_computer (
    computer_id TEXT PRIMARY KEY COLLATE NOCASE,
    details     BLOB,                     -- digest of its details; NULL: they are to be told
    number      INTEGER NOT NULL DEFAULT 0, -- of its last status
    full        INTEGER NOT NULL DEFAULT 1, -- the next status tells everything
    deleted     TEXT                      -- the upstream deleted it then
) STRICT, WITHOUT ROWID;
CREATE TABLE told_status (
    computer_id TEXT NOT NULL COLLATE NOCASE
                REFERENCES told_computer (computer_id) ON DELETE CASCADE,
    update_id   BLOB NOT NULL,
    state       TEXT NOT NULL,
    changed     TEXT NOT NULL,
    PRIMARY KEY (computer_id, update_id)
) STRICT, WITHOUT ROWID;
-- Installations on servers below that were told already.
CREATE TABLE told_activity (
    server_id       BLOB NOT NULL,
    update_id       BLOB NOT NULL,
    revision_number INTEGER NOT NULL,
    succeeded       INTEGER NOT NULL,
    failed          INTEGER NOT NULL,
    PRIMARY KEY (server_id, update_id, revision_number)
) STRICT, WITHOUT ROWID;
