//! Checking a bundle with nothing but the trusted root: no server, no database, nothing written.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::{ObjectEntry, VolumeNote},
    digest::Sha256,
    index::SegmentRef,
    limits::BundleLimits,
    trust::{Expectation, Freshness, TrustState, VerifiedHead},
};
use jiff::Timestamp;

use super::{
    checked_segments::CheckedSegments,
    missing_payloads::{NamedPayloads, PayloadSearch, Pieces},
    noted_segments::NotedSegments,
    pipe::{Pipe, PipedVolume, STANDARD_INPUT},
    read::{self, Volume, VolumeHead},
    transcript::Transcript,
    verify_report::{
        LackingObjects, RefusedVolume, VerifiedVolume, VerifyReport, gaps, volume_sets,
    },
};
use crate::{
    catalog::Catalog,
    content::ContentStore,
    data_dir::{DataDir, Side},
    transfer::{
        error::TransferError,
        progress::Progress,
        store::{segments, trust},
    },
    update::DocumentLimits,
};

type Result<T> = std::result::Result<T, TransferError>;

/// What a bundle is verified against.
#[derive(Debug, Clone, Copy)]
pub enum VerifyAgainst<'a> {
    /// A root file that was compared by its fingerprint.
    Root(&'a Path),
    /// The trust state and the site of a data folder; older and foreign bundles show.
    Data(&'a DataDir),
}

/// How to verify.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// The clock.
    pub now: Timestamp,
    /// Refuse expired signatures instead of warning.
    pub refuse_expired: bool,
    /// Bounds on what is read.
    pub limits: BundleLimits,
    /// Bounds on update documents, which give files their names.
    pub documents: DocumentLimits,
}

impl VerifyOptions {
    /// The usual ones.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            refuse_expired: false,
            limits: BundleLimits::default(),
            documents: DocumentLimits::default(),
        }
    }
}

/// A volume whose signatures hold.
pub(super) struct CheckedVolume {
    pub(super) path: PathBuf,
    pub(super) note: VolumeNote,
    pub(super) verified: VerifiedHead,
    /// Which key lost or gained its role by a newer root, as sentences.
    key_changes: Vec<String>,
    /// So many of its objects, from the first on, are what they must be.
    good: usize,
    uncheckable: u64,
    refusal: Option<TransferError>,
}

impl CheckedVolume {
    fn describe(&self) -> VerifiedVolume {
        let Self { path, note, verified, key_changes, uncheckable, .. } = self;
        VerifiedVolume {
            key_changes: key_changes.clone(),
            ..VerifiedVolume::of(path, note, verified, *uncheckable)
        }
    }

    /// The objects on it that are what they must be.
    pub(super) fn objects(&self) -> &[ObjectEntry] {
        self.note.objects.get(..self.good).unwrap_or_default()
    }

    fn unproven(&self) -> &[ObjectEntry] {
        self.note.objects.get(self.good..).unwrap_or_default()
    }
}

/// Volumes, each of which was read once.
pub(super) struct CheckedBundle<'a> {
    pub(super) volumes: Vec<CheckedVolume>,
    /// Without signatures that hold.
    strangers: Vec<RefusedVolume>,
    pub(super) segments: CheckedSegments<'a>,
    /// The catalogue of the data folder that it was checked against, if there is one.
    pub(super) catalog: Option<Catalog>,
    data: Option<&'a DataDir>,
    options: &'a VerifyOptions,
}

/// Checks every byte of the volumes named. Nothing is written. A volume that is refused keeps no other
/// from being checked; where it is the only one, this is an error.
///
/// # Errors
/// [`Blame::Refused`](crate::transfer::Blame) for what is the fault of the only volume.
pub fn verify(
    bundles: &[PathBuf],
    against: VerifyAgainst<'_>,
    options: &VerifyOptions,
    progress: &dyn Progress,
) -> Result<VerifyReport> {
    check_bundle(bundles, against, options, progress, &mut Transcript::none())?.report()
}

/// As [`verify`], and notes every check that was made, also when one of them fails.
///
/// # Errors
/// As [`verify`].
pub fn verify_with_transcript(
    bundles: &[PathBuf],
    against: VerifyAgainst<'_>,
    options: &VerifyOptions,
    progress: &dyn Progress,
    transcript: &mut Transcript,
) -> Result<VerifyReport> {
    let checked = check_bundle(bundles, against, options, progress, transcript);
    let report = checked.and_then(|bundle| bundle.report());
    transcript.finish(report.as_ref());
    report
}

