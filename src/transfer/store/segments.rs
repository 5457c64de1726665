//! Segments in `segments/`: writing them with a bounded size, opening them.

use std::{
    fs,
    io::{BufReader, BufWriter, IntoInnerError, Read},
    path::{Path, PathBuf},
};

use bundle_format::{
    digest::Sha256,
    index::{SegmentKind, SegmentRef},
    limits::BundleLimits,
    segment::{Record, SegmentError, SegmentReader, SegmentWriter},
};
use sha2::Digest as _;
use tempfile::NamedTempFile;

use crate::{
    data_dir::DataDir,
    durable,
    file_error::Doing as _,
    transfer::{error::TransferError, kill},
};

type Result<T> = std::result::Result<T, TransferError>;

/// Writes records into segments; begins another segment when one is full. Without a record there is
/// no segment.
pub(crate) struct SegmentSpool {
    folder: PathBuf,
    kind: SegmentKind,
    /// Unpacked bytes after which a segment is full.
    full: u64,
    current: Option<(SegmentWriter<BufWriter<NamedTempFile>>, u64)>,
    done: Vec<SegmentRef>,
}

impl SegmentSpool {
    pub(crate) fn new(data: &DataDir, kind: SegmentKind, full: u64) -> Self {
        Self { folder: data.segments(), kind, full, current: None, done: Vec::new() }
    }

    pub(crate) fn push(&mut self, record: &Record) -> Result<()> {
        let (writer, unpacked) = match &mut self.current {
            Some(current) => current,
            none => {
                fs::create_dir_all(&self.folder).doing("make", &self.folder)?;
                let file = NamedTempFile::with_prefix_in("tmp.", &self.folder)
                    .doing("write a segment in", &self.folder)?;
                let writer = SegmentWriter::new(BufWriter::new(file), self.kind).map_err(failed)?;
                none.insert((writer, 0))
            }
        };
        writer.push(record).map_err(failed)?;
        *unpacked += unpacked_bytes(record);
        if *unpacked >= self.full {
            self.close()?;
        }
        Ok(())
    }

    /// Ends the last segment; all are synced and under their names then.
    pub(crate) fn finish(mut self) -> Result<Vec<SegmentRef>> {
        self.close()?;
        if !self.done.is_empty() {
            durable::sync_folder(&self.folder).doing("sync", &self.folder)?;
        }
        Ok(self.done)
    }

    fn close(&mut self) -> Result<()> {
        let Some((writer, _)) = self.current.take() else { return Ok(()) };
        let (file, segment) = writer.finish().map_err(failed)?;
        let path = self.folder.join(segment.sha256.to_string());
        let file = file
            .into_inner()
            .map_err(IntoInnerError::into_error)
            .doing("write the segment", &path)?;
        durable::rename(file, &path).doing("keep the segment", &path)?;
        kill::step("segment renamed");
        self.done.push(segment);
        Ok(())
    }
}

/// Removes what killed runs have left half-written in `segments/` and `snapshots/`. The caller is
/// the only one who writes there.
pub(crate) fn remove_leftovers(data: &DataDir) -> Result<()> {
    let snapshots = data.snapshot(0).with_file_name("");
    for folder in [data.segments(), snapshots] {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => Err(e).doing("list", &folder)?,
        };
        for entry in entries {
            let entry = entry.doing("list", &folder)?;
            if !entry.file_name().to_string_lossy().starts_with("tmp.") {
                continue;
            }
            let path = entry.path();
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.doing("remove the leftover", &path)?;
        }
    }
    Ok(())
}

/// A segment that lies on the disk.
pub(crate) type StoredSegment = SegmentReader<BufReader<fs::File>>;

/// Opens a segment that lies on the disk: hashes it whole first, then reads it. `fault` says what
/// an unreadable segment with the right bytes means.
pub(crate) fn open(
    path: &Path,
    segment: &SegmentRef,
    limits: &BundleLimits,
    fault: fn(SegmentError) -> TransferError,
) -> Result<StoredSegment> {
    if hash(path)? != (segment.sha256, segment.size) {
        return Err(TransferError::Segment {
            doing: "read a stored segment (run `tidegate check`)",
            source: SegmentError::Damaged {
                segment: segment.sha256.to_string(),
                what: "its bytes are not what its name says".to_owned(),
            },
        });
    }
    let file = fs::File::open(path).doing("open the segment", path)?;
    SegmentReader::new(BufReader::with_capacity(1 << 16, file), segment, limits).map_err(fault)
}

/// Where a segment lies in a folder of segments, if it is there; only its size is compared.
pub(crate) fn find(folder: &Path, segment: &SegmentRef) -> Option<PathBuf> {
    let path = folder.join(segment.sha256.to_string());
    fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() == segment.size).then_some(path)
}

/// SHA-256 and size of a file.
pub(crate) fn hash(path: &Path) -> Result<(Sha256, u64)> {
    let mut file = fs::File::open(path).doing("open", path)?;
    let mut hasher = sha2::Sha256::new();
    let mut block = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let n = file.read(&mut block).doing("read", path)?;
        let Some(bytes) = block.get(..n).filter(|b| !b.is_empty()) else { break };
        hasher.update(bytes);
        size += bytes.len() as u64;
    }
    Ok((Sha256::from_bytes(hasher.finalize().into()), size))
}

/// The error for a segment of this side that cannot be read or written.
pub(crate) fn failed(source: SegmentError) -> TransferError {
    TransferError::Segment { doing: "read or write a segment", source }
}

/// The error for a signed segment that breaks the format.
pub(crate) fn refused(source: SegmentError) -> TransferError {
    match source {
        SegmentError::Io(_) => failed(source),
        _ => TransferError::refused_by(
            "a segment of the snapshot is not in order, although its signature is: ask the connected side to run `tidegate check`",
            source,
        ),
    }
}

/// Roughly what a record adds to the unpacked stream.
fn unpacked_bytes(record: &Record) -> u64 {
    match record {
        Record::Revision(revision) => revision.xml.len() as u64 + 64,
        Record::Withdrawal { .. } => 32,
        Record::Payload(payload) => 128 + 32 * payload.chunks.len() as u64,
        Record::Key { key, .. } => 32 + key.len() as u64,
        Record::DriverSet { xml, .. } => 32 + xml.as_ref().map_or(0, String::len) as u64,
    }
}
