-- What belongs to revisions without standing in their documents.

-- What decrypts a file; agents get it from the server. [MS-WUSSS] 3.1.4.18
CREATE TABLE decryption_key (
    sha1   BLOB PRIMARY KEY,           -- of the file, as documents name it
    key    BLOB NOT NULL,
    sealed INTEGER                     -- snapshot that carries this key
) STRICT, WITHOUT ROWID;

-- Which computers a set of drivers is for. [MS-WUSSS] 3.1.4.8
CREATE TABLE driver_set (
    set_id BLOB PRIMARY KEY,
    xml    TEXT,                       -- as received; NULL: the publisher has removed it
    sealed INTEGER                     -- snapshot that carries it as it is now
) STRICT, WITHOUT ROWID;
