-- What anybody on the network may occupy is bounded: for each address, and in all.

-- Where a computer or server came from last: an IPv4 address, or the first half of an IPv6 address. NULL:
-- not known, as of those that were here before this migration.
ALTER TABLE computer ADD COLUMN address TEXT;
ALTER TABLE downstream ADD COLUMN address TEXT;
-- Bytes of the events and states of a computer, as triggers count them.
ALTER TABLE computer ADD COLUMN stored INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE event SET bytes = 200 + length(CAST(strings AS BLOB)) + length(CAST(misc AS BLOB))
    + length(CAST(extended AS BLOB));
UPDATE computer SET stored =
    (SELECT coalesce(sum(bytes), 0) FROM event e WHERE e.computer_id = computer.computer_id)
    + 100 * (SELECT count(*) FROM compliance c WHERE c.computer_id = computer.computer_id);
CREATE INDEX computer_by_address ON computer (address, last_seen);
CREATE INDEX computer_never_scanned ON computer (address, last_seen)
    WHERE last_sync IS NULL AND last_report IS NULL AND placed <> 'administrator';
CREATE INDEX downstream_by_address ON downstream (address);

-- How much there is of each address: '' where it is not known, '*' in all, 'below' states of computers of
-- servers below.
CREATE TABLE occupied (
    address   TEXT PRIMARY KEY,
    computers INTEGER NOT NULL,
    bytes     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO occupied SELECT '', count(*), coalesce(sum(stored), 0) FROM computer;
INSERT INTO occupied SELECT '*', count(*), coalesce(sum(stored), 0) FROM computer;
INSERT INTO occupied SELECT 'below', 0, 80 * count(*) FROM rolled_compliance;

CREATE TRIGGER occupied_computer_insert AFTER INSERT ON computer BEGIN
    INSERT INTO occupied VALUES (coalesce(NEW.address, ''), 1, NEW.stored)
        ON CONFLICT (address) DO UPDATE SET computers = computers + 1, bytes = bytes + NEW.stored;
    UPDATE occupied SET computers = computers + 1, bytes = bytes + NEW.stored WHERE address = '*';
END;
CREATE TRIGGER occupied_computer_delete AFTER DELETE ON computer BEGIN
    UPDATE occupied SET computers = computers - 1, bytes = bytes - OLD.stored
        WHERE address IN (coalesce(OLD.address, ''), '*');
    DELETE FROM occupied WHERE address = OLD.address AND computers = 0;
END;
CREATE TRIGGER occupied_computer_moved AFTER UPDATE OF address ON computer
WHEN OLD.address IS NOT NEW.address BEGIN
    UPDATE occupied SET computers = computers - 1, bytes = bytes - OLD.stored
        WHERE address = coalesce(OLD.address, '');
    DELETE FROM occupied WHERE address = OLD.address AND computers = 0;
    INSERT INTO occupied VALUES (coalesce(NEW.address, ''), 1, OLD.stored)
        ON CONFLICT (address) DO UPDATE SET computers = computers + 1, bytes = bytes + OLD.stored;
END;
CREATE TRIGGER occupied_computer_stored AFTER UPDATE OF stored ON computer
WHEN OLD.stored <> NEW.stored BEGIN
    UPDATE occupied SET bytes = bytes + NEW.stored - OLD.stored
        WHERE address IN (coalesce(NEW.address, ''), '*');
END;
CREATE TRIGGER stored_event_insert AFTER INSERT ON event BEGIN
    UPDATE computer SET stored = stored + NEW.bytes WHERE computer_id = NEW.computer_id;
END;
CREATE TRIGGER stored_event_delete AFTER DELETE ON event BEGIN
    UPDATE computer SET stored = stored - OLD.bytes WHERE computer_id = OLD.computer_id;
END;
CREATE TRIGGER stored_compliance_insert AFTER INSERT ON compliance BEGIN
    UPDATE computer SET stored = stored + 100 WHERE computer_id = NEW.computer_id;
END;
CREATE TRIGGER stored_compliance_delete AFTER DELETE ON compliance BEGIN
    UPDATE computer SET stored = stored - 100 WHERE computer_id = OLD.computer_id;
END;
CREATE TRIGGER occupied_below_insert AFTER INSERT ON rolled_compliance BEGIN
    UPDATE occupied SET bytes = bytes + 80 WHERE address = 'below';
END;
CREATE TRIGGER occupied_below_delete AFTER DELETE ON rolled_compliance BEGIN
    UPDATE occupied SET bytes = bytes - 80 WHERE address = 'below';
END;

-- What went because of a bound, for the operator.
CREATE TABLE dropped (
    what    TEXT PRIMARY KEY,
    times   INTEGER NOT NULL,
    first   TEXT NOT NULL,
    last    TEXT NOT NULL,
    address TEXT                        -- whose the last one was
) STRICT, WITHOUT ROWID;
