//! The tables `snapshot`, `segment` and `snapshot_segment`.

use bundle_format::{
    digest::Sha256,
    index::{SegmentKind, SegmentRef},
};
use jiff::Timestamp;
use rusqlite::{Row, params, types::Type};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    catalog::{error::CatalogError, reader::Catalog, writer::CatalogWriter},
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
    pub fn snapshots(&self) -> Result<Vec<SnapshotRow>, CatalogError> {
        let sql = "SELECT number, state, index_sha256, created, expires, switched, bundle_set
             FROM snapshot ORDER BY number";
        self.rows("list the snapshots", sql, [], snapshot_row)
    }

    /// The segments of a snapshot, in order; empty when it is not known.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn segments_of(&self, number: u64) -> Result<Vec<SegmentRef>, CatalogError> {
        let sql = "SELECT s.sha256, s.kind, s.size, s.unpacked_size, s.records
             FROM snapshot_segment n JOIN segment s USING (sha256)
             WHERE n.number = ?1 ORDER BY n.position";
        self.rows("list the segments of a snapshot", sql, [int(number)], |row| {
            Ok(SegmentRef {
                kind: SegmentKind::named(row.get_ref(1)?.as_str()?)
                    .ok_or_else(|| bad_column(1, Type::Text, "an unknown kind"))?,
                sha256: sha256_at(row, 0)?,
                size: u64_at(row, 2)?,
                unpacked_size: u64_at(row, 3)?,
                records: u64_at(row, 4)?,
            })
        })
    }
}

impl CatalogWriter<'_> {
    /// Adds a snapshot with its segments, or replaces one of the same number.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn store_snapshot(
        &mut self,
        row: &SnapshotRow,
        segments: &[SegmentRef],
    ) -> Result<(), CatalogError> {
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
    pub fn set_snapshot_state(
        &mut self,
        number: u64,
        state: SnapshotState,
    ) -> Result<(), CatalogError> {
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
    pub fn forget_snapshot(&mut self, number: u64) -> Result<(), CatalogError> {
        self.execute(
            "forget a snapshot",
            "DELETE FROM snapshot WHERE number = ?1",
            params![int(number)],
        )?;
        Ok(())
    }
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
