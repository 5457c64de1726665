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
