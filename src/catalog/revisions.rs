//! The table `revision`: looking revisions up.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use rusqlite::{Row, params};
use serde::Serialize;

use super::{
    error::CatalogError,
    reader::Catalog,
    sql::{
        HAS_IDENTITY, IS_LEFT_OUT, IS_NEWEST, identity_at, installable_types, update_type_at,
        update_type_name,
    },
};
use crate::{
    sqlite::{moment_at, update_at},
    update::{RevisionId, UpdateId, UpdateIdentity, UpdateType},
};

/// A revision as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RevisionSummary {
    /// Its number towards agents.
    pub revision_id: RevisionId,
    /// Which revision it is.
    pub identity: UpdateIdentity,
    /// Its kind.
    pub update_type: UpdateType,
    /// Title in English, else in its default language.
    pub title: String,
    /// KB article numbers, digits only.
    pub kb: Vec<String>,
    /// MSRC severity.
    pub severity: Option<String>,
    /// Can be approved by an administrator.
    pub explicitly_deployable: bool,
    /// Withdrawn by its publisher.
    pub expired: bool,
    /// Withdrawn by the mirror.
    pub withdrawn: bool,
    /// Why the mirror leaves it out of its snapshots, if it does.
    pub left_out: Option<String>,
    /// `Company`, `ProductFamily`, `Product`, `UpdateClassification`.
    pub category_type: Option<String>,
    /// Licence that must be accepted before approval.
    pub eula_id: Option<String>,
    /// `CreationDate` as written.
    pub created: Option<String>,
    /// When this store first received it.
    pub arrived: Timestamp,
    /// Published on the isolated side.
    pub local: bool,
}

/// What to look for; all given conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct RevisionFilter {
    /// A KB number, digits only.
    pub kb: Option<String>,
    /// Part of the title, in any letter case.
    pub title: Option<String>,
    /// The kind.
    pub update_type: Option<UpdateType>,
    /// Only what an administrator can approve.
    pub deployable: bool,
    /// Only the newest revision of each update, without withdrawn ones.
    pub newest: bool,
    /// With `newest`: those too that the mirror leaves out of its snapshots.
    pub left_out: bool,
}

/// Reads revisions, as `r`, for [`summary`].
fn select_summaries() -> String {
    format!(
        "SELECT r.revision_id, r.update_id, r.revision_number, r.update_type, r.title, r.severity,
           r.explicitly_deployable, r.expired, r.withdrawn, r.category_type, r.eula_id, r.created,
           r.arrived, r.local,
           (SELECT group_concat(kb, ' ' ORDER BY kb) FROM kb WHERE kb.revision_id = r.revision_id),
           CASE WHEN {IS_LEFT_OUT} THEN r.left_out END
         FROM revision r"
    )
}

/// A row of [`select_summaries`].
fn summary(row: &Row<'_>) -> rusqlite::Result<RevisionSummary> {
    let left_out: Option<String> = row.get(15)?;
    let kb = row.get_ref(14)?.as_str_or_null()?.unwrap_or_default();
    Ok(RevisionSummary {
        revision_id: RevisionId(row.get(0)?),
        identity: identity_at(row, 1)?,
        update_type: update_type_at(row, 3)?,
        title: row.get(4)?,
        severity: row.get(5)?,
        explicitly_deployable: row.get(6)?,
        expired: row.get(7)?,
        withdrawn: row.get::<_, bool>(8)? && left_out.is_none(),
        left_out,
        category_type: row.get(9)?,
        eula_id: row.get(10)?,
        created: row.get(11)?,
        arrived: moment_at(row, 12)?,
        local: row.get(13)?,
        kb: kb.split(' ').filter(|kb| !kb.is_empty()).map(str::to_owned).collect(),
    })
}

impl RevisionSummary {
    /// Whether the mirror offers it.
    pub fn is_offered(&self) -> bool {
        !self.withdrawn && self.left_out.is_none()
    }

    /// When its publisher made this revision, as its document says (`CreationDate`, which counts as
    /// UTC if it names no zone); where it does not, when it came in.
    pub fn published(&self) -> Timestamp {
        published(self.created.as_deref(), self.arrived)
    }
}

/// The moment that `created` names, else `arrived`.
pub(super) fn published(created: Option<&str>, arrived: Timestamp) -> Timestamp {
    let read = |text: &str| {
        let text = text.trim();
        text.parse::<Timestamp>().ok().or_else(|| {
            let there: DateTime = text.parse().ok()?;
            Some(there.to_zoned(TimeZone::UTC).ok()?.timestamp())
        })
    };
    created.and_then(read).unwrap_or(arrived)
}

