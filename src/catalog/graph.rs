//! All revisions with their relationships and files, for the server's view: one ordered pass over
//! each table, side by side, so that neither memory nor the number of queries grows with the
//! catalogue.

use rusqlite::{Connection, Row, Rows};

use super::{
    columns::{identity_at, update_type_at},
    rows::{GraphFile, GraphNode, PayloadState},
};
use crate::{
    sqlite::{moment_at, optional_sha256_at, sha1_at, u64_at, update_at},
    update::{Clause, RevisionId},
};

const REVISIONS: &str = "
    SELECT revision_id, update_id, revision_number, update_type, expired, explicitly_deployable,
           eula_id, arrived
    FROM revision WHERE withdrawn = 0 ORDER BY revision_id";
const PREREQUISITES: &str = "
    SELECT revision_id, clause, is_category, update_id
    FROM prerequisite ORDER BY revision_id, clause, position";
const BUNDLED: &str = "
    SELECT revision_id, clause, 0, update_id, revision_number
    FROM bundled ORDER BY revision_id, clause, position";
const SUPERSEDED: &str = "
    SELECT revision_id, update_id FROM superseded ORDER BY revision_id, position";
// A file is found by SHA-256; only where its document has none, by SHA-1.
const FILES: &str = "
    SELECT f.revision_id, f.sha1, coalesce(f.sha256, p.sha256), f.size, f.name,
           coalesce(p.present, 0), p.not_carried IS NOT NULL, f.eula
    FROM file f
    LEFT JOIN payload p ON p.sha256 = coalesce(f.sha256, (
        SELECT q.sha256 FROM payload q WHERE q.sha1 = f.sha1
        ORDER BY q.present DESC, q.sha256 LIMIT 1))
    ORDER BY f.revision_id, f.position";

/// Calls `each` with every revision that is not withdrawn, in the order of revision IDs.
pub(super) fn each(
    connection: &Connection,
    each: &mut dyn FnMut(GraphNode),
) -> rusqlite::Result<()> {
    // One state for all five statements, whatever a writer commits meanwhile.
    let tx = connection.unchecked_transaction()?;
    let (mut revisions, mut prerequisites) =
        (tx.prepare_cached(REVISIONS)?, tx.prepare_cached(PREREQUISITES)?);
    let (mut bundled, mut superseded) =
        (tx.prepare_cached(BUNDLED)?, tx.prepare_cached(SUPERSEDED)?);
    let mut files = tx.prepare_cached(FILES)?;

    let mut prerequisites = Children::new(prerequisites.query([])?, |row| {
        Ok((row.get(1)?, row.get(2)?, update_at(row, 3)?))
    })?;
    let mut bundled = Children::new(bundled.query([])?, |row| {
        Ok((row.get(1)?, row.get(2)?, identity_at(row, 3)?))
    })?;
    let mut superseded = Children::new(superseded.query([])?, |row| update_at(row, 1))?;
    let mut files = Children::new(files.query([])?, file)?;

    let mut revisions = revisions.query([])?;
    while let Some(row) = revisions.next()? {
        let id = row.get(0)?;
        let (eulas, files): (Vec<_>, Vec<_>) =
            files.of(id)?.into_iter().partition(|(eula, _)| *eula);
        let without = |files: Vec<(bool, GraphFile)>| files.into_iter().map(|(_, f)| f).collect();
        each(GraphNode {
            revision_id: RevisionId(id),
            identity: identity_at(row, 1)?,
            update_type: update_type_at(row, 3)?,
            expired: row.get(4)?,
            explicitly_deployable: row.get(5)?,
            eula_id: row.get(6)?,
            arrived: moment_at(row, 7)?,
            prerequisites: clauses(prerequisites.of(id)?),
            bundled: clauses(bundled.of(id)?),
            superseded: superseded.of(id)?,
            files: without(files),
            eulas: without(eulas),
        });
    }
    Ok(())
}

/// A file, and whether it is a licence text.
fn file(row: &Row<'_>) -> rusqlite::Result<(bool, GraphFile)> {
    let state = match (row.get(5)?, row.get(6)?) {
        (true, _) => PayloadState::Present,
        (false, true) => PayloadState::NotCarried,
        (false, false) => PayloadState::Missing,
    };
    let file = GraphFile {
        sha1: sha1_at(row, 1)?,
        sha256: optional_sha256_at(row, 2)?,
        size: u64_at(row, 3)?,
        name: row.get(4)?,
        state,
    };
    Ok((row.get(7)?, file))
}

/// Rows in the order of clauses → clauses.
fn clauses<T>(rows: Vec<(i64, bool, T)>) -> Vec<Clause<T>> {
    let mut clauses: Vec<Clause<T>> = Vec::new();
    let mut last = None;
    for (number, is_category, member) in rows {
        match clauses.last_mut() {
            Some(clause) if last == Some(number) => clause.any_of.push(member),
            _ => clauses.push(Clause { is_category, any_of: vec![member] }),
        }
        last = Some(number);
    }
    clauses
}

/// The rows of a child table, in the order of revision IDs (its first column).
struct Children<'a, T, F> {
    rows: Rows<'a>,
    read: F,
    ahead: Option<(i32, T)>,
}

impl<'a, T, F: Fn(&Row<'_>) -> rusqlite::Result<T>> Children<'a, T, F> {
    fn new(rows: Rows<'a>, read: F) -> rusqlite::Result<Self> {
        let mut children = Self { rows, read, ahead: None };
        children.advance()?;
        Ok(children)
    }

    fn advance(&mut self) -> rusqlite::Result<Option<(i32, T)>> {
        let next = match self.rows.next()? {
            Some(row) => Some((row.get(0)?, (self.read)(row)?)),
            None => None,
        };
        Ok(std::mem::replace(&mut self.ahead, next))
    }

    /// The rows of one revision. Those of revisions before it (withdrawn ones) are passed over.
    fn of(&mut self, id: i32) -> rusqlite::Result<Vec<T>> {
        let mut out = Vec::new();
        while self.ahead.as_ref().is_some_and(|(revision, _)| *revision <= id) {
            if let Some((revision, row)) = self.advance()?
                && revision == id
            {
                out.push(row);
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::read::Catalog;

    /// A sort would hold a whole table in memory, a scan per revision would take forever.
    #[test]
    fn every_table_is_read_once_in_its_own_order() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.sqlite")).unwrap();
        let plan = |sql: &str| -> Vec<String> {
            let mut statement =
                catalog.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = statement.query_map([], |row| row.get(3)).unwrap();
            steps.map(Result::unwrap).collect()
        };
        for sql in [REVISIONS, PREREQUISITES, BUNDLED, SUPERSEDED, FILES] {
            let mut steps = plan(sql);
            // Within the subquery only the few payloads of one SHA-1 are sorted.
            let subquery = steps.iter().position(|step| step.starts_with("CORRELATED"));
            steps.truncate(subquery.unwrap_or(steps.len()));
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{sql}: {steps:#?}");
            let scans = steps.iter().filter(|step| step.starts_with("SCAN")).count();
            assert_eq!(scans, 1, "{sql}: {steps:#?}");
        }
        let sorted = plan("SELECT revision_id FROM file ORDER BY name");
        assert!(sorted.iter().any(|step| step.contains("TEMP B-TREE")), "{sorted:#?}");
    }
}
