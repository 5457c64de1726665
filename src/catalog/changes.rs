//! What changed since, for downstream servers: they keep our change counter as their anchor.

use std::collections::BTreeMap;

use bundle_format::digest::Sha1;
use jiff::Timestamp;
use rusqlite::params;

use super::{
    columns::{identity_at, update_type_name},
    error::CatalogError,
    read::Catalog,
};
use crate::{
    sqlite::{int, moment_at, sha1_at, u64_at, update_at},
    update::{RevisionId, UpdateId, UpdateIdentity, UpdateType},
};

type Result<T> = std::result::Result<T, CatalogError>;

/// A category of a filter; `delta`: only what changed, else all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CategoryQuery {
    /// A product or classification.
    pub id: UpdateId,
    /// Only what changed.
    pub delta: bool,
}

/// What to list: the newest revisions of these updates that are not withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionQuery<'a> {
    /// Categories, classifications and detectoids.
    Configuration,
    /// All software and drivers.
    Everything,
    /// Software and drivers that name at least one of each among their prerequisites, and whatever
    /// revisions these bundle.
    Of {
        /// Products, or categories above them.
        products: &'a [CategoryQuery],
        /// Classifications.
        classifications: &'a [CategoryQuery],
    },
}

/// A file that a document names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// How others name it.
    pub sha1: Sha1,
    /// Its name in the document.
    pub name: String,
    /// A licence text.
    pub eula: bool,
}

/// The newest revision of an update as replicas get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployableRevision {
    /// Which revision.
    pub identity: UpdateIdentity,
    /// Its change mark.
    pub change: u64,
    /// Withdrawn by its publisher.
    pub expired: bool,
    /// Software or a driver: nothing else can be approved.
    pub installs: bool,
    /// Licence that must be accepted before.
    pub eula_id: Option<String>,
}

const NEWEST: &str = "r.withdrawn = 0 AND NOT EXISTS (
    SELECT 1 FROM revision n WHERE n.update_id = r.update_id AND n.withdrawn = 0
    AND n.revision_number > r.revision_number)";

/// Which lists name a revision.
#[derive(Clone, Copy, Default)]
struct Match {
    product: bool,
    classification: bool,
    /// By one that was listed before.
    product_delta: bool,
    classification_delta: bool,
    change: u64,
}

