//! Matching files with the payloads that documents name, and taking them in.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use bundle_format::digest::{PayloadDigests, PayloadHasher, Sha1, Sha256};

use super::{
    error::SyncError,
    report::{SyncProgress, SyncReport, name_below},
    source_kind::SourceKind,
};
use crate::{
    catalog::{Catalog, CatalogError, PayloadRow},
    content::{ContentError, ContentStore, Incoming},
    file_error::Doing,
};

/// Payloads are synced to the disk and noted in the catalogue in batches of so many bytes…
const BATCH_BYTES: u64 = 1 << 30;
/// …or files.
const BATCH_FILES: usize = 64;

/// A payload that some document names and whose bytes are not here.
struct MissingPayload {
    sha1: Sha1,
    sha256: Option<Sha256>,
    name: String,
}

/// Takes in those of `files` (with their sizes) that some document names and that are not here.
/// Only files of a wanted size are read. What matches nothing is a problem.
pub(super) fn add_matching(
    root: &Path,
    files: &[(PathBuf, u64)],
    catalog: &mut Catalog,
    content: &ContentStore,
    progress: &mut dyn FnMut(SyncProgress<'_>),
    report: &mut SyncReport,
) -> Result<(), SyncError> {
    if files.is_empty() {
        return Ok(());
    }
    let mut wanted = missing_payloads(catalog)?;
    let mut present = present_sizes(catalog)?;
    let mut batch = Batch::default();
    for (path, size) in files {
        let at = name_below(root, path);
        let Some(candidates) = wanted.get_mut(size) else {
            if present.contains(size) {
                report.payloads_known += 1;
            } else {
                report.problem(at, what_is_it(path));
            }
            continue;
        };
        progress(SyncProgress::Payload { name: &at, size: *size });
        let mut incoming = content.begin()?;
        let digests = match copy(path, *size, &mut incoming, progress)? {
            Ok(digests) => digests,
            Err(e) => {
                report.problem(at, format!("cannot be read: {e}"));
                continue;
            }
        };
        let Some(found) = candidates.iter().position(|wanted| {
            wanted.sha1 == digests.sha1
                && wanted.sha256.is_none_or(|sha256| sha256 == digests.sha256)
        }) else {
            // A payload that is here may have the size of one that is not.
            let row = catalog.payload(&digests.sha256)?;
            if batch.has(&digests.sha256) || row.is_some_and(|row| row.present) {
                report.payloads_known += 1;
            } else {
                report.problem(at, mismatch(candidates, &digests));
            }
            continue;
        };
        candidates.swap_remove(found);
        if candidates.is_empty() {
            wanted.remove(size);
        }
        present.insert(*size);
        batch.add(at, incoming, digests);
        if batch.is_full() {
            batch.store(catalog, content, report)?;
        }
    }
    batch.store(catalog, content, report)
}

/// The payloads that are wanted, by their size.
fn missing_payloads(catalog: &Catalog) -> Result<HashMap<u64, Vec<MissingPayload>>, CatalogError> {
    let mut missing: HashMap<u64, Vec<MissingPayload>> = HashMap::new();
    catalog.missing_and_express_files(&mut |sha1, sha256, size, name| {
        missing.entry(size).or_default().push(MissingPayload { sha1, sha256, name });
    })?;
    Ok(missing)
}

/// The sizes of the payloads that are here.
fn present_sizes(catalog: &Catalog) -> Result<HashSet<u64>, CatalogError> {
    let mut sizes = HashSet::new();
    catalog.payloads(&mut |row| {
        if row.present {
            sizes.insert(row.size);
        }
    })?;
    Ok(sizes)
}

/// Why a file is passed over that nothing names.
fn what_is_it(path: &Path) -> String {
    let nothing = "neither an update document nor a payload that one names";
    match SourceKind::of(path) {
        // What no document names may still be some cabinet's or archive's payload.
        Ok(Some(SourceKind::Gzip)) => format!(
            "{nothing}: it is compressed with gzip. If it holds one of them, unpack it (`gunzip`) and synchronize again"
        ),
        Ok(Some(SourceKind::OtherCabinet) | None) => nothing.to_owned(),
        Ok(Some(kind)) => kind.advice().to_owned(),
        Err(e) => format!("{nothing}; it cannot be read: {e}"),
    }
}

fn mismatch(candidates: &[MissingPayload], digests: &PayloadDigests) -> String {
    let named = candidates.iter().find(|wanted| wanted.sha1 == digests.sha1);
    if let Some(wanted) = named {
        return format!(
            "has the size and SHA-1 of {}, but another SHA-256: {}",
            wanted.name, digests.sha256
        );
    }
    let name = candidates.first().map_or("a payload", |wanted| wanted.name.as_str());
    format!("has the size of {name}, but other bytes: its SHA-1 is {}", digests.sha1)
}

/// Copies and hashes. The outer error is the store's, the inner one the source's.
fn copy(
    path: &Path,
    size: u64,
    incoming: &mut Incoming,
    progress: &mut dyn FnMut(SyncProgress<'_>),
) -> Result<io::Result<PayloadDigests>, SyncError> {
    let mut file = match File::open(path) {
        Ok(file) => file.take(size + 1),
        Err(e) => return Ok(Err(e)),
    };
    let mut hasher = PayloadHasher::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let n = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Ok(Err(e)),
        };
        let bytes = buffer.get(..n).unwrap_or_default();
        hasher.update(bytes);
        incoming.write_all(bytes).doing("store", path).map_err(ContentError::from)?;
        progress(SyncProgress::Bytes(n as u64));
    }
    let digests = hasher.finish();
    if digests.size != size {
        return Ok(Err(io::Error::other("it changed while it was read")));
    }
    Ok(Ok(digests))
}

/// Payloads that are written but not yet durable: first their bytes, then their rows.
#[derive(Default)]
struct Batch {
    incoming: Vec<(Incoming, Sha256)>,
    /// Each with the name of its file.
    rows: Vec<(String, PayloadRow)>,
    bytes: u64,
}

impl Batch {
    fn add(&mut self, at: String, incoming: Incoming, digests: PayloadDigests) {
        let PayloadDigests { sha256, sha1, size, chunks } = digests;
        self.incoming.push((incoming, sha256));
        let row = PayloadRow { sha256, sha1, size, chunks, present: true, not_carried: None };
        self.rows.push((at, row));
        self.bytes += size;
    }

    fn has(&self, sha256: &Sha256) -> bool {
        self.rows.iter().any(|(_, row)| row.sha256 == *sha256)
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= BATCH_FILES || self.bytes >= BATCH_BYTES
    }

    /// Makes all durable. A payload that contradicts what the catalogue says of its bytes is a problem
    /// of its file.
    fn store(
        &mut self,
        catalog: &mut Catalog,
        content: &ContentStore,
        report: &mut SyncReport,
    ) -> Result<(), SyncError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(self);
        content.store(batch.incoming)?;
        let mut writer = catalog.write()?;
        for (at, row) in &batch.rows {
            match writer.store_payload(row) {
                Ok(_) => {
                    report.payloads_added += 1;
                    report.payload_bytes += row.size;
                }
                Err(e) if e.is_about_the_document() => report.problem(at, e),
                Err(e) => return Err(e.into()),
            }
        }
        writer.commit()?;
        Ok(())
    }
}
