//! Sealing: a signed, numbered statement of what the mirror is now. New segments hold what changed
//! since the last snapshot; a mirror that has not changed is not sealed again.

use std::num::NonZeroU64;

use bundle_format::{
    digest::Sha256,
    index::{FORMAT_VERSION, Index, SegmentRef, critical_of},
    policy::Policy,
    trust::Head,
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    keys::files::{CLOCK_STEP, KeyFiles, later},
    new_segments::{RecordCounts, compact_lists, write_new_segments},
    seal_options::{SealOptions, SealOutcome, SealReason},
    sealed_policy::{note_fleet_change, note_older_fleet, note_policy, takes_decisions_back},
    signing::{count_signatures, has_roots, index_digest, sign},
};
use crate::{
    catalog::{Catalog, CatalogWriter, Contradiction, SnapshotRow, SnapshotState},
    data_dir::{DataDir, check_site},
    fleet::Fleet,
    transfer::{
        error::TransferError,
        kill,
        policy::{gather::gather, unneeded::leave_out_declined},
        progress::Progress,
        store::{heads, segments, side::require_connected, trust as trust_state},
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// A snapshot whose signatures end sooner is sealed anew.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Seals the mirror if it has changed since the last snapshot. `created` is given, so that the same
/// mirror seals to the same bytes.
///
/// # Errors
/// When this is no connected side, keys are missing, or a store fails. Nothing is sealed then.
pub fn seal(
    data: &DataDir,
    created: Timestamp,
    options: &SealOptions,
    progress: &dyn Progress,
) -> Result<SealOutcome> {
    require_connected(data)?;
    let _lock = trust_state::lock(data)?;
    seal_locked(data, created, options, progress)
}

/// As [`seal`], for a caller that holds the lock.
pub(super) fn seal_locked(
    data: &DataDir,
    created: Timestamp,
    options: &SealOptions,
    progress: &dyn Progress,
) -> Result<SealOutcome> {
    let mirror_id = require_connected(data)?;
    if let Some(site) = &options.add_site {
        check_site(site).map_err(|e| TransferError::Unfit { what: e.to_string() })?;
    }
    let keys = KeyFiles::load(&data.keys())?;
    let fleet = Fleet::open(&data.fleet())?;
    let inputs = SealInputs {
        data,
        options,
        mirror_id,
        created: Timestamp::from_second(created.as_second()).unwrap_or(created),
        roots: keys.roots(&data.keys())?,
        keys,
        policy: gather(&fleet)?,
    };
    let mut catalog = Catalog::open(&data.catalog())?;
    // The transaction keeps others from writing: exactly what is read here is marked as sealed.
    let mut writer = catalog.write()?;
    writer.set_mirror_id(mirror_id)?;
    refuse_older_fleet(&writer, &fleet, data, options)?;
    note_fleet_change(&mut writer, &fleet)?;
    segments::remove_leftovers(data)?;
    // One document that is wrong keeps nothing else back.
    let left_out = writer.leave_out_contradicting()?;
    leave_out_declined(&mut writer, &fleet)?;
    let last = LastSnapshot::read(data, &writer)?;
    refuse_older_catalog(data, last.as_ref())?;
    let mut draft = inputs.draft(&mut writer, last.as_ref(), progress)?;
    draft.left_out = left_out;
    match last {
        Some(last) if draft.reasons.is_empty() => {
            drop(writer);
            note_older_fleet(&mut catalog, &fleet)?;
            draft.unchanged(&last)
        }
        last => {
            inputs.check_date(last.as_ref())?;
            inputs.seal(writer, last, draft)
        }
    }
}

/// A fleet from a backup would take back what was approved and declined since, at every site.
fn refuse_older_fleet(
    catalog: &Catalog,
    fleet: &Fleet,
    data: &DataDir,
    options: &SealOptions,
) -> Result<()> {
    if options.older_fleet || !takes_decisions_back(catalog, fleet)? {
        return Ok(());
    }
    Err(TransferError::Unfit {
        what: format!(
            "nothing is sealed: {} is older than at the last seal, and what was approved and declined since would be taken back at every site. Bring back the newest one, or, if there is none, look through `tidegate approve --list` and go on with --older-fleet",
            data.fleet().display()
        ),
    })
}

/// A catalogue from a backup would give new revisions the numbers of others, and every site would refuse
/// what is sealed from it. One snapshot more is what a seal leaves that was killed.
fn refuse_older_catalog(data: &DataDir, last: Option<&LastSnapshot>) -> Result<()> {
    let (last, signed) = (last.map_or(0, |last| last.row.number), heads::newest(data)?);
    if signed <= last + 1 {
        return Ok(());
    }
    Err(TransferError::Unfit {
        what: format!(
            "nothing is sealed: {} ends with snapshot {last}, but snapshot {signed} has been signed here, so it came from an older backup, and sites would refuse what is sealed from it. Bring back the newest one, or make the connected side anew from the newest full bundle with `tidegate init --seed`",
            data.catalog().display()
        ),
    })
}

/// The snapshot that was sealed last.
struct LastSnapshot {
    row: SnapshotRow,
    segments: Vec<SegmentRef>,
    head: Head,
}

impl LastSnapshot {
    fn read(data: &DataDir, writer: &CatalogWriter<'_>) -> Result<Option<Self>> {
        let Some(row) = writer.snapshots()?.pop() else { return Ok(None) };
        let segments = writer.segments_of(row.number)?;
        let head = heads::load(data, row.number)?;
        Ok(Some(Self { row, segments, head }))
    }
}

/// What a snapshot is made from, beside the catalogue.
struct SealInputs<'a> {
    data: &'a DataDir,
    options: &'a SealOptions,
    mirror_id: Uuid,
    /// In whole seconds.
    created: Timestamp,
    keys: KeyFiles,
    roots: Vec<Vec<u8>>,
    policy: Policy,
}

/// What the next snapshot would hold, and why there should be one.
struct SnapshotDraft {
    reasons: Vec<SealReason>,
    added_segments: Vec<SegmentRef>,
    counts: RecordCounts,
    sites: Vec<String>,
    policy_version: NonZeroU64,
    left_out: Vec<Contradiction>,
}

impl SealInputs<'_> {
    /// Writes segments of what has changed, notes sites and policy, and finds the reasons to seal.
    fn draft(
        &self,
        writer: &mut CatalogWriter<'_>,
        last: Option<&LastSnapshot>,
        progress: &dyn Progress,
    ) -> Result<SnapshotDraft> {
        let mut reasons = Vec::new();
        let (added_segments, counts) =
            write_new_segments(self.data, writer, self.options.segment_bytes, progress)?;
        if !added_segments.is_empty() {
            reasons.push(SealReason::CatalogueChanged);
        }
        if let Some(site) = &self.options.add_site
            && writer.add_site(site)?
        {
            reasons.push(SealReason::SiteAdded);
        }
        let sites = writer.sites()?;
        let (policy_version, policy_changed) = note_policy(writer, &self.policy)?;
        if policy_changed {
            reasons.push(SealReason::PolicyChanged);
        }
        match last {
            None => reasons.push(SealReason::FirstSnapshot),
            Some(last) if !has_roots(&last.head, &self.roots) => {
                reasons.push(SealReason::RootChanged);
            }
            Some(_) => {}
        }
        let soon = self.created.checked_add(EXPIRES_SOON).unwrap_or(self.created);
        if last.and_then(|last| last.row.expires).is_some_and(|expires| expires < soon) {
            reasons.push(SealReason::ExpiresSoon);
        }
        let left_out = Vec::new();
        Ok(SnapshotDraft { reasons, added_segments, counts, sites, policy_version, left_out })
    }

    /// A date before the last snapshot, or before the keys, is wrong, or theirs was: signatures would
    /// have expired before they arrive, or sites would call the snapshot older than it is.
    fn check_date(&self, last: Option<&LastSnapshot>) -> Result<()> {
        let snapshot =
            last.map(|last| (last.row.created, format!("snapshot {} was sealed", last.row.number)));
        // Once a snapshot is sealed with the keys, its date stands for theirs.
        let keys = KeyFiles::made(&self.roots)
            .filter(|_| last.is_none_or(|last| !has_roots(&last.head, &self.roots)))
            .map(|made| (made, "the newest keys were made".to_owned()));
        let Some((date, what)) = snapshot.into_iter().chain(keys).max() else { return Ok(()) };
        if self.options.clock_is_right || date.duration_since(self.created) <= CLOCK_STEP {
            return Ok(());
        }
        Err(TransferError::Unfit {
            what: format!(
                "nothing is sealed: the new snapshot would be dated {}, but {what} at {date}; set the clock (or --created) right, or, if that date is the wrong one, go on with --clock-is-right",
                self.created
            ),
        })
    }

    /// Signs the next snapshot, stores its head, and commits.
    fn seal(
        &self,
        mut writer: CatalogWriter<'_>,
        last: Option<LastSnapshot>,
        mut draft: SnapshotDraft,
    ) -> Result<SealOutcome> {
        let number = last.as_ref().map_or(0, |last| last.row.number) + 1;
        let before = last.map(|last| last.segments).unwrap_or_default();
        let added = std::mem::take(&mut draft.added_segments);
        let segments = compact_lists(self.data, before.clone(), added, self.options)?;
        let new_segments =
            segments.iter().filter(|segment| !before.contains(segment)).count() as u64;
        let index = Index {
            format_version: FORMAT_VERSION,
            critical: critical_of(&segments),
            mirror_id: self.mirror_id,
            snapshot: number,
            created: self.created,
            sites: draft.sites.clone(),
            segments,
        };
        let expires = later(self.created, self.options.days);
        let policy = (&self.policy, draft.policy_version);
        let passphrase = self.options.passphrase.as_deref();
        let head = sign(self.data, &self.keys, &self.roots, &index, policy, expires, passphrase)?;
        let index_sha256 = index_digest(&head)?;
        heads::store(self.data, number, &head)?;
        kill::step("before the seal's commit");
        writer.seal_snapshot(
            &SnapshotRow {
                number,
                state: SnapshotState::Sealed,
                index_sha256,
                created: self.created,
                expires: Some(expires),
                switched: None,
                bundle_set: None,
            },
            &index.segments,
        )?;
        writer.commit()?;
        kill::step("after the seal's commit");
        let signatures = count_signatures(&head)?;
        let segments = (index.segments.len() as u64, new_segments);
        Ok(draft.outcome(number, true, index_sha256, segments, signatures))
    }
}

impl SnapshotDraft {
    /// Nothing has changed: the last snapshot stays the newest.
    fn unchanged(self, last: &LastSnapshot) -> Result<SealOutcome> {
        let signatures = count_signatures(&last.head)?;
        let segments = (last.segments.len() as u64, 0);
        Ok(self.outcome(last.row.number, false, last.row.index_sha256, segments, signatures))
    }

    /// `segments`: all of them, and the new ones. `signatures`: those there are, and those needed.
    fn outcome(
        self,
        snapshot: u64,
        new: bool,
        index: Sha256,
        (segments, new_segments): (u64, u64),
        signatures: (u64, u64),
    ) -> SealOutcome {
        SealOutcome {
            snapshot,
            new,
            reasons: self.reasons,
            index,
            revisions: self.counts.revisions,
            withdrawals: self.counts.withdrawals,
            payloads: self.counts.payloads,
            keys: self.counts.keys,
            driver_sets: self.counts.driver_sets,
            new_segments,
            segments,
            sites: self.sites,
            signatures,
            left_out: self.left_out,
        }
    }
}
