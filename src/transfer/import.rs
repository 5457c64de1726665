//! Import: intake and switch of one or more volumes, all or nothing.
//!
//! 1. every head is checked, and the free space is proven;
//! 2. every volume is read once; what is new is hashed while it is copied to `incoming/`;
//! 3. in one transaction: rows of what came, and the newest snapshot that is complete;
//! 4. files move to their places, the transaction is committed, the trust state follows, then the
//!    policy.
//!
//! Until step 4 nothing that counts has been touched. From there on each step can be done again.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bundle_format::{
    index::SegmentRef,
    limits::Limits,
    policy::Policy,
    trust::{Expect, Freshness, Head, TrustState, VerifiedHead, check_head},
};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{
    Fault, Progress, TransferError,
    error::io_error,
    intake::{self, Stage},
    kill,
    policy::{self, PolicyChange},
    stored_head,
    switch::{Attempt, Changes, Missing, Switch},
    trust,
    verify::freshness_name,
    volumes::{self, Volume},
};
use crate::{
    catalog::{Catalog, SnapshotRow, SnapshotState, Writer},
    data_dir::DataDir,
    fleet::Fleet,
    update,
};

type Result<T> = std::result::Result<T, TransferError>;

/// Notes in the catalogue: the policy that was applied last, and of which snapshot.
const APPLIED: &str = "policy-applied";
const APPLIED_OF: &str = "policy-applied-of";

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Check everything and say what would change, but change nothing.
    pub dry_run: bool,
    /// Refuse expired signatures instead of warning.
    pub refuse_expired: bool,
    /// The clock.
    pub now: Timestamp,
    /// Bounds on what is read.
    pub limits: Limits,
    /// Bounds on update documents.
    pub documents: update::Limits,
}

impl ImportOptions {
    /// The usual ones.
    pub fn new(now: Timestamp) -> Self {
        Self {
            dry_run: false,
            refuse_expired: false,
            now,
            limits: Limits::default(),
            documents: update::Limits::default(),
        }
    }
}

/// What an import did.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImportReport {
    /// Only tried.
    pub dry_run: bool,
    /// What was read.
    pub volumes: Vec<VolumeReport>,
    /// The snapshot that was served before.
    pub before: Option<u64>,
    /// The snapshot that is served now (with `dry_run`: would be).
    pub in_force: Option<u64>,
    /// What the switch changed, if there was one.
    pub switched: Option<Changes>,
    /// Objects that are new here.
    pub new_objects: u64,
    /// Their bytes.
    pub new_bytes: u64,
    /// Objects that were here already.
    pub held_objects: u64,
    /// Objects on the volumes that nothing here asks for.
    pub skipped_objects: u64,
    /// Newer snapshots that are not complete yet: exactly what each lacks.
    pub pending: Vec<PendingReport>,
    /// What the policy changed in the fleet.
    pub policy: Vec<PolicyChange>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// One volume that was read.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct VolumeReport {
    /// The file.
    pub path: PathBuf,
    /// Its snapshot.
    pub snapshot: u64,
    /// `newer`, `same` or `older` than what was accepted before.
    pub freshness: &'static str,
    /// Key ids that signed, by role.
    pub signers: Vec<(String, Vec<String>)>,
}

/// A newer snapshot that lacks something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PendingReport {
    /// Its number.
    pub snapshot: u64,
    /// What it lacks.
    #[serde(flatten)]
    pub missing: Missing,
}

