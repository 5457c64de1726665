//! Finding, opening and walking volumes: each member is compared with what the signed index and its
//! payload tables name, in the one order that there is, while it is hashed.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::{ObjectEntry, VolumeError, VolumeNote, VolumeReader},
    digest::{CHUNK_SIZE, Sha256},
    index::SegmentRef,
    limits::BundleLimits,
    segment::PayloadRecord,
    trust::{Expectation, Head, TrustState, VerifiedHead, check_head},
};

use super::{
    payload_table::PayloadTable,
    pump::{self, PumpError, PumpResult},
};
use crate::{
    file_error::Doing as _,
    sidecar::is_sidecar,
    transfer::{error::TransferError, progress::Progress},
};

type Result<T> = std::result::Result<T, TransferError>;

/// The volumes that were named: files as given, and of a folder every `.tar` in it, by name, but
/// for what systems put beside them.
pub(crate) fn find_volumes(bundles: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for bundle in bundles {
        if !bundle.is_dir() {
            found.push(bundle.clone());
            continue;
        }
        let inside = files_in(bundle, "tar")?;
        if inside.is_empty() {
            return Err(TransferError::Unfit {
                what: format!("there is no volume (*.tar) in {}", bundle.display()),
            });
        }
        found.extend(inside);
    }
    if found.is_empty() {
        return Err(TransferError::Unfit { what: "no volume was named".to_owned() });
    }
    Ok(found)
}

/// The files with this extension that were named, or lie in folders that were named.
pub(super) fn files_named(bundles: &[PathBuf], extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for bundle in bundles {
        if bundle.is_dir() {
            found.extend(files_in(bundle, extension)?);
        } else if has_extension(bundle, extension) {
            found.push(bundle.clone());
        }
    }
    Ok(found)
}

