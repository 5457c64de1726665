//! What is wrong: the file itself, and documents that contradict the payload table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bundle_format::digest::Sha256;
use rusqlite::{Row, params};
use serde::Serialize;

use super::{
    error::CatalogError,
    reader::Catalog,
    sql::{IS_LEFT_OUT, identity_at},
};
use crate::{
    sqlite::{int, integrity, sha1_at, sha256_at, u64_at},
    update::{UpdateDocument, UpdateId, UpdateIdentity},
};

/// A document that names a file with other digests or another size than the payload has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Contradiction {
    /// The revision that the document describes.
    pub identity: UpdateIdentity,
    /// Its title.
    pub title: String,
    /// The name of the file that it is about.
    pub file: String,
    /// What contradicts what: the end of a sentence about it.
    pub what: String,
}

impl Contradiction {
    /// What becomes of the revision on the connected side, and what to do.
    pub fn notice(&self) -> String {
        format!(
            "left out of snapshots: {self}. Its publisher has to correct it; `tidegate withdraw {} --revision {}` takes it out for good",
            self.identity.id, self.identity.revision
        )
    }
}

/// A whole sentence, with the update that it is about.
impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" ({}) {}", self.title, self.identity, self.what)
    }
}

/// A condition: a file `f` of a document says something else than the payload `p` of its SHA-1.
const DIFFERS: &str = "(f.sha256 IS NOT NULL AND f.sha256 <> p.sha256) OR f.size <> p.size";

/// A condition: the revision `r` is offered, or left out of snapshots for a contradiction.
fn is_of_the_mirror() -> String {
    format!("NOT r.withdrawn OR {IS_LEFT_OUT}")
}

/// Reads contradictions for [`contradiction`]; `which` is a condition for revisions, as `r`.
fn contradictions_of(which: &str) -> String {
    let compare = |on: &str, differs: &str| {
        format!(
            "SELECT r.update_id, r.revision_number, r.title, f.name, f.sha1, f.size, p.sha256,
                    p.size, p.sha1
             FROM payload p JOIN file f ON {on} JOIN revision r USING (revision_id)
             WHERE p.not_carried IS NULL AND ({which}) AND ({differs})"
        )
    };
    format!(
        "{} UNION ALL {}",
        compare("f.sha1 = p.sha1", DIFFERS),
        compare("f.sha256 = p.sha256", "f.sha1 <> p.sha1")
    )
}

fn contradiction(row: &Row<'_>) -> rusqlite::Result<Contradiction> {
    let (title, file) = (row.get(2)?, row.get::<_, String>(3)?);
    let (named, size) = ((sha1_at(row, 4)?, u64_at(row, 5)?), u64_at(row, 7)?);
    let (sha256, sha1) = (sha256_at(row, 6)?, sha1_at(row, 8)?);
    let what = if named.1 != size {
        let named = named.1;
        format!("names the file {file} with {named} bytes, but the payload {sha256} has {size}")
    } else if named.0 != sha1 {
        let named = named.0;
        format!("names the file {file} with SHA-1 {named}, but the payload {sha256} has {sha1}")
    } else {
        format!(
            "names the file {file} with another SHA-256 than the payload of its SHA-1 has, {sha256}"
        )
    };
    Ok(Contradiction { identity: identity_at(row, 0)?, title, file, what })
}

impl Catalog {
    /// What SQLite itself finds wrong with the file; empty when it is in order.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn integrity(&self) -> Result<Vec<String>, CatalogError> {
        integrity(&self.connection).map_err(self.sqlite("check the integrity"))
    }

    /// Contradictions between documents and payload table, at most a hundred.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn contradictions(&self) -> Result<Vec<Contradiction>, CatalogError> {
        let sql = format!("{} LIMIT 100", contradictions_of(&is_of_the_mirror()));
        self.rows("compare documents and payloads", &sql, [], contradiction)
    }

    /// Names of the files that an update names otherwise than they are, sorted.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn contradicting_files(&self, id: UpdateId) -> Result<BTreeSet<String>, CatalogError> {
        let which = format!("r.update_id = ?1 AND ({})", is_of_the_mirror());
        let sql = contradictions_of(&which);
        let doing = "compare an update with the payloads";
        self.rows(doing, &sql, [id.0.as_bytes()], |row| row.get(3))
    }

    /// Every revision of the mirror that contradicts a payload, once, whether it is withdrawn or not;
    /// without those that a person withdrew.
    pub(super) fn contradicting_revisions(&self) -> Result<Vec<Contradiction>, CatalogError> {
        let sql = contradictions_of("NOT r.local AND NOT r.withdrawn_by_person");
        let mut found = BTreeMap::new();
        self.for_each_row("compare documents and payloads", &sql, [], |row| {
            let one = contradiction(row)?;
            found.entry(one.identity).or_insert(one);
            Ok(())
        })?;
        Ok(found.into_values().collect())
    }

    /// Whether a document contradicts a payload whose digests and size are known; if so, in which
    /// words that is said.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn contradicted_by(
        &self,
        document: &UpdateDocument,
    ) -> Result<Option<String>, CatalogError> {
        let sql = format!(
            "WITH f (sha1, sha256, size) AS (VALUES (?1, ?2, ?3))
             SELECT p.sha256, p.sha1, p.size FROM f JOIN payload p ON p.sha1 = f.sha1
             WHERE p.not_carried IS NULL AND ({DIFFERS})
             UNION ALL
             SELECT p.sha256, p.sha1, p.size FROM f JOIN payload p ON p.sha256 = f.sha256
             WHERE p.not_carried IS NULL AND f.sha1 <> p.sha1
             LIMIT 1"
        );
        let eulas = document.eulas.iter().map(|eula| &eula.file);
        for file in document.files.iter().chain(eulas) {
            let sha256 = file.sha256.as_ref().map(Sha256::as_bytes);
            let params = params![file.sha1.as_bytes(), sha256, int(file.size)];
            let found = self.row("compare a document with the payloads", &sql, params, |row| {
                Ok((sha256_at(row, 0)?, sha1_at(row, 1)?, u64_at(row, 2)?))
            })?;
            if let Some((sha256, sha1, size)) = found {
                return Ok(Some(format!(
                    "it names the file {} with SHA-1 {} and {} bytes, but the payload that is here has SHA-1 {sha1}, SHA-256 {sha256} and {size} bytes",
                    file.name, file.sha1, file.size
                )));
            }
        }
        Ok(None)
    }
}
