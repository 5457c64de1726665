//! Notes of one subject, by the beginning of their keys.

use super::{error::CatalogError, read::Catalog};

impl Catalog {
    /// Calls `each` with the rest of the key and the text of every note whose key begins with
    /// `prefix`, sorted by key.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn notes(
        &self,
        prefix: &str,
        each: &mut dyn FnMut(&str, &str),
    ) -> Result<(), CatalogError> {
        let sql = "SELECT substr(key, length(?1) + 1), value FROM meta
                   WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key";
        self.rows("read the notes", sql, [prefix], |row| {
            each(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
            Ok(())
        })
    }
}
