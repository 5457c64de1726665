//! A copy of a database as it is at one moment, while others write.

use std::{path::Path, thread, time::Duration};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};

/// Pages that are copied at once.
const PAGES: i32 = 1024;
/// How long a lock of somebody else is waited for each time.
const WAIT: Duration = Duration::from_millis(20);

/// From now on the connection sees the database as it is at this moment, whatever others write.
pub(crate) fn hold_moment(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN")?;
    // The moment is that of the first look.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

/// Writes what the connection sees into a new file, page by page. `each` is told the bytes.
pub(crate) fn copy(
    connection: &Connection,
    to: &Path,
    each: &mut dyn FnMut(u64),
) -> rusqlite::Result<()> {
    let page: u64 = connection
        .pragma_query_value(None, "page_size", |row| row.get::<_, u32>(0))
        .map(u64::from)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(to, flags)?;
    let backup = Backup::new(connection, &mut target)?;
    let mut left = None;
    loop {
        let step = backup.step(PAGES)?;
        let now = backup.progress();
        let before = left.replace(now.remaining).unwrap_or(now.pagecount);
        each(page * u64::try_from(before - now.remaining).unwrap_or(0));
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            _ => thread::sleep(WAIT),
        }
    }
    drop(backup);
    target.close().map_err(|(_, error)| error)
}
