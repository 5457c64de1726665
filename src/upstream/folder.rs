//! A folder of update documents and payload files, under any names.
//!
//! What begins as XML with the root of an update document is one; every other file may be a
//! payload and is matched by size and digests. Links are not followed.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    documents::add_if_valid,
    encoding::{as_document, bytes_allowed},
    error::SyncError,
    payloads,
    report::{SyncOptions, SyncProgress, SyncReport, name_below},
    source_kind::is_document,
};
use crate::{catalog::Catalog, content::ContentStore, file_error::FileError, sidecar::is_sidecar};

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
            Ok(true) => match read_document(path, options.limits.bytes) {
                Err(e) => report.problem(at, format!("cannot be read: {e}")),
                Ok(Err(what)) => report.problem(at, what),
                Ok(Ok(xml)) => {
                    add_if_valid(&mut writer, &xml, None, &at, options, report)?;
                    done += 1;
                    progress(SyncProgress::Documents { done, total: None });
                }
            },
        }
        Ok(())
    })?;
    writer.commit()?;
    if done == 0 && others.is_empty() && report.problems.is_empty() {
        report.notes.push(format!(
            "{} holds no files: is it the right folder, and is its disk mounted?",
            root.display()
        ));
    }
    payloads::add_matching(root, &others, catalog, content, progress, report)
}

type FolderVisit<'a> = dyn FnMut(&Path, u64, &mut SyncReport) -> Result<(), SyncError> + 'a;

/// Calls `visit` with every regular file and its size, in the order of the names; what systems put
/// beside them is passed over.
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
        for entry in entries.into_iter().filter(|entry| !is_sidecar(&entry.file_name())) {
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

/// The document as UTF-8. The outer error is of the file, the inner one of its text.
fn read_document(path: &Path, limit: u64) -> io::Result<Result<Vec<u8>, String>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut xml = Vec::new();
    let mut file = file.take(2);
    file.read_to_end(&mut xml)?;
    let allowed = bytes_allowed(&xml, limit);
    if size > allowed {
        return Ok(Err(format!("the document has {size} bytes, over the limit of {allowed}")));
    }
    // It may have grown meanwhile: the parser looks at the size again.
    file.set_limit(allowed.saturating_sub(1));
    file.read_to_end(&mut xml)?;
    Ok(as_document(xml).map_err(|what| format!("the document cannot be read: {what}")))
}
