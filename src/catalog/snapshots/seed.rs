//! A site's catalogue becomes that of the mirror.

use rusqlite::params;

use super::PRESENT;
use crate::{
    catalog::{error::CatalogError, writer::CatalogWriter},
    sqlite::int,
};

impl CatalogWriter<'_> {
    /// Says that this catalogue is the mirror's own, as it was when it sealed `snapshot`: all of it is
    /// sealed. What was published on the site, and other snapshots, are forgotten.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn become_mirror(&mut self, snapshot: u64) -> Result<(), CatalogError> {
        let number = int(snapshot);
        for sql in [
            "DELETE FROM snapshot WHERE number <> ?1",
            "UPDATE snapshot SET state = 'sealed', switched = NULL WHERE number = ?1",
            "UPDATE revision SET sealed = ?1, withdrawal_sealed = CASE WHEN withdrawn THEN ?1 END
             WHERE NOT local",
            "UPDATE decryption_key SET sealed = ?1",
            "UPDATE driver_set SET sealed = ?1",
        ] {
            self.execute("make the catalogue the mirror's", sql, params![number])?;
        }
        self.execute(
            "make the payloads the mirror's",
            "UPDATE payload SET sealed = ?1, sealed_as = CASE WHEN present THEN ?2 ELSE not_carried END",
            params![number, PRESENT],
        )?;
        self.touch();
        Ok(())
    }
}
