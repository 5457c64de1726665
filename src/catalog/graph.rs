//! All revisions with their relationships and files, for the server's view: one ordered pass over
//! each table, side by side, so that neither memory nor the number of queries grows with the
//! catalogue.

use jiff::Timestamp;
use rusqlite::{Row, Rows};

use super::{
    error::CatalogError,
    files::{FILE_COLUMNS, FILE_TABLES, FileRow, file_at},
    reader::Catalog,
    sql::{identity_at, update_type_at},
};
use crate::{
    sqlite::{moment_at, update_at},
    update::{Clause, RevisionId, UpdateId, UpdateIdentity, UpdateType},
};

/// A revision as the server's view loads it: relationships and files, no texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphNode {
    /// Its number towards agents.
    pub revision_id: RevisionId,
    /// Which revision it is.
    pub identity: UpdateIdentity,
    /// Its kind.
    pub update_type: UpdateType,
    /// Withdrawn by its publisher.
    pub expired: bool,
    /// Can be approved by an administrator.
    pub explicitly_deployable: bool,
    /// Licence that must be accepted before approval.
    pub eula_id: Option<String>,
    /// When this store first received it.
    pub arrived: Timestamp,
    /// All clauses must hold.
    pub prerequisites: Vec<Clause<UpdateId>>,
    /// Exact revisions.
    pub bundled: Vec<Clause<UpdateIdentity>>,
    /// Updates that it supersedes.
    pub superseded: Vec<UpdateId>,
    /// Which languages its payload is for, in lower case; none: all.
    pub languages: Vec<String>,
    /// Its payload files (no licence texts).
    pub files: Vec<FileRow>,
    /// Its licence texts: served like payloads, but no agent needs them to install.
    pub eulas: Vec<FileRow>,
}

const REVISIONS: &str = "
    SELECT revision_id, update_id, revision_number, update_type, expired, explicitly_deployable,
           eula_id, arrived
    FROM revision WHERE withdrawn = 0 ORDER BY revision_id";
const PREREQUISITES: &str = "
    SELECT revision_id, clause, is_category, update_id
    FROM prerequisite ORDER BY revision_id, clause, position";
const EMPTY_CLAUSES: &str = "
    SELECT revision_id, clause, is_category FROM empty_clause ORDER BY revision_id, clause";
const BUNDLED: &str = "
    SELECT revision_id, clause, 0, update_id, revision_number
    FROM bundled ORDER BY revision_id, clause, position";
const SUPERSEDED: &str = "
    SELECT revision_id, update_id FROM superseded ORDER BY revision_id, position";
const LANGUAGES: &str = "
    SELECT revision_id, language FROM payload_language ORDER BY revision_id, language";

fn files_sql() -> String {
    format!(
        "SELECT f.revision_id, {FILE_COLUMNS} FROM {FILE_TABLES}
         ORDER BY f.revision_id, f.position"
    )
}

impl Catalog {
    /// Calls `each` with every revision that is not withdrawn, in the order of revision IDs.
    /// Memory stays flat.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn nodes(&self, each: &mut dyn FnMut(GraphNode)) -> Result<(), CatalogError> {
        self.read_nodes(each).map_err(self.sqlite("read the revisions"))
    }

    fn read_nodes(&self, each: &mut dyn FnMut(GraphNode)) -> rusqlite::Result<()> {
        let _one_state = self.one_state()?;
        let prepare = |sql: &str| self.connection.prepare_cached(sql);
        let (mut revisions, mut prerequisites) = (prepare(REVISIONS)?, prepare(PREREQUISITES)?);
        let mut empty_clauses = prepare(EMPTY_CLAUSES)?;
        let (mut bundled, mut superseded) = (prepare(BUNDLED)?, prepare(SUPERSEDED)?);
        let (mut languages, mut files) = (prepare(LANGUAGES)?, prepare(&files_sql())?);

        let mut prerequisites = Children::new(prerequisites.query([])?, |row| {
            Ok((row.get(1)?, row.get(2)?, update_at(row, 3)?))
        })?;
        let mut empty_clauses = Children::new(empty_clauses.query([])?, |row| {
            Ok((row.get(1)?, Clause { is_category: row.get(2)?, any_of: Vec::new() }))
        })?;
        let mut bundled = Children::new(bundled.query([])?, |row| {
            Ok((row.get(1)?, row.get(2)?, identity_at(row, 3)?))
        })?;
        let mut superseded = Children::new(superseded.query([])?, |row| update_at(row, 1))?;
        let mut languages = Children::new(languages.query([])?, |row| row.get(1))?;
        let mut files = Children::new(files.query([])?, |row| file_at(row, 1))?;

        let mut revisions = revisions.query([])?;
        while let Some(row) = revisions.next()? {
            let id = row.get(0)?;
            let (eulas, files) = files.next_of(id)?.into_iter().partition(|file| file.eula);
            each(GraphNode {
                revision_id: RevisionId(id),
                identity: identity_at(row, 1)?,
                update_type: update_type_at(row, 3)?,
                expired: row.get(4)?,
                explicitly_deployable: row.get(5)?,
                eula_id: row.get(6)?,
                arrived: moment_at(row, 7)?,
                prerequisites: clauses(prerequisites.next_of(id)?, empty_clauses.next_of(id)?),
                bundled: clauses(bundled.next_of(id)?, Vec::new()),
                superseded: superseded.next_of(id)?,
                languages: languages.next_of(id)?,
                files,
                eulas,
            });
        }
        Ok(())
    }
}

/// Rows in the order of clauses, and numbered clauses without alternatives → clauses in their order.
fn clauses<T>(rows: Vec<(i64, bool, T)>, empty: Vec<(i64, Clause<T>)>) -> Vec<Clause<T>> {
    let mut clauses: Vec<(i64, Clause<T>)> = Vec::new();
    for (number, is_category, member) in rows {
        match clauses.last_mut() {
            Some((last, clause)) if *last == number => clause.any_of.push(member),
            _ => clauses.push((number, Clause { is_category, any_of: vec![member] })),
        }
    }
    if !empty.is_empty() {
        clauses.extend(empty);
        clauses.sort_by_key(|(number, _)| *number);
    }
    clauses.into_iter().map(|(_, clause)| clause).collect()
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
    fn next_of(&mut self, id: i32) -> rusqlite::Result<Vec<T>> {
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
        for sql in [REVISIONS, PREREQUISITES, EMPTY_CLAUSES, BUNDLED, SUPERSEDED, &files_sql()] {
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