impl ImportReport {
    /// Whether nothing is missing (otherwise exit code 4).
    pub fn is_complete(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether nothing was new: no object, no snapshot, no decision.
    pub fn is_unchanged(&self) -> bool {
        self.new_objects == 0 && self.switched.is_none() && self.policy.is_empty()
    }
}

/// A snapshot that may be switched to.
struct Candidate {
    verified: VerifiedHead,
    head: Head,
    set: Option<Uuid>,
    /// Not of these volumes, but taken in before.
    pending: bool,
}

/// Takes bundles in. Killed anywhere, it finishes when it is run again.
///
/// # Errors
/// [`super::Fault::Refused`] for everything that is the bundles' fault; nothing is changed then.
pub fn import(
    data: &DataDir,
    bundles: &[PathBuf],
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<ImportReport> {
    let site = trust::isolated(data)?;
    // Before the lock, so that a site that trusts nothing is left as it is; and again under it.
    trust::load_state(data)?;
    let _lock = trust::lock(data)?;
    let state = trust::load_state(data)?;
    let expect =
        Expect { site: Some(site), now: options.now, refuse_expired: options.refuse_expired };
    let mut volumes = Vec::new();
    for path in volumes::find(bundles)? {
        volumes.push(volumes::open(&path, &state, &expect, &options.limits)?);
    }
    volumes.sort_by_key(|v| (v.verified.index.snapshot, v.note.set, v.note.volume));
    let path = data.catalog();
    let mut catalog = if path.exists() { Some(Catalog::open(&path)?) } else { None };
    let known = Known::read(catalog.as_ref(), state.snapshot())?;
    known.admit(&volumes, catalog.as_ref())?;

    let mut stage = Stage::new(data, options.dry_run)?;
    let imported = (|| {
        stage.prove_space(&volumes, catalog.as_ref(), data)?;
        let total = volumes.iter().flat_map(|v| &v.note.objects).map(|object| object.size).sum();
        progress.phase("reading and checking", Some(total));
        for volume in &mut volumes {
            let freshness = volume.verified.freshness;
            let mut sink =
                stage.sink(catalog.as_ref(), freshness, &known.asked_for, &options.limits);
            volume.walk(&mut sink, progress)?;
        }
        known.refuse_bygone(&volumes, &stage)?;
        let run = Run { data, options, state: &state, known: &known, volumes: &volumes, progress };
        run.settle(&mut stage, &mut catalog)
    })();
    drop(stage);
    let cleared = intake::clear(&data.incoming());
    let report = imported?;
    cleared?;
    Ok(report)
}

/// What the catalogue says of snapshots.
#[derive(Default)]
struct Known {
    snapshots: Vec<SnapshotRow>,
    in_force: Option<u64>,
    /// The newest snapshot of the trust state.
    trusted: Option<u64>,
    /// Segments of what is served.
    served: Vec<SegmentRef>,
    /// Segments of what is served and of what is pending.
    asked_for: Vec<SegmentRef>,
}

impl Known {
    fn read(catalog: Option<&Catalog>, trusted: Option<u64>) -> Result<Self> {
        let mut known = Self { trusted, ..Self::default() };
        let Some(catalog) = catalog else { return Ok(known) };
        known.snapshots = catalog.snapshots()?;
        for snapshot in &known.snapshots {
            let segments = match snapshot.state {
                SnapshotState::InForce => {
                    known.in_force = Some(snapshot.number);
                    known.served = catalog.segments_of(snapshot.number)?;
                    known.served.clone()
                }
                SnapshotState::Pending => catalog.segments_of(snapshot.number)?,
                SnapshotState::Sealed | SnapshotState::Past => continue,
            };
            for segment in segments {
                if !known.asked_for.contains(&segment) {
                    known.asked_for.push(segment);
                }
            }
        }
        Ok(known)
    }

    /// Refuses what can be seen from the heads alone: another mirror, two snapshots of one number.
    fn admit(&self, volumes: &[Volume], catalog: Option<&Catalog>) -> Result<()> {
        let mirror = match catalog {
            Some(catalog) => catalog.mirror_id()?,
            None => None,
        };
        let mirror = mirror.or(volumes.first().map(|volume| volume.verified.index.mirror_id));
        for volume in volumes {
            let (index, digest) = (&volume.verified.index, volume.verified.index_digest);
            if mirror.is_some_and(|mirror| mirror != index.mirror_id) {
                return Err(volume.refused(format!(
                    "it comes from the mirror {}, but this site follows {}: agents would mix up their revision numbers. Use another data folder",
                    index.mirror_id,
                    mirror.unwrap_or_default()
                )));
            }
            let stored = self
                .snapshots
                .iter()
                .find(|s| s.number == index.snapshot && !self.starts_over(&volume.verified));
            let here = volumes.iter().find(|v| v.verified.index.snapshot == index.snapshot);
            if stored.is_some_and(|stored| stored.index_sha256 != digest)
                || here.is_some_and(|other| other.verified.index_digest != digest)
            {
                return Err(volume.refused(format!(
                    "there is another snapshot with the number {}: the mirror was restored from a backup, or runs twice. Seal there until its number is higher, then export again",
                    index.snapshot
                )));
            }
        }
        Ok(())
    }

    /// Older bundles may fill gaps. When there are only such and none of them has, this is said as
    /// what it is: somebody tried to bring an older snapshot.
    fn refuse_bygone(&self, volumes: &[Volume], stage: &Stage) -> Result<()> {
        let Some(newest) = volumes.last() else { return Ok(()) };
        let older = volumes.iter().all(|v| v.verified.freshness == Freshness::Older);
        if !older || !stage.is_empty() {
            return Ok(());
        }
        Err(newest.refused(format!(
            "snapshot {} is older than snapshot {}, which was accepted before, and holds nothing that is missing here: there is nothing to do with it. Bring a newer bundle",
            newest.verified.index.snapshot,
            self.trusted.unwrap_or_default()
        )))
    }

    fn is_news(&self, verified: &VerifiedHead) -> bool {
        let number = verified.index.snapshot;
        self.in_force.is_none_or(|in_force| number > in_force) || self.starts_over(verified)
    }

    /// Whether the keys were replaced for good and the counters began anew: newer for the trust
    /// state, although its number is not. (A trust state that a killed run left behind what is
    /// served says nothing about that.)
    fn starts_over(&self, verified: &VerifiedHead) -> bool {
        verified.freshness == Freshness::Newer
            && self.in_force.is_some_and(|in_force| {
                verified.index.snapshot <= in_force && self.trusted >= Some(in_force)
            })
    }
}

/// The second half of an import: everything has been read.
struct Run<'a> {
    data: &'a DataDir,
    options: &'a ImportOptions,
    state: &'a TrustState,
    known: &'a Known,
    volumes: &'a [Volume],
    progress: &'a dyn Progress,
}

impl Run<'_> {
    fn settle(&self, stage: &mut Stage, catalog: &mut Option<Catalog>) -> Result<ImportReport> {
        let mut report = self.report(stage);
        let candidates = self.candidates(&mut report)?;
        let dry = self.options.dry_run;
        let fresh = catalog.is_none() && !dry;
        let mut taken = None;
        if !stage.is_empty() || !candidates.is_empty() {
            self.progress.phase("switching", None);
            if catalog.is_none() {
                // A dry run must not leave a catalogue behind.
                let path =
                    if dry { stage.folder().join("catalog.sqlite") } else { self.data.catalog() };
                *catalog = Some(Catalog::open(&path)?);
            }
            let attempt = match catalog.as_mut() {
                Some(catalog) => self.transaction(stage, catalog, &candidates, &mut report),
                None => Ok(None),
            };
            taken = match attempt {
                Ok(taken) => taken,
                Err(e) => {
                    if fresh {
                        // What is refused leaves nothing behind.
                        drop(catalog.take());
                        remove(&self.data.catalog())?;
                    }
                    return Err(e);
                }
            };
        }
        if dry {
            if let Some(taken) = taken {
                report.policy = self.dry_policy(catalog.as_ref(), stage, &taken.verified.policy)?;
            }
            return Ok(report);
        }
        if let Some(catalog) = catalog.as_mut() {
            self.finish(catalog, taken, &mut report)?;
        }
        Ok(report)
    }

