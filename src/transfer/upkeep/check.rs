//! Hashing everything again: is what the catalogue names really here, byte for byte?

use std::{error::Error, fs, path::Path};

use bundle_format::{
    digest::{PayloadDigests, Sha256},
    limits::BundleLimits,
    trust::{Expectation, Head, TrustError, TrustState, VerifiedHead},
};
use jiff::Timestamp;
use serde::Serialize;

use super::{consistency::store_problems, snapshots::snapshots_in_use};
use crate::{
    advice::advice,
    catalog::{Catalog, Contradiction, NamedFile, PayloadRow, SnapshotState},
    content::ContentStore,
    data_dir::{DataDir, Side},
    error_chain::{causes, chain},
    file_error::{Doing as _, FileError},
    fleet::Fleet,
    transfer::{
        error::TransferError,
        isolated::import::finish::unfinished_import,
        kill,
        progress::Progress,
        store::{heads, segments, trust},
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// What was found.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckReport {
    /// Payloads that were hashed again.
    pub payloads: u64,
    /// Their bytes.
    pub payload_bytes: u64,
    /// Segments that were hashed again.
    pub segments: u64,
    /// Files in `content/` that the catalogue does not name; harmless.
    pub unnamed: u64,
    /// Payloads whose bytes are damaged or gone.
    pub damaged_payloads: Vec<Sha256>,
    /// Segments whose bytes are damaged or gone.
    pub damaged_segments: Vec<Sha256>,
    /// The snapshot in force, if its import ended before its policy was applied or held.
    pub unfinished_import: Option<u64>,
    /// Everything that is wrong, for people; empty when all is in order.
    pub problems: Vec<String>,
    /// Damaged files were moved to `damaged/`, and count as missing from now on.
    pub put_aside: bool,
}

impl CheckReport {
    /// Whether all is in order.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks the stores of a data folder. With `put_aside`, damaged files no longer count as present,
/// so that nobody is served them and the next bundle or sync can bring them again.
///
/// # Errors
/// When a store cannot be read at all, or with `put_aside` another run is at work; what is merely damaged is in the report.
pub fn check(
    data: &DataDir,
    now: Timestamp,
    put_aside: bool,
    progress: &dyn Progress,
) -> Result<CheckReport> {
    let mut report = CheckReport { put_aside, ..CheckReport::default() };
    // An import may just be bringing what is put aside here.
    let _lock = if put_aside { Some(trust::lock(data)?) } else { None };
    if !data.catalog().exists() {
        return Ok(report);
    }
    let fleet = report.opened(Fleet::open_to_look(&data.fleet()));
    let integrity = fleet.as_ref().map_or(Ok(Vec::new()), Fleet::integrity);
    report.add("fleet: ", integrity);
    let open = if put_aside { Catalog::open } else { Catalog::open_to_look };
    let Some(mut catalog) = report.opened(open(&data.catalog())) else {
        // One store that is damaged hides no other.
        check_names(data, &mut report, progress)?;
        return Ok(CheckReport { put_aside: false, ..report });
    };
    report.add("catalogue: ", catalog.integrity());
    report.add("", store_problems(data, &catalog, fleet.as_ref(), now));
    let is_isolated = matches!(data.side(), Side::Isolated { .. });
    let said = |one: &Contradiction| match is_isolated {
        true => format!(
            "{one}. The next bundle takes it back if the connected side has found that too; until then `tidegate decline {}` offers it to nobody",
            one.identity.id
        ),
        false => one.notice(),
    };
    report.add("", catalog.contradictions().map(|all| all.iter().map(said).collect()));
    let checked = check_payloads(data, &catalog, &mut report, progress);
    report.failed(checked);
    let checked = check_segments(data, &catalog, &mut report);
    report.failed(checked);
    let checked = check_snapshots(data, &catalog, now, &mut report);
    report.failed(checked);
    if put_aside {
        put_damaged_aside(data, &mut catalog, &report)?;
    }
    Ok(report)
}

impl CheckReport {
    /// What can be opened; why it cannot is a problem.
    fn opened<T, E: Error + 'static>(&mut self, opened: std::result::Result<T, E>) -> Option<T> {
        opened.map_err(|e| self.problems.push(with_advice(&e))).ok()
    }

    /// Problems that were found, or why they could not be looked for.
    fn add<E: Error + 'static>(
        &mut self,
        before: &str,
        found: std::result::Result<Vec<String>, E>,
    ) {
        match found {
            Ok(found) => {
                self.problems.extend(found.into_iter().map(|what| format!("{before}{what}")));
            }
            Err(e) => self.problems.push(with_advice(&e)),
        }
    }

    /// A payload that is damaged or gone, if one is, and what it belongs to.
    fn damaged_payload(&mut self, sha256: &Sha256, wrong: Option<&str>, file: Option<NamedFile>) {
        let Some(wrong) = wrong else { return };
        let file = file.map_or(String::new(), |file| format!(" ({file})"));
        self.damaged_payloads.push(*sha256);
        self.problems.push(format!("the payload {sha256}{file} {wrong}"));
    }

    /// Why a part could not be checked to its end.
    fn failed(&mut self, checked: Result<()>) {
        self.opened(checked);
    }
}

