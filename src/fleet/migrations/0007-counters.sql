-- Bounds cost in proportion to what changes: what is counted has a counter, what is looked for an index.

DROP TRIGGER occupied_computer_insert;
DROP TRIGGER occupied_computer_delete;
DROP TRIGGER occupied_computer_moved;
DROP TRIGGER occupied_computer_stored;
DROP TRIGGER occupied_below_insert;
DROP TRIGGER occupied_below_delete;
DROP TABLE occupied;
DROP INDEX computer_by_address;
DROP INDEX computer_never_scanned;
DROP INDEX event_by_computer;

-- Whether a computer may make room for another, and whether it has only said its name.
ALTER TABLE computer ADD COLUMN may_go INTEGER
    GENERATED ALWAYS AS (placed <> 'administrator') VIRTUAL;
ALTER TABLE computer ADD COLUMN never_scanned INTEGER
    GENERATED ALWAYS AS (placed <> 'administrator' AND last_sync IS NULL AND last_report IS NULL) VIRTUAL;
CREATE INDEX computer_to_go ON computer (address, never_scanned DESC, last_seen)
    WHERE placed <> 'administrator';
CREATE INDEX computer_by_report ON computer (address, last_report);
CREATE INDEX event_by_computer ON event (computer_id, arrival, bytes);

