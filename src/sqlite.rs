//! What the SQLite stores have in common: opening with the same durability, numbered migrations,
//! and columns as our types.

mod copy;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use bundle_format::digest::{Sha1, Sha256};
use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, TransactionBehavior, ffi, types::Type};
use uuid::Uuid;

pub(crate) use self::copy::{copy, hold_moment};
use crate::update::UpdateId;

/// What [`OpenError::with_cause`] says of a read-only file system.
const READ_ONLY_FILE_SYSTEM: i32 = ffi::SQLITE_READONLY_DIRECTORY;

/// How long a writer waits for another process.
const BUSY: Duration = Duration::from_secs(30);

/// A kind of store: which files are ours, and how their schema is made.
pub(crate) struct Store {
    /// Stands in the header of the file (`PRAGMA application_id`).
    pub(crate) application_id: i32,
    /// Migration `n` (from 1) makes schema `n` (`PRAGMA user_version`) from `n - 1`.
    pub(crate) migrations: &'static [&'static str],
}

/// Why a store cannot be opened.
pub(crate) enum OpenError {
    /// SQLite failed.
    Sqlite { doing: &'static str, source: rusqlite::Error },
    /// A newer program made it.
    Newer { found: u32, known: u32 },
    /// An older program made it and it may not be written now.
    Older { found: u32, known: u32 },
    /// It is something else.
    Foreign { what: String },
}

fn sqlite(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> OpenError {
    move |source| {
        if source.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
            return OpenError::Foreign { what: "it is no SQLite database".to_owned() };
        }
        OpenError::Sqlite { doing, source }
    }
}

impl OpenError {
    /// SQLite says of a full disk, of a file system that is read-only and of missing rights that it cannot
    /// open a file, and of a full disk and a broken one that it cannot share one. The folder tells which it is.
    fn with_cause(self, path: &Path) -> Self {
        let Self::Sqlite { doing, source } = self else { return self };
        let is_unclear = source.sqlite_error().is_some_and(|error| {
            error.extended_code == ffi::SQLITE_IOERR_SHMSIZE
                || matches!(error.code, ErrorCode::CannotOpen | ErrorCode::ReadOnly)
        });
        let code = match try_folder(path) {
            Err(cause) if is_unclear => match cause.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ffi::SQLITE_FULL,
                io::ErrorKind::ReadOnlyFilesystem => READ_ONLY_FILE_SYSTEM,
                io::ErrorKind::PermissionDenied => ffi::SQLITE_PERM,
                _ => return Self::Sqlite { doing, source },
            },
            _ => return Self::Sqlite { doing, source },
        };
        let what = match code {
            ffi::SQLITE_FULL => "the disk is full",
            ffi::SQLITE_PERM => "this user may not write there",
            _ => "the file system is read-only",
        };
        let source = rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(what.to_owned()));
        Self::Sqlite { doing, source }
    }
}

/// Writes a file without a name beside a database, as large as what SQLite shares one by.
fn try_folder(path: &Path) -> io::Result<()> {
    static SHARED: [u8; 64 * 1024] = [0; 64 * 1024];
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    tempfile::tempfile_in(folder.unwrap_or(Path::new(".")))?.write_all(&SHARED)
}

impl Store {
    /// Opens a store, makes it if it is not there (or empty), and brings its schema up to date.
    pub(crate) fn open(&self, path: &Path) -> Result<Connection, OpenError> {
        self.open_to_write(path).map_err(|error| error.with_cause(path))
    }

