//! How categories belong together: company, product family, product.

use super::{error::CatalogError, read::Catalog};
use crate::{sqlite::update_at, update::UpdateId};

impl Catalog {
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
        self.rows("read the tree of categories", sql, [], |row| {
            each(update_at(row, 0)?, update_at(row, 1)?);
            Ok(())
        })
    }
}