-- How much there is of each address; '' where it is not known.
CREATE TABLE occupied (
    address       TEXT PRIMARY KEY,
    computers     INTEGER NOT NULL,
    may_go        INTEGER NOT NULL,
    never_scanned INTEGER NOT NULL,
    bytes         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX occupied_by_may_go ON occupied (may_go);
CREATE INDEX occupied_by_never_scanned ON occupied (never_scanned);
INSERT INTO occupied VALUES ('', 0, 0, 0, 0);
INSERT INTO occupied
    SELECT coalesce(address, ''), count(*), sum(may_go), sum(never_scanned), sum(stored)
    FROM computer WHERE true GROUP BY 1
    ON CONFLICT (address) DO UPDATE SET computers = excluded.computers, may_go = excluded.may_go,
        never_scanned = excluded.never_scanned, bytes = excluded.bytes;
-- How much of the computers of each server below: their number, and the bytes of their states.
CREATE TABLE occupied_below (
    server_id BLOB PRIMARY KEY,
    computers INTEGER NOT NULL,
    bytes     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO occupied_below
    SELECT server_id, count(*), 80 * coalesce(sum(states), 0)
    FROM rolled_computer LEFT JOIN
        (SELECT computer_id, count(*) AS states FROM rolled_compliance GROUP BY computer_id)
        USING (computer_id)
    GROUP BY server_id;
-- How much in all.
CREATE TABLE occupied_in_all (
    whose     TEXT PRIMARY KEY,         -- 'here', 'below'
    computers INTEGER NOT NULL,
    bytes     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO occupied_in_all SELECT 'here', sum(computers), sum(bytes) FROM occupied;
INSERT INTO occupied_in_all
    SELECT 'below', coalesce(sum(computers), 0), coalesce(sum(bytes), 0) FROM occupied_below;

CREATE TRIGGER occupied_computer_insert AFTER INSERT ON computer BEGIN
    INSERT INTO occupied VALUES
        (coalesce(NEW.address, ''), 1, NEW.may_go, NEW.never_scanned, NEW.stored)
        ON CONFLICT (address) DO UPDATE SET computers = computers + 1,
            may_go = may_go + excluded.may_go,
            never_scanned = never_scanned + excluded.never_scanned,
            bytes = bytes + excluded.bytes;
    UPDATE occupied_in_all SET computers = computers + 1, bytes = bytes + NEW.stored
        WHERE whose = 'here';
END;
CREATE TRIGGER occupied_computer_delete AFTER DELETE ON computer BEGIN
    UPDATE occupied SET computers = computers - 1, may_go = may_go - OLD.may_go,
            never_scanned = never_scanned - OLD.never_scanned, bytes = bytes - OLD.stored
        WHERE address = coalesce(OLD.address, '');
    DELETE FROM occupied WHERE address = OLD.address AND computers = 0;
    UPDATE occupied_in_all SET computers = computers - 1, bytes = bytes - OLD.stored
        WHERE whose = 'here';
END;
CREATE TRIGGER occupied_computer_moved AFTER UPDATE OF address ON computer
WHEN OLD.address IS NOT NEW.address BEGIN
    UPDATE occupied SET computers = computers - 1, may_go = may_go - OLD.may_go,
            never_scanned = never_scanned - OLD.never_scanned, bytes = bytes - OLD.stored
        WHERE address = coalesce(OLD.address, '');
    DELETE FROM occupied WHERE address = OLD.address AND computers = 0;
    INSERT INTO occupied VALUES
        (coalesce(NEW.address, ''), 1, OLD.may_go, OLD.never_scanned, OLD.stored)
        ON CONFLICT (address) DO UPDATE SET computers = computers + 1,
            may_go = may_go + excluded.may_go,
            never_scanned = never_scanned + excluded.never_scanned,
            bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER occupied_computer_changed AFTER UPDATE OF placed, last_sync, last_report ON computer
WHEN OLD.may_go <> NEW.may_go OR OLD.never_scanned <> NEW.never_scanned BEGIN
    UPDATE occupied SET may_go = may_go + NEW.may_go - OLD.may_go,
            never_scanned = never_scanned + NEW.never_scanned - OLD.never_scanned
        WHERE address = coalesce(NEW.address, '');
END;
CREATE TRIGGER occupied_computer_stored AFTER UPDATE OF stored ON computer
WHEN OLD.stored <> NEW.stored BEGIN
    UPDATE occupied SET bytes = bytes + NEW.stored - OLD.stored
        WHERE address = coalesce(NEW.address, '');
    UPDATE occupied_in_all SET bytes = bytes + NEW.stored - OLD.stored WHERE whose = 'here';
END;

CREATE TRIGGER occupied_below_computer_insert AFTER INSERT ON rolled_computer BEGIN
    INSERT INTO occupied_below VALUES (NEW.server_id, 1, 0)
        ON CONFLICT (server_id) DO UPDATE SET computers = computers + 1;
    UPDATE occupied_in_all SET computers = computers + 1 WHERE whose = 'below';
END;
-- Its states go before it: whose they are is still known then.
CREATE TRIGGER occupied_below_computer_before_delete BEFORE DELETE ON rolled_computer BEGIN
    DELETE FROM rolled_compliance WHERE computer_id = OLD.computer_id;
END;
CREATE TRIGGER occupied_below_computer_delete AFTER DELETE ON rolled_computer BEGIN
    UPDATE occupied_below SET computers = computers - 1 WHERE server_id = OLD.server_id;
    DELETE FROM occupied_below WHERE server_id = OLD.server_id AND computers = 0;
    UPDATE occupied_in_all SET computers = computers - 1 WHERE whose = 'below';
END;
CREATE TRIGGER occupied_below_insert AFTER INSERT ON rolled_compliance BEGIN
    UPDATE occupied_below SET bytes = bytes + 80 WHERE server_id =
        (SELECT server_id FROM rolled_computer WHERE computer_id = NEW.computer_id);
    UPDATE occupied_in_all SET bytes = bytes + 80 WHERE whose = 'below';
END;
CREATE TRIGGER occupied_below_delete AFTER DELETE ON rolled_compliance BEGIN
    UPDATE occupied_below SET bytes = bytes - 80 WHERE server_id =
        (SELECT server_id FROM rolled_computer WHERE computer_id = OLD.computer_id);
    UPDATE occupied_in_all SET bytes = bytes - 80 WHERE whose = 'below';
END;

-- The different sets of groups that computers are in, and how many computers each: ids in hexadecimal,
-- sorted, divided by commas.
ALTER TABLE computer ADD COLUMN group_set TEXT;
CREATE TABLE group_set (
    group_set TEXT PRIMARY KEY,
    computers INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
UPDATE computer SET group_set =
    (SELECT group_concat(hex(group_id), ',') FROM (SELECT group_id FROM membership m
        WHERE m.computer_id = computer.computer_id ORDER BY group_id));
INSERT INTO group_set SELECT group_set, count(*) FROM computer WHERE group_set IS NOT NULL GROUP BY 1;

CREATE TRIGGER group_set_change AFTER UPDATE OF group_set ON computer
WHEN OLD.group_set IS NOT NEW.group_set BEGIN
    UPDATE group_set SET computers = computers - 1 WHERE group_set = OLD.group_set;
    DELETE FROM group_set WHERE group_set = OLD.group_set AND computers = 0;
    INSERT INTO group_set SELECT NEW.group_set, 1 WHERE NEW.group_set IS NOT NULL
        ON CONFLICT (group_set) DO UPDATE SET computers = computers + 1;
END;
CREATE TRIGGER group_set_delete AFTER DELETE ON computer WHEN OLD.group_set IS NOT NULL BEGIN
    UPDATE group_set SET computers = computers - 1 WHERE group_set = OLD.group_set;
    DELETE FROM group_set WHERE group_set = OLD.group_set AND computers = 0;
END;
CREATE TRIGGER membership_insert AFTER INSERT ON membership BEGIN
    UPDATE computer SET group_set = (SELECT group_concat(hex(group_id), ',') FROM
            (SELECT group_id FROM membership WHERE computer_id = NEW.computer_id ORDER BY group_id))
        WHERE computer_id = NEW.computer_id;
END;
CREATE TRIGGER membership_delete AFTER DELETE ON membership BEGIN
    UPDATE computer SET group_set = (SELECT group_concat(hex(group_id), ',') FROM
            (SELECT group_id FROM membership WHERE computer_id = OLD.computer_id ORDER BY group_id))
        WHERE computer_id = OLD.computer_id;
END;
CREATE TRIGGER membership_update AFTER UPDATE ON membership BEGIN
    UPDATE computer SET group_set = (SELECT group_concat(hex(group_id), ',') FROM
            (SELECT group_id FROM membership WHERE computer_id = NEW.computer_id ORDER BY group_id))
        WHERE computer_id = NEW.computer_id;
END;
