//! What a verification says: of each volume, of the sets that they make, and of what is not there.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::{ObjectEntry, VolumeNote},
    digest::Sha256,
    index::SegmentKind,
    needs::MissingPayload,
    trust::{Freshness, VerifiedHead},
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::transfer::error::{Blame, TransferError};

/// What was verified.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct VerifyReport {
    /// Those that are good, in the order in which they were read.
    pub volumes: Vec<VerifiedVolume>,
    /// Those that are refused, or could not be read.
    pub refused: Vec<RefusedVolume>,
    /// The sets that they belong to.
    pub sets: Vec<VolumeSet>,
    /// What the site lacks of the newest snapshot of these volumes, even with them; `None` without a data
    /// folder of a site, and where all of them are older than what it serves.
    pub lacking: Option<LackingObjects>,
}

/// One volume, all members of which were read and compared with what is signed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct VerifiedVolume {
    /// The file.
    pub path: PathBuf,
    /// The set that it says to belong to.
    pub set: Uuid,
    /// Which of how many it says to be.
    pub volume: (u32, u32),
    /// The mirror that sealed it.
    pub mirror_id: Uuid,
    /// Its snapshot.
    pub snapshot: u64,
    /// When that was sealed.
    pub created: Timestamp,
    /// When the first of its signatures expires.
    pub expires: Timestamp,
    /// Sites that may import it.
    pub sites: Vec<String>,
    /// Against what is trusted.
    pub freshness: Freshness,
    /// Records of catalogue segments that the snapshot names.
    pub catalogue_records: u64,
    /// Records of payload segments that the snapshot names.
    pub payload_records: u64,
    /// Segments that the snapshot names.
    pub segments: u64,
    /// Segments on this volume.
    pub segments_here: u64,
    /// Payloads on this volume.
    pub payloads_here: u64,
    /// Parts of payloads on this volume.
    pub parts_here: u64,
    /// Bytes of its objects.
    pub bytes: u64,
    /// Approvals in the policy.
    pub approvals: u64,
    /// Declines in the policy.
    pub declined: u64,
    /// Payloads and parts of which it cannot be said here whether the snapshot names them.
    pub uncheckable: u64,
    /// Key ids that signed, by role.
    pub signers: Vec<(String, Vec<String>)>,
    /// The same for people: what each key is for, and its name.
    pub signed_by: Vec<String>,
    /// Which key lost or gained its role by a newer root than the trusted one, as sentences.
    pub key_changes: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

impl VerifiedVolume {
    /// What is to be said of a volume that is good.
    pub(super) fn of(
        path: &Path,
        note: &VolumeNote,
        verified: &VerifiedHead,
        uncheckable: u64,
    ) -> Self {
        let index = &verified.index;
        let segments: HashSet<Sha256> = index.segments.iter().map(|s| s.sha256).collect();
        let records =
            |kind| index.segments.iter().filter(|s| s.kind == kind).map(|s| s.records).sum();
        let count = |test: &dyn Fn(&ObjectEntry) -> bool| {
            note.objects.iter().filter(|object| test(object)).count() as u64
        };
        let mut warnings = verified.warnings.clone();
        if uncheckable > 0 {
            warnings.push(format!(
            "{uncheckable} files or parts of files on {} may be named by lists that are on other discs: whether the snapshot names them, and the bytes of parts, could not be checked. Verify the discs of a set together, or on the site without --root; an import checks them in any case",
            path.display()
        ));
        }
        Self {
            path: path.to_owned(),
            set: note.set,
            volume: (note.volume, note.of),
            mirror_id: index.mirror_id,
            snapshot: index.snapshot,
            created: index.created,
            expires: verified.expires,
            sites: index.sites.clone(),
            freshness: verified.freshness,
            catalogue_records: records(SegmentKind::Catalogue),
            payload_records: records(SegmentKind::Payloads),
            segments: index.segments.len() as u64,
            segments_here: count(&|object| segments.contains(&object.sha256)),
            payloads_here: count(&|o| !segments.contains(&o.sha256) && o.offset.is_none()),
            parts_here: count(&|o| !segments.contains(&o.sha256) && o.offset.is_some()),
            bytes: note.objects.iter().map(|object| object.size).sum(),
            approvals: verified.policy.approvals.len() as u64,
            declined: verified.policy.declined.len() as u64,
            uncheckable,
            signers: verified.signers.clone(),
            signed_by: verified.signed_by(),
            key_changes: Vec::new(),
            warnings,
        }
    }
}

/// A volume that is refused, or could not be read.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RefusedVolume {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub why: String,
    /// It must not be trusted; otherwise this machine could not read it.
    pub refused: bool,
    /// The set that it says to belong to, if its signatures hold.
    pub set: Option<Uuid>,
    /// Which of how many it says to be.
    pub volume: Option<(u32, u32)>,
    /// Its snapshot.
    pub snapshot: Option<u64>,
    /// Parts of the catalogue on it that were not proven.
    pub segments: u64,
    /// Files on it that were not proven, and the updates that need them.
    pub files: Vec<MissingPayload>,
}

