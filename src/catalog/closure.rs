//! What is held, and what is named but not held: the closure of the catalogue.

use rusqlite::{Connection, params};

use super::{columns::identity_at, error::CatalogError, read::Catalog, write::CatalogWriter};
use crate::{
    sqlite::update_at,
    update::{UpdateId, UpdateIdentity},
};

type Result<T> = std::result::Result<T, CatalogError>;

const IS_HELD: &str = "SELECT 1 FROM revision
     WHERE update_id = ?1 AND revision_number = ?2 AND withdrawn = 0";

fn is_held(connection: &Connection, identity: &UpdateIdentity) -> rusqlite::Result<bool> {
    connection.prepare_cached(IS_HELD)?.exists(params![identity.id.0.as_bytes(), identity.revision])
}

impl Catalog {
    /// Whether a revision is here and offered.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_held(&self, identity: &UpdateIdentity) -> Result<bool> {
        is_held(&self.connection, identity).map_err(self.sqlite("look up a revision"))
    }

    /// Whether a revision has files that are neither here nor at an address that is known: its document
    /// came from a bundle or a package, which tell no addresses.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn lacks_addresses(&self, identity: &UpdateIdentity) -> Result<bool> {
        let sql = "SELECT 1 FROM revision r JOIN file f USING (revision_id)
             WHERE r.update_id = ?1 AND r.revision_number = ?2
               AND NOT EXISTS (SELECT 1 FROM file_url u WHERE u.sha1 = f.sha1)
               AND NOT EXISTS (SELECT 1 FROM payload p WHERE p.sha1 = f.sha1 AND p.present)
             LIMIT 1";
        let params = params![identity.id.0.as_bytes(), identity.revision];
        Ok(self.row("look for the addresses of files", sql, params, |_| Ok(()))?.is_some())
    }

    /// Calls `each` with every update that a prerequisite names and of which no revision is here.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn absent_prerequisites(&self, each: &mut dyn FnMut(UpdateId)) -> Result<()> {
        // The index alone says which updates are named: far fewer than there are prerequisites.
        let sql = "SELECT p.update_id FROM (SELECT DISTINCT update_id FROM prerequisite) p
             WHERE NOT EXISTS (SELECT 1 FROM revision h
                               WHERE h.update_id = p.update_id AND h.withdrawn = 0)
               AND EXISTS (SELECT 1 FROM prerequisite q JOIN revision r USING (revision_id)
                           WHERE q.update_id = p.update_id AND r.withdrawn = 0)";
        self.rows("look for absent prerequisites", sql, [], |row| {
            each(update_at(row, 0)?);
            Ok(())
        })
    }

    /// A revision that can never be installed because of an absent prerequisite: the clause that
    /// names it has no alternative that is here. `None` if all have.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn blocked_by(&self, absent: UpdateId) -> Result<Option<UpdateIdentity>> {
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

    /// Calls `each` with every revision that something bundles and that is not here.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn absent_members(&self, each: &mut dyn FnMut(UpdateIdentity)) -> Result<()> {
        let sql = "SELECT DISTINCT b.update_id, b.revision_number
             FROM bundled b JOIN revision r USING (revision_id)
             WHERE r.withdrawn = 0 AND NOT EXISTS (
                SELECT 1 FROM revision h WHERE h.update_id = b.update_id
                AND h.revision_number = b.revision_number AND h.withdrawn = 0)";
        self.rows("look for absent members", sql, [], |row| {
            each(identity_at(row, 0)?);
            Ok(())
        })
    }

    /// The number of the newest revision of an update that is here.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn newest_number(&self, id: UpdateId) -> Result<Option<u32>> {
        let sql = "SELECT max(revision_number) FROM revision
             WHERE update_id = ?1 AND withdrawn = 0";
        let found = self.row("look up an update", sql, [id.0.as_bytes()], |row| row.get(0))?;
        Ok(found.flatten())
    }
}

impl CatalogWriter<'_> {
    /// Whether a revision is here and offered.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_held(&self, identity: &UpdateIdentity) -> Result<bool> {
        let params = params![identity.id.0.as_bytes(), identity.revision];
        Ok(self.row("look up a revision", IS_HELD, params, |_| Ok(()))?.is_some())
    }
}
