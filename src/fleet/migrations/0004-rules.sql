-- Approval rules, what they made, and the decisions of people that outlast rules and policies.

-- In the order in which they decide. What a rule asks for is JSON of the layer above.
CREATE TABLE rule (
    name     TEXT PRIMARY KEY COLLATE NOCASE,
    position INTEGER NOT NULL,
    enabled  INTEGER NOT NULL,
    body     TEXT NOT NULL,
    text     TEXT NOT NULL              -- the same for people; travels with the policy
) STRICT, WITHOUT ROWID;

-- Which approvals a rule made, here or (origin 'policy') on the connected side. The rule itself may
-- be gone. Its deadline counts from `since`.
CREATE TABLE rule_approval (
    update_id BLOB NOT NULL,
    group_id  BLOB NOT NULL,
    rule      TEXT NOT NULL COLLATE NOCASE,
    since     TEXT NOT NULL,
    PRIMARY KEY (update_id, group_id),
    FOREIGN KEY (update_id, group_id) REFERENCES approval (update_id, group_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Approvals that somebody took back on purpose. Where that lasts, no rule and no policy approves
-- again, only a person.
CREATE TABLE taken_back (
    update_id BLOB NOT NULL,
    group_id  BLOB NOT NULL REFERENCES target_group (group_id) ON DELETE CASCADE,
    lasting   INTEGER NOT NULL,
    PRIMARY KEY (update_id, group_id)
) STRICT, WITHOUT ROWID;

-- Updates that a person does not let a policy decline.
CREATE TABLE undeclined (
    update_id BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Policies of snapshots: the one that was applied last, one that waits, one that was rejected.
CREATE TABLE policy (
    state    TEXT PRIMARY KEY CHECK (state IN ('applied', 'held', 'rejected')),
    snapshot INTEGER NOT NULL,
    json     TEXT NOT NULL,
    received TEXT NOT NULL
) STRICT, WITHOUT ROWID;
