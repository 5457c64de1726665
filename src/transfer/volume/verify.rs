//! Checking a bundle with nothing but the trusted root: no server, no database, nothing written.

use std::{
    collections::{BTreeMap, HashSet},
    io::{Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bundle_format::{
    container::VolumeNote,
    digest::Sha256,
    index::{SegmentKind, SegmentRef},
    limits::BundleLimits,
    segment::SegmentReader,
    trust::{Expectation, Freshness, VerifiedHead},
};
use jiff::Timestamp;
use serde::Serialize;
use tempfile::SpooledTempFile;
use uuid::Uuid;

use super::{
    payload_table::{self, PayloadTable},
    pipe::{Pipe, PipedVolume, STANDARD_INPUT},
    read::{self, Member, Volume, VolumeSink},
};
use crate::{
    data_dir::{DataDir, Side},
    file_error::Doing as _,
    transfer::{
        error::TransferError,
        progress::Progress,
        store::{segments, trust},
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// Payload tables up to so many bytes stay in memory; larger ones go to an unnamed temporary file.
const IN_MEMORY: usize = 32 * 1024 * 1024;

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
}

/// What was verified.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct VerifyReport {
    /// In the order in which they were read.
    pub volumes: Vec<VerifiedVolume>,
}

impl VerifyReport {
    /// Whether everything could be checked (otherwise exit code 4).
    pub fn is_complete(&self) -> bool {
        self.volumes.iter().all(|volume| volume.uncheckable == 0)
    }
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
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Checks every byte of the volumes named. Nothing is written.
///
/// # Errors
/// [`Blame::Refused`](crate::transfer::Blame) for everything that is the bundle's fault.
pub fn verify(
    bundles: &[PathBuf],
    against: VerifyAgainst<'_>,
    options: &VerifyOptions,
    progress: &dyn Progress,
) -> Result<VerifyReport> {
    let (state, site, stored) = match against {
        VerifyAgainst::Root(path) => (trust::state_of_root(path)?, None, None),
        VerifyAgainst::Data(data) => (
            trust::load_state(data)?,
            match data.side() {
                Side::Isolated { site } => Some(site.as_str()),
                Side::Connected { .. } => None,
            },
            Some(data.segments()),
        ),
    };
    let expect = Expectation { site, now: options.now, refuse_expired: options.refuse_expired };
    let mut sink =
        VerifySink { limits: &options.limits, tables: BTreeMap::new(), stored, uncheckable: 0 };
    let mut volumes = Vec::new();
    let limits = &options.limits;
    let mut verify_one = |mut volume: Volume| -> Result<()> {
        let total = volume.note.objects.iter().map(|object| object.size).sum();
        progress.phase("verifying", Some(total));
        sink.uncheckable = 0;
        volume.walk(&mut sink, progress)?;
        volumes.push(describe_volume(&volume, sink.uncheckable));
        Ok(())
    };
    for path in read::find_volumes(bundles)? {
        if path != Path::new(STANDARD_INPUT) {
            verify_one(read::open_volume(&path, &state, &expect, limits)?)?;
            continue;
        }
        let mut pipe = Pipe::standard_input();
        while let Some(PipedVolume { name, opened }) = pipe.next(limits)? {
            verify_one(read::check_opened(&name, opened, &state, &expect, limits)?)?;
        }
    }
    if volumes.is_empty() {
        let what = "nothing came on the standard input: send volumes to it".to_owned();
        return Err(TransferError::Unfit { what });
    }
    Ok(VerifyReport { volumes })
}

fn describe_volume(volume: &Volume, uncheckable: u64) -> VerifiedVolume {
    let Volume { note, verified, .. } = volume;
    let index = &verified.index;
    let segments: HashSet<Sha256> = index.segments.iter().map(|s| s.sha256).collect();
    let records = |kind| index.segments.iter().filter(|s| s.kind == kind).map(|s| s.records).sum();
    let count = |test: &dyn Fn(&bundle_format::container::ObjectEntry) -> bool| {
        note.objects.iter().filter(|object| test(object)).count() as u64
    };
    let mut warnings = verified.warnings.clone();
    if uncheckable > 0 {
        warnings.push(format!(
            "{uncheckable} payloads or parts on it may be named by segments that are on other volumes: whether the snapshot names them, and the bytes of parts, could not be checked. Verify the volumes of a set together, or on the site without --root; an import checks them in any case"
        ));
    }
    VerifiedVolume {
        path: volume.path.clone(),
        set: note.set,
        volume: (note.volume, note.of),
        mirror_id: index.mirror_id,
        snapshot: index.snapshot,
        created: index.created,
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
        warnings,
    }
}

/// Keeps the payload tables of the volumes that were walked.
struct VerifySink<'a> {
    limits: &'a BundleLimits,
    tables: BTreeMap<Sha256, SharedWriter>,
    /// The segments of the data folder, which may name what is on a volume.
    stored: Option<PathBuf>,
    uncheckable: u64,
}

/// A writer that can be read back after the walk is done with it.
#[derive(Clone)]
struct SharedWriter(Arc<Mutex<SpooledTempFile>>);

impl Write for SharedWriter {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.lock().map_err(|_| std::io::Error::other("a thread stopped"))?.write(buf)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl VolumeSink for VerifySink<'_> {
    fn begin_member(&mut self, member: &Member<'_>) -> Result<Option<Box<dyn Write + Send>>> {
        match member {
            Member::Segment(SegmentRef { kind: SegmentKind::Payloads, sha256, .. }) => {
                let file = SharedWriter(Arc::new(Mutex::new(SpooledTempFile::new(IN_MEMORY))));
                self.tables.insert(*sha256, file.clone());
                Ok(Some(Box::new(file)))
            }
            Member::Segment(_) | Member::Payload(_, Some(_)) => Ok(None),
            Member::Payload(_, None) => {
                self.uncheckable += 1;
                Ok(None)
            }
        }
    }

    fn end_member(&mut self, _member: &Member<'_>) -> Result<()> {
        Ok(())
    }

    fn payload_table(
        &mut self,
        verified: &VerifiedHead,
        note: &VolumeNote,
    ) -> Result<PayloadTable> {
        let wanted: HashSet<Sha256> = note.objects.iter().map(|object| object.sha256).collect();
        let mut table = PayloadTable { complete: true, ..PayloadTable::default() };
        for segment in payload_table::payload_segments(&verified.index.segments) {
            let Some(SharedWriter(file)) = self.tables.get(&segment.sha256) else {
                let stored = self.stored.as_ref().map(|s| s.join(segment.sha256.to_string()));
                match stored.filter(|path| path.is_file()) {
                    Some(path) => {
                        let reader =
                            segments::open(&path, segment, self.limits, segments::refused)?;
                        payload_table::collect(reader, &wanted, &mut table)?;
                    }
                    None => table.complete = false,
                }
                continue;
            };
            let mut file = file
                .lock()
                .map_err(|_| std::io::Error::other("a thread stopped"))
                .doing("read", segment.sha256.to_string())?;
            file.seek(SeekFrom::Start(0)).doing("read back", segment.sha256.to_string())?;
            let reader =
                SegmentReader::new(&mut *file, segment, self.limits).map_err(segments::refused)?;
            payload_table::collect(reader, &wanted, &mut table)?;
        }
        Ok(table)
    }
}
