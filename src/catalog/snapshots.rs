//! Snapshots, segments, sites and what was packed for them: what sealing, export, intake and switch
//! keep in the catalogue.

use std::path::PathBuf;

use bundle_format::{
    digest::Sha256,
    index::{SegmentKind, SegmentRef},
    segment::{PayloadRecord, Record, RevisionRecord},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};
use serde::Serialize;
use uuid::Uuid;

use super::{
    Catalog, CatalogError, PayloadRow, Writer,
    columns::{PAYLOAD, payload_row},
};
use crate::sqlite::{
    bad_column, int, moment, moment_at, optional_moment_at, sha1_at, sha256_at, u64_at, uuid_at,
};

type Result<T> = std::result::Result<T, CatalogError>;

/// What a payload is sealed as when its bytes are here.
const PRESENT: &str = "present";

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

/// A file that a document names in another way than the payload table, or two payloads of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// What contradicts what.
    pub what: String,
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

    /// The sites that this mirror packs for, sorted.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn sites(&self) -> Result<Vec<String>> {
        sites(&self.connection)
    }

    /// A note that sealing or switching left.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note(&self, key: &str) -> Result<Option<String>> {
        note(&self.connection, key)
    }

    /// Calls `each` with every payload that the last snapshot carries, ascending by name, without
    /// those that were packed for `site` before (unless `full`).
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payloads_to_pack(
        &self,
        site: &str,
        full: bool,
        each: &mut dyn FnMut(Sha256, u64),
    ) -> Result<()> {
        let doing = "list the payloads to pack";
        let connection = &self.connection;
        let mut statement = connection
            .prepare_cached(
                "SELECT sha256, size FROM payload p WHERE sealed_as = ?1 AND (?2 OR NOT EXISTS
                 (SELECT 1 FROM packed k WHERE k.site = ?3 AND k.sha256 = p.sha256))
                 ORDER BY sha256",
            )
            .map_err(failed(connection, doing))?;
        let mut rows =
            statement.query(params![PRESENT, full, site]).map_err(failed(connection, doing))?;
        while let Some(row) = rows.next().map_err(failed(connection, doing))? {
            let (sha256, size) = (|| Ok((sha256_at(row, 0)?, u64_at(row, 1)?)))()
                .map_err(failed(connection, doing))?;
            each(sha256, size);
        }
        Ok(())
    }

    /// Whether an object was packed for `site` before.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_packed(&self, site: &str, object: &Sha256) -> Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM packed WHERE site = ?1 AND sha256 = ?2")
            .and_then(|mut s| s.exists(params![site, object.as_bytes()]))
            .map_err(failed(&self.connection, "look up what was packed"))
    }

    /// What SQLite itself finds wrong with the file; empty when it is in order.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn integrity(&self) -> Result<Vec<String>> {
        let doing = "check the integrity";
        let mut found = Vec::new();
        for pragma in ["PRAGMA integrity_check(20)", "PRAGMA foreign_key_check"] {
            let mut statement =
                self.connection.prepare(pragma).map_err(failed(&self.connection, doing))?;
            let mut rows = statement.query([]).map_err(failed(&self.connection, doing))?;
            while let Some(row) = rows.next().map_err(failed(&self.connection, doing))? {
                let text: String = row.get(0).map_err(failed(&self.connection, doing))?;
                if text != "ok" {
                    found.push(text);
                }
            }
        }
        Ok(found)
    }

    /// Contradictions between documents and payload table, at most a hundred.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn contradictions(&self) -> Result<Vec<Contradiction>> {
        contradictions(&self.connection)
    }
}