    fn report(&self, stage: &Stage) -> ImportReport {
        let mut warnings: Vec<String> = Vec::new();
        for warning in self.volumes.iter().flat_map(|volume| &volume.verified.warnings) {
            if !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
        ImportReport {
            dry_run: self.options.dry_run,
            volumes: self
                .volumes
                .iter()
                .map(|volume| VolumeReport {
                    path: volume.path.clone(),
                    snapshot: volume.verified.index.snapshot,
                    freshness: freshness_name(volume.verified.freshness),
                    signers: volume.verified.signers.clone(),
                })
                .collect(),
            before: self.known.in_force,
            in_force: self.known.in_force,
            new_objects: stage.counts.new,
            new_bytes: stage.counts.new_bytes,
            held_objects: stage.counts.held,
            skipped_objects: stage.counts.skipped,
            warnings,
            ..ImportReport::default()
        }
    }

    /// Snapshots newer than what is served, newest first: of these volumes, and pending ones, whose
    /// stored heads are checked again.
    fn candidates(&self, report: &mut ImportReport) -> Result<Vec<Candidate>> {
        let mut found: Vec<Candidate> = Vec::new();
        let has = |found: &[Candidate], n| found.iter().any(|c| c.verified.index.snapshot == n);
        let roots = self.volumes.iter().map(|v| v.head.roots()).max_by_key(Vec::len);
        let roots = roots.unwrap_or_default();
        for volume in self.volumes {
            let number = volume.verified.index.snapshot;
            if volume.verified.freshness == Freshness::Older
                || !self.known.is_news(&volume.verified)
                || has(&found, number)
            {
                continue;
            }
            if let Err(e) = self.holds_under(volume, &roots) {
                report.warnings.push(format!(
                    "snapshot {number} of {} does not take effect: it does not hold under the newest root on these volumes ({e})",
                    volume.path.display()
                ));
                continue;
            }
            found.push(Candidate {
                verified: volume.verified.clone(),
                head: volume.head.clone(),
                set: Some(volume.note.set),
                pending: false,
            });
        }
        let anew = found.iter().any(|candidate| self.known.starts_over(&candidate.verified));
        for row in self.known.snapshots.iter().filter(|row| row.state == SnapshotState::Pending) {
            if anew || has(&found, row.number) {
                continue;
            }
            match self.recheck(row.number) {
                Ok((verified, _)) if !self.known.is_news(&verified) => {}
                Ok((verified, head)) => {
                    found.push(Candidate { verified, head, set: row.bundle_set, pending: true });
                }
                Err(e) => report.warnings.push(format!(
                    "the pending snapshot {} is left out, because its stored signatures do not hold: {e}",
                    row.number
                )),
            }
        }
        found.sort_by_key(|c| std::cmp::Reverse(c.verified.index.snapshot));
        Ok(found)
    }

    /// Whether a head holds under the newest root that came with it, too: a revocation on the same
    /// stick counts at once.
    fn holds_under(&self, volume: &Volume, roots: &[Bytes]) -> Result<()> {
        if volume.head.roots().len() == roots.len() {
            return Ok(());
        }
        let mut head = volume.head.clone();
        for (version, root) in (1_u64..).zip(roots) {
            head.files.insert(format!("metadata/{version}.root.json"), root.clone());
        }
        self.check(&head, &volume.path).map(drop)
    }

    fn check(&self, head: &Head, path: &Path) -> Result<VerifiedHead> {
        let site = trust::isolated(self.data)?;
        let expect = Expect { site: Some(site), now: self.options.now, refuse_expired: false };
        check_head(self.state, head, &expect, &self.options.limits)
            .map_err(|source| TransferError::Trust { path: path.to_owned(), source })
    }

    /// Checks a stored head like one that comes from outside. That it may have expired since was
    /// decided when it came.
    fn recheck(&self, number: u64) -> Result<(VerifiedHead, Head)> {
        let head = stored_head::load(self.data, number)?;
        let verified = self.check(&head, &self.data.snapshot(number))?;
        Ok((verified, head))
    }

    /// The one transaction: rows of what came, the newest complete snapshot, the pending ones.
    fn transaction<'c>(
        &self,
        stage: &mut Stage,
        catalog: &mut Catalog,
        candidates: &'c [Candidate],
        report: &mut ImportReport,
    ) -> Result<Option<&'c Candidate>> {
        let mut writer = catalog.write()?;
        for record in stage.payloads() {
            writer.put_payload(&crate::catalog::PayloadRow {
                sha256: record.sha256,
                sha1: record.sha1,
                size: record.size,
                chunks: record.chunks.clone(),
                present: true,
                not_carried: None,
            })?;
        }
        let mut taken = None;
        for candidate in candidates {
            let switch = Switch {
                stage,
                served: &self.known.served,
                limits: &self.options.limits,
                documents: &self.options.documents,
                now: self.options.now,
            };
            let snapshot = candidate.verified.index.snapshot;
            let attempt = match switch.attempt(&mut writer, &candidate.verified.index) {
                // What came before and was never whole must not keep out what comes now.
                Err(e) if candidate.pending && e.fault() == Fault::Refused => {
                    writer.back_to_mark()?;
                    report.warnings.push(format!(
                        "the pending snapshot {snapshot} is whole, but cannot take effect: {e}"
                    ));
                    continue;
                }
                attempt => attempt?,
            };
            match attempt {
                Attempt::Complete(changes) => {
                    report.switched = Some(changes);
                    report.in_force = Some(snapshot);
                    taken = Some(candidate);
                    break;
                }
                Attempt::Incomplete(missing) => {
                    report.pending.push(PendingReport { snapshot, missing });
                }
            }
        }
        if self.options.dry_run {
            return Ok(taken);
        }
        if let Some(taken) = taken {
            self.retire(&mut writer, taken)?;
        }
        let served_or_pending = candidates.iter().filter(|candidate| {
            let number = candidate.verified.index.snapshot;
            Some(number) >= taken.map(|taken| taken.verified.index.snapshot)
        });
        for candidate in served_or_pending {
            let index = &candidate.verified.index;
            stored_head::store(self.data, index.snapshot, &candidate.head)?;
            let now = report.in_force == Some(index.snapshot);
            writer.put_snapshot(
                &SnapshotRow {
                    number: index.snapshot,
                    state: if now { SnapshotState::InForce } else { SnapshotState::Pending },
                    index_sha256: candidate.verified.index_digest,
                    created: index.created,
                    expires: None,
                    switched: now.then_some(self.options.now),
                    bundle_set: candidate.set,
                },
                &index.segments,
            )?;
        }
        kill::step("before the objects move");
        stage.place()?;
        kill::step("before the commit");
        writer.commit()?;
        kill::step("after the commit");
        Ok(taken)
    }

    /// The snapshots before the one that is taken. When the count began anew, their numbers mean
    /// nothing any more, and the policy applied under such a number is not the one of now.
    fn retire(&self, writer: &mut Writer<'_>, taken: &Candidate) -> Result<()> {
        let number = taken.verified.index.snapshot;
        let anew = self.known.starts_over(&taken.verified);
        if anew {
            writer.set_note(APPLIED_OF, "")?;
        }
        for row in &self.known.snapshots {
            match row.state {
                _ if anew => writer.forget_snapshot(row.number)?,
                _ if row.number == number => {}
                SnapshotState::InForce => {
                    writer.set_snapshot_state(row.number, SnapshotState::Past)?;
                }
                SnapshotState::Pending if row.number < number => {
                    writer.forget_snapshot(row.number)?;
                }
                SnapshotState::Pending | SnapshotState::Sealed | SnapshotState::Past => {}
            }
        }
        Ok(())
    }

    /// What follows the commit, and what a killed run has left undone: the trust state, the policy.
    fn finish(
        &self,
        catalog: &mut Catalog,
        taken: Option<&Candidate>,
        report: &mut ImportReport,
    ) -> Result<()> {
        let Some(in_force) = report.in_force else { return Ok(()) };
        let applied = catalog.note(APPLIED_OF)?.as_deref() == Some(in_force.to_string().as_str());
        if taken.is_none() && applied && self.known.trusted == Some(in_force) {
            return Ok(());
        }
        let verified = match taken {
            Some(candidate) => candidate.verified.clone(),
            None => match self.recheck(in_force) {
                Ok((verified, _)) => verified,
                // A catalogue from a backup, whose signatures have been revoked since.
                Err(_) if applied => return Ok(()),
                Err(e) => return Err(e),
            },
        };
        // Not by number: a count that began anew is newer with a lower one, and its root must be
        // kept, or the keys that it revokes go on counting.
        if verified.freshness == Freshness::Newer {
            trust::store_state(self.data, &verified.next_state)?;
        }
        if !applied {
            let old = applied_policy(catalog)?;
            let mut fleet = Fleet::open(&self.data.fleet())?;
            let new = &verified.policy;
            report.policy = policy::apply(&mut fleet, &old, new, self.options.now)?;
            kill::step("policy applied");
            let json = serde_json::to_string(new)
                .map_err(|e| TransferError::refused_by("the policy cannot be kept", e))?;
            let mut writer = catalog.write()?;
            writer.set_note(APPLIED, &json)?;
            writer.set_note(APPLIED_OF, &in_force.to_string())?;
            writer.commit()?;
            kill::step("policy noted");
        }
        Ok(())
    }

    fn dry_policy(
        &self,
        catalog: Option<&Catalog>,
        stage: &Stage,
        new: &Policy,
    ) -> Result<Vec<PolicyChange>> {
        let old = match catalog {
            Some(catalog) => applied_policy(catalog)?,
            None => Policy::default(),
        };
        let path = self.data.fleet();
        let path = if path.exists() { path } else { stage.folder().join("fleet.sqlite") };
        policy::dry_run(&mut Fleet::open(&path)?, &old, new, self.options.now)
    }
}

/// Removes a catalogue that nothing was written to.
fn remove(catalog: &Path) -> Result<()> {
    for end in ["", "-wal", "-shm"] {
        let mut path = catalog.as_os_str().to_owned();
        path.push(end);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_error("remove the empty catalogue", Path::new(&path))(e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The policy that was applied last; an empty one if none was.
fn applied_policy(catalog: &Catalog) -> Result<Policy> {
    let json = catalog.note(APPLIED)?;
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default())
}