/// Reads and checks every volume, once.
pub(super) fn check_bundle<'a>(
    bundles: &[PathBuf],
    against: VerifyAgainst<'a>,
    options: &'a VerifyOptions,
    progress: &dyn Progress,
    transcript: &mut Transcript,
) -> Result<CheckedBundle<'a>> {
    let (state, data) = match against {
        VerifyAgainst::Root(path) => (trust::state_of_root(path)?, None),
        VerifyAgainst::Data(data) => (trust::load_state(data)?, Some(data)),
    };
    let catalog = match data.map(DataDir::catalog) {
        Some(path) if path.exists() => Some(Catalog::open_to_look(&path)?),
        _ => None,
    };
    let segments = CheckedSegments::new(&options.limits, data.map(DataDir::segments));
    let (volumes, strangers) = (Vec::new(), Vec::new());
    let mut bundle = CheckedBundle { volumes, strangers, segments, catalog, data, options };
    let paths = read::find_volumes(bundles)?;
    let is_only = paths.len() == 1;
    transcript.trusted(&state, bundle.site());
    for path in paths {
        if path == Path::new(STANDARD_INPUT) {
            bundle.check_pipe(&state, progress, transcript)?;
            continue;
        }
        transcript.begin_volume(&path);
        let checked = read::read_head(&path, &options.limits)
            .and_then(|unchecked| bundle.check_volume(unchecked, &state, progress, transcript));
        match checked {
            Ok(CheckedVolume { refusal: Some(error), .. }) | Err(error) if is_only => {
                return Err(error);
            }
            Ok(volume) => {
                if let Some(error) = &volume.refusal {
                    transcript.refused(error);
                }
                bundle.volumes.push(volume);
            }
            Err(error) => {
                transcript.refused(&error);
                bundle.strangers.push(RefusedVolume::new(path, &error));
            }
        }
    }
    Ok(bundle)
}

