-- Clients that were turned away, and why, for the operator.
CREATE TABLE turned_away (
    address TEXT NOT NULL,              -- a network, `a:b:c:d::/64`, with IPv6
    reason  TEXT NOT NULL,
    times   INTEGER NOT NULL,
    first   TEXT NOT NULL,
    last    TEXT NOT NULL,
    PRIMARY KEY (address, reason)
) STRICT, WITHOUT ROWID;
CREATE INDEX turned_away_by_last ON turned_away (last);
