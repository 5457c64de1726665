//! Third phase: one transaction with the rows of what came, the newest complete snapshot, and the
//! pending ones. Files move to their places before it is committed.

use std::{fs, path::Path};

use bundle_format::trust::VerifiedHead;

use super::{
    candidates::{Candidate, find_candidates},
    context::ImportContext,
    report::PendingReport,
    site_state::SiteState,
    taken::TakenVolumes,
};
use crate::{
    catalog::{Catalog, CatalogWriter, PayloadRow, SnapshotRow, SnapshotState},
    file_error::{Doing as _, FileError},
    fleet::Fleet,
    transfer::{
        error::{Blame, TransferError},
        isolated::{
            intake::stage::Stage,
            switch::{Changes, Switch, SwitchAttempt},
        },
        kill,
        store::heads,
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// What the transaction has made count. In a dry run: what it would have.
pub(super) struct Committed {
    pub(super) taken: TakenVolumes,
    pub(super) switched: Option<Switched>,
    /// Snapshots that lack something.
    pub(super) pending: Vec<PendingReport>,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

/// The snapshot that is served from now on.
pub(super) struct Switched {
    pub(super) verified: VerifiedHead,
    pub(super) changes: Changes,
}

impl Committed {
    /// The snapshot that is served now.
    pub(super) fn in_force(&self) -> Option<u64> {
        let switched = self.switched.as_ref().map(|switched| switched.verified.index.snapshot);
        switched.or(self.taken.checked.site.in_force)
    }
}

/// Makes what was taken in count.
pub(super) fn commit(context: &ImportContext<'_>, mut taken: TakenVolumes) -> Result<Committed> {
    let candidates = find_candidates(context, &taken.checked);
    let mut warnings = candidates.warnings;
    let nothing_comes = taken.stage.is_empty() && candidates.list.is_empty();
    if nothing_comes && taken.checked.site.revoked.is_empty() {
        return Ok(Committed { taken, switched: None, pending: Vec::new(), warnings });
    }
    context.progress.phase("switching", None);
    let dry_run = context.options.dry_run;
    let is_new = taken.checked.catalog.is_none() && !dry_run;
    let mut catalog = match taken.checked.catalog.take() {
        Some(catalog) => catalog,
        // A dry run must not leave a catalogue behind.
        None if dry_run => Catalog::open(&taken.stage.folder().join("catalog.sqlite"))?,
        None => Catalog::open(&context.data.catalog())?,
    };
    match run_transaction(context, &mut taken, &mut catalog, &candidates.list) {
        Ok(SwitchSearch { switched, pending, warnings: more }) => {
            warnings.extend(more);
            taken.checked.catalog = Some(catalog);
            Ok(Committed { taken, switched, pending, warnings })
        }
        Err(e) => {
            // What is refused leaves nothing behind. After a failure of this machine the catalogue stays,
            // empty: signed heads may be stored already, and without it they would look like the rest of
            // one that was lost.
            if is_new && e.blame() == Blame::Refused {
                drop(catalog);
                remove_catalog(&context.data.catalog())?;
            }
            Err(e)
        }
    }
}

fn run_transaction(
    context: &ImportContext<'_>,
    taken: &mut TakenVolumes,
    catalog: &mut Catalog,
    candidates: &[Candidate],
) -> Result<SwitchSearch> {
    let site = &taken.checked.site;
    let mut writer = catalog.write()?;
    put_payloads(&mut writer, &taken.stage)?;
    let search = switch_to_newest(context, site, &taken.stage, &mut writer, candidates)?;
    if context.options.dry_run {
        return Ok(search);
    }
    for (number, _) in &site.revoked {
        writer.forget_snapshot(*number)?;
    }
    if let Some(switched) = &search.switched {
        retire_older(&mut writer, site, &switched.verified)?;
        let number = switched.verified.index.snapshot;
        writer.set_policy_to_hold(number, context.options.hold_policy)?;
    }
    let switched = search.switched.as_ref().map(|switched| switched.verified.index.snapshot);
    put_snapshots(context, site, &mut writer, candidates, switched)?;
    kill::step("before the objects move");
    taken.stage.move_into_place()?;
    kill::step("before the commit");
    writer.commit()?;
    kill::step("after the commit");
    Ok(search)
}

/// Rows of the payloads that have come.
fn put_payloads(writer: &mut CatalogWriter<'_>, stage: &Stage) -> Result<()> {
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
    Ok(())
}

/// What came of trying the candidates.
struct SwitchSearch {
    switched: Option<Switched>,
    pending: Vec<PendingReport>,
    warnings: Vec<String>,
}

/// Tries the candidates, newest first, until one is complete.
fn switch_to_newest(
    context: &ImportContext<'_>,
    site: &SiteState,
    stage: &Stage,
    writer: &mut CatalogWriter<'_>,
    candidates: &[Candidate],
) -> Result<SwitchSearch> {
    let mut search = SwitchSearch { switched: None, pending: Vec::new(), warnings: Vec::new() };
    for candidate in candidates {
        let switch = Switch {
            stage,
            served: &site.served,
            keys_replaced: context.trust.before_newest_root().is_some(),
            limits: &context.options.limits,
            documents: &context.options.documents,
            now: context.options.now,
        };
        let snapshot = candidate.number();
        let attempt = match switch.attempt(writer, &candidate.verified.index) {
            // A pending snapshot that was never complete must not keep out what comes now.
            Err(e) if candidate.pending && e.blame() == Blame::Refused => {
                writer.back_to_mark()?;
                search.warnings.push(format!(
                    "the pending snapshot {snapshot} is whole, but cannot take effect: {e}"
                ));
                continue;
            }
            attempt => attempt?,
        };
        match attempt {
            SwitchAttempt::Complete(changes) => {
                if changes.revisions_differing > 0 {
                    search.warnings.push(format!(
                        "{} revisions of snapshot {snapshot} are here already with other bytes than the mirror's; those that were here stay. Import into a new data folder to have the mirror's",
                        changes.revisions_differing
                    ));
                }
                if changes.revisions_replaced > 0 {
                    search.warnings.push(format!(
                        "{} revisions of the snapshot that replaced keys had signed contradicted the mirror's: the mirror's have taken their place, and agents begin anew",
                        changes.revisions_replaced
                    ));
                }
                let verified = candidate.verified.clone();
                search.switched = Some(Switched { verified, changes });
                break;
            }
            SwitchAttempt::Incomplete(missing) => {
                if site.is_of_another(&candidate.verified) {
                    search.warnings.push(format!(
                        "snapshot {snapshot}, which is not complete, has the number of the one that is served and that replaced keys have signed: give all its discs to one import"
                    ));
                }
                search.pending.push(PendingReport { snapshot, missing });
            }
        }
    }
    Ok(search)
}

/// Stores the heads of the snapshot that is served now and of the pending ones, and notes them in
/// the catalogue.
fn put_snapshots(
    context: &ImportContext<'_>,
    site: &SiteState,
    writer: &mut CatalogWriter<'_>,
    candidates: &[Candidate],
    switched: Option<u64>,
) -> Result<()> {
    let in_force = switched.or(site.in_force);
    let served_or_pending =
        candidates.iter().filter(|candidate| Some(candidate.number()) >= switched);
    for candidate in served_or_pending {
        let index = &candidate.verified.index;
        if switched != Some(index.snapshot) && site.is_of_another(&candidate.verified) {
            // Two snapshots of one number: the one that is served keeps its signatures until the other one
            // takes its place.
            continue;
        }
        // Where there are snapshots, there are both databases: one that is not there is lost.
        Fleet::open(&context.data.fleet())?;
        heads::store(context.data, index.snapshot, &candidate.head)?;
        let is_served = in_force == Some(index.snapshot);
        writer.store_snapshot(
            &SnapshotRow {
                number: index.snapshot,
                state: if is_served { SnapshotState::InForce } else { SnapshotState::Pending },
                index_sha256: candidate.verified.index_digest,
                created: index.created,
                expires: None,
                switched: is_served.then_some(context.options.now),
                bundle_set: candidate.set,
            },
            &index.segments,
        )?;
    }
    Ok(())
}

/// Notes that the snapshots before the one that is served now are past. When the count began anew,
/// their numbers mean nothing any more, and the policy that was applied under such a number is
/// another one.
fn retire_older(
    writer: &mut CatalogWriter<'_>,
    site: &SiteState,
    switched: &VerifiedHead,
) -> Result<()> {
    let number = switched.index.snapshot;
    let starts_over = site.starts_over(switched);
    if starts_over {
        writer.set_policy_starts_over()?;
    }
    for row in &site.snapshots {
        match row.state {
            _ if starts_over => writer.forget_snapshot(row.number)?,
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

/// Removes a catalogue that nothing was written to.
fn remove_catalog(catalog: &Path) -> std::result::Result<(), FileError> {
    for end in ["", "-wal", "-shm"] {
        let mut path = catalog.as_os_str().to_owned();
        path.push(end);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e).doing("remove the empty catalogue", Path::new(&path));
            }
            _ => {}
        }
    }
    Ok(())
}