impl CheckedBundle<'_> {
    fn site(&self) -> Option<&str> {
        match self.data?.side() {
            Side::Isolated { site } => Some(site),
            Side::Connected { .. } => None,
        }
    }

    /// Checks the volumes of a pipe. The first one that is refused ends it: where the next one begins is
    /// not known.
    fn check_pipe(
        &mut self,
        state: &TrustState,
        progress: &dyn Progress,
        transcript: &mut Transcript,
    ) -> Result<()> {
        let mut pipe = Pipe::standard_input();
        let mut came = false;
        while let Some(PipedVolume { name, opened }) = pipe.next(&self.options.limits)? {
            transcript.begin_volume(&name);
            let unchecked = VolumeHead::of(&name, opened);
            let mut volume = self.check_volume(unchecked, state, progress, transcript)?;
            if let Some(error) = volume.refusal.take() {
                return Err(error);
            }
            self.volumes.push(volume);
            came = true;
        }
        if came {
            return Ok(());
        }
        let what = "nothing came on the standard input: send volumes to it".to_owned();
        Err(TransferError::Unfit { what })
    }

    fn check_volume(
        &mut self,
        unchecked: VolumeHead,
        state: &TrustState,
        progress: &dyn Progress,
        transcript: &mut Transcript,
    ) -> Result<CheckedVolume> {
        let VerifyOptions { now, refuse_expired, .. } = *self.options;
        let expect = Expectation { site: self.site(), now, refuse_expired };
        transcript.head(&unchecked.path, &unchecked.note, &unchecked.head);
        let mut volume = unchecked.check(state, &expect, &self.options.limits)?;
        transcript.signed(&volume.head, &volume.verified);
        let total = volume.note.objects.iter().map(|object| object.size).sum();
        progress.phase("verifying", Some(total));
        self.segments.begin_volume();
        let mut sink = NotedSegments { segments: &mut self.segments, transcript };
        let refusal = volume.walk(&mut sink, progress).err();
        if refusal.is_none() {
            transcript.end_of_volume(&volume.note, volume.checksums());
        }
        let key_changes = trust::changes_of_root(&volume.path, state, &volume.verified.next_state)?;
        let Volume { path, note, verified, .. } = volume;
        let CheckedSegments { good, uncheckable, .. } = self.segments;
        Ok(CheckedVolume { path, note, verified, key_changes, good, uncheckable, refusal })
    }

    /// What is there, and what is not.
    pub(super) fn report(&self) -> Result<VerifyReport> {
        let mut report =
            VerifyReport { refused: self.strangers.clone(), ..VerifyReport::default() };
        for volume in &self.volumes {
            match &volume.refusal {
                None => report.volumes.push(volume.describe()),
                Some(error) => report.refused.push(self.describe_damage(volume, error)?),
            }
        }
        report.sets = volume_sets(&report.volumes, &report.refused);
        report.lacking = self.lacking()?;
        Ok(report)
    }

    /// The segments of all snapshots on the volumes, each once.
    pub(super) fn named_segments(&self) -> Vec<&SegmentRef> {
        let mut seen = HashSet::new();
        let all = self.volumes.iter().flat_map(|volume| &volume.verified.index.segments);
        all.filter(|segment| seen.insert(segment.sha256)).collect()
    }

    /// What a damaged volume fails to bring: the objects from the damage on, by name.
    fn describe_damage(
        &self,
        volume: &CheckedVolume,
        error: &TransferError,
    ) -> Result<RefusedVolume> {
        let good: HashSet<Sha256> =
            self.volumes.iter().flat_map(|v| v.objects()).map(|object| object.sha256).collect();
        let index = &volume.verified.index;
        let segments: HashSet<Sha256> = index.segments.iter().map(|s| s.sha256).collect();
        let lost: BTreeMap<Sha256, u64> = volume
            .unproven()
            .iter()
            .filter(|object| object.offset.is_some() || !good.contains(&object.sha256))
            .map(|object| (object.sha256, object.size))
            .collect();
        let is_here = |sha256: &Sha256, _| Ok(!lost.contains_key(sha256));
        let mut files = NamedPayloads::new();
        self.search(&is_here, &mut |search| search.add_missing(&index.segments, &mut files))?;
        for (sha256, size) in &lost {
            if !files.contains_key(sha256) && !segments.contains(sha256) {
                self.search(&is_here, &mut |search| {
                    files.insert(*sha256, search.named(*sha256, *size, None)?);
                    Ok(())
                })?;
            }
        }
        Ok(RefusedVolume {
            set: Some(volume.note.set),
            volume: Some((volume.note.volume, volume.note.of)),
            snapshot: Some(index.snapshot),
            segments: lost.keys().filter(|name| segments.contains(*name)).count() as u64,
            files: files.into_values().map(|payload| payload.needed).collect(),
            ..RefusedVolume::new(volume.path.clone(), error)
        })
    }

    fn search(
        &self,
        is_here: &dyn Fn(&Sha256, u64) -> Result<bool>,
        act: &mut dyn FnMut(&PayloadSearch<'_>) -> Result<()>,
    ) -> Result<()> {
        let open = |segment: &SegmentRef| self.segments.open(segment);
        let documents = &self.options.documents;
        act(&PayloadSearch { open: &open, is_here, catalog: self.catalog.as_ref(), documents })
    }

    /// What the site lacks of the newest snapshot, even with these volumes.
    fn lacking(&self) -> Result<Option<LackingObjects>> {
        let (Some(data), Some(_)) = (self.data, self.site()) else { return Ok(None) };
        let newer = self.volumes.iter().filter(|v| v.verified.freshness != Freshness::Older);
        let Some(newest) = newer.max_by_key(|volume| volume.verified.index.snapshot) else {
            return Ok(None);
        };
        let index = &newest.verified.index;
        let mut pieces = self.pieces();
        let mut lacking = LackingObjects {
            snapshot: index.snapshot,
            segments: 0,
            segment_bytes: 0,
            files: Vec::new(),
            never_brought: self.never_brought(index.snapshot)?,
        };
        let folder = data.segments();
        for segment in &index.segments {
            if !pieces.make_whole(&segment.sha256, segment.size)
                && segments::find(&folder, segment).is_none()
            {
                lacking.segments += 1;
                lacking.segment_bytes += segment.size;
            }
        }
        pieces.add_kept(&data.parts())?;
        let content = ContentStore::for_reading(&data.content());
        let is_here = |sha256: &Sha256, size| {
            // What came once and was lost since is no matter of a snapshot: `needs` asks for it.
            let row = self.catalog.as_ref().map(|catalog| catalog.payload(sha256)).transpose()?;
            Ok(pieces.make_whole(sha256, size)
                || row.flatten().is_some_and(|row| row.present)
                || content.contains(sha256, size)?)
        };
        let mut files = NamedPayloads::new();
        self.search(&is_here, &mut |search| search.add_missing(&index.segments, &mut files))?;
        lacking.files = files.into_values().map(|payload| payload.needed).collect();
        Ok(Some(lacking))
    }

    /// What the volumes hold.
    fn pieces(&self) -> Pieces {
        let mut pieces = Pieces::default();
        for object in self.volumes.iter().flat_map(|volume| volume.objects()) {
            pieces.add(object.sha256, object.offset.unwrap_or(0), object.size);
        }
        pieces
    }

    /// Snapshots before this one that neither the site nor a volume has.
    fn never_brought(&self, snapshot: u64) -> Result<Vec<(u64, u64)>> {
        let Some(catalog) = &self.catalog else { return Ok(Vec::new()) };
        let mut there: BTreeSet<u64> =
            self.volumes.iter().map(|volume| volume.verified.index.snapshot).collect();
        let stored = catalog.snapshots()?;
        there.extend(stored.iter().map(|row| row.number));
        let first = stored.first().map_or(snapshot, |row| row.number);
        Ok(gaps(first, snapshot, &there))
    }
}
