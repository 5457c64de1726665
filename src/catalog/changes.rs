//! What changed since, for downstream servers: they keep our change counter as their anchor.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params;

use super::{
    error::CatalogError,
    reader::Catalog,
    sql::{IS_NEWEST, identity_at, installable_types, update_type_name},
};
use crate::{
    sqlite::{int, moment_at, u64_at},
    update::{UpdateId, UpdateIdentity, UpdateType},
};

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
    /// all. Returns the first mark that it does not cover: the next `since`.
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
    ) -> Result<u64, CatalogError> {
        let _one_state = self.one_state().map_err(self.sqlite("read the revisions"))?;
        let next = self.change()? + 1;
        match selection {
            RevisionQuery::Configuration => {
                let types = [UpdateType::Category, UpdateType::Detectoid].map(update_type_name);
                self.changed_of_types(types, since, each)?;
            }
            RevisionQuery::Everything => {
                self.changed_of_types(installable_types(), since, each)?;
            }
            RevisionQuery::Of { products, classifications } => {
                let matches = self.matches(products, classifications)?;
                for id in self.with_bundled(&matches, since)? {
                    let sql =
                        "SELECT update_id, revision_number FROM revision WHERE revision_id = ?1";
                    let found =
                        self.row("list the revisions", sql, [id], |row| identity_at(row, 0))?;
                    found.into_iter().for_each(&mut *each);
                }
            }
        }
        Ok(next)
    }

    fn changed_of_types(
        &self,
        [one, other]: [&str; 2],
        since: u64,
        each: &mut dyn FnMut(UpdateIdentity),
    ) -> Result<(), CatalogError> {
        let sql = format!(
            "SELECT r.update_id, r.revision_number FROM revision r
             WHERE r.update_type IN (?1, ?2) AND r.change >= ?3 AND {IS_NEWEST}
             ORDER BY r.revision_id"
        );
        self.for_each_row("list the revisions", &sql, params![one, other, int(since)], |row| {
            each(identity_at(row, 0)?);
            Ok(())
        })
    }

    fn matches(
        &self,
        products: &[CategoryQuery],
        classifications: &[CategoryQuery],
    ) -> Result<BTreeMap<i32, Match>, CatalogError> {
        let sql = format!(
            "SELECT r.revision_id, r.change FROM prerequisite p JOIN revision r USING (revision_id)
             WHERE p.update_id = ?1 AND r.update_type IN (?2, ?3) AND {IS_NEWEST}"
        );
        let [one, other] = installable_types();
        let mut all: BTreeMap<i32, Match> = BTreeMap::new();
        for (list, is_product) in [(products, true), (classifications, false)] {
            for category in list {
                let params = params![category.id.0.as_bytes(), one, other];
                self.for_each_row("find the updates of a category", &sql, params, |row| {
                    let found = all.entry(row.get(0)?).or_default();
                    found.change = u64_at(row, 1)?;
                    if is_product {
                        found.product = true;
                        found.product_delta |= category.delta;
                    } else {
                        found.classification = true;
                        found.classification_delta |= category.delta;
                    }
                    Ok(())
                })?;
            }
        }
        all.retain(|_, found| found.product && found.classification);
        Ok(all)
    }

    /// The revisions to list: matches that are new to the asker or have changed, with all that they
    /// bundle, and of what the other matches bundle that which has changed.
    fn with_bundled(
        &self,
        matches: &BTreeMap<i32, Match>,
        since: u64,
    ) -> Result<Vec<i32>, CatalogError> {
        const CHILDREN: &str = "
            SELECT c.revision_id, c.change FROM bundled b
            JOIN revision c ON c.update_id = b.update_id AND c.revision_number = b.revision_number
            WHERE b.revision_id = ?1 AND c.withdrawn = 0";
        // Each revision, and whether it is listed.
        let mut visited: BTreeMap<i32, bool> = BTreeMap::new();
        let mut open: Vec<(i32, bool)> = matches
            .iter()
            .map(|(id, found)| {
                let listed_before = found.product_delta && found.classification_delta;
                (*id, !listed_before || found.change >= since)
            })
            .collect();
        while let Some((id, listed)) = open.pop() {
            match visited.get(&id) {
                Some(before) if *before || !listed => continue,
                _ => visited.insert(id, listed),
            };
            self.for_each_row("find bundled revisions", CHILDREN, [id], |row| {
                open.push((row.get(0)?, listed || u64_at(row, 1)? >= since));
                Ok(())
            })?;
        }
        Ok(visited.into_iter().filter_map(|(id, listed)| listed.then_some(id)).collect())
    }

    /// What replicas need to know of the newest revision of an update, if any is not withdrawn.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn deployable(&self, update: UpdateId) -> Result<Option<DeployableRevision>, CatalogError> {
        let sql = format!(
            "SELECT r.update_id, r.revision_number, r.change, r.expired, r.update_type, r.eula_id
             FROM revision r WHERE r.update_id = ?1 AND {IS_NEWEST}"
        );
        self.row("find the newest revision", &sql, [update.0.as_bytes()], |row| {
            Ok(DeployableRevision {
                identity: identity_at(row, 0)?,
                change: u64_at(row, 2)?,
                expired: row.get(3)?,
                installs: installable_types().contains(&row.get_ref(4)?.as_str()?),
                eula_id: row.get(5)?,
            })
        })
    }

    /// The newest change of a revision, and when the newest revision arrived; none in an empty
    /// catalogue. Other changes, of files and snapshots, do not count.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn newest_change(&self) -> Result<Option<(u64, Timestamp)>, CatalogError> {
        let sql = "SELECT max(change), max(arrived) FROM revision HAVING count(*) > 0";
        self.row("find the newest change", sql, [], |row| Ok((u64_at(row, 0)?, moment_at(row, 1)?)))
    }
}