    fn open_to_write(&self, path: &Path) -> Result<Connection, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(sqlite("open it"))?;
        configure(&connection)?;
        // Nothing is written before we know that the file is ours.
        let found = self.check(&connection)?;
        write_ahead(&connection)?;
        if found < self.newest_schema() {
            self.migrate(&mut connection)?;
        }
        Ok(connection)
    }

    /// Opens a store that is there, with exactly our schema, for reading: beside whoever writes. Where
    /// SQLite cannot make the files that it shares a database by (a full disk), as it stands in its file.
    pub(crate) fn open_read_only(&self, path: &Path) -> Result<Connection, OpenError> {
        self.open_to_read(path).map_err(|error| error.with_cause(path))
    }

    fn open_to_read(&self, path: &Path) -> Result<Connection, OpenError> {
        let read_only = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = |name: &Path, flags| {
            let connection = Connection::open_with_flags(name, flags).map_err(sqlite("open it"))?;
            configure(&connection)?;
            Ok((self.check(&connection)?, connection))
        };
        let (found, connection) = match open(path, read_only) {
            Err(OpenError::Sqlite { doing, source }) if is_unwritable(&source) => {
                let first = OpenError::Sqlite { doing, source };
                // What stands in the log only would be missed.
                if !path.is_file() || holds_changes(&log_of(path)) {
                    return Err(first);
                }
                let flags = read_only | OpenFlags::SQLITE_OPEN_URI;
                open(Path::new(&unchanging(path)), flags).map_err(|_| first)?
            }
            other => other?,
        };
        let known = self.newest_schema();
        if found < known {
            return Err(OpenError::Older { found, known });
        }
        Ok(connection)
    }

    /// The schema that this program makes.
    fn newest_schema(&self) -> u32 {
        u32::try_from(self.migrations.len()).unwrap_or(u32::MAX)
    }

    /// The schema number of the file, 0 for an empty one.
    fn check(&self, connection: &Connection) -> Result<u32, OpenError> {
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        // The tables first: another process may be making them, and gives them its id in the same
        // transaction.
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(sqlite("read its tables"))?;
        let application_id = pragma("application_id").map_err(sqlite("read its header"))?;
        if application_id != self.application_id && (application_id != 0 || tables != 0) {
            let what = format!(
                "it is an SQLite database of another program (application id {application_id:#x})"
            );
            return Err(OpenError::Foreign { what });
        }
        let found = pragma("user_version").map_err(sqlite("read its header"))?;
        let (found, known) = (u32::try_from(found).unwrap_or(u32::MAX), self.newest_schema());
        if found > known {
            return Err(OpenError::Newer { found, known });
        }
        Ok(found)
    }

    /// Runs the missing migrations, each in one transaction. Another process may do the same.
    fn migrate(&self, connection: &mut Connection) -> Result<(), OpenError> {
        for (number, sql) in (1_u32..).zip(self.migrations) {
            let tx = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(sqlite("begin a migration"))?;
            if self.check(&tx)? >= number {
                continue;
            }
            tx.execute_batch(sql)
                .and_then(|()| tx.pragma_update(None, "application_id", self.application_id))
                .and_then(|()| tx.pragma_update(None, "user_version", number))
                .and_then(|()| tx.commit())
                .map_err(sqlite("migrate it"))?;
        }
        Ok(())
    }
}

/// The log of changes that are not in the database's own file yet.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

fn holds_changes(log: &Path) -> bool {
    log.metadata().is_ok_and(|log| log.len() > 0)
}

/// The name of a database that SQLite is to take as unchanging: it makes no file beside it then.
fn unchanging(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || b"/.-_".contains(b) => uri.push(char::from(*b)),
            b => uri.push_str(&format!("%{b:02X}")),
        }
    }
    uri + "?immutable=1"
}

fn configure(connection: &Connection) -> Result<(), OpenError> {
    connection.set_prepared_statement_cache_capacity(64);
    connection
        .busy_timeout(BUSY)
        .and_then(|()| connection.pragma_update(None, "foreign_keys", true))
        .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
        .map_err(sqlite("configure it"))
}

/// Readers and one writer side by side. The switch itself needs the file alone, and SQLite does
/// not wait for that: we do.
fn write_ahead(connection: &Connection) -> Result<(), OpenError> {
    let deadline = Instant::now() + BUSY;
    loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode {
            Err(e)
                if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                thread::sleep(Duration::from_millis(20));
            }
            other => return other.map(drop).map_err(sqlite("switch to write-ahead logging")),
        }
    }
}