impl Writer<'_> {
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

    /// See [`Catalog::sites`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn sites(&self) -> Result<Vec<String>> {
        sites(&self.tx)
    }

    /// See [`Catalog::note`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note(&self, key: &str) -> Result<Option<String>> {
        note(&self.tx, key)
    }

    /// See [`Catalog::contradictions`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn contradictions(&self) -> Result<Vec<Contradiction>> {
        contradictions(&self.tx)
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

    /// Adds a site; true if it is new.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn add_site(&mut self, site: &str) -> Result<bool> {
        Ok(self.execute(
            "add a site",
            "INSERT OR IGNORE INTO site (site) VALUES (?1)",
            params![site],
        )? > 0)
    }

    /// Notes that an object was packed for a site.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mark_packed(&mut self, site: &str, object: &Sha256, snapshot: u64) -> Result<()> {
        self.execute(
            "note what was packed",
            "INSERT INTO packed (site, sha256, snapshot) VALUES (?1, ?2, ?3)
             ON CONFLICT (site, sha256) DO UPDATE SET snapshot = excluded.snapshot",
            params![site, object.as_bytes(), int(snapshot)],
        )?;
        Ok(())
    }

    /// Calls `each` with a record for every revision that the last snapshot does not carry as it is
    /// now, in the order of revision IDs: new ones, withdrawn ones, and those that came back. What
    /// was published on an isolated side is never among them. One document in memory at a time.
    ///
    /// # Errors
    /// When SQLite fails, or `each` does.
    pub fn unsealed_revisions<E: From<CatalogError>>(
        &self,
        mut each: impl FnMut(Record) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let doing = "list the revisions to seal";
        let connection = &*self.tx;
        let mut statement = connection
            .prepare(
                "SELECT r.revision_id, r.update_id, r.revision_number, r.withdrawn,
                 CASE WHEN r.withdrawn THEN NULL ELSE d.zstd END, r.document_sha256
                 FROM revision r LEFT JOIN document d USING (revision_id)
                 WHERE NOT r.local AND ((NOT r.withdrawn AND r.sealed IS NULL)
                 OR (r.withdrawn AND r.sealed IS NOT NULL AND r.withdrawal_sealed IS NULL))
                 ORDER BY r.revision_id",
            )
            .map_err(failed(connection, doing))?;
        let mut rows = statement.query([]).map_err(failed(connection, doing))?;
        while let Some(row) = rows.next().map_err(failed(connection, doing))? {
            let fields =
                (|| Ok((row.get(0)?, uuid_at(row, 1)?, row.get(2)?, row.get::<_, bool>(3)?)))();
            let (revision_id, update_id, revision_number, withdrawn): (i32, _, _, _) =
                fields.map_err(failed(connection, doing))?;
            if withdrawn {
                each(Record::Withdrawal { update_id, revision_number })?;
                continue;
            }
            let zstd = row.get_ref(4).map_err(failed(connection, doing))?;
            let sha256 = sha256_at(row, 5).map_err(failed(connection, doing))?;
            // A signature must not make rotten bytes the truth.
            let xml = zstd
                .as_blob()
                .ok()
                .and_then(|zstd| zstd::decode_all(zstd).ok())
                .filter(|xml| Sha256::of(xml) == sha256)
                .ok_or_else(|| {
                    damaged(
                        connection,
                        format!(
                            "the document of revision id {revision_id} does not unpack to what was stored; restore the database from a backup"
                        ),
                    )
                })?;
            each(Record::Revision(RevisionRecord {
                update_id,
                revision_number,
                revision_id,
                xml,
            }))?;
        }
        Ok(())
    }

    /// Calls `each` with every payload record that the last snapshot does not carry as it is now,
    /// ascending by name.
    ///
    /// # Errors
    /// When SQLite fails, or `each` does.
    pub fn unsealed_payloads<E: From<CatalogError>>(
        &self,
        mut each: impl FnMut(PayloadRecord) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let doing = "list the payloads to seal";
        let connection = &*self.tx;
        let mut statement = connection
            .prepare(&format!(
                "SELECT sha256, sha1, size, chunks, {SEAL_AS} FROM payload
                 WHERE (sealed IS NULL OR {SEAL_AS} IS NOT sealed_as) AND {SEAL_AS} IS NOT NULL ORDER BY sha256"
            ))
            .map_err(failed(connection, doing))?;
        let mut rows = statement.query([]).map_err(failed(connection, doing))?;
        while let Some(row) = rows.next().map_err(failed(connection, doing))? {
            let record = (|| {
                let seal_as: String = row.get(4)?;
                let carried = seal_as == PRESENT;
                Ok(PayloadRecord {
                    sha256: sha256_at(row, 0)?,
                    sha1: sha1_at(row, 1)?,
                    size: u64_at(row, 2)?,
                    chunks: if carried { chunks_at(row, 3)? } else { Vec::new() },
                    not_carried: (!carried).then_some(seal_as),
                })
            })();
            each(record.map_err(failed(connection, doing))?)?;
        }
        Ok(())
    }

    /// Keeps a snapshot that was sealed here, and notes that it carries everything that
    /// [`Writer::unsealed_revisions`] and [`Writer::unsealed_payloads`] gave in this transaction.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn seal_snapshot(&mut self, row: &SnapshotRow, segments: &[SegmentRef]) -> Result<()> {
        self.put_snapshot(row, segments)?;
        let number = int(row.number);
        let doing = "note what is sealed";
        self.execute(
            doing,
            "UPDATE revision SET sealed = ?1
             WHERE NOT local AND NOT withdrawn AND sealed IS NULL",
            params![number],
        )?;
        self.execute(
            doing,
            "UPDATE revision SET withdrawal_sealed = ?1
             WHERE NOT local AND withdrawn AND sealed IS NOT NULL AND withdrawal_sealed IS NULL",
            params![number],
        )?;
        self.execute(
            doing,
            &format!(
                "UPDATE payload SET sealed = ?1, sealed_as = {SEAL_AS}
                 WHERE (sealed IS NULL OR {SEAL_AS} IS NOT sealed_as) AND {SEAL_AS} IS NOT NULL"
            ),
            params![number],
        )?;
        Ok(())
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
                    kind_name(segment.kind),
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

    /// Calls `each` with the name and size of every payload that should be here and is not. What a
    /// document that was published here names does not count: no bundle will bring it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn absent_payloads(&self, each: &mut dyn FnMut(Sha256, u64)) -> Result<()> {
        let doing = "list what is missing";
        let connection = &*self.tx;
        let mut statement = connection
            .prepare(
                "SELECT sha256, size FROM payload p WHERE NOT present AND not_carried IS NULL
                 AND NOT EXISTS (SELECT 1 FROM file f JOIN revision r USING (revision_id)
                 WHERE r.local AND f.sha1 = p.sha1) ORDER BY sha256",
            )
            .map_err(failed(connection, doing))?;
        let mut rows = statement.query([]).map_err(failed(connection, doing))?;
        while let Some(row) = rows.next().map_err(failed(connection, doing))? {
            let (sha256, size) = (|| Ok((sha256_at(row, 0)?, u64_at(row, 1)?)))()
                .map_err(failed(connection, doing))?;
            each(sha256, size);
        }
        Ok(())
    }

    /// Starts a list of what a snapshot names, for [`Writer::drop_unlisted_payloads`] and
    /// [`Writer::drop_unlisted_revisions`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn start_list(&mut self) -> Result<()> {
        self.tx
            .execute_batch(
                "DROP TABLE IF EXISTS temp.listed_revision;
                 DROP TABLE IF EXISTS temp.listed_payload;
                 CREATE TEMP TABLE listed_revision (revision_id INTEGER PRIMARY KEY) STRICT;
                 CREATE TEMP TABLE listed_payload (sha256 BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;",
            )
            .map_err(failed(&self.tx, "start a list"))
    }

    /// Lists a revision by its number.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn list_revision(&mut self, revision_id: i32) -> Result<()> {
        self.execute(
            "list a revision",
            "INSERT OR IGNORE INTO temp.listed_revision VALUES (?1)",
            params![revision_id],
        )?;
        Ok(())
    }

    /// Lists a payload by its name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn list_payload(&mut self, payload: &Sha256) -> Result<()> {
        self.execute(
            "list a payload",
            "INSERT OR IGNORE INTO temp.listed_payload VALUES (?1)",
            params![payload.as_bytes()],
        )?;
        Ok(())
    }

    /// Removes payload rows that were not listed since [`Writer::start_list`]; what a document that
    /// was published here names stays. Returns how many went.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn drop_unlisted_payloads(&mut self) -> Result<u64> {
        self.drop_unlisted(
            "DELETE FROM payload WHERE sha256 NOT IN (SELECT sha256 FROM temp.listed_payload)
             AND NOT EXISTS (SELECT 1 FROM file f JOIN revision r USING (revision_id)
             WHERE r.local AND f.sha1 = payload.sha1)",
        )
    }

    /// Removes revisions that were not listed since [`Writer::start_list`]; what was published here
    /// stays. Returns how many went.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn drop_unlisted_revisions(&mut self) -> Result<u64> {
        self.drop_unlisted(
            "DELETE FROM revision WHERE NOT local
             AND revision_id NOT IN (SELECT revision_id FROM temp.listed_revision)",
        )
    }

    fn drop_unlisted(&mut self, sql: &str) -> Result<u64> {
        let dropped = self.execute("remove what the snapshot no longer names", sql, [])?;
        if dropped > 0 {
            self.touch();
        }
        Ok(dropped as u64)
    }

    /// Whether a revision is here with this number and these bytes, and is offered.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn holds(&self, record: &RevisionRecord) -> Result<bool> {
        let found = self.row(
            "find a revision",
            "SELECT 1 FROM revision WHERE revision_id = ?1 AND update_id = ?2
             AND revision_number = ?3 AND document_sha256 = ?4 AND NOT withdrawn AND NOT local",
            params![
                record.revision_id,
                record.update_id.as_bytes(),
                record.revision_number,
                Sha256::of(&record.xml).as_bytes()
            ],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// A payload row.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payload(&self, sha256: &Sha256) -> Result<Option<PayloadRow>> {
        let sql = format!("{PAYLOAD} WHERE sha256 = ?1");
        self.row("find a payload", &sql, [sha256.as_bytes()], payload_row)
    }

    /// Remembers this point of the transaction, for [`Writer::back_to_mark`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mark_point(&mut self) -> Result<()> {
        self.tx.execute_batch("SAVEPOINT mark").map_err(failed(&self.tx, "mark a point"))
    }

    /// Undoes everything since [`Writer::mark_point`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn back_to_mark(&mut self) -> Result<()> {
        self.tx
            .execute_batch("ROLLBACK TO mark; RELEASE mark")
            .map_err(failed(&self.tx, "go back to a point"))
    }
}

