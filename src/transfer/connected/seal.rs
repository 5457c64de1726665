//! Sealing: a signed, numbered statement of what the mirror is now. New segments hold what changed
//! since the last snapshot; a mirror that has not changed is not sealed again.

use std::{num::NonZeroU64, path::Path};

use bundle_format::{
    digest::Sha256,
    index::{FORMAT_VERSION, Index, SegmentKind, SegmentRef, critical_of},
    keys::SigningKey,
    limits::BundleLimits,
    policy::Policy,
    segment::Record,
    trust::{self, Head, Seal, SealSummary},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    compact,
    keys::{KeyFiles, later},
};
use crate::{
    catalog::{Catalog, CatalogWriter, SnapshotRow, SnapshotState},
    data_dir::{DataDir, check_site},
    fleet::Fleet,
    transfer::{
        error::TransferError,
        kill,
        policy::gather::gather,
        progress::Progress,
        store::{
            heads,
            segments::{self, SegmentSpool},
            side::connected,
            trust as trust_state,
        },
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// Notes in the catalogue: the policy sealed last, and the version of its role.
const POLICY: &str = "policy";
const POLICY_VERSION: &str = "policy-version";

/// How to seal.
#[derive(Debug, Clone)]
pub struct SealOptions {
    /// Opens the key files.
    pub passphrase: Option<String>,
    /// A site to add to those that may import.
    pub add_site: Option<String>,
    /// Signatures are good for so many days. Drives travel for weeks, isolated clocks are wrong.
    pub days: i64,
    /// Unpacked bytes after which another segment is begun.
    pub segment_bytes: u64,
    /// Segments of one kind above which the newest are merged.
    pub most_segments: usize,
}

impl Default for SealOptions {
    fn default() -> Self {
        Self {
            passphrase: None,
            add_site: None,
            days: 730,
            segment_bytes: 512 * 1024 * 1024,
            most_segments: 64,
        }
    }
}

/// What sealing did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SealOutcome {
    /// The newest snapshot now.
    pub snapshot: u64,
    /// Whether it is new; false when nothing had changed.
    pub new: bool,
    /// Why it is new, for people.
    pub because: Vec<&'static str>,
    /// SHA-256 of the compressed index.
    pub index: Sha256,
    /// New revision records.
    pub revisions: u64,
    /// New withdrawals.
    pub withdrawals: u64,
    /// New or changed payload records.
    pub payloads: u64,
    /// New or changed keys of encrypted files.
    pub keys: u64,
    /// New, changed or removed driver sets.
    pub driver_sets: u64,
    /// New segments, compacted ones included.
    pub new_segments: u64,
    /// All segments.
    pub segments: u64,
    /// Sites that may import.
    pub sites: Vec<String>,
    /// Timestamp signatures there are, and how many are needed.
    pub signatures: (u64, u64),
}

/// Seals the mirror if it has changed since the last snapshot. `created` is given, so that the same
/// mirror seals to the same bytes.
///
/// # Errors
/// When this is no connected side, keys are missing, documents and payloads contradict each other,
/// or a store fails. Nothing is sealed then.
pub fn seal(
    data: &DataDir,
    created: Timestamp,
    options: &SealOptions,
    progress: &dyn Progress,
) -> Result<SealOutcome> {
    connected(data)?;
    let _lock = trust_state::lock(data)?;
    seal_locked(data, created, options, progress)
}

/// The same for a caller that holds the lock.
pub(crate) fn seal_locked(
    data: &DataDir,
    created: Timestamp,
    options: &SealOptions,
    progress: &dyn Progress,
) -> Result<SealOutcome> {
    let mirror_id = connected(data)?;
    if let Some(site) = &options.add_site {
        check_site(site).map_err(|e| TransferError::Unfit { what: e.to_string() })?;
    }
    let created = Timestamp::from_second(created.as_second()).unwrap_or(created);
    let keys = KeyFiles::load(&data.keys())?;
    let roots = keys.roots(&data.keys())?;
    let policy = gather(&Fleet::open(&data.fleet())?)?;
    let mut catalog = Catalog::open(&data.catalog())?;
    // From here to the commit nobody else writes: what is read is exactly what is marked as sealed.
    let mut writer = catalog.write()?;
    writer.set_mirror_id(mirror_id)?;
    segments::sweep(data)?;
    refuse_contradictions(&writer)?;
    let last = writer.snapshots()?.pop();
    let before = match &last {
        Some(last) => writer.segments_of(last.number)?,
        None => Vec::new(),
    };

    let mut because = Vec::new();
    let (fresh, mut counts) = new_segments(data, &writer, options, progress)?;
    if !fresh.is_empty() {
        because.push("the catalogue or its payloads changed");
    }
    if let Some(site) = &options.add_site
        && writer.add_site(site)?
    {
        because.push("a site was added");
    }
    let sites = writer.sites()?;
    let (policy_version, policy_changed) = note_policy(&mut writer, &policy)?;
    if policy_changed {
        because.push("approvals, declines or groups changed");
    }
    let last_head = match &last {
        Some(last) => Some(heads::load(data, last.number)?),
        None => None,
    };
    match &last_head {
        None => because.push("there was no snapshot yet"),
        Some(head) if !carries(head, &roots) => because.push("the root changed"),
        Some(_) => {}
    }
    let soon = created.checked_add(SignedDuration::from_hours(24 * 90)).unwrap_or(created);
    if last.as_ref().and_then(|last| last.expires).is_some_and(|expires| expires < soon) {
        because.push("the signatures expire soon");
    }
    if let (true, Some(last), Some(head)) = (because.is_empty(), &last, &last_head) {
        return Ok(SealOutcome {
            snapshot: last.number,
            new: false,
            because,
            index: last.index_sha256,
            segments: before.len() as u64,
            sites,
            signatures: signatures(head)?,
            ..counts
        });
    }

    let segments = compacted(data, before.clone(), fresh, options)?;
    counts.new_segments =
        segments.iter().filter(|segment| !before.contains(segment)).count() as u64;
    let number = last.map_or(0, |last| last.number) + 1;
    let index = Index {
        format_version: FORMAT_VERSION,
        critical: critical_of(&segments),
        mirror_id,
        snapshot: number,
        created,
        sites: sites.clone(),
        segments,
    };
    let expires = later(created, options.days);
    let head = sign(data, &keys, &roots, &index, (&policy, policy_version), expires, options)?;
    let index_sha256 = index_digest(&head)?;
    heads::store(data, number, &head)?;
    kill::step("before the seal's commit");
    writer.seal_snapshot(
        &SnapshotRow {
            number,
            state: SnapshotState::Sealed,
            index_sha256,
            created,
            expires: Some(expires),
            switched: None,
            bundle_set: None,
        },
        &index.segments,
    )?;
    writer.commit()?;
    kill::step("after the seal's commit");
    Ok(SealOutcome {
        snapshot: number,
        new: true,
        because,
        index: index_sha256,
        segments: index.segments.len() as u64,
        sites,
        signatures: signatures(&head)?,
        ..counts
    })
}

/// What a countersigner should look at before [`countersign`]: sites, numbers, counts.
///
/// # Errors
/// When there is no snapshot, or its head is damaged.
pub fn inspect_for_signing(data: &DataDir) -> Result<SealSummary> {
    let (_, head) = newest(data)?;
    trust::inspect_for_signing(&head, &BundleLimits::default())
        .map_err(|source| TransferError::Sign { doing: "read the snapshot to be signed", source })
}

/// Adds the signature of a second person to the newest snapshot.
///
/// # Errors
/// When the key may not sign it or has done so, or the disk fails.
pub fn countersign(data: &DataDir, key: &Path, passphrase: Option<&str>) -> Result<SealSummary> {
    connected(data)?;
    let _lock = trust_state::lock(data)?;
    let (number, mut head) = newest(data)?;
    let key = SigningKey::load(key, passphrase)?;
    trust::countersign(&mut head, &key)
        .map_err(|source| TransferError::Sign { doing: "countersign the snapshot", source })?;
    heads::store(data, number, &head)?;
    inspect_for_signing(data)
}

fn newest(data: &DataDir) -> Result<(u64, Head)> {
    connected(data)?;
    let last = Catalog::open(&data.catalog())?.snapshots()?.pop();
    let number = last
        .ok_or_else(|| TransferError::Unfit {
            what: "there is no snapshot yet: run `tidegate seal` first".to_owned(),
        })?
        .number;
    Ok((number, heads::load(data, number)?))
}

fn refuse_contradictions(writer: &CatalogWriter<'_>) -> Result<()> {
    let found = writer.contradictions()?;
    let Some(first) = found.first() else { return Ok(()) };
    Err(TransferError::Unfit {
        what: format!(
            "the mirror contradicts itself, so no site would accept it: {}{}. Withdraw that update, or remove the payload and sync again",
            first.what,
            match found.len() {
                1 => String::new(),
                more => format!(" (and {} more)", more - 1),
            }
        ),
    })
}

/// Writes segments of what the last snapshot does not carry as it is now.
fn new_segments(
    data: &DataDir,
    writer: &CatalogWriter<'_>,
    options: &SealOptions,
    progress: &dyn Progress,
) -> Result<(Vec<SegmentRef>, SealOutcome)> {
    progress.phase("sealing", None);
    let mut counts = SealOutcome {
        snapshot: 0,
        new: false,
        because: Vec::new(),
        index: Sha256::hash(&[]),
        revisions: 0,
        withdrawals: 0,
        payloads: 0,
        keys: 0,
        driver_sets: 0,
        new_segments: 0,
        segments: 0,
        sites: Vec::new(),
        signatures: (0, 0),
    };
    let mut catalogue = SegmentSpool::new(data, SegmentKind::Catalogue, options.segment_bytes);
    writer.unsealed_revisions(|record| {
        match &record {
            Record::Revision(revision) => {
                counts.revisions += 1;
                progress.advance(revision.xml.len() as u64);
            }
            _ => counts.withdrawals += 1,
        }
        catalogue.push(&record)
    })?;
    let mut fresh = catalogue.finish()?;
    let mut payloads = SegmentSpool::new(data, SegmentKind::Payloads, options.segment_bytes);
    writer.unsealed_payloads(|payload| {
        counts.payloads += 1;
        payloads.push(&Record::Payload(payload))
    })?;
    fresh.extend(payloads.finish()?);
    let mut keys = SegmentSpool::new(data, SegmentKind::DecryptionKeys, options.segment_bytes);
    writer.unsealed_keys(|record| {
        counts.keys += 1;
        keys.push(&record)
    })?;
    fresh.extend(keys.finish()?);
    let mut sets = SegmentSpool::new(data, SegmentKind::DriverSets, options.segment_bytes);
    writer.unsealed_driver_sets(|record| {
        counts.driver_sets += 1;
        sets.push(&record)
    })?;
    fresh.extend(sets.finish()?);
    Ok((fresh, counts))
}

/// The list of segments, kind after kind, each compacted when it is long.
///
/// Without compaction the list only grows at its end, so that the other side applies what is new
/// and nothing else.
fn compacted(
    data: &DataDir,
    before: Vec<SegmentRef>,
    fresh: Vec<SegmentRef>,
    options: &SealOptions,
) -> Result<Vec<SegmentRef>> {
    let all: Vec<SegmentRef> = before.into_iter().chain(fresh).collect();
    let kinds = SegmentKind::ALL;
    let of = |kind| -> Vec<SegmentRef> { all.iter().filter(|s| s.kind == kind).cloned().collect() };
    if kinds.iter().all(|kind| of(*kind).len() <= options.most_segments) {
        return Ok(all);
    }
    let mut list = Vec::new();
    for kind in kinds {
        list.extend(compact::merge_tail(
            data,
            kind,
            of(kind),
            options.most_segments,
            options.segment_bytes,
        )?);
    }
    Ok(list)
}

/// Keeps the policy if it differs from the last one; its version grows only then.
fn note_policy(writer: &mut CatalogWriter<'_>, policy: &Policy) -> Result<(NonZeroU64, bool)> {
    let json = serde_json::to_string(policy)
        .map_err(|e| TransferError::refused_by("the policy cannot be written", e))?;
    // A version that began anew would be refused by every site.
    let version: u64 = match writer.note(POLICY_VERSION)? {
        Some(version) => version.parse().map_err(|source| TransferError::Note {
            what: "the policy's version",
            source: Box::new(source),
        })?,
        None => 0,
    };
    let changed = writer.set_note(POLICY, &json)?;
    let version = NonZeroU64::MIN.saturating_add((version + u64::from(changed)).saturating_sub(1));
    writer.set_note(POLICY_VERSION, &version.to_string())?;
    Ok((version, changed))
}

/// Notes the policy of a snapshot that was sealed elsewhere. Its version is not known here, but never
/// higher than the snapshot's number.
pub(crate) fn note_sealed_policy(
    writer: &mut CatalogWriter<'_>,
    policy: &Policy,
    snapshot: u64,
) -> Result<()> {
    let json = serde_json::to_string(policy)
        .map_err(|e| TransferError::refused_by("the policy cannot be written", e))?;
    writer.set_note(POLICY, &json)?;
    writer.set_note(POLICY_VERSION, &snapshot.to_string())?;
    Ok(())
}

fn carries(head: &Head, roots: &[Vec<u8>]) -> bool {
    let stored = head.files.keys().filter(|name| name.ends_with(".root.json")).count();
    stored == roots.len()
        && (1_u64..).zip(roots).all(|(version, root)| {
            head.files.get(&format!("metadata/{version}.root.json")).is_some_and(|f| f == root)
        })
}

fn sign(
    data: &DataDir,
    keys: &KeyFiles,
    roots: &[Vec<u8>],
    index: &Index,
    policy: (&Policy, NonZeroU64),
    expires: Timestamp,
    options: &SealOptions,
) -> Result<Head> {
    let load = |name: &str| keys.load_key(&data.keys(), name, options.passphrase.as_deref());
    let content = load(&keys.content)?;
    let policy_key = load(&keys.policy)?;
    let first = match keys.timestamp.first() {
        Some(name) if *name != keys.content => Some(load(name)?),
        _ => None,
    };
    trust::seal(&Seal {
        roots,
        index,
        policy,
        content: &content,
        timestamp: &[first.as_ref().unwrap_or(&content)],
        policy_key: &policy_key,
        expires,
    })
    .map_err(|source| TransferError::Sign { doing: "sign the snapshot", source })
}

fn signatures(head: &Head) -> Result<(u64, u64)> {
    trust::inspect_for_signing(head, &BundleLimits::default())
        .map(|summary| summary.signatures)
        .map_err(|source| TransferError::Sign { doing: "read the snapshot back", source })
}

/// SHA-256 of the compressed index: it names the file.
fn index_digest(head: &Head) -> Result<Sha256> {
    head.files
        .iter()
        .find(|(name, _)| name.ends_with(".index.json.zst"))
        .map(|(_, bytes)| Sha256::hash(bytes))
        .ok_or_else(|| TransferError::refused("the sealed head holds no index"))
}