/// Why SQLite failed, if an administrator can do something about it.
pub(crate) enum SqliteFailure {
    /// The disk is full.
    Full,
    /// This user may not.
    Forbidden,
    /// This user may not write, or the file system is read-only.
    ReadOnly,
    /// The file system is read-only.
    ReadOnlyFileSystem,
    /// The disk failed.
    Disk,
    /// The file is damaged.
    Damaged,
}

/// Whether a database cannot be written at present, though it may be read: no space, no right, a disk
/// that fails, or a lock that another process holds for very long.
pub(crate) fn is_unwritable(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    code.is_some_and(|code| {
        matches!(
            code,
            ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
        )
    })
}

/// Which failure of SQLite a cause of an error is, if it is one.
pub(crate) fn sqlite_failure(cause: &(dyn std::error::Error + 'static)) -> Option<SqliteFailure> {
    let error = cause.downcast_ref::<rusqlite::Error>()?.sqlite_error()?;
    match (error.extended_code, error.code) {
        // A full disk or a broken one.
        (ffi::SQLITE_IOERR_SHMSIZE, _) => return None,
        (READ_ONLY_FILE_SYSTEM, _) => return Some(SqliteFailure::ReadOnlyFileSystem),
        _ => {}
    }
    match error.code {
        ErrorCode::DiskFull => Some(SqliteFailure::Full),
        ErrorCode::ReadOnly => Some(SqliteFailure::ReadOnly),
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Some(SqliteFailure::Forbidden),
        ErrorCode::SystemIoFailure => Some(SqliteFailure::Disk),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(SqliteFailure::Damaged),
        _ => None,
    }
}

/// What SQLite itself finds wrong with a file, at most twenty faults of each kind; empty when it is in
/// order.
pub(crate) fn integrity(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    for text in statement.query_map([], |row| row.get::<_, String>(0))? {
        found.extend(Some(text?).filter(|text| text != "ok"));
    }
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let lost = statement.query_map([], |row| {
        let (table, other) = (row.get::<_, String>(0)?, row.get::<_, String>(2)?);
        Ok(format!("a row of the table {table} refers to a row of {other} that is not there"))
    })?;
    for text in lost.take(20) {
        found.push(text?);
    }
    Ok(found)
}

/// A size or counter as SQLite keeps it. Sizes over 8 EiB do not exist.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A moment as text of fixed width, so that the order of texts is the order of time.
pub(crate) fn moment(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// The error of a column that does not hold what it should.
pub(crate) fn bad_column(
    column: usize,
    kind: Type,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, error.into())
}

/// A size or counter.
pub(crate) fn u64_at(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|e| bad_column(column, Type::Integer, e))
}

/// A moment.
pub(crate) fn moment_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|e: jiff::Error| bad_column(column, Type::Text, e))
}

/// A moment, or NULL.
pub(crate) fn optional_moment_at(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<Timestamp>> {
    let Some(text) = row.get_ref(column)?.as_str_or_null()? else { return Ok(None) };
    text.parse().map(Some).map_err(|e: jiff::Error| bad_column(column, Type::Text, e))
}

/// An id of 16 bytes.
pub(crate) fn uuid_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    Uuid::from_slice(row.get_ref(column)?.as_blob()?).map_err(|e| bad_column(column, Type::Blob, e))
}

/// An update's id.
pub(crate) fn update_at(row: &Row<'_>, column: usize) -> rusqlite::Result<UpdateId> {
    uuid_at(row, column).map(UpdateId)
}

/// A SHA-1 digest.
pub(crate) fn sha1_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Sha1> {
    Sha1::from_slice(row.get_ref(column)?.as_blob()?).map_err(|e| bad_column(column, Type::Blob, e))
}

/// A SHA-256 digest.
pub(crate) fn sha256_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Sha256> {
    Sha256::from_slice(row.get_ref(column)?.as_blob()?)
        .map_err(|e| bad_column(column, Type::Blob, e))
}

/// A SHA-256 digest, or NULL.
pub(crate) fn optional_sha256_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Sha256>> {
    let Some(bytes) = row.get_ref(column)?.as_blob_or_null()? else { return Ok(None) };
    Sha256::from_slice(bytes).map(Some).map_err(|e| bad_column(column, Type::Blob, e))
}
