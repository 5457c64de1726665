-- Connected side: where a file is on the Internet, as the upstream server said last (MUUrl).
CREATE TABLE file_url (
    sha1 BLOB PRIMARY KEY,
    url  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