impl Catalog {
    /// The number of a revision.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn revision_id(
        &self,
        identity: &UpdateIdentity,
    ) -> Result<Option<RevisionId>, CatalogError> {
        let sql = format!("SELECT r.revision_id FROM revision r WHERE {HAS_IDENTITY}");
        let params = params![identity.id.0.as_bytes(), identity.revision];
        self.row("find a revision", &sql, params, |row| row.get(0).map(RevisionId))
    }

    /// One revision.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn revision(&self, id: RevisionId) -> Result<Option<RevisionSummary>, CatalogError> {
        let sql = format!("{} WHERE r.revision_id = ?1", select_summaries());
        self.row("read a revision", &sql, [id.0], summary)
    }

    /// The newest revision of an update that is not withdrawn.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn newest(&self, id: UpdateId) -> Result<Option<RevisionSummary>, CatalogError> {
        let sql = format!("{} WHERE r.update_id = ?1 AND {IS_NEWEST}", select_summaries());
        self.row("read the newest revision", &sql, [id.0.as_bytes()], summary)
    }

    /// As [`Catalog::newest`]; of an update of which nothing is offered, the newest revision that the
    /// mirror leaves out of its snapshots.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn newest_known(&self, id: UpdateId) -> Result<Option<RevisionSummary>, CatalogError> {
        let sql = format!(
            "{} WHERE r.update_id = ?1 AND ({IS_NEWEST} OR {IS_LEFT_OUT})
             ORDER BY r.withdrawn, r.revision_number DESC LIMIT 1",
            select_summaries()
        );
        self.row("read the newest revision", &sql, [id.0.as_bytes()], summary)
    }

    /// The number of the newest revision of an update that is not withdrawn.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn newest_number(&self, id: UpdateId) -> Result<Option<u32>, CatalogError> {
        let sql = format!(
            "SELECT r.revision_number FROM revision r WHERE r.update_id = ?1 AND {IS_NEWEST}"
        );
        self.row("look up an update", &sql, [id.0.as_bytes()], |row| row.get(0))
    }

    /// Whether a revision is here, so that no source needs to give it: it is not withdrawn, or a
    /// person has withdrawn it, or it is left out of snapshots.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_held(&self, identity: &UpdateIdentity) -> Result<bool, CatalogError> {
        let sql = format!(
            "SELECT 1 FROM revision r WHERE {HAS_IDENTITY}
             AND (r.withdrawn = 0 OR r.withdrawn_by_person OR r.left_out IS NOT NULL)"
        );
        let params = params![identity.id.0.as_bytes(), identity.revision];
        self.exists("look up a revision", &sql, params)
    }

    /// Calls `each` with what matches, in the order of revision IDs.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn find(
        &self,
        filter: &RevisionFilter,
        each: &mut dyn FnMut(RevisionSummary),
    ) -> Result<(), CatalogError> {
        let sql = format!(
            "{}
             WHERE (?1 IS NULL OR r.revision_id IN (SELECT revision_id FROM kb WHERE kb = ?1))
               AND (?2 IS NULL OR r.update_type = ?2)
               AND (?3 = 0 OR r.explicitly_deployable = 1)
               AND (?4 = 0 OR {IS_NEWEST} OR (?5 AND {IS_LEFT_OUT}))
             ORDER BY r.revision_id",
            select_summaries()
        );
        // SQLite folds letter case for ASCII only; titles come in every language.
        let title = filter.title.as_ref().map(|title| title.to_lowercase());
        let params = params![
            filter.kb,
            filter.update_type.map(update_type_name),
            filter.deployable,
            filter.newest,
            filter.left_out
        ];
        self.for_each_row("search the revisions", &sql, params, |row| {
            let summary = summary(row)?;
            if title.as_ref().is_none_or(|part| summary.title.to_lowercase().contains(part)) {
                each(summary);
            }
            Ok(())
        })
    }

    /// Calls `each` with the newest revision of every software update and driver, withdrawn ones
    /// left out.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn newest_revisions(
        &self,
        each: &mut dyn FnMut(UpdateId, RevisionId),
    ) -> Result<(), CatalogError> {
        let sql = format!(
            "SELECT r.update_id, r.revision_id FROM revision r
             WHERE r.update_type IN (?1, ?2) AND {IS_NEWEST} ORDER BY r.revision_id"
        );
        self.for_each_row("list the newest revisions", &sql, installable_types(), |row| {
            each(update_at(row, 0)?, RevisionId(row.get(1)?));
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_as_old_as_its_document_says() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let arrived = at("2026-05-05T05:05:05Z");
        for (created, expected) in [
            (Some("2015-08-25T20:09:50.002Z"), "2015-08-25T20:09:50.002Z"),
            (Some("2015-08-25T20:09:50"), "2015-08-25T20:09:50Z"),
            (Some(" 2015-08-25T20:09:50+02:00"), "2015-08-25T18:09:50Z"),
            (Some("yesterday"), "2026-05-05T05:05:05Z"),
            (None, "2026-05-05T05:05:05Z"),
        ] {
            assert_eq!(published(created, arrived), at(expected), "{created:?}");
        }
    }
}
