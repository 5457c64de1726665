//! What is to be downloaded, and whether it fits: known before the first byte.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
};

use bundle_format::digest::{Sha1, Sha256};

use super::{
    download_forecast::DownloadForecast, error::DownloadError, file_plan::PlannedFile,
    problems::Problems, selection::FileSelection,
};
use crate::{
    catalog::{Catalog, FileRow, PayloadState, RevisionFilter, RevisionSummary},
    content::{ContentStore, ExpectedPayload},
    file_error::Doing as _,
    fleet::{ApprovalAction, Fleet},
    update::{RevisionId, UpdateId, kb_number},
    upstream::wsus::upstream_record::known_upstreams,
};

type Result<T> = std::result::Result<T, DownloadError>;

/// A longer list of digests is none, in bytes.
const LARGEST_LIST: u64 = 256 * 1024 * 1024;

/// What is to be downloaded.
#[derive(Debug, Default)]
pub(super) struct DownloadPlan {
    pub(super) files: Vec<PlannedFile>,
    pub(super) forecast: DownloadForecast,
    /// By SHA-1: which of `files`. Documents may contradict each other.
    by_sha1: HashMap<Sha1, Vec<usize>>,
    /// Files that are here, or are not carried.
    counted: BTreeSet<(Sha1, Option<Sha256>)>,
    /// Files that only servers below have asked for.
    requested_below: HashSet<Sha1>,
    /// A server that this mirror synchronizes from keeps express files.
    express_kept: bool,
}

impl DownloadPlan {
    /// Looks up what is needed and what of it is here.
    pub(super) fn make(
        which: &FileSelection,
        require_sha256: bool,
        catalog: &Catalog,
        fleet: &Fleet,
        problems: &mut Problems,
    ) -> Result<Self> {
        let mut plan = Self::default();
        if let FileSelection::Needs(path) = which {
            plan.add_list(path, catalog, problems)?;
        } else {
            plan.express_kept =
                known_upstreams(catalog)?.iter().any(|upstream| upstream.facts.hosts_psf_files);
            let carried = catalog.carried_languages()?;
            let mut revisions = roots(which, catalog, fleet, problems)?;
            plan.forecast.absent_revisions = catalog.add_bundled(&mut revisions)?.len() as u64;
            plan.forecast.revisions = revisions.len() as u64;
            for id in revisions {
                let other_language =
                    !is_carried(&catalog.payload_languages(id)?, carried.as_deref());
                for file in catalog.files(id)? {
                    plan.add_needed(file, other_language, problems);
                }
            }
            if matches!(which, FileSelection::Approved | FileSelection::All) {
                // [MS-WSUSSS] 3.2.4.4: and what a server below us asked for.
                for wanted in fleet.missing_files()? {
                    if let Some(file) = catalog.file_by_sha1(&wanted.sha1)? {
                        if !plan.by_sha1.contains_key(&wanted.sha1) {
                            plan.requested_below.insert(wanted.sha1);
                        }
                        plan.add_needed(file, false, problems);
                    }
                }
            }
        }
        if require_sha256 {
            for file in plan.files.extract_if(.., |file| file.expected.sha256.is_none()) {
                problems.add(
                    &format!("{} ({})", file.name, file.expected.sha1),
                    "its documents name no SHA-256, and --require-sha256 was given",
                );
            }
        }
        Ok(plan)
    }

    /// Counts what has to come, and whether there is room. `has_place` says whether a location
    /// is known for a file. If there is no room, the files that only servers below have asked for are
    /// left out: they may ask for anything, and must not keep back what is approved.
    pub(super) fn count(
        &mut self,
        content: &ContentStore,
        reserve: u64,
        has_place: &dyn Fn(&PlannedFile) -> Result<bool>,
        problems: &mut Problems,
    ) -> Result<()> {
        let before = self.forecast.clone();
        self.sum(content, reserve, has_place)?;
        let all = self.files.len();
        if !self.forecast.fits {
            self.files.retain(|file| !self.requested_below.contains(&file.expected.sha1));
        }
        if self.files.len() < all {
            let left_out = all - self.files.len();
            let why = format!(
                "{left_out} files that they asked for (`tidegate status`) do not fit on the disk with the rest, and are left out"
            );
            problems.warn("servers below", &why);
            self.forecast = before;
            self.sum(content, reserve, has_place)?;
        }
        Ok(())
    }

