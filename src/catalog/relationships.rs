//! The tables `prerequisite`, `empty_clause`, `bundled` and `superseded`: what revisions name, and
//! what of it is not here.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use rusqlite::params;

use super::{
    error::CatalogError, reader::Catalog, revisions::published, sql::identity_at,
    writer::CatalogWriter,
};
use crate::{
    sqlite::{moment_at, update_at},
    update::{RevisionId, UpdateDocument, UpdateId, UpdateIdentity},
};

impl Catalog {
    /// Adds to `revisions` all that these bundle, at any depth, withdrawn ones left out. Gives the
    /// bundled revisions that the catalogue does not have.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn add_bundled(
        &self,
        revisions: &mut BTreeSet<RevisionId>,
    ) -> Result<BTreeSet<UpdateIdentity>, CatalogError> {
        let sql = "SELECT b.update_id, b.revision_number, c.revision_id, coalesce(c.withdrawn, 0)
             FROM bundled b LEFT JOIN revision c
               ON c.update_id = b.update_id AND c.revision_number = b.revision_number
             WHERE b.revision_id = ?1 ORDER BY b.clause, b.position";
        let mut open: Vec<i32> = revisions.iter().map(|id| id.0).collect();
        let mut absent = BTreeSet::new();
        while let Some(id) = open.pop() {
            self.for_each_row("find bundled revisions", sql, [id], |row| {
                match (row.get::<_, Option<i32>>(2)?, row.get(3)?) {
                    (Some(child), false) => {
                        if revisions.insert(RevisionId(child)) {
                            open.push(child);
                        }
                    }
                    (Some(_), true) => {}
                    (None, _) => {
                        absent.insert(identity_at(row, 0)?);
                    }
                }
                Ok(())
            })?;
        }
        Ok(absent)
    }

    /// Calls `each` with every revision that something bundles and that is not here.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn absent_members(&self, each: &mut dyn FnMut(UpdateIdentity)) -> Result<(), CatalogError> {
        let sql = "SELECT DISTINCT b.update_id, b.revision_number
             FROM bundled b JOIN revision r USING (revision_id)
             WHERE r.withdrawn = 0 AND NOT EXISTS (
                SELECT 1 FROM revision h WHERE h.update_id = b.update_id
                AND h.revision_number = b.revision_number AND h.withdrawn = 0)";
        self.for_each_row("look for absent members", sql, [], |row| {
            each(identity_at(row, 0)?);
            Ok(())
        })
    }

    /// Calls `each` with every update that a prerequisite names and of which no revision is here.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn absent_prerequisites(&self, each: &mut dyn FnMut(UpdateId)) -> Result<(), CatalogError> {
        // The index alone says which updates are named: far fewer than there are prerequisites.
        let sql = "SELECT p.update_id FROM (SELECT DISTINCT update_id FROM prerequisite) p
             WHERE NOT EXISTS (SELECT 1 FROM revision h
                               WHERE h.update_id = p.update_id AND h.withdrawn = 0)
               AND EXISTS (SELECT 1 FROM prerequisite q JOIN revision r USING (revision_id)
                           WHERE q.update_id = p.update_id AND r.withdrawn = 0)";
        self.for_each_row("look for absent prerequisites", sql, [], |row| {
            each(update_at(row, 0)?);
            Ok(())
        })
    }

    /// A revision that can never be installed because of an absent prerequisite: the clause that
    /// names it has no alternative that is here. `None` if all have.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn blocked_by(&self, absent: UpdateId) -> Result<Option<UpdateIdentity>, CatalogError> {
        let sql = "SELECT r.update_id, r.revision_number
             FROM prerequisite p JOIN revision r USING (revision_id)
             WHERE p.update_id = ?1 AND r.withdrawn = 0 AND NOT EXISTS (
                SELECT 1 FROM prerequisite o
                JOIN revision h ON h.update_id = o.update_id AND h.withdrawn = 0
                WHERE o.revision_id = p.revision_id AND o.clause = p.clause)
             LIMIT 1";
        let params = [absent.0.as_bytes()];
        self.row("look for what is blocked", sql, params, |row| identity_at(row, 0))
    }

    /// Updates that revisions which are neither withdrawn nor expired supersede, each with the
    /// moment when the first of these was published.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn superseded(&self) -> Result<HashMap<UpdateId, Timestamp>, CatalogError> {
        let mut found: HashMap<UpdateId, Timestamp> = HashMap::new();
        let sql = "
            SELECT s.update_id, r.created, r.arrived
            FROM superseded s JOIN revision r USING (revision_id)
            WHERE r.withdrawn = 0 AND r.expired = 0";
        self.for_each_row("find what is superseded", sql, [], |row| {
            let since = published(row.get_ref(1)?.as_str_or_null()?, moment_at(row, 2)?);
            let first = found.entry(update_at(row, 0)?).or_insert(since);
            *first = since.min(*first);
            Ok(())
        })?;
        Ok(found)
    }
}

impl CatalogWriter<'_> {
    pub(super) fn insert_relationships(
        &self,
        id: RevisionId,
        document: &UpdateDocument,
    ) -> Result<(), CatalogError> {
        for (number, clause) in (0_i64..).zip(&document.prerequisites) {
            if clause.any_of.is_empty() {
                self.execute(
                    "add a clause without alternatives",
                    "INSERT INTO empty_clause (revision_id, clause, is_category) VALUES (?1, ?2, ?3)",
                    params![id.0, number, clause.is_category],
                )?;
            }
            for (position, member) in (0_i64..).zip(&clause.any_of) {
                self.execute(
                    "add a prerequisite",
                    "INSERT INTO prerequisite (revision_id, clause, position, is_category, update_id)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![id.0, number, position, clause.is_category, member.0.as_bytes()],
                )?;
            }
        }
        for (number, clause) in (0_i64..).zip(&document.bundled) {
            for (position, member) in (0_i64..).zip(&clause.any_of) {
                self.execute(
                    "add a bundled update",
                    "INSERT INTO bundled (revision_id, clause, position, update_id, revision_number)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![id.0, number, position, member.id.0.as_bytes(), member.revision],
                )?;
            }
        }
        for (position, member) in (0_i64..).zip(&document.superseded) {
            self.execute(
                "add a superseded update",
                "INSERT INTO superseded (revision_id, position, update_id) VALUES (?1, ?2, ?3)",
                params![id.0, position, member.0.as_bytes()],
            )?;
        }
        Ok(())
    }
}