impl Catalog {
    /// Calls `each` with what `selection` names and changed with the mark `since` or later; 0 lists
    /// all. Returns the first mark that it does not tell of: the next `since`.
    ///
    /// An update is passed over as unchanged only if both a product and a classification of it are
    /// asked with `delta`: then it was listed before.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn changed_since(
        &self,
        selection: &RevisionQuery<'_>,
        since: u64,
        each: &mut dyn FnMut(UpdateIdentity),
    ) -> Result<u64> {
        // One state for all statements, whatever a writer commits meanwhile.
        let tx = self.connection.unchecked_transaction();
        let tx = tx.map_err(self.sqlite("read the revisions"))?;
        let next = self.change()? + 1;
        let types = match selection {
            RevisionQuery::Configuration => [UpdateType::Category, UpdateType::Detectoid],
            _ => [UpdateType::Software, UpdateType::Driver],
        };
        match selection {
            RevisionQuery::Configuration | RevisionQuery::Everything => {
                let sql = format!(
                    "SELECT r.update_id, r.revision_number FROM revision r
                     WHERE r.update_type IN (?1, ?2) AND r.change >= ?3 AND {NEWEST}
                     ORDER BY r.revision_id"
                );
                let [a, b] = types.map(update_type_name);
                self.rows("list the revisions", &sql, params![a, b, int(since)], |row| {
                    each(identity_at(row, 0)?);
                    Ok(())
                })?;
            }
            RevisionQuery::Of { products, classifications } => {
                let matches = self.matches(types, products, classifications)?;
                for id in self.with_bundled(&matches, since)? {
                    let sql =
                        "SELECT update_id, revision_number FROM revision WHERE revision_id = ?1";
                    let found =
                        self.row("list the revisions", sql, [id], |row| identity_at(row, 0))?;
                    found.into_iter().for_each(&mut *each);
                }
            }
        }
        drop(tx);
        Ok(next)
    }

    fn matches(
        &self,
        types: [UpdateType; 2],
        products: &[CategoryQuery],
        classifications: &[CategoryQuery],
    ) -> Result<BTreeMap<i32, Match>> {
        let sql = format!(
            "SELECT r.revision_id, r.change FROM prerequisite p JOIN revision r USING (revision_id)
             WHERE p.update_id = ?1 AND r.update_type IN (?2, ?3) AND {NEWEST}"
        );
        let [a, b] = types.map(update_type_name);
        let mut all: BTreeMap<i32, Match> = BTreeMap::new();
        for (list, is_product) in [(products, true), (classifications, false)] {
            for wanted in list {
                let id = wanted.id.0.as_bytes();
                self.rows("find the updates of a category", &sql, params![id, a, b], |row| {
                    let found = all.entry(row.get(0)?).or_default();
                    found.change = u64_at(row, 1)?;
                    if is_product {
                        found.product = true;
                        found.product_delta |= wanted.delta;
                    } else {
                        found.classification = true;
                        found.classification_delta |= wanted.delta;
                    }
                    Ok(())
                })?;
            }
        }
        all.retain(|_, found| found.product && found.classification);
        Ok(all)
    }

    /// The revisions to tell of: matches that are new to the asker or have changed, with all that
    /// they bundle, and what changed of that which the others bundle.
    fn with_bundled(&self, matches: &BTreeMap<i32, Match>, since: u64) -> Result<Vec<i32>> {
        const CHILDREN: &str = "
            SELECT c.revision_id, c.change FROM bundled b
            JOIN revision c ON c.update_id = b.update_id AND c.revision_number = b.revision_number
            WHERE b.revision_id = ?1 AND c.withdrawn = 0";
        let mut told: BTreeMap<i32, bool> = BTreeMap::new();
        let mut open: Vec<(i32, bool)> = matches
            .iter()
            .map(|(id, found)| {
                let known = found.product_delta && found.classification_delta;
                (*id, !known || found.change >= since)
            })
            .collect();
        while let Some((id, tell)) = open.pop() {
            match told.get(&id) {
                Some(before) if *before || !tell => continue,
                _ => told.insert(id, tell),
            };
            self.rows("find bundled revisions", CHILDREN, [id], |row| {
                open.push((row.get(0)?, tell || u64_at(row, 1)? >= since));
                Ok(())
            })?;
        }
        Ok(told.into_iter().filter_map(|(id, tell)| tell.then_some(id)).collect())
    }

    /// The files that the document of a revision names.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn named_files(&self, id: RevisionId) -> Result<Vec<NamedFile>> {
        let mut files = Vec::new();
        let sql = "SELECT sha1, name, eula FROM file WHERE revision_id = ?1 ORDER BY position";
        self.rows("read the files of a revision", sql, [id.0], |row| {
            files.push(NamedFile { sha1: sha1_at(row, 0)?, name: row.get(1)?, eula: row.get(2)? });
            Ok(())
        })?;
        Ok(files)
    }

    /// Bytes of the document of a revision.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn document_size(&self, id: RevisionId) -> Result<Option<u64>> {
        let sql = "SELECT document_size FROM revision WHERE revision_id = ?1";
        self.row("look up a document", sql, [id.0], |row| u64_at(row, 0))
    }

    /// What replicas need to know of the newest revision of an update, if any is not withdrawn.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn deployable(&self, update: UpdateId) -> Result<Option<DeployableRevision>> {
        let sql = format!(
            "SELECT r.update_id, r.revision_number, r.change, r.expired, r.update_type, r.eula_id
             FROM revision r WHERE r.update_id = ?1 AND {NEWEST}"
        );
        self.row("find the newest revision", &sql, [update.0.as_bytes()], |row| {
            let software = row.get_ref(4)?.as_str()?;
            Ok(DeployableRevision {
                identity: identity_at(row, 0)?,
                change: u64_at(row, 2)?,
                expired: row.get(3)?,
                installs: [UpdateType::Software, UpdateType::Driver]
                    .into_iter()
                    .any(|kind| update_type_name(kind) == software),
                eula_id: row.get(5)?,
            })
        })
    }

    /// Updates of which every revision is withdrawn.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn withdrawn_updates(&self) -> Result<Vec<UpdateId>> {
        let mut updates = Vec::new();
        let sql = "SELECT update_id FROM revision GROUP BY update_id HAVING min(withdrawn) = 1";
        self.rows("find withdrawn updates", sql, [], |row| {
            updates.push(update_at(row, 0)?);
            Ok(())
        })?;
        Ok(updates)
    }

    /// The newest change of a revision, and when the newest revision arrived; none in an empty
    /// catalogue. Other changes, of files and snapshots, do not count.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn newest_change(&self) -> Result<Option<(u64, Timestamp)>> {
        let sql = "SELECT max(change), max(arrived) FROM revision HAVING count(*) > 0";
        self.row("find the newest change", sql, [], |row| Ok((u64_at(row, 0)?, moment_at(row, 1)?)))
    }

    /// Whether any document names a file.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_named(&self, sha1: &Sha1) -> Result<bool> {
        let sql = "SELECT 1 FROM file WHERE sha1 = ?1 LIMIT 1";
        Ok(self.row("find a file", sql, [sha1.as_bytes()], |_| Ok(()))?.is_some())
    }
}
