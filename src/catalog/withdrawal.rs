//! Revisions that the mirror no longer offers: because it was said so, because a person said so, or
//! because their documents contradict payloads.

use std::collections::{BTreeSet, HashSet};

use rusqlite::{Params, params};

use super::{
    audit::Contradiction,
    error::CatalogError,
    reader::Catalog,
    revisions::RevisionSummary,
    sql::{HAS_IDENTITY, IS_LEFT_OUT, identity_at},
    writer::CatalogWriter,
};
use crate::{
    sqlite::update_at,
    update::{RevisionId, UpdateId, UpdateIdentity},
};

impl Catalog {
    /// All updates, and whether all revisions of each were withdrawn.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn updates_and_withdrawal(&self) -> Result<Vec<(UpdateId, bool)>, CatalogError> {
        let sql = "SELECT update_id, min(withdrawn) = 1 FROM revision GROUP BY update_id";
        self.rows("list the updates", sql, [], |row| Ok((update_at(row, 0)?, row.get(1)?)))
    }

    /// The bundles, at any depth, that cannot be installed any more when `revisions` are withdrawn: a
    /// clause of them has no other alternative that is offered. Without `revisions` themselves.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn bundles_without(
        &self,
        revisions: &BTreeSet<UpdateIdentity>,
    ) -> Result<BTreeSet<UpdateIdentity>, CatalogError> {
        let containing = "SELECT b.revision_id, b.clause, r.update_id, r.revision_number
             FROM bundled b JOIN revision r USING (revision_id)
             WHERE b.update_id = ?1 AND b.revision_number = ?2 AND r.withdrawn = 0";
        let alternatives = "SELECT b.update_id, b.revision_number
             FROM bundled b JOIN revision m
               ON m.update_id = b.update_id AND m.revision_number = b.revision_number
             WHERE b.revision_id = ?1 AND b.clause = ?2 AND m.withdrawn = 0";
        let mut gone = revisions.clone();
        let mut open: Vec<UpdateIdentity> = revisions.iter().copied().collect();
        while let Some(member) = open.pop() {
            let params = params![member.id.0.as_bytes(), member.revision];
            let doing = "find the bundles of an update";
            let bundles: Vec<_> = self.rows(doing, containing, params, |row| {
                Ok((row.get::<_, i32>(0)?, row.get::<_, i64>(1)?, identity_at(row, 2)?))
            })?;
            for (id, clause, bundle) in bundles {
                let doing = "find what else a bundle may consist of";
                let others: Vec<UpdateIdentity> =
                    self.rows(doing, alternatives, params![id, clause], |row| identity_at(row, 0))?;
                if others.iter().all(|other| gone.contains(other)) && gone.insert(bundle) {
                    open.push(bundle);
                }
            }
        }
        Ok(gone.difference(revisions).copied().collect())
    }

    /// Whether a snapshot has offered a revision: sites may have it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_sealed(&self, identity: &UpdateIdentity) -> Result<bool, CatalogError> {
        let sql = format!("SELECT 1 FROM revision r WHERE {HAS_IDENTITY} AND r.sealed IS NOT NULL");
        let params = params![identity.id.0.as_bytes(), identity.revision];
        self.exists("look whether a revision is sealed", &sql, params)
    }

    /// The revisions that the mirror leaves out of its snapshots, and why.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn left_out_revisions(&self) -> Result<Vec<RevisionSummary>, CatalogError> {
        let sql = format!(
            "SELECT r.revision_id FROM revision r WHERE {IS_LEFT_OUT} ORDER BY r.revision_id"
        );
        self.revisions_by_id(&sql, [])
    }

    /// All revisions of an update, ascending, withdrawn ones too.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn revisions_of(&self, id: UpdateId) -> Result<Vec<RevisionSummary>, CatalogError> {
        let sql = "SELECT r.revision_id FROM revision r WHERE r.update_id = ?1
             ORDER BY r.revision_number";
        let params = [id.0.as_bytes()];
        self.revisions_by_id(sql, params)
    }

    fn revisions_by_id(
        &self,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<RevisionSummary>, CatalogError> {
        let ids: Vec<i32> = self.rows("list revisions", sql, params, |row| row.get(0))?;
        let mut all = Vec::new();
        for id in ids {
            all.extend(self.revision(RevisionId(id))?);
        }
        Ok(all)
    }
}

impl CatalogWriter<'_> {
    /// Marks a revision as no longer offered; true if that changed anything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn withdraw(&mut self, identity: &UpdateIdentity) -> Result<bool, CatalogError> {
        let rows = self.execute_change(
            "withdraw a revision",
            "UPDATE revision SET withdrawn = 1, left_out = NULL, change = ?3,
                withdrawal_sealed = CASE WHEN withdrawn THEN withdrawal_sealed END
             WHERE update_id = ?1 AND revision_number = ?2
               AND (withdrawn = 0 OR left_out IS NOT NULL)",
            params![identity.id.0.as_bytes(), identity.revision, self.mark()],
        )?;
        Ok(rows > 0)
    }

    /// As [`CatalogWriter::withdraw`], because a person says so: the revision stays withdrawn when a
    /// source brings it again. True if that changed anything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn withdraw_by_person(&mut self, identity: &UpdateIdentity) -> Result<bool, CatalogError> {
        self.withdraw(identity)?;
        let rows = self.execute_change(
            "withdraw a revision",
            "UPDATE revision SET withdrawn_by_person = 1
             WHERE update_id = ?1 AND revision_number = ?2 AND withdrawn_by_person = 0",
            params![identity.id.0.as_bytes(), identity.revision],
        )?;
        Ok(rows > 0)
    }

    /// Takes [`CatalogWriter::withdraw_by_person`] back: the revision is offered again. True if that
    /// changed anything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn offer_again(&mut self, identity: &UpdateIdentity) -> Result<bool, CatalogError> {
        // If a snapshot has carried the withdrawal, one has to carry the revision again.
        let rows = self.execute_change(
            "offer a revision again",
            "UPDATE revision SET withdrawn = 0, withdrawn_by_person = 0, left_out = NULL,
                withdrawal_sealed = NULL, change = ?3, sealed = CASE WHEN withdrawal_sealed IS NULL THEN sealed END
             WHERE update_id = ?1 AND revision_number = ?2 AND withdrawn",
            params![identity.id.0.as_bytes(), identity.revision, self.mark()],
        )?;
        Ok(rows > 0)
    }

    /// Leaves every revision of the mirror out of snapshots whose document contradicts a payload. Gives
    /// all of them, also those that were left out before. What a person withdrew is not among them,
    /// and what a newer revision has replaced.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn leave_out_contradicting(&mut self) -> Result<Vec<Contradiction>, CatalogError> {
        let mut found = self.contradicting_revisions()?;
        for one in &found {
            self.execute_change(
                "leave a revision out of snapshots",
                "UPDATE revision SET withdrawn = 1, left_out = ?3, change = ?4,
                    withdrawal_sealed = CASE WHEN withdrawn THEN withdrawal_sealed END
                 WHERE update_id = ?1 AND revision_number = ?2 AND left_out IS NOT ?3",
                params![one.identity.id.0.as_bytes(), one.identity.revision, one.what, self.mark()],
            )?;
        }
        let left_out: HashSet<UpdateIdentity> =
            self.left_out_revisions()?.iter().map(|revision| revision.identity).collect();
        found.retain(|one| left_out.contains(&one.identity));
        Ok(found)
    }
}
