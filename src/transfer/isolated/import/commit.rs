//! The one transaction of an import.

use super::{
    Result, Run,
    candidates::Candidate,
    finish::{ANEW, APPLIED_OF},
    report::{ImportReport, PendingReport},
};
use crate::{
    catalog::{Catalog, CatalogWriter, PayloadRow, SnapshotRow, SnapshotState},
    transfer::{
        error::Blame,
        isolated::{
            intake::Stage,
            switch::{Switch, SwitchAttempt},
        },
        kill,
        store::heads,
    },
};

impl Run<'_> {
    /// The one transaction: rows of what came, the newest complete snapshot, the pending ones.
    pub(super) fn transaction<'c>(
        &self,
        stage: &mut Stage,
        catalog: &mut Catalog,
        candidates: &'c [Candidate],
        report: &mut ImportReport,
    ) -> Result<Option<&'c Candidate>> {
        let mut writer = catalog.write()?;
        for record in stage.payloads() {
            writer.store_payload(&PayloadRow {
                sha256: record.sha256,
                sha1: record.sha1,
                size: record.size,
                chunks: record.chunks.clone(),
                present: true,
                not_carried: None,
            })?;
        }
        let mut taken = None;
        for candidate in candidates {
            let switch = Switch {
                stage,
                served: &self.known.served,
                limits: &self.options.limits,
                documents: &self.options.documents,
                now: self.options.now,
            };
            let snapshot = candidate.verified.index.snapshot;
            let attempt = match switch.attempt(&mut writer, &candidate.verified.index) {
                // What came before and was never whole must not keep out what comes now.
                Err(e) if candidate.pending && e.fault() == Blame::Refused => {
                    writer.back_to_mark()?;
                    report.warnings.push(format!(
                        "the pending snapshot {snapshot} is whole, but cannot take effect: {e}"
                    ));
                    continue;
                }
                attempt => attempt?,
            };
            match attempt {
                SwitchAttempt::Complete(changes) => {
                    if changes.revisions_differing > 0 {
                        report.warnings.push(format!(
                            "{} revisions of snapshot {snapshot} are here already with other bytes than the mirror's; those that were here stay. Import into a new data folder to have the mirror's",
                            changes.revisions_differing
                        ));
                    }
                    report.switched = Some(changes);
                    report.in_force = Some(snapshot);
                    taken = Some(candidate);
                    break;
                }
                SwitchAttempt::Incomplete(missing) => {
                    report.pending.push(PendingReport { snapshot, missing });
                }
            }
        }
        if self.options.dry_run {
            return Ok(taken);
        }
        if let Some(taken) = taken {
            self.retire(&mut writer, taken)?;
        }
        let served_or_pending = candidates.iter().filter(|candidate| {
            let number = candidate.verified.index.snapshot;
            Some(number) >= taken.map(|taken| taken.verified.index.snapshot)
        });
        for candidate in served_or_pending {
            let index = &candidate.verified.index;
            heads::store(self.data, index.snapshot, &candidate.head)?;
            let now = report.in_force == Some(index.snapshot);
            writer.store_snapshot(
                &SnapshotRow {
                    number: index.snapshot,
                    state: if now { SnapshotState::InForce } else { SnapshotState::Pending },
                    index_sha256: candidate.verified.index_digest,
                    created: index.created,
                    expires: None,
                    switched: now.then_some(self.options.now),
                    bundle_set: candidate.set,
                },
                &index.segments,
            )?;
        }
        kill::step("before the objects move");
        stage.place()?;
        kill::step("before the commit");
        writer.commit()?;
        kill::step("after the commit");
        Ok(taken)
    }

    /// The snapshots before the one that is taken. When the count began anew, their numbers mean
    /// nothing any more, and the policy applied under such a number is not the one of now.
    fn retire(&self, writer: &mut CatalogWriter<'_>, taken: &Candidate) -> Result<()> {
        let number = taken.verified.index.snapshot;
        let anew = self.known.starts_over(&taken.verified);
        if anew {
            writer.set_note(APPLIED_OF, ANEW)?;
        }
        for row in &self.known.snapshots {
            match row.state {
                _ if anew => writer.forget_snapshot(row.number)?,
                _ if row.number == number => {}
                SnapshotState::InForce => {
                    writer.set_snapshot_state(row.number, SnapshotState::Past)?;
                }
                SnapshotState::Pending if row.number < number => {
                    writer.forget_snapshot(row.number)?;
                }
                SnapshotState::Pending | SnapshotState::Sealed | SnapshotState::Past => {}
            }
        }
        Ok(())
    }
}
