//! What updates name and the mirror lacks: asked for where that is possible, else reported.

use super::engine::{Result, SyncRun, speaks};
use crate::{
    error_chain::chain,
    protocol::server_sync::{ConfigData, GetRelatedRevisionsForUpdates},
    update::UpdateId,
    upstream::report::Unresolved,
};

/// Updates per request: no limit is stated for this one.
const BATCH: usize = 100;

/// So many unresolved prerequisites are remembered and reported.
const MOST: usize = 10_000;

impl SyncRun<'_> {
    /// Brings what prerequisites and bundles name, as far as the server has it.
    pub(super) fn close(&mut self, config: &ConfigData) -> Result<()> {
        let mut absent = self.absent_prerequisites()?;
        if absent.iter().any(|id| self.state.unresolved.binary_search(id).is_err()) {
            // A category may have arrived between the two lists.
            self.categories()?;
            self.remember_failures()?;
            absent = self.absent_prerequisites()?;
            self.related(config, &absent)?;
            absent = self.absent_prerequisites()?;
        }
        let mut members = Vec::new();
        self.catalog.absent_members(&mut |identity| members.push(identity))?;
        self.fetch(members)?;
        self.report_unresolved(&absent)?;
        absent.truncate(MOST);
        self.state.unresolved = absent;
        Ok(())
    }

    /// Prerequisites name no revision. Only this call knows the revisions of an update; the
    /// specification has servers ignore it, so an empty answer says nothing and an error harms
    /// nothing. [MS-WUSSS] 3.1.4.9
    fn related(&mut self, config: &ConfigData, absent: &[UpdateId]) -> Result<()> {
        if !speaks(config, 20) {
            return Ok(());
        }
        for batch in absent.chunks(BATCH) {
            let answer = self.session.ask(&|cookie| GetRelatedRevisionsForUpdates {
                cookie: Some(cookie),
                updates: batch.iter().map(|id| id.0).collect(),
            });
            match answer {
                Ok(revisions) if revisions.is_empty() => return Ok(()),
                Ok(revisions) => {
                    self.fetch(revisions)?;
                }
                Err(e) => {
                    tracing::debug!(error = chain(&e), "related revisions are not told");
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Sorted.
    fn absent_prerequisites(&self) -> Result<Vec<UpdateId>> {
        let mut absent = Vec::new();
        self.catalog.absent_prerequisites(&mut |id| absent.push(id))?;
        absent.sort_unstable();
        Ok(absent)
    }

    /// Reports only what something cannot do without, not a clause with another alternative.
    fn report_unresolved(&mut self, absent: &[UpdateId]) -> Result<()> {
        for id in absent.iter().take(MOST) {
            if let Some(needed_by) = self.catalog.blocked_by(*id)? {
                self.report.unresolved.push(Unresolved { update: *id, needed_by });
            }
        }
        Ok(())
    }
}
