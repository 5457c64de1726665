//! Categories by name, what belongs to them, and what supersedes what: for choices that people make
//! by words.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::Serialize;

use super::{
    error::CatalogError,
    read::Catalog,
    rows::{RevisionFilter, RevisionSummary},
};
use crate::{
    sqlite::{moment_at, update_at},
    update::{RevisionId, UpdateId, UpdateType},
};

type Result<T> = std::result::Result<T, CatalogError>;

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
    pub fn categories(&self, types: &[&str]) -> Result<Vec<NamedCategory>> {
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
    pub fn members(&self, categories: &[UpdateId]) -> Result<HashSet<RevisionId>> {
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
            self.rows("find what belongs to a category", sql, [category.0.as_bytes()], |row| {
                found.insert(RevisionId(row.get(0)?));
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Updates that revisions which are neither withdrawn nor expired supersede, each with the
    /// moment when the first of these was published.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn superseded(&self) -> Result<HashMap<UpdateId, Timestamp>> {
        let mut found: HashMap<UpdateId, Timestamp> = HashMap::new();
        let sql = "
            SELECT s.update_id, r.created, r.arrived
            FROM superseded s JOIN revision r USING (revision_id)
            WHERE r.withdrawn = 0 AND r.expired = 0";
        self.rows("find what is superseded", sql, [], |row| {
            let since = published(row.get_ref(1)?.as_str_or_null()?, moment_at(row, 2)?);
            let first = found.entry(update_at(row, 0)?).or_insert(since);
            *first = since.min(*first);
            Ok(())
        })?;
        Ok(found)
    }
}

impl RevisionSummary {
    /// When its publisher made this revision, as its document says (`CreationDate`, which counts as
    /// UTC if it names no zone); where it does not, when it came in.
    pub fn published(&self) -> Timestamp {
        published(self.created.as_deref(), self.arrived)
    }
}

fn published(created: Option<&str>, arrived: Timestamp) -> Timestamp {
    let read = |text: &str| {
        let text = text.trim();
        text.parse::<Timestamp>().ok().or_else(|| {
            let there: DateTime = text.parse().ok()?;
            Some(there.to_zoned(TimeZone::UTC).ok()?.timestamp())
        })
    };
    created.and_then(read).unwrap_or(arrived)
}

/// The categories that a name means: all of that title in any letter case (several may have the
/// same), or the one with that id. An id may be one that is not known yet.
pub fn named(name: &str, known: &[NamedCategory]) -> BTreeSet<UpdateId> {
    let wanted = name.trim().to_lowercase();
    let mut ids: BTreeSet<UpdateId> = known
        .iter()
        .filter(|category| {
            category.title.trim().to_lowercase() == wanted || category.id.to_string() == wanted
        })
        .map(|category| category.id)
        .collect();
    if ids.is_empty() {
        ids.extend(wanted.parse::<UpdateId>());
    }
    ids
}

/// Titles that may have been meant: those that hold the name, else all; the first 20.
pub fn near(name: &str, known: &[NamedCategory]) -> String {
    let part = name.trim().to_lowercase();
    let (near, all): (Vec<_>, Vec<_>) = known
        .iter()
        .map(|category| category.title.trim())
        .partition(|title| !part.is_empty() && title.to_lowercase().contains(&part));
    let list = if near.is_empty() { all } else { near };
    let more = if list.len() > 20 { ", …" } else { "" };
    let list: Vec<_> = list.into_iter().take(20).collect();
    format!("{}{more}", list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_as_old_as_its_document_says() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let arrived = at("2026-05-05T05:05:05Z");
        for (created, is) in [
            (Some("2015-08-25T20:09:50.002Z"), "2015-08-25T20:09:50.002Z"),
            (Some("2015-08-25T20:09:50"), "2015-08-25T20:09:50Z"),
            (Some(" 2015-08-25T20:09:50+02:00"), "2015-08-25T18:09:50Z"),
            (Some("yesterday"), "2026-05-05T05:05:05Z"),
            (None, "2026-05-05T05:05:05Z"),
        ] {
            assert_eq!(published(created, arrived), at(is), "{created:?}");
        }
    }

    #[test]
    fn a_name_means_every_category_of_that_title_or_an_id() {
        let known = [(1, "Windows 10"), (2, "Windows 11"), (3, "\n\t Windows 11\n"), (4, "Office")]
            .map(|(n, title)| NamedCategory {
                id: UpdateId(uuid::Uuid::from_u128(n)),
                title: title.to_owned(),
            });
        let find = |name: &str| -> Vec<u128> {
            named(name, &known).into_iter().map(|id| id.0.as_u128()).collect()
        };
        assert_eq!(find(" windows 11"), [2, 3]);
        assert_eq!(find("00000000-0000-0000-0000-000000000004"), [4]);
        assert_eq!(find("00000000-0000-0000-0000-000000000009"), [9]);
        assert_eq!(find("Windows"), []);
        assert_eq!(near("dows 10", &known), "Windows 10");
        assert_eq!(near("Linux", &known), "Windows 10, Windows 11, Windows 11, Office");
    }
}
