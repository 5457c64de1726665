//! Packages of `wsusutil export`: a cabinet with `package.xml`, which lists the identities, and
//! `metadata.txt`, which holds the documents. They carry no payloads and no approvals.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    rc::Rc,
};

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{
    documents::add_if_valid,
    error::SyncError,
    records::{RecordError, Records},
    report::{SyncOptions, SyncProgress, SyncReport},
};
use crate::{
    cabinet::{Cabinet, CabinetError},
    catalog::Catalog,
    file_error::{Doing as _, FileError},
    update::{UpdateId, UpdateIdentity},
    xml::what_is_wrong,
};

/// Identities that one package may list: four times the largest real catalogue, with revisions.
const IDENTITIES: usize = 4_000_000;

/// Bytes of one element or text in `package.xml` (allocation bomb).
const EVENT_BYTES: u64 = 1024 * 1024;

/// Takes in all documents of a package, or, when it is damaged, none.
pub(super) fn sync(
    path: &Path,
    catalog: &mut Catalog,
    options: &SyncOptions,
    progress: &mut dyn FnMut(SyncProgress<'_>),
    report: &mut SyncReport,
) -> Result<(), SyncError> {
    let file = File::open(path).doing("read", path)?;
    let failures = Failures(path);
    let mut cabinet = Cabinet::open(BufReader::new(file)).map_err(|e| failures.cabinet(e))?;
    let list = cabinet.member("package.xml").map_err(|e| failures.cabinet(e))?;
    let list = identities(list).map_err(|e| match e {
        ListError::Io(e) => failures.cabinet(CabinetError::from_read(e)),
        ListError::Malformed(what) => failures.damaged(format!("package.xml: {what}")),
    })?;
    let mut seen = vec![false; list.len()];

    let member = cabinet.member("metadata.txt").map_err(|e| failures.cabinet(e))?;
    let mut records =
        Records::new(BufReader::with_capacity(64 * 1024, member), options.limits.bytes);
    let mut writer = catalog.write()?;
    let mut xml = Vec::new();
    let mut done = 0;
    let total = Some(list.len() as u64);
    while let Some(record) = records.next(&mut xml).map_err(|e| match e {
        RecordError::Io(e) => failures.cabinet(CabinetError::from_read(e)),
        malformed => failures.damaged(malformed.to_string()),
    })? {
        let identity = record.identity;
        match list.binary_search(&identity).ok().and_then(|at| seen.get_mut(at)) {
            Some(seen) => *seen = true,
            None => {
                return Err(failures.damaged(format!(
                    "metadata.txt holds {identity}, which package.xml does not list"
                )));
            }
        }
        let at = identity.to_string();
        if let Some(size) = record.oversized {
            let limit = options.limits.bytes;
            report.problem(at, format!("the document has {size} bytes, over the limit of {limit}"));
        } else {
            add_if_valid(&mut writer, &xml, Some(identity), &at, options, report)?;
        }
        done += 1;
        progress(SyncProgress::Documents { done, total });
    }
    check_complete(&list, &seen).map_err(|what| failures.damaged(what))?;
    writer.commit()?;
    Ok(())
}

/// Every document that `package.xml` lists must have been seen.
fn check_complete(list: &[UpdateIdentity], seen: &[bool]) -> Result<(), String> {
    let missing: Vec<_> =
        list.iter().zip(seen).filter(|(_, seen)| !**seen).map(|(id, _)| id).collect();
    match missing.first() {
        None => Ok(()),
        Some(first) => Err(format!(
            "metadata.txt lacks {} of {} documents that package.xml lists, the first is {first}",
            missing.len(),
            list.len()
        )),
    }
}

/// Makes errors that name the package.
struct Failures<'a>(&'a Path);

impl Failures<'_> {
    fn damaged(&self, what: String) -> SyncError {
        SyncError::Damaged { path: self.0.to_owned(), what }
    }

    fn cabinet(&self, error: CabinetError) -> SyncError {
        match error {
            CabinetError::Io(source) => {
                FileError { doing: "read", path: self.0.to_owned(), source }.into()
            }
            other => self.damaged(other.to_string()),
        }
    }
}

enum ListError {
    Io(io::Error),
    Malformed(String),
}

/// The identities that `package.xml` lists, sorted, each once. Streams: file lists and languages
/// are passed over.
fn identities(xml: impl Read) -> Result<Vec<UpdateIdentity>, ListError> {
    let budget = Rc::new(Cell::new(EVENT_BYTES));
    let input = Budgeted { inner: xml, budget: budget.clone() };
    let mut reader = Reader::from_reader(BufReader::new(input));
    let malformed = |what: String| ListError::Malformed(what);
    let mut buffer = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut all = Vec::new();
    let mut complete = false;
    loop {
        buffer.clear();
        budget.set(EVENT_BYTES);
        let event = reader.read_event_into(&mut buffer).map_err(|e| match e {
            quick_xml::Error::Io(e) => ListError::Io(io::Error::new(e.kind(), e.to_string())),
            other => ListError::Malformed(what_is_wrong(&other).to_owned()),
        })?;
        let (start, empty) = match event {
            Event::Start(start) => (start, false),
            Event::Empty(start) => (start, true),
            Event::End(_) => {
                complete |= path.len() == 1;
                path.pop();
                continue;
            }
            Event::Eof => break,
            Event::DocType(_) => return Err(malformed("it has a document type".to_owned())),
            _ => continue,
        };
        let name = start.local_name().as_ref().to_owned();
        let parents: Vec<_> = path.iter().map(String::as_str).collect();
        match (parents.as_slice(), name.as_str()) {
            ([], "ExportPackage") => complete |= empty,
            ([], other) => {
                return Err(malformed(format!("it begins with {other:?}, not with ExportPackage")));
            }
            (["ExportPackage", "Updates"], "Update") => {
                if all.len() == IDENTITIES {
                    return Err(malformed(format!("it lists more than {IDENTITIES} updates")));
                }
                all.push(identity(&start).ok_or_else(|| {
                    malformed(format!("update number {} has no identity", all.len() + 1))
                })?);
            }
            _ => {}
        }
        if !empty {
            if path.len() > 16 {
                return Err(malformed("it nests too deeply".to_owned()));
            }
            path.push(name);
        }
    }
    if !complete || !path.is_empty() {
        return Err(malformed("it is cut short".to_owned()));
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// The identity that an `Update` element names.
fn identity(update: &BytesStart<'_>) -> Option<UpdateIdentity> {
    let attribute = |name| Some(update.try_get_attribute(name).ok().flatten()?.value.into_owned());
    let id = attribute("UpdateId")?.parse::<UpdateId>().ok()?;
    Some(UpdateIdentity { id, revision: attribute("RevisionNumber")?.parse().ok()? })
}

/// Fails when more is read than the budget, which is renewed for each event, allows.
struct Budgeted<R> {
    inner: R,
    budget: Rc<Cell<u64>>,
}

impl<R: Read> Read for Budgeted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.budget.get() == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an element is too large"));
        }
        let n = self.inner.read(buf)?;
        self.budget.set(self.budget.get().saturating_sub(n as u64));
        Ok(n)
    }
}