    fn sum(
        &mut self,
        content: &ContentStore,
        reserve: u64,
        has_place: &dyn Fn(&PlannedFile) -> Result<bool>,
    ) -> Result<()> {
        let forecast = &mut self.forecast;
        for file in &self.files {
            let ExpectedPayload { sha256, size, .. } = file.expected;
            let resumed = content.partial_size(&file.expected)?;
            forecast.fetch += 1;
            forecast.fetch_bytes = forecast.fetch_bytes.saturating_add(size - resumed);
            forecast.resumed_bytes = forecast.resumed_bytes.saturating_add(resumed);
            forecast.sha1_only += u64::from(sha256.is_none());
            forecast.largest = forecast.largest.max(size);
            forecast.nowhere += u64::from(!has_place(file)?);
            forecast.bytes = forecast.bytes.saturating_add(size);
        }
        forecast.files = forecast.here + forecast.not_carried + forecast.fetch;
        forecast.free = content.free_space()?;
        forecast.reserve = reserve;
        forecast.fits = forecast.fetch_bytes == 0
            || forecast.fetch_bytes.saturating_add(reserve) <= forecast.free;
        Ok(())
    }

    fn add_list(&mut self, path: &Path, catalog: &Catalog, problems: &mut Problems) -> Result<()> {
        let doing = "read the list of wanted files";
        let file = File::open(path).doing(doing, path)?;
        let mut lines = BufReader::new(file.take(LARGEST_LIST));
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            // A line is a digest and perhaps a name behind it; without an end it is neither.
            let read = (&mut lines).take(64 * 1024).read_until(b'\n', &mut line);
            let read = read.doing(doing, path)?;
            if read == 0 {
                return Ok(());
            }
            number += 1;
            let text = String::from_utf8_lossy(&line);
            let Some(word) = text.split_whitespace().next().filter(|w| !w.starts_with('#')) else {
                continue;
            };
            let found = match (word.parse::<Sha256>(), word.parse::<Sha1>()) {
                (Ok(sha256), _) => catalog.file_by_sha256(&sha256)?,
                (_, Ok(sha1)) => catalog.file_by_sha1(&sha1)?,
                _ => {
                    let word: String = word.chars().take(100).collect();
                    problems.add(
                        &format!("{}, line {number}", path.display()),
                        &format!("{word:?} is neither a SHA-256 nor a SHA-1 in hexadecimal"),
                    );
                    continue;
                }
            };
            match found {
                Some(file) => self.add(file, problems),
                None => problems.add(word, "no document in the catalogue names this file"),
            }
        }
    }

    /// Adds a file that an update names, unless it is not carried by choice.
    fn add_needed(&mut self, file: FileRow, other_language: bool, problems: &mut Problems) {
        if file.state != PayloadState::Missing || !(file.express || other_language) {
            return self.add(file, problems);
        }
        if other_language {
            self.add(FileRow { state: PayloadState::NotCarried, ..file }, problems);
        } else if self.express_kept {
            self.add(file, problems);
        } else if self.counted.insert((file.sha1, file.sha256)) {
            self.forecast.express += 1;
        }
    }

    fn add(&mut self, file: FileRow, problems: &mut Problems) {
        let FileRow { sha1, sha256, size, name, state, .. } = file;
        if state != PayloadState::Missing {
            if self.counted.insert((sha1, sha256)) {
                self.forecast.bytes = self.forecast.bytes.saturating_add(size);
                if state == PayloadState::Present {
                    self.forecast.here += 1;
                    self.forecast.here_bytes = self.forecast.here_bytes.saturating_add(size);
                } else {
                    self.forecast.not_carried += 1;
                }
            }
            return;
        }
        let indices = self.by_sha1.entry(sha1).or_default();
        for index in indices.iter() {
            let Some(known) = self.files.get_mut(*index) else { continue };
            if known.expected.size != size {
                continue;
            }
            match (known.expected.sha256, sha256) {
                (_, None) => return,
                (None, Some(_)) => {
                    known.expected.sha256 = sha256;
                    return;
                }
                (Some(a), Some(b)) if a == b => return,
                _ => {}
            }
        }
        if !indices.is_empty() {
            problems.warn(
                &format!("{name} ({sha1})"),
                "documents contradict each other: this SHA-1 has several sizes or SHA-256; each is tried",
            );
        }
        indices.push(self.files.len());
        self.files.push(PlannedFile { expected: ExpectedPayload { sha1, sha256, size }, name });
    }
}