/// The volumes of one export, as far as they were named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct VolumeSet {
    /// Its id.
    pub set: Uuid,
    /// Its snapshot.
    pub snapshot: u64,
    /// How many there are.
    pub of: u32,
    /// Numbers of those that are good.
    pub here: Vec<u32>,
    /// Numbers of those that are damaged.
    pub damaged: Vec<u32>,
    /// Numbers of those that are not there, as ranges: first and last.
    pub missing: Vec<(u64, u64)>,
    /// Numbers of those that are there more than once.
    pub doubled: Vec<u32>,
    /// Its snapshot is older than what is trusted: it can only fill gaps.
    pub stale: bool,
}

/// What a site lacks of a snapshot.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LackingObjects {
    /// The snapshot.
    pub snapshot: u64,
    /// Parts of its catalogue. As long as one is missing, files that it names are not in the list.
    pub segments: u64,
    /// Their bytes.
    pub segment_bytes: u64,
    /// Files, and the updates that need them.
    pub files: Vec<MissingPayload>,
    /// Snapshots between the one in force and this one that were never brought here, first to last.
    pub never_brought: Vec<(u64, u64)>,
}

impl LackingObjects {
    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.segments == 0 && self.files.is_empty()
    }
}

impl VerifyReport {
    /// Whether everything could be checked and nothing is missing (otherwise exit code 4).
    pub fn is_complete(&self) -> bool {
        let is_whole = match &self.lacking {
            Some(lacking) => lacking.is_empty(),
            None => self.sets.iter().all(|set| set.missing.is_empty()),
        };
        is_whole
            && self.refused.is_empty()
            && self.volumes.iter().all(|volume| volume.uncheckable == 0)
    }

    /// The error of a verification by which volumes were refused or could not be read.
    pub fn refusal(&self) -> Option<TransferError> {
        let all = self.refused.len() + self.volumes.len();
        let refused = self.refused.iter().filter(|volume| volume.refused).count();
        match (refused, self.refused.len()) {
            (0, 0) => None,
            (0, unread) => {
                let what = format!("{unread} of {all} volumes could not be read: see above");
                Some(TransferError::Unfit { what })
            }
            (refused, _) => Some(TransferError::refused(format!(
                "{refused} of {all} volumes must not be trusted: see above"
            ))),
        }
    }
}

/// Sets by snapshot and id.
type Sets = BTreeMap<(u64, Uuid), VolumeSet>;

impl VolumeSet {
    fn of(sets: &mut Sets, snapshot: u64, set: Uuid, of: u32) -> &mut Self {
        sets.entry((snapshot, set)).or_insert_with(|| Self {
            set,
            snapshot,
            of,
            here: Vec::new(),
            damaged: Vec::new(),
            missing: Vec::new(),
            doubled: Vec::new(),
            stale: false,
        })
    }
}

impl RefusedVolume {
    pub(super) fn new(path: PathBuf, error: &TransferError) -> Self {
        Self {
            path,
            why: crate::error_chain::chain(error),
            refused: error.blame() == Blame::Refused,
            set: None,
            volume: None,
            snapshot: None,
            segments: 0,
            files: Vec::new(),
        }
    }
}

/// The sets that volumes belong to, by snapshot.
pub(super) fn volume_sets(good: &[VerifiedVolume], refused: &[RefusedVolume]) -> Vec<VolumeSet> {
    let mut sets = Sets::new();
    for volume in good {
        let (number, of) = volume.volume;
        let set = VolumeSet::of(&mut sets, volume.snapshot, volume.set, of);
        set.stale = volume.freshness == Freshness::Older;
        let list = if set.here.contains(&number) { &mut set.doubled } else { &mut set.here };
        list.push(number);
    }
    for volume in refused {
        let (Some(snapshot), Some(id), Some((number, of))) =
            (volume.snapshot, volume.set, volume.volume)
        else {
            continue;
        };
        let set = VolumeSet::of(&mut sets, snapshot, id, of);
        // A damaged copy does no harm beside a good one.
        let list = if set.here.contains(&number) { &mut set.doubled } else { &mut set.damaged };
        list.push(number);
    }
    let mut sets: Vec<VolumeSet> = sets.into_values().collect();
    for set in &mut sets {
        for list in [&mut set.here, &mut set.damaged, &mut set.doubled] {
            list.sort_unstable();
            list.dedup();
        }
        let there = set.here.iter().chain(&set.damaged).map(|number| u64::from(*number));
        set.missing = gaps(1, set.of.into(), &there.collect());
    }
    sets
}

/// What is missing of the numbers `first` to `last`, as ranges: however many an unsigned note claims.
pub(in crate::transfer) fn gaps(first: u64, last: u64, there: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let mut gaps = Vec::new();
    let mut next = first;
    for number in there.range(first..=last.max(first)) {
        if *number > next {
            gaps.push((next, number - 1));
        }
        next = number + 1;
    }
    if next <= last {
        gaps.push((next, last));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_is_not_there() {
        let there = BTreeSet::from([1, 2, 5, 9]);
        assert_eq!(gaps(1, 4_000_000_000, &there), [(3, 4), (6, 8), (10, 4_000_000_000)]);
        assert_eq!(gaps(5, 5, &there), []);
        assert_eq!(gaps(3, 2, &there), []);
        assert_eq!(gaps(6, 8, &there), [(6, 8)]);
    }
}