/// How a payload row should be sealed now; NULL for one that was never here and is not left out by
/// choice.
const SEAL_AS: &str = "CASE WHEN present THEN 'present' WHEN not_carried IS NOT NULL THEN not_carried \
     WHEN sealed_as IS NOT NULL THEN 'the mirror has lost its bytes' END";

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
                kind: kind_of(row.get_ref(1)?.as_str()?)
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

fn sites(connection: &Connection) -> Result<Vec<String>> {
    connection
        .prepare_cached("SELECT site FROM site ORDER BY site")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .map_err(failed(connection, "list the sites"))
}

fn note(connection: &Connection, key: &str) -> Result<Option<String>> {
    connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")
        .and_then(|mut statement| statement.query_row([key], |row| row.get(0)).optional())
        .map_err(failed(connection, "read a note"))
}

fn contradictions(connection: &Connection) -> Result<Vec<Contradiction>> {
    let doing = "compare documents and payloads";
    let sql = "SELECT r.title, f.name, f.sha1, f.sha256, p.sha256, f.size, p.size
         FROM payload p JOIN file f ON f.sha1 = p.sha1 JOIN revision r USING (revision_id)
         WHERE p.not_carried IS NULL AND NOT r.withdrawn
         AND ((f.sha256 IS NOT NULL AND f.sha256 <> p.sha256) OR f.size <> p.size)
         UNION ALL
         SELECT r.title, f.name, f.sha1, f.sha256, p.sha256, f.size, p.size
         FROM payload p JOIN file f ON f.sha256 = p.sha256 JOIN revision r USING (revision_id)
         WHERE p.not_carried IS NULL AND NOT r.withdrawn AND f.sha1 <> p.sha1
         LIMIT 100";
    let mut statement = connection.prepare_cached(sql).map_err(failed(connection, doing))?;
    let mut rows = statement.query([]).map_err(failed(connection, doing))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed(connection, doing))? {
        let what = (|| {
            Ok(format!(
                "{:?} names the file {} with SHA-1 {} and {} bytes, but the payload {} has other digests or size ({} bytes)",
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                sha1_at(row, 2)?,
                u64_at(row, 5)?,
                sha256_at(row, 4)?,
                u64_at(row, 6)?,
            ))
        })();
        found.push(Contradiction { what: what.map_err(failed(connection, doing))? });
    }
    Ok(found)
}

fn kind_name(kind: SegmentKind) -> &'static str {
    match kind {
        SegmentKind::Catalogue => "catalogue",
        SegmentKind::Payloads => "payloads",
    }
}

fn kind_of(name: &str) -> Option<SegmentKind> {
    match name {
        "catalogue" => Some(SegmentKind::Catalogue),
        "payloads" => Some(SegmentKind::Payloads),
        _ => None,
    }
}

fn failed(
    connection: &Connection,
    doing: &'static str,
) -> impl FnOnce(rusqlite::Error) -> CatalogError + use<> {
    let path = PathBuf::from(connection.path().unwrap_or_default());
    move |source| CatalogError::Sqlite { doing, path, source }
}

fn damaged(connection: &Connection, what: String) -> CatalogError {
    CatalogError::Damaged { path: connection.path().unwrap_or_default().into(), what }
}

fn chunks_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Sha256>> {
    let (digests, rest) = row.get_ref(column)?.as_blob()?.as_chunks::<{ Sha256::LEN }>();
    if !rest.is_empty() {
        return Err(bad_column(column, Type::Blob, "chunk digests of an odd length"));
    }
    Ok(digests.iter().copied().map(Sha256::from_bytes).collect())
}
