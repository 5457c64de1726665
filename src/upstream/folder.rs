//! A folder of update documents and payload files, under any names.
//!
//! What begins as XML with the root of an update document is one; every other file may be a
//! payload and is matched by size and digests. Links are not followed.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use quick_xml::{NsReader, events::Event, name::ResolveResult};

use super::{
    documents::add_if_valid,
    error::SyncError,
    payloads,
    report::{SyncOptions, SyncProgress, SyncReport, name_below},
};
use crate::{catalog::Catalog, content::ContentStore, file_error::FileError};

const UPDATE_NAMESPACE: &str = "http://schemas.microsoft.com/msus/2002/12/Update";

/// The root element of a document stands within so many bytes.
const SNIFF: u64 = 64 * 1024;

/// Folders within folders.
const DEPTH: usize = 64;

/// Documents first, with one transaction; then the payloads that any document in the catalogue
/// names.
pub(super) fn sync(
    root: &Path,
    catalog: &mut Catalog,
    content: &ContentStore,
    options: &SyncOptions,
    progress: &mut dyn FnMut(SyncProgress<'_>),
    report: &mut SyncReport,
) -> Result<(), SyncError> {
    let mut others = Vec::new();
    let mut writer = catalog.write()?;
    let mut done = 0;
    walk(root, report, &mut |path, size, report| {
        let at = name_below(root, path);
        match is_document(path) {
            Err(e) => report.problem(at, format!("cannot be read: {e}")),
            Ok(false) => others.push((path.to_owned(), size)),
            Ok(true) if size > options.limits.bytes => {
                let limit = options.limits.bytes;
                report.problem(
                    at,
                    format!("the document has {size} bytes, over the limit of {limit}"),
                );
            }
            Ok(true) => match read_bounded(path, options.limits.bytes) {
                Err(e) => report.problem(at, format!("cannot be read: {e}")),
                Ok(xml) => {
                    add_if_valid(&mut writer, &xml, None, &at, options, report)?;
                    done += 1;
                    progress(SyncProgress::Documents { done, total: None });
                }
            },
        }
        Ok(())
    })?;
    writer.commit()?;
    payloads::add_matching(root, &others, catalog, content, progress, report)
}

type FolderVisit<'a> = dyn FnMut(&Path, u64, &mut SyncReport) -> Result<(), SyncError> + 'a;

/// Calls `visit` with every regular file and its size, in the order of the names.
fn walk(
    root: &Path,
    report: &mut SyncReport,
    visit: &mut FolderVisit<'_>,
) -> Result<(), SyncError> {
    let mut folders: Vec<(PathBuf, usize)> = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(source) if depth == 0 => {
                return Err(FileError { doing: "list the folder", path: folder, source }.into());
            }
            Err(e) => {
                report.problem(name_below(root, &folder), format!("cannot be listed: {e}"));
                continue;
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut below = Vec::new();
        for entry in entries {
            let path = entry.path();
            // Of the entry itself: a link is not followed.
            let data = match entry.metadata() {
                Ok(data) => data,
                Err(e) => {
                    report.problem(name_below(root, &path), format!("cannot be read: {e}"));
                    continue;
                }
            };
            if data.is_file() {
                visit(&path, data.len(), report)?;
            } else if data.is_dir() && depth < DEPTH {
                below.push((path, depth + 1));
            } else {
                let what = match () {
                    () if data.is_dir() => "not looked into: too many folders within folders",
                    () if data.is_symlink() => "skipped: a symbolic link",
                    () => "skipped: not a regular file",
                };
                report.problem(name_below(root, &path), what);
            }
        }
        folders.extend(below.into_iter().rev());
    }
    Ok(())
}

/// Whether a file begins as XML whose root is an update document. It may still be malformed.
fn is_document(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut start = Vec::new();
    file.by_ref().take(512).read_to_end(&mut start)?;
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start).trim_ascii_start();
    if text.first() != Some(&b'<') {
        return Ok(false);
    }
    file.take(SNIFF - 512).read_to_end(&mut start)?;
    // The end may stand within a character.
    let text = start.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}'));
    loop {
        match reader.read_resolved_event() {
            Ok((namespace, Event::Start(root) | Event::Empty(root))) => {
                return Ok(root.local_name().as_ref() == "Update"
                    && matches!(namespace, ResolveResult::Bound(ns) if ns.as_ref() == UPDATE_NAMESPACE));
            }
            Ok((_, Event::Eof)) | Err(_) => return Ok(false),
            Ok(_) => {}
        }
    }
}

/// The whole file, unless it has grown over the limit meanwhile.
fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut xml = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut xml)?;
    Ok(xml)
}
