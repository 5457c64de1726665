//! What is known before the first object is read, and what can be refused with it.

use bundle_format::{
    index::SegmentRef,
    trust::{Freshness, VerifiedHead},
};

use super::Result;
use crate::{
    catalog::{Catalog, SnapshotRow, SnapshotState},
    transfer::{isolated::intake::Stage, volume::read::Volume},
};

/// What the catalogue says of snapshots.
#[derive(Default)]
pub(super) struct SiteState {
    pub(super) snapshots: Vec<SnapshotRow>,
    pub(super) in_force: Option<u64>,
    /// The newest snapshot of the trust state.
    pub(super) trusted: Option<u64>,
    /// Segments of what is served.
    pub(super) served: Vec<SegmentRef>,
    /// Segments of what is served and of what is pending.
    pub(super) asked_for: Vec<SegmentRef>,
}

impl SiteState {
    pub(super) fn read(catalog: Option<&Catalog>, trusted: Option<u64>) -> Result<Self> {
        let mut known = Self { trusted, ..Self::default() };
        let Some(catalog) = catalog else { return Ok(known) };
        known.snapshots = catalog.snapshots()?;
        for snapshot in &known.snapshots {
            let segments = match snapshot.state {
                SnapshotState::InForce => {
                    known.in_force = Some(snapshot.number);
                    known.served = catalog.segments_of(snapshot.number)?;
                    known.served.clone()
                }
                SnapshotState::Pending => catalog.segments_of(snapshot.number)?,
                SnapshotState::Sealed | SnapshotState::Past => continue,
            };
            for segment in segments {
                if !known.asked_for.contains(&segment) {
                    known.asked_for.push(segment);
                }
            }
        }
        Ok(known)
    }

    /// Refuses what can be seen from the heads alone: another mirror, two snapshots of one number.
    pub(super) fn admit(&self, volumes: &[Volume], catalog: Option<&Catalog>) -> Result<()> {
        let mirror = match catalog {
            Some(catalog) => catalog.mirror_id()?,
            None => None,
        };
        let mirror = mirror.or(volumes.first().map(|volume| volume.verified.index.mirror_id));
        for volume in volumes {
            let (index, digest) = (&volume.verified.index, volume.verified.index_digest);
            if mirror.is_some_and(|mirror| mirror != index.mirror_id) {
                return Err(volume.refused(format!(
                    "it comes from the mirror {}, but this site follows {}: agents would mix up their revision numbers. Use another data folder",
                    index.mirror_id,
                    mirror.unwrap_or_default()
                )));
            }
            let stored = self
                .snapshots
                .iter()
                .find(|s| s.number == index.snapshot && !self.starts_over(&volume.verified));
            let here = volumes.iter().find(|v| v.verified.index.snapshot == index.snapshot);
            if stored.is_some_and(|stored| stored.index_sha256 != digest)
                || here.is_some_and(|other| other.verified.index_digest != digest)
            {
                return Err(volume.refused(format!(
                    "there is another snapshot with the number {}: the mirror was restored from a backup, or runs twice. Seal there until its number is higher, then export again",
                    index.snapshot
                )));
            }
        }
        Ok(())
    }

    /// Older bundles may fill gaps. When there are only such and none of them has, this is said as
    /// what it is: somebody tried to bring an older snapshot.
    pub(super) fn refuse_bygone(&self, volumes: &[Volume], stage: &Stage) -> Result<()> {
        let Some(newest) = volumes.last() else { return Ok(()) };
        let older = volumes.iter().all(|v| v.verified.freshness == Freshness::Older);
        if !older || !stage.is_empty() {
            return Ok(());
        }
        Err(newest.refused(format!(
            "snapshot {} is older than snapshot {}, which was accepted before, and holds nothing that is missing here: there is nothing to do with it. Bring a newer bundle",
            newest.verified.index.snapshot,
            self.trusted.unwrap_or_default()
        )))
    }

    pub(super) fn is_news(&self, verified: &VerifiedHead) -> bool {
        let number = verified.index.snapshot;
        self.in_force.is_none_or(|in_force| number > in_force) || self.starts_over(verified)
    }

    /// Whether the keys were replaced for good and the counters began anew: newer for the trust
    /// state, although its number is not. (A trust state that a killed run left behind what is
    /// served says nothing about that.)
    pub(super) fn starts_over(&self, verified: &VerifiedHead) -> bool {
        verified.freshness == Freshness::Newer
            && self.in_force.is_some_and(|in_force| {
                verified.index.snapshot <= in_force && self.trusted >= Some(in_force)
            })
    }
}