/// The newest revisions of what was chosen.
fn roots(
    which: &FileSelection,
    catalog: &Catalog,
    fleet: &Fleet,
    problems: &mut Problems,
) -> Result<BTreeSet<RevisionId>> {
    let mut revisions = BTreeSet::new();
    let declined: BTreeSet<UpdateId> = fleet.declined()?.into_iter().collect();
    match which {
        FileSelection::All => catalog.newest_revisions(&mut |update, id| {
            if !declined.contains(&update) {
                revisions.insert(id);
            }
        })?,
        FileSelection::Approved => {
            let approved: BTreeSet<UpdateId> = fleet
                .approvals()?
                .into_iter()
                .filter(|approval| needs_files(approval.action))
                .map(|approval| approval.update)
                .filter(|update| !declined.contains(update))
                .collect();
            for update in approved {
                // An approval of what its publisher has withdrawn is not followed.
                let newest = catalog.newest(update)?.filter(|newest| !newest.expired);
                revisions.extend(newest.map(|newest| newest.revision_id));
            }
        }
        FileSelection::Updates(updates) => {
            for update in updates {
                match catalog.newest_known(*update)? {
                    Some(newest) => add_root(&newest, &mut revisions, problems),
                    None => problems.add(&update.to_string(), "it is not in the catalogue"),
                }
            }
        }
        FileSelection::Kb(kb) => {
            let filter = RevisionFilter {
                kb: Some(kb_number(kb).to_owned()),
                newest: true,
                deployable: true,
                left_out: true,
                ..RevisionFilter::default()
            };
            let mut is_known = false;
            catalog.find(&filter, &mut |found| {
                is_known = true;
                add_root(&found, &mut revisions, problems);
            })?;
            if !is_known {
                problems.add(kb, "no update of this KB article is in the catalogue");
            }
        }
        FileSelection::Needs(_) => {}
    }
    Ok(revisions)
}

/// Adds a revision that was chosen, unless no snapshot gets it.
fn add_root(
    revision: &RevisionSummary,
    revisions: &mut BTreeSet<RevisionId>,
    problems: &mut Problems,
) {
    match &revision.left_out {
        None => drop(revisions.insert(revision.revision_id)),
        Some(why) => problems.add(&revision.title, &format!("no snapshot gets it: it {why}")),
    }
}

/// Whether the mirror carries a payload that is for `languages`; none: for all.
fn is_carried(languages: &[String], carried: Option<&[String]>) -> bool {
    let Some(carried) = carried else { return true };
    languages.is_empty() || languages.iter().any(|language| carried.contains(language))
}

fn needs_files(action: ApprovalAction) -> bool {
    match action {
        ApprovalAction::Install | ApprovalAction::OptionalInstall | ApprovalAction::Uninstall => {
            true
        }
        ApprovalAction::Detect | ApprovalAction::Block => false,
    }
}
