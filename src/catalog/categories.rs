//! Categories (products, product families, classifications), and what belongs to them.

use std::collections::HashSet;

use serde::Serialize;

use super::{error::CatalogError, reader::Catalog, revisions::RevisionFilter};
use crate::{
    sqlite::update_at,
    update::{RevisionId, UpdateId, UpdateType},
};

/// A category that updates can be chosen by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NamedCategory {
    /// Its update.
    pub id: UpdateId,
    /// What people call it.
    pub title: String,
}

impl Catalog {
    /// The categories of these types (`Product`, `ProductFamily`, `UpdateClassification`, …), sorted
    /// by title.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn categories(&self, types: &[&str]) -> Result<Vec<NamedCategory>, CatalogError> {
        let filter = RevisionFilter {
            update_type: Some(UpdateType::Category),
            newest: true,
            ..RevisionFilter::default()
        };
        let mut found = Vec::new();
        self.find(&filter, &mut |summary| {
            if summary.category_type.is_some_and(|word| types.contains(&word.as_str())) {
                found.push(NamedCategory { id: summary.identity.id, title: summary.title });
            }
        })?;
        found.sort_by(|a, b| (&a.title, a.id).cmp(&(&b.title, b.id)));
        Ok(found)
    }

    /// The revisions that name one of these categories, or a category below one of them, among
    /// their prerequisites.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn members(&self, categories: &[UpdateId]) -> Result<HashSet<RevisionId>, CatalogError> {
        // UNION drops what was found before, so that rings end.
        let sql = "
            WITH RECURSIVE below (id) AS (
                SELECT ?1
                UNION
                SELECT r.update_id FROM below
                JOIN prerequisite p ON p.update_id = below.id
                JOIN revision r USING (revision_id)
                WHERE r.update_type = 'category' AND r.withdrawn = 0)
            SELECT p.revision_id FROM below JOIN prerequisite p ON p.update_id = below.id";
        let mut found = HashSet::new();
        for category in categories {
            let params = [category.0.as_bytes()];
            self.for_each_row("find what belongs to a category", sql, params, |row| {
                found.insert(RevisionId(row.get(0)?));
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Calls `each` with a category and an update that its prerequisites name: its parent, if that is
    /// a category too.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn category_parents(
        &self,
        each: &mut dyn FnMut(UpdateId, UpdateId),
    ) -> Result<(), CatalogError> {
        let sql = "SELECT DISTINCT r.update_id, p.update_id
             FROM revision r JOIN prerequisite p USING (revision_id)
             WHERE r.update_type = 'category' AND r.withdrawn = 0";
        self.for_each_row("read the tree of categories", sql, [], |row| {
            each(update_at(row, 0)?, update_at(row, 1)?);
            Ok(())
        })
    }
}
