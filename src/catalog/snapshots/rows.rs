//! Snapshots with their segments, and notes.

use bundle_format::{
    digest::Sha256,
    index::{SegmentKind, SegmentRef},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};
use serde::Serialize;
use uuid::Uuid;

use super::{Result, failed};
use crate::{
    catalog::{read::Catalog, write::CatalogWriter},
    sqlite::{bad_column, int, moment, moment_at, optional_moment_at, sha256_at, u64_at},
};

/// Where a snapshot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotState {
    /// Sealed by this store.
    Sealed,
    /// Validly signed and newer than what is served, but something is missing.
    Pending,
    /// What is served.
    InForce,
    /// Was served once.
    Past,
}

impl SnapshotState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Pending => "pending",
            Self::InForce => "in-force",
            Self::Past => "past",
        }
    }
}

/// A snapshot that this store has sealed or taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapshotRow {
    /// Its number.
    pub number: u64,
    /// Where it stands.
    pub state: SnapshotState,
    /// SHA-256 of the compressed index.
    pub index_sha256: Sha256,
    /// When it was sealed, as its index says.
    pub created: Timestamp,
    /// When its signatures expire, if known.
    pub expires: Option<Timestamp>,
    /// When it was switched to.
    pub switched: Option<Timestamp>,
    /// The set of the bundle that brought it.
    pub bundle_set: Option<Uuid>,
}

impl Catalog {
    /// All snapshots, by number.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn snapshots(&self) -> Result<Vec<SnapshotRow>> {
        snapshots(&self.connection)
    }

    /// The segments of a snapshot, in order; empty when it is not known.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn segments_of(&self, number: u64) -> Result<Vec<SegmentRef>> {
        segments_of(&self.connection, number)
    }

    /// A note that sealing or switching left.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note(&self, key: &str) -> Result<Option<String>> {
        note(&self.connection, key)
    }
}

impl CatalogWriter<'_> {
    /// See [`Catalog::snapshots`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn snapshots(&self) -> Result<Vec<SnapshotRow>> {
        snapshots(&self.tx)
    }

    /// See [`Catalog::segments_of`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn segments_of(&self, number: u64) -> Result<Vec<SegmentRef>> {
        segments_of(&self.tx, number)
    }

    /// See [`Catalog::note`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note(&self, key: &str) -> Result<Option<String>> {
        note(&self.tx, key)
    }

    /// Leaves a note; true if that changed anything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn set_note(&mut self, key: &str, value: &str) -> Result<bool> {
        if self.note(key)?.as_deref() == Some(value) {
            return Ok(false);
        }
        self.set_meta(key, value)?;
        Ok(true)
    }

    /// Keeps a snapshot with its segments, or replaces one of the same number.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn put_snapshot(&mut self, row: &SnapshotRow, segments: &[SegmentRef]) -> Result<()> {
        let doing = "keep a snapshot";
        let number = int(row.number);
        self.execute(doing, "DELETE FROM snapshot_segment WHERE number = ?1", params![number])?;
        self.execute(
            doing,
            "INSERT INTO snapshot (number, state, index_sha256, created, expires, switched, bundle_set)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (number) DO UPDATE SET state = excluded.state,
             index_sha256 = excluded.index_sha256, created = excluded.created,
             expires = excluded.expires, switched = excluded.switched,
             bundle_set = excluded.bundle_set",
            params![
                number,
                row.state.as_str(),
                row.index_sha256.as_bytes(),
                moment(row.created),
                row.expires.map(moment),
                row.switched.map(moment),
                row.bundle_set.map(|u| u.to_string()),
            ],
        )?;
        for (position, segment) in (0_i64..).zip(segments) {
            self.execute(
                doing,
                "INSERT OR IGNORE INTO segment (sha256, kind, size, unpacked_size, records)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    segment.sha256.as_bytes(),
                    segment.kind.name(),
                    int(segment.size),
                    int(segment.unpacked_size),
                    int(segment.records),
                ],
            )?;
            self.execute(
                doing,
                "INSERT INTO snapshot_segment (number, position, sha256) VALUES (?1, ?2, ?3)",
                params![number, position, segment.sha256.as_bytes()],
            )?;
        }
        Ok(())
    }

    /// Says where a snapshot stands now.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn set_snapshot_state(&mut self, number: u64, state: SnapshotState) -> Result<()> {
        self.execute(
            "move a snapshot",
            "UPDATE snapshot SET state = ?2 WHERE number = ?1",
            params![int(number), state.as_str()],
        )?;
        Ok(())
    }

    /// Forgets a snapshot that never took effect.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn forget_snapshot(&mut self, number: u64) -> Result<()> {
        self.execute(
            "forget a snapshot",
            "DELETE FROM snapshot WHERE number = ?1",
            params![int(number)],
        )?;
        Ok(())
    }
}

fn snapshots(connection: &Connection) -> Result<Vec<SnapshotRow>> {
    let doing = "list the snapshots";
    let mut statement = connection
        .prepare_cached(
            "SELECT number, state, index_sha256, created, expires, switched, bundle_set
             FROM snapshot ORDER BY number",
        )
        .map_err(failed(connection, doing))?;
    let mut rows = statement.query([]).map_err(failed(connection, doing))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed(connection, doing))? {
        found.push(snapshot_row(row).map_err(failed(connection, doing))?);
    }
    Ok(found)
}

fn snapshot_row(row: &Row<'_>) -> rusqlite::Result<SnapshotRow> {
    let set: Option<String> = row.get(6)?;
    Ok(SnapshotRow {
        number: u64_at(row, 0)?,
        state: match row.get_ref(1)?.as_str()? {
            "sealed" => SnapshotState::Sealed,
            "pending" => SnapshotState::Pending,
            "in-force" => SnapshotState::InForce,
            "past" => SnapshotState::Past,
            _ => return Err(bad_column(1, Type::Text, "an unknown state")),
        },
        index_sha256: sha256_at(row, 2)?,
        created: moment_at(row, 3)?,
        expires: optional_moment_at(row, 4)?,
        switched: optional_moment_at(row, 5)?,
        bundle_set: set
            .map(|set| set.parse().map_err(|e: uuid::Error| bad_column(6, Type::Text, e)))
            .transpose()?,
    })
}

fn segments_of(connection: &Connection, number: u64) -> Result<Vec<SegmentRef>> {
    let doing = "list the segments of a snapshot";
    let mut statement = connection
        .prepare_cached(
            "SELECT s.sha256, s.kind, s.size, s.unpacked_size, s.records
             FROM snapshot_segment n JOIN segment s USING (sha256)
             WHERE n.number = ?1 ORDER BY n.position",
        )
        .map_err(failed(connection, doing))?;
    let mut rows = statement.query([int(number)]).map_err(failed(connection, doing))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed(connection, doing))? {
        let segment = (|| {
            Ok(SegmentRef {
                kind: SegmentKind::named(row.get_ref(1)?.as_str()?)
                    .ok_or_else(|| bad_column(1, Type::Text, "an unknown kind"))?,
                sha256: sha256_at(row, 0)?,
                size: u64_at(row, 2)?,
                unpacked_size: u64_at(row, 3)?,
                records: u64_at(row, 4)?,
            })
        })();
        found.push(segment.map_err(failed(connection, doing))?);
    }
    Ok(found)
}

fn note(connection: &Connection, key: &str) -> Result<Option<String>> {
    connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")
        .and_then(|mut statement| statement.query_row([key], |row| row.get(0)).optional())
        .map_err(failed(connection, "read a note"))
}
