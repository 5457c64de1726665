//! What the site has before the first object is read, and what is refused because of it.

use std::collections::HashSet;

use bundle_format::{
    digest::Sha256,
    index::SegmentRef,
    trust::{Freshness, VerifiedHead},
};

use crate::{
    catalog::{Catalog, SnapshotRow, SnapshotState},
    transfer::{error::TransferError, isolated::intake::stage::Stage, volume::read::Volume},
};

type Result<T> = std::result::Result<T, TransferError>;

/// What the catalogue says of snapshots.
#[derive(Default)]
pub(super) struct SiteState {
    pub(super) snapshots: Vec<SnapshotRow>,
    /// Pending ones that count no more, and why: keys signed them that were revoked since, or their
    /// stored signatures are damaged.
    pub(super) revoked: Vec<(u64, String)>,
    /// The snapshot that is served.
    pub(super) in_force: Option<u64>,
    /// The newest snapshot of the trust state.
    pub(super) trusted: Option<u64>,
    /// The root was replaced by hand, and no snapshot of the new one was accepted yet.
    pub(super) root_replaced: bool,
    /// Segments of what is served.
    pub(super) served: Vec<SegmentRef>,
    /// Segments of what is served, of what is pending, and of what comes: an older volume may bring
    /// no others.
    pub(super) asked_for: Vec<SegmentRef>,
}

impl SiteState {
    /// Reads it from the catalogue, if there is one. `trusted` is the trust state's newest snapshot;
    /// `refusal` says why the stored signatures of a snapshot do not hold, if they do not.
    pub(super) fn read(
        catalog: Option<&Catalog>,
        trusted: Option<u64>,
        refusal: &dyn Fn(u64) -> Option<String>,
    ) -> Result<Self> {
        let mut site = Self { trusted, ..Self::default() };
        let Some(catalog) = catalog else { return Ok(site) };
        for snapshot in catalog.snapshots()? {
            if snapshot.state == SnapshotState::Pending
                && let Some(refusal) = refusal(snapshot.number)
            {
                site.revoked.push((snapshot.number, refusal));
                continue;
            }
            let segments = match snapshot.state {
                SnapshotState::InForce => {
                    site.in_force = Some(snapshot.number);
                    site.served = catalog.segments_of(snapshot.number)?;
                    site.served.clone()
                }
                SnapshotState::Pending => catalog.segments_of(snapshot.number)?,
                SnapshotState::Sealed | SnapshotState::Past => Vec::new(),
            };
            site.ask_for(&segments);
            site.snapshots.push(snapshot);
        }
        Ok(site)
    }

    /// Notes that these volumes may fill the gaps of each other.
    pub(super) fn ask_for_gaps_of(&mut self, volumes: &[Volume]) {
        for volume in volumes.iter().filter(|v| v.verified.freshness != Freshness::Older) {
            self.ask_for(&volume.verified.index.segments);
        }
    }

    fn ask_for(&mut self, segments: &[SegmentRef]) {
        let mut names: HashSet<Sha256> = self.asked_for.iter().map(|s| s.sha256).collect();
        self.asked_for.extend(segments.iter().filter(|s| names.insert(s.sha256)).cloned());
    }

    /// Refuses what can be seen from the heads alone: another mirror, two snapshots of one number.
    pub(super) fn check_admission(
        &self,
        volumes: &[Volume],
        catalog: Option<&Catalog>,
    ) -> Result<()> {
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
            let first = volumes.iter().find(|v| v.verified.index.snapshot == index.snapshot);
            if stored.is_some_and(|stored| stored.index_sha256 != digest)
                || first.is_some_and(|other| other.verified.index_digest != digest)
            {
                return Err(volume.refused(format!(
                    "there is another snapshot with the number {}: the connected side was restored from an older backup, or runs twice. Let it bring back its newest backup (`tidegate check` there says more) and export again",
                    index.snapshot
                )));
            }
        }
        Ok(())
    }

    /// Refuses older bundles of which none fills a gap: somebody tried to bring an older snapshot.
    pub(super) fn refuse_useless(&self, volumes: &[Volume], stage: &Stage) -> Result<()> {
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

    /// Whether another snapshot than this one is served under its number: keys were replaced, and the count
    /// began anew.
    pub(super) fn is_of_another(&self, verified: &VerifiedHead) -> bool {
        let served = self.snapshots.iter().find(|row| Some(row.number) == self.in_force);
        served.is_some_and(|row| {
            row.number == verified.index.snapshot && row.index_sha256 != verified.index_digest
        })
    }

    /// Whether a snapshot is newer than the one that is served.
    pub(super) fn is_news(&self, verified: &VerifiedHead) -> bool {
        let number = verified.index.snapshot;
        self.in_force.is_none_or(|in_force| number > in_force) || self.starts_over(verified)
    }

    /// Whether the keys were replaced for good and the counters began anew: newer for the trust
    /// state, although its number is not. So they did when the root was replaced by hand. (A trust state older than what is served, left by a
    /// killed run, proves nothing of the kind.)
    pub(super) fn starts_over(&self, verified: &VerifiedHead) -> bool {
        verified.freshness == Freshness::Newer
            && self.in_force.is_some_and(|in_force| {
                verified.index.snapshot <= in_force && self.trusted >= Some(in_force)
                    || self.root_replaced
            })
    }
}