/// Why something failed, and what to do about it.
fn with_advice(error: &(dyn Error + 'static)) -> String {
    match causes(error).find_map(advice) {
        Some(advice) => format!("{}; {advice}", chain(error)),
        None => chain(error),
    }
}

/// What is damaged counts as missing from now on, and its files go where nobody is served them.
fn put_damaged_aside(data: &DataDir, catalog: &mut Catalog, report: &CheckReport) -> Result<()> {
    if report.damaged_payloads.is_empty() && report.damaged_segments.is_empty() {
        return Ok(());
    }
    let content = ContentStore::open(&data.content())?;
    let mut writer = catalog.write()?;
    for payload in &report.damaged_payloads {
        writer.payload_lost(payload)?;
    }
    writer.commit()?;
    kill::step("lost payloads noted");
    for payload in &report.damaged_payloads {
        move_aside(data, &content.path(payload))?;
    }
    for segment in &report.damaged_segments {
        move_aside(data, &data.segments().join(segment.to_string()))?;
    }
    Ok(())
}

/// Without a catalogue: every payload is what its name says.
fn check_names(data: &DataDir, report: &mut CheckReport, progress: &dyn Progress) -> Result<()> {
    if !data.content().exists() {
        return Ok(());
    }
    progress.phase("hashing payloads", None);
    let content = ContentStore::for_reading(&data.content());
    let mut names = Vec::new();
    content.list(&mut |sha256, _| names.push(sha256))?;
    for sha256 in names {
        let wrong = check_payload(&content, &sha256, report, progress, &|found| {
            (found.sha256 != sha256).then_some("is damaged")
        });
        report.damaged_payload(&sha256, wrong, None);
    }
    Ok(())
}

fn check_payloads(
    data: &DataDir,
    catalog: &Catalog,
    report: &mut CheckReport,
    progress: &dyn Progress,
) -> Result<()> {
    let content = ContentStore::for_reading(&data.content());
    let counts = catalog.counts()?;
    // A disk that is not mounted is one problem, which is told already, and damages nothing.
    if counts.present > 0 && content.names()?.is_none() {
        return Ok(());
    }
    progress.phase("hashing payloads", Some(counts.present_bytes));
    catalog.payloads(&mut |row| {
        if row.present {
            let wrong = |found: &PayloadDigests| differs(&row, found);
            let wrong = check_payload(&content, &row.sha256, report, progress, &wrong);
            let names = wrong.and_then(|_| catalog.names_of_payload(&row.sha256).ok());
            report.damaged_payload(
                &row.sha256,
                wrong,
                names.and_then(|names| names.first().cloned()),
            );
        }
    })?;
    // Nothing has come yet.
    if !data.content().exists() {
        return Ok(());
    }
    let (mut unnamed, mut failed) = (0, None);
    content.list(&mut |sha256, _| match catalog.payload(&sha256) {
        Ok(Some(_)) => {}
        Ok(None) => unnamed += 1,
        Err(e) => failed = Some(e),
    })?;
    report.unnamed = unnamed;
    failed.map_or(Ok(()), |e| Err(e.into()))
}

/// Hashes one payload again; `differs` says what is wrong with the digests that are found. Gives what
/// is wrong.
fn check_payload(
    content: &ContentStore,
    sha256: &Sha256,
    report: &mut CheckReport,
    progress: &dyn Progress,
    differs: &dyn Fn(&PayloadDigests) -> Option<&'static str>,
) -> Option<&'static str> {
    let mut done = 0;
    let found = content.rehash(sha256, &mut |bytes| {
        done += bytes;
        progress.advance(bytes);
    });
    report.payloads += 1;
    report.payload_bytes += done;
    match &found {
        // It may be whole: nothing is put aside.
        Err(e) => {
            report.problems.push(chain(e));
            None
        }
        Ok(None) => Some("is gone"),
        Ok(Some(found)) => differs(found),
    }
}

