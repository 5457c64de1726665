//! Files that downstream servers miss here. [MS-WSUSSS] 3.1.4.11

use bundle_format::digest::Sha1;
use jiff::Timestamp;
use rusqlite::params;
use serde::Serialize;

use crate::{
    fleet::{database::Fleet, error::FleetError},
    sqlite::{moment, moment_at, sha1_at, u64_at},
};

/// A file that somebody below asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MissingFile {
    /// Which file.
    pub sha1: Sha1,
    /// When it was first asked for.
    pub first: Timestamp,
    /// When it was last asked for.
    pub last: Timestamp,
    /// How often.
    pub times: u64,
}

impl Fleet {
    /// Notes that downstream servers miss files. The caller takes only those that some document
    /// names: there are no more than those.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note_missing_files(&mut self, files: &[Sha1], now: Timestamp) -> Result<(), FleetError> {
        self.write("note missing files", |db| {
            let mut note = db.prepare_cached(
                "INSERT INTO wanted_file (sha1, first, last, times) VALUES (?1, ?2, ?2, 1)
                 ON CONFLICT (sha1) DO UPDATE SET last = ?2, times = times + 1",
            )?;
            for file in files {
                note.execute(params![file.as_bytes(), moment(now)])?;
            }
            Ok(())
        })
    }

    /// Files that downstream servers miss, those first that were asked for first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn missing_files(&self) -> Result<Vec<MissingFile>, FleetError> {
        self.read("list missing files", |db| {
            let mut statement = db.prepare_cached(
                "SELECT sha1, first, last, times FROM wanted_file ORDER BY first, sha1",
            )?;
            let files = statement.query_map([], |row| {
                Ok(MissingFile {
                    sha1: sha1_at(row, 0)?,
                    first: moment_at(row, 1)?,
                    last: moment_at(row, 2)?,
                    times: u64_at(row, 3)?,
                })
            })?;
            Ok(files.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// A file has come, or will never come: nobody waits for it any more.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn forget_missing_file(&mut self, file: &Sha1) -> Result<(), FleetError> {
        self.write("forget a missing file", |db| {
            db.prepare_cached("DELETE FROM wanted_file WHERE sha1 = ?1")?
                .execute([file.as_bytes()])?;
            Ok(())
        })
    }
}
