//! The table `meta`: the change counter, the mirror's id, the next revision ids, and notes.

use uuid::Uuid;

use super::{error::CatalogError, reader::Catalog, writer::CatalogWriter};

/// The note of the last time that numbers of revisions were taken back.
const RENUMBERED: &str = "renumbered";

impl Catalog {
    /// A counter that grows with every commit that changed something.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn change(&self) -> Result<u64, CatalogError> {
        let text = self.meta("change")?.unwrap_or_default();
        text.parse().map_err(|_| self.damaged(format!("its change counter is {text:?}")))
    }

    /// The mirror that numbers the revisions, once known.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mirror_id(&self) -> Result<Option<Uuid>, CatalogError> {
        let Some(text) = self.meta("mirror-id")? else { return Ok(None) };
        let id = Uuid::try_parse(&text);
        id.map(Some).map_err(|_| self.damaged(format!("its mirror id is {text:?}")))
    }

    /// Which numbering of revisions agents see: that of the mirror, until numbers had to be taken back.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn numbering(&self) -> Result<Option<Uuid>, CatalogError> {
        let renumbered = self.meta(RENUMBERED)?;
        let mirror = self.mirror_id()?;
        Ok(mirror.map(|mirror| match renumbered {
            Some(since) => Uuid::new_v5(&mirror, since.as_bytes()),
            None => mirror,
        }))
    }

    /// A note that sealing or switching left.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note(&self, key: &str) -> Result<Option<String>, CatalogError> {
        self.meta(key)
    }

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
        self.for_each_row("read the notes", sql, [prefix], |row| {
            each(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
            Ok(())
        })
    }

    /// A value of the table `meta`.
    pub(super) fn meta(&self, key: &str) -> Result<Option<String>, CatalogError> {
        self.row("read a value", "SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    }

    pub(super) fn counter(&self, key: &str, default: u64) -> Result<u64, CatalogError> {
        let Some(text) = self.meta(key)? else { return Ok(default) };
        text.parse().map_err(|_| {
            self.damaged(format!("its counter {key} is {text:?}; restore it from a backup"))
        })
    }
}

impl CatalogWriter<'_> {
    /// Notes that numbers of revisions were taken back that agents may have seen, so that they begin anew:
    /// `since` is different each time.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn set_renumbered(&mut self, since: &str) -> Result<(), CatalogError> {
        self.set_meta(RENUMBERED, since)
    }

    /// Says which mirror numbers the revisions.
    ///
    /// # Errors
    /// [`CatalogError::OtherMirror`] when another mirror does already.
    pub fn set_mirror_id(&mut self, mirror: Uuid) -> Result<(), CatalogError> {
        let mirror = mirror.to_string();
        match self.meta("mirror-id")? {
            Some(present) if present == mirror => Ok(()),
            Some(present) => Err(CatalogError::OtherMirror {
                what: format!(
                    "this catalogue follows mirror {present}, not mirror {mirror}: agents would mix up their revision numbers; use another data folder"
                ),
            }),
            None => {
                self.touch();
                self.set_meta("mirror-id", &mirror)
            }
        }
    }

    /// Leaves a note; true if that changed anything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn set_note(&mut self, key: &str, value: &str) -> Result<bool, CatalogError> {
        if self.note(key)?.as_deref() == Some(value) {
            return Ok(false);
        }
        self.set_meta(key, value)?;
        Ok(true)
    }

    /// Sets a value of the table `meta`; does not count as a change by itself.
    pub(super) fn set_meta(&self, key: &str, value: &str) -> Result<(), CatalogError> {
        self.execute(
            "write a value",
            "INSERT INTO meta (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = ?2",
            [key, value],
        )?;
        Ok(())
    }
}
