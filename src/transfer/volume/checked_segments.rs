//! Segments of volumes that were read to their ends, kept in memory or in unnamed temporary files, so
//! that a medium is read once.

use std::{
    collections::{BTreeMap, HashSet},
    io::{self, Read, Seek as _, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bundle_format::{
    container::VolumeNote,
    digest::Sha256,
    index::{SegmentKind, SegmentRef},
    limits::BundleLimits,
    segment::{Record, SegmentError, SegmentReader},
    trust::VerifiedHead,
};
use tempfile::SpooledTempFile;

use super::{
    payload_table::{self, PayloadTable},
    read::{Member, VolumeSink},
};
use crate::{
    file_error::Doing as _,
    transfer::{error::TransferError, store::segments},
};

type Result<T> = std::result::Result<T, TransferError>;

/// Segments up to so many bytes stay in memory; larger ones go to an unnamed temporary file.
const IN_MEMORY: usize = 32 * 1024 * 1024;

/// The records of a segment.
pub(crate) type Records = Box<dyn Iterator<Item = std::result::Result<Record, SegmentError>>>;

/// The records of a segment that lies in a folder, if it is there.
pub(crate) fn stored_records(
    folder: &Path,
    segment: &SegmentRef,
    limits: &BundleLimits,
) -> Result<Option<Records>> {
    segments::find(folder, segment).map(|path| records_at(&path, segment, limits)).transpose()
}

/// The records of a segment in a file.
pub(crate) fn records_at(
    path: &Path,
    segment: &SegmentRef,
    limits: &BundleLimits,
) -> Result<Records> {
    Ok(Box::new(segments::open(path, segment, limits, segments::refused)?))
}

/// Takes what a walk finds and keeps the segments.
pub(super) struct CheckedSegments<'a> {
    limits: &'a BundleLimits,
    kept: BTreeMap<Sha256, SharedFile>,
    /// The segment that is read now.
    current: Option<(Sha256, SharedFile)>,
    /// The segments of the data folder, which may name what is on a volume.
    stored: Option<PathBuf>,
    /// Objects of the volume that is walked, in order, that were read and compared.
    pub(super) good: usize,
    /// Payloads and parts of the volume that is walked that no table names which is here.
    pub(super) uncheckable: u64,
}

/// A writer that can be read back after the walk is done with it. Of documents, which only give names,
/// a full temporary folder loses what was kept; of payload tables it is an error.
#[derive(Clone)]
struct SharedFile {
    file: Arc<Mutex<Option<SpooledTempFile>>>,
    may_be_lost: bool,
}

impl SharedFile {
    fn new(may_be_lost: bool) -> Self {
        let file = Arc::new(Mutex::new(Some(SpooledTempFile::new(IN_MEMORY))));
        Self { file, may_be_lost }
    }

    /// Goes back to the beginning; false if what was kept is lost.
    fn rewind(&self) -> io::Result<bool> {
        let mut file = self.file.lock().map_err(|_| thread_stopped())?;
        file.as_mut().map_or(Ok(false), |file| file.rewind().map(|()| true))
    }
}

fn thread_stopped() -> io::Error {
    io::Error::other("a thread stopped")
}

impl Write for SharedFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut file = self.file.lock().map_err(|_| thread_stopped())?;
        match file.as_mut().map(|file| file.write(buf)) {
            Some(Err(_)) if self.may_be_lost => *file = None,
            Some(written) => return written,
            None => {}
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for SharedFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().map_err(|_| thread_stopped())?;
        file.as_mut().map_or(Ok(0), |file| file.read(buf))
    }
}

impl<'a> CheckedSegments<'a> {
    /// Keeps payload tables and documents.
    pub(super) fn new(limits: &'a BundleLimits, stored: Option<PathBuf>) -> Self {
        let (kept, current) = (BTreeMap::new(), None);
        Self { limits, kept, current, stored, good: 0, uncheckable: 0 }
    }

    /// Before each volume.
    pub(super) fn begin_volume(&mut self) {
        (self.good, self.uncheckable, self.current) = (0, 0, None);
    }

    /// The records of a segment that was on a volume, or is in the data folder.
    pub(super) fn open(&self, segment: &SegmentRef) -> Result<Option<Records>> {
        match self.kept.get(&segment.sha256) {
            Some(file) if file.rewind().doing("read back what was on", "the volume")? => {
                let reader = SegmentReader::new(file.clone(), segment, self.limits);
                Ok(Some(Box::new(reader.map_err(segments::refused)?)))
            }
            Some(_) => Ok(None),
            None => self
                .stored
                .as_ref()
                .map_or(Ok(None), |folder| stored_records(folder, segment, self.limits)),
        }
    }

    /// The records of a segment that was on a volume.
    pub(super) fn open_read(&self, segment: &SegmentRef) -> Result<Option<Records>> {
        if self.kept.contains_key(&segment.sha256) { self.open(segment) } else { Ok(None) }
    }
}

impl VolumeSink for CheckedSegments<'_> {
    fn begin_member(&mut self, member: &Member<'_>) -> Result<Option<Box<dyn Write + Send>>> {
        match member {
            Member::Segment(SegmentRef {
                kind: kind @ (SegmentKind::Payloads | SegmentKind::Catalogue),
                sha256,
                ..
            }) => {
                let file = SharedFile::new(*kind == SegmentKind::Catalogue);
                self.current = Some((*sha256, file.clone()));
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
        self.good += 1;
        self.kept.extend(self.current.take());
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
            match self.open(segment)? {
                Some(records) => payload_table::collect(records, &wanted, &mut table)?,
                None => table.complete = false,
            }
        }
        Ok(table)
    }
}