/// The files with this extension in a folder, by name.
fn files_in(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).doing("list", folder)? {
        let entry = entry.doing("list", folder)?;
        let path = entry.path();
        if !is_sidecar(&entry.file_name()) && path.is_file() && has_extension(&path, extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Whether a file in a folder may be a volume by its name: no file beside one, nor one that is still being
/// copied under another name.
pub fn is_volume_name(path: &Path) -> bool {
    path.file_name().is_some_and(|name| !is_sidecar(name)) && has_extension(path, "tar")
}

/// Whether a volume is shorter than its own head says, or ends within that: it is not whole. Nothing of it
/// is checked.
pub fn is_cut_off(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let Ok(len) = file.metadata().map(|found| found.len()) else { return false };
    match VolumeReader::open(file, &BundleLimits::default()) {
        Ok((reader, note, head)) => len < reader.volume_size(&note, &head),
        Err(VolumeError::Refused { at, .. }) => at >= len,
        Err(_) => false,
    }
}

/// A volume whose head has been checked.
pub(crate) struct Volume {
    pub(crate) path: PathBuf,
    pub(crate) note: VolumeNote,
    pub(crate) head: Head,
    pub(crate) verified: VerifiedHead,
    reader: VolumeReader<Box<dyn Read>>,
}

/// A volume whose head was read, and nothing in it may be used yet.
pub(crate) struct VolumeHead {
    pub(super) path: PathBuf,
    pub(super) note: VolumeNote,
    pub(super) head: Head,
    reader: VolumeReader<Box<dyn Read>>,
}

/// Reads the head of a volume.
pub(super) fn read_head(path: &Path, limits: &BundleLimits) -> Result<VolumeHead> {
    let file = File::open(path).doing("open the volume", path)?;
    let opened = VolumeReader::open(Box::new(file) as Box<dyn Read>, limits)
        .map_err(|source| TransferError::Volume { path: path.to_owned(), source })?;
    Ok(VolumeHead::of(path, opened))
}

impl VolumeHead {
    /// One that was read already, from a pipe.
    pub(super) fn of(
        path: &Path,
        (reader, note, head): (VolumeReader<Box<dyn Read>>, VolumeNote, Head),
    ) -> Self {
        Self { path: path.to_owned(), note, head, reader }
    }

    /// Checks the head.
    pub(super) fn check(
        self,
        state: &TrustState,
        expect: &Expectation<'_>,
        limits: &BundleLimits,
    ) -> Result<Volume> {
        let Self { path, note, head, reader } = self;
        let verified = check_head(state, &head, expect, limits)
            .map_err(|source| TransferError::Trust { path: path.clone(), source })?;
        note.check_against(&verified.index)
            .map_err(|source| TransferError::Volume { path: path.clone(), source })?;
        Ok(Volume { path, note, head, verified, reader })
    }
}

/// Reads and checks the head of a volume.
pub(crate) fn open_volume(
    path: &Path,
    state: &TrustState,
    expect: &Expectation<'_>,
    limits: &BundleLimits,
) -> Result<Volume> {
    read_head(path, limits)?.check(state, expect, limits)
}

/// What a member is.
pub(crate) enum Member<'a> {
    /// A segment of the index.
    Segment(&'a SegmentRef),
    /// A payload or a part of one; with its record, if a table that is here names it.
    Payload(&'a ObjectEntry, Option<&'a PayloadRecord>),
}

/// Takes what a walk finds.
pub(crate) trait VolumeSink {
    /// Where to write a member's bytes, if anywhere.
    fn begin_member(&mut self, member: &Member<'_>) -> Result<Option<Box<dyn Write + Send>>>;
    /// The member was read and written whole, and is what its name says.
    fn end_member(&mut self, member: &Member<'_>) -> Result<()>;
    /// All segments on the volume were read; now its payloads need their records.
    fn payload_table(&mut self, verified: &VerifiedHead, note: &VolumeNote)
    -> Result<PayloadTable>;
}

impl Volume {
    /// SHA-256 of its `SHA256SUMS`, when it was walked to its end.
    pub(super) fn checksums(&self) -> Option<Sha256> {
        self.reader.checksums()
    }

    /// Reads all members once, front to end, and the tail.
    pub(crate) fn walk(
        &mut self,
        sink: &mut dyn VolumeSink,
        progress: &dyn Progress,
    ) -> Result<()> {
        let segments: HashMap<Sha256, usize> =
            (0..).zip(&self.verified.index.segments).map(|(at, s)| (s.sha256, at)).collect();
        let mut next_segment = 0;
        let mut last: Option<(Sha256, u64)> = None;
        let mut table: Option<PayloadTable> = None;
        while let Some(entry) = self.next()? {
            if let Some(&at) = segments.get(&entry.sha256) {
                if table.is_some() || at < next_segment {
                    return Err(self.out_of_order(&entry));
                }
                next_segment = at + 1;
                let segment = self.verified.index.segments.get(at).cloned();
                if let Some(segment) = segment {
                    self.read_segment(&entry, &segment, sink, progress)?;
                }
            } else {
                let offset = entry.offset.unwrap_or(0);
                if last.is_some_and(|last| (entry.sha256, offset) < last) {
                    return Err(self.out_of_order(&entry));
                }
                // What may come next: the part behind this one, or another payload.
                let end = entry.offset.map_or(u64::MAX, |at| at.saturating_add(entry.size.max(1)));
                last = Some((entry.sha256, end));
                let table = match &mut table {
                    Some(table) => table,
                    none => none.insert(sink.payload_table(&self.verified, &self.note)?),
                };
                self.read_payload(&entry, table, sink, progress)?;
            }
        }
        Ok(())
    }

    fn read_segment(
        &mut self,
        entry: &ObjectEntry,
        segment: &SegmentRef,
        sink: &mut dyn VolumeSink,
        progress: &dyn Progress,
    ) -> Result<()> {
        if entry.offset.is_some() || entry.size != segment.size {
            return Err(self.refused(format!(
                "the segment {} has {} bytes on the volume, {} in the signed index",
                entry.sha256, entry.size, segment.size
            )));
        }
        let member = Member::Segment(segment);
        self.pump_member(&member, entry, sink, progress)?;
        sink.end_member(&member)
    }

    fn read_payload(
        &mut self,
        entry: &ObjectEntry,
        table: &PayloadTable,
        sink: &mut dyn VolumeSink,
        progress: &dyn Progress,
    ) -> Result<()> {
        let record = table.records.get(&entry.sha256);
        match record {
            None if table.complete => {
                return Err(self.refused(format!(
                    "the object {} is not named by the signed snapshot: this volume holds something that does not belong to it. Have it exported again",
                    entry.sha256
                )));
            }
            Some(record) => self.check_size(entry, record)?,
            None => {}
        }
        let member = Member::Payload(entry, record);
        let pumped = self.pump_member(&member, entry, sink, progress)?;
        if let Some(record) = record {
            self.check_digests(entry, record, &pumped)?;
        }
        sink.end_member(&member)
    }

    /// The sizes that the volume and the signed table give must agree.
    fn check_size(&self, entry: &ObjectEntry, record: &PayloadRecord) -> Result<()> {
        let fits = match entry.offset {
            None => entry.size == record.size,
            Some(offset) => offset.checked_add(entry.size).is_some_and(|end| {
                offset % CHUNK_SIZE == 0
                    && entry.size > 0
                    && (end == record.size || (end < record.size && end % CHUNK_SIZE == 0))
            }),
        };
        if fits && record.not_carried.is_none() {
            return Ok(());
        }
        Err(self.refused(format!(
            "the payload {} does not fit what the signed snapshot says of it ({} bytes{})",
            entry.sha256,
            record.size,
            if record.not_carried.is_some() { ", not carried" } else { "" }
        )))
    }

    /// SHA-1 and chunk digests of the signed table, the second and third anchor of a payload.
    fn check_digests(
        &self,
        entry: &ObjectEntry,
        record: &PayloadRecord,
        pumped: &PumpResult,
    ) -> Result<()> {
        let first = usize::try_from(entry.offset.unwrap_or(0) / CHUNK_SIZE).unwrap_or(usize::MAX);
        let chunks = record.chunks.get(first..).unwrap_or_default();
        let same = match entry.offset {
            None => pumped.sha1 == record.sha1 && pumped.chunks == record.chunks,
            Some(_) => chunks.starts_with(&pumped.chunks),
        };
        if same {
            return Ok(());
        }
        Err(self.refused(format!(
            "the payload {} has other bytes than the signed snapshot says: the medium is damaged, or the connected side's table is wrong (run `tidegate check` there)",
            entry.sha256
        )))
    }

    fn pump_member(
        &mut self,
        member: &Member<'_>,
        entry: &ObjectEntry,
        sink: &mut dyn VolumeSink,
        progress: &dyn Progress,
    ) -> Result<PumpResult> {
        let writer = sink.begin_member(member)?;
        let pumped = match pump::pump(&mut self.reader, entry.size, writer, progress) {
            Ok(pumped) => pumped,
            Err(PumpError::Read(error)) => return Err(self.unreadable(error)),
            Err(PumpError::Write(error)) => {
                Err(error).doing("keep in incoming/ what was read from", &self.path)?
            }
        };
        // The reader has compared the digest of a whole object with its name.
        if entry.offset.is_none() && self.reader.digest() != Some(entry.sha256) {
            return Err(
                self.refused(format!("{} has other bytes than its name says", entry.sha256))
            );
        }
        Ok(pumped)
    }

    /// The reader refuses through an I/O error, as its trait asks.
    fn unreadable(&self, error: std::io::Error) -> TransferError {
        let source = error.downcast::<VolumeError>().unwrap_or_else(VolumeError::Io);
        TransferError::Volume { path: self.path.clone(), source }
    }

    fn next(&mut self) -> Result<Option<ObjectEntry>> {
        self.reader
            .next_object()
            .map_err(|source| TransferError::Volume { path: self.path.clone(), source })
    }

    fn out_of_order(&self, entry: &ObjectEntry) -> TransferError {
        self.refused(format!(
            "the object {} is out of order or there twice: the volume was changed. Have it exported again",
            entry.sha256
        ))
    }

    /// A refusal that names the volume.
    pub(crate) fn refused(&self, what: String) -> TransferError {
        TransferError::refused(format!("{}: {what}", self.path.display()))
    }
}