/// How a payload differs from its row in the catalogue.
fn differs(row: &PayloadRow, found: &PayloadDigests) -> Option<&'static str> {
    if (found.sha256, found.size) != (row.sha256, row.size) {
        return Some("is damaged");
    }
    if found.sha1 != row.sha1 {
        return Some("has another SHA-1 than the catalogue says");
    }
    let other_chunks = !row.chunks.is_empty() && found.chunks != row.chunks;
    other_chunks.then_some("has other chunk digests than the catalogue says")
}

/// Segments of every snapshot that still matters: the last sealed one, what is served, what is
/// pending.
fn check_segments(data: &DataDir, catalog: &Catalog, report: &mut CheckReport) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for snapshot in snapshots_in_use(catalog)? {
        for segment in catalog.segments_of(snapshot.number)? {
            if !seen.insert(segment.sha256) {
                continue;
            }
            let path = data.segments().join(segment.sha256.to_string());
            let wrong = match segments::hash(&path) {
                Ok(found) if found == (segment.sha256, segment.size) => None,
                Ok(_) => Some("is damaged"),
                Err(TransferError::File(FileError { source, .. }))
                    if source.kind() == std::io::ErrorKind::NotFound =>
                {
                    // What a pending snapshot still lacks is no damage.
                    (snapshot.state != SnapshotState::Pending).then_some("is gone")
                }
                Err(e) => {
                    report.problems.push(chain(&e));
                    continue;
                }
            };
            report.segments += 1;
            if let Some(wrong) = wrong {
                report.damaged_segments.push(segment.sha256);
                report.problems.push(format!(
                    "a file of snapshot {} {wrong}: {}",
                    snapshot.number,
                    path.display()
                ));
            }
        }
    }
    Ok(())
}

/// The signed head of what is served must hold against the trust state, and be what the catalogue
/// says.
fn check_snapshots(
    data: &DataDir,
    catalog: &Catalog,
    now: Timestamp,
    report: &mut CheckReport,
) -> Result<()> {
    let snapshots = catalog.snapshots()?;
    let served: Vec<_> = snapshots.iter().filter(|s| s.state == SnapshotState::InForce).collect();
    if served.len() > 1 {
        report.problems.push("more than one snapshot is marked as served".to_owned());
    }
    if let Some(snapshot) = unfinished_import(data)? {
        report.unfinished_import = Some(snapshot);
        report.problems.push(format!(
            "the import of snapshot {snapshot} is not finished: its approvals and declines have not taken effect yet, and it is not served before they have. Run `tidegate import` with the same bundle again, or start `tidegate serve` again"
        ));
    }
    let (Side::Isolated { site }, Some(served)) = (data.side(), served.first()) else {
        return Ok(());
    };
    // Where one of them cannot be read, that was said before.
    let (Ok(state), Ok(head)) = (trust::load_state(data), heads::load(data, served.number)) else {
        return Ok(());
    };
    // Signed under the root before; that this waits for a bundle was said before.
    if state.is_root_replaced() {
        return Ok(());
    }
    let expect = Expectation { site: Some(site), now, refuse_expired: false };
    let verified = check_served(&state, &head, &expect);
    match verified {
        Ok(verified) if verified.index.segments != catalog.segments_of(served.number)? => {
            report.problems.push(format!(
                "the catalogue lists other segments of snapshot {} than its signed index",
                served.number
            ));
        }
        Ok(_) => {}
        Err(e) => report.problems.push(format!("snapshot {}: {e}", served.number)),
    }
    Ok(())
}

/// A newer root whose snapshot is pending may have revoked what was right when it took effect.
fn check_served(
    state: &TrustState,
    head: &Head,
    expect: &Expectation<'_>,
) -> std::result::Result<VerifiedHead, TrustError> {
    let limits = BundleLimits::default();
    match (
        bundle_format::trust::check_head(state, head, expect, &limits),
        state.before_newest_root(),
    ) {
        (Err(_), Some(before)) => bundle_format::trust::check_head(&before, head, expect, &limits),
        (verified, _) => verified,
    }
}

fn move_aside(data: &DataDir, path: &Path) -> Result<()> {
    let Some(name) = path.file_name() else { return Ok(()) };
    let folder = data.root().join("damaged");
    fs::create_dir_all(&folder).doing("make", &folder)?;
    match fs::rename(path, folder.join(name)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Ok(Err(e).doing("put aside", path)?),
        _ => Ok(()),
    }
}
