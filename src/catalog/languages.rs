//! The table `payload_language`: which languages payloads are for; and which the mirror carries.

use rusqlite::params;

use super::{error::CatalogError, reader::Catalog, writer::CatalogWriter};
use crate::update::{DocumentLimits, RevisionId, UpdateDocument};

/// Key of the note that names the languages that the mirror carries, separated by commas.
const NOTE: &str = "carried-languages";

/// Key of the note that documents were stored by a program that read less of them.
const REREAD: &str = "documents-to-reread";

/// A condition: the file, of table `file`, is for a language that is carried, or for all of them.
/// `carried` is a parameter: names separated by commas, or NULL for every language.
pub(super) fn is_carried(file: &str, carried: &str) -> String {
    format!(
        "({carried} IS NULL
          OR NOT EXISTS (SELECT 1 FROM payload_language l WHERE l.revision_id = {file}.revision_id)
          OR EXISTS (SELECT 1 FROM payload_language l WHERE l.revision_id = {file}.revision_id
                     AND instr(',' || {carried} || ',', ',' || l.language || ',') > 0))"
    )
}

impl Catalog {
    /// The languages whose files the mirror carries, as short names in lower case; `None`: all.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn carried_languages(&self) -> Result<Option<Vec<String>>, CatalogError> {
        let note = self.note(NOTE)?.filter(|names| !names.is_empty());
        Ok(note.map(|names| names.split(',').map(str::to_owned).collect()))
    }

    /// Which languages the payload of a revision is for; none: all.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payload_languages(&self, id: RevisionId) -> Result<Vec<String>, CatalogError> {
        let sql = "SELECT language FROM payload_language WHERE revision_id = ?1 ORDER BY language";
        self.rows("read the languages of a revision", sql, [id.0], |row| row.get(0))
    }

    /// Reads documents once more that an older program has stored.
    pub(super) fn reread_documents(&mut self) -> Result<(), CatalogError> {
        if self.note(REREAD)?.is_none() {
            return Ok(());
        }
        let writer = self.write()?;
        // Another process may have done it meanwhile.
        if writer.note(REREAD)?.is_none() {
            return Ok(());
        }
        let sql = "SELECT DISTINCT revision_id FROM file ORDER BY revision_id";
        let ids: Vec<i32> =
            writer.rows("list the documents with files", sql, [], |row| row.get(0))?;
        for id in ids.into_iter().map(RevisionId) {
            // `check` finds damaged ones; they must not keep the program from starting.
            let Ok(Some(xml)) = writer.document(id) else { continue };
            let limits = DocumentLimits { bytes: xml.len() as u64, ..DocumentLimits::default() };
            let Ok(document) = UpdateDocument::parse(&xml, &limits) else { continue };
            writer.execute(
                "read a document again",
                "DELETE FROM file WHERE revision_id = ?1",
                [id.0],
            )?;
            writer.insert_files(id, &document)?;
            writer.insert_languages(id, &document)?;
        }
        writer.execute(
            "note that documents were read",
            "DELETE FROM meta WHERE key = ?1",
            [REREAD],
        )?;
        writer.commit()?;
        Ok(())
    }
}

impl CatalogWriter<'_> {
    /// Says which languages the mirror carries, as short names; `None`: all.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn set_carried_languages(&mut self, names: Option<&[String]>) -> Result<(), CatalogError> {
        let names: Vec<String> =
            names.unwrap_or_default().iter().map(|name| name.to_ascii_lowercase()).collect();
        if self.set_note(NOTE, &names.join(","))? {
            self.touch();
        }
        Ok(())
    }

    pub(super) fn insert_languages(
        &self,
        id: RevisionId,
        document: &UpdateDocument,
    ) -> Result<(), CatalogError> {
        let languages = &document.properties.languages;
        // `all` is the constant of packages for every language. [MS-WUSP] 2.2.5.2
        if languages.iter().any(|language| language.trim().eq_ignore_ascii_case("all")) {
            return Ok(());
        }
        for language in languages.iter().map(|l| l.trim().to_ascii_lowercase()) {
            if language.is_empty() || language.contains(',') {
                continue;
            }
            self.execute(
                "add a language",
                "INSERT OR IGNORE INTO payload_language (revision_id, language) VALUES (?1, ?2)",
                params![id.0, language],
            )?;
        }
        Ok(())
    }
}
