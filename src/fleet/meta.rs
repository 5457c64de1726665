//! The table `meta`: values and counters that all parts of the fleet share.

use rusqlite::{Connection, OptionalExtension, types::Type};

use crate::sqlite::bad_column;

/// A value, if it is there.
pub(super) fn value(db: &Connection, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// Sets a value, whether it was there or not.
pub(super) fn set_value(db: &Connection, key: &str, value: &[u8]) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = ?2",
    )?
    .execute((key, value))?;
    Ok(())
}

/// A counter as it is stored: decimal digits.
pub(super) fn counter(text: &str) -> rusqlite::Result<u64> {
    text.parse().map_err(|e: std::num::ParseIntError| bad_column(0, Type::Blob, e))
}

/// Moves a counter on and gives its new value.
pub(super) fn count(db: &Connection, key: &str) -> rusqlite::Result<u64> {
    let text: String = db
        .prepare_cached(
            "INSERT INTO meta (key, value) VALUES (?1, CAST('1' AS BLOB))
             ON CONFLICT (key) DO UPDATE SET
                value = CAST(CAST(CAST(value AS TEXT) AS INTEGER) + 1 AS BLOB)
             RETURNING CAST(value AS TEXT)",
        )?
        .query_row([key], |row| row.get(0))?;
    counter(&text)
}

/// Notes a change that the server's view depends on, and gives its mark.
pub(super) fn touch(db: &Connection) -> rusqlite::Result<u64> {
    count(db, "change")
}

/// A value that is text.
pub(super) fn text(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT CAST(value AS TEXT) FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// Removes a value.
pub(super) fn remove(db: &Connection, key: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([key])?;
    Ok(())
}
