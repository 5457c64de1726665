//! What is on volumes, before anything is taken in: everything is verified first, each volume is read
//! once, nothing is written.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::PathBuf,
};

use bundle_format::{
    digest::{Sha1, Sha256},
    index::{SegmentKind, SegmentRef},
    needs::MissingPayload,
    policy::Policy,
    segment::Record,
};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    checked_segments::Records,
    missing_payloads::{NamedPayload, NamedPayloads, name_files, nameless},
    payload_table::expect_payload,
    transcript::Transcript,
    update_summary::UpdateSummary,
    verify::{CheckedBundle, VerifyAgainst, VerifyOptions, check_bundle},
    verify_report::VerifyReport,
};
use crate::{
    catalog::Catalog,
    transfer::{error::TransferError, progress::Progress, store::segments},
    update::{UpdateDocument, UpdateId, UpdateIdentity},
};

type Result<T> = std::result::Result<T, TransferError>;

/// What is on volumes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct InspectReport {
    /// The volumes, their sets, and what is not there.
    #[serde(flatten)]
    pub verified: VerifyReport,
    /// Updates whose revisions are on the volumes, by title; of each the newest revision.
    pub updates: Vec<InspectedUpdate>,
    /// Updates that the mirror no longer offers, as the volumes say.
    pub withdrawn: Vec<UpdateSummary>,
    /// Files on the volumes, the largest first.
    pub files: Vec<InspectedFile>,
    /// The policy of the newest snapshot on the volumes.
    pub policy: InspectedPolicy,
    /// Parts of the catalogue on the volumes whose documents could not be looked at, because there was no
    /// room for them in the temporary folder.
    pub unread_documents: u64,
}

/// An update whose revision is on a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct InspectedUpdate {
    /// Which it is.
    #[serde(flatten)]
    pub named: UpdateSummary,
    /// Bytes of its files and of those of the updates that it bundles, as documents on the volumes say;
    /// without express files.
    pub size: u64,
    /// Whether this revision is in the catalogue here already; absent without a data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<bool>,
}

/// A file on volumes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct InspectedFile {
    /// Its name and size, and updates that need it.
    #[serde(flatten)]
    pub named: MissingPayload,
    /// Bytes of it on these volumes.
    pub here: u64,
    /// Numbers of the volumes that it is on.
    pub volumes: Vec<u32>,
}

/// A policy with names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct InspectedPolicy {
    /// Target groups that it names.
    pub groups: Vec<String>,
    /// Approvals.
    pub approvals: Vec<InspectedApproval>,
    /// Declined updates.
    pub declined: Vec<UpdateSummary>,
    /// Rules of the connected side: name, and what they say.
    pub rules: Vec<(String, String)>,
}

/// An approval with names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct InspectedApproval {
    /// The update.
    #[serde(flatten)]
    pub named: UpdateSummary,
    /// The target group.
    pub group: String,
    /// The action as the policy names it.
    pub action: String,
    /// By when it has to be installed.
    pub deadline: Option<Timestamp>,
    /// The rule that made it; `None`: a person of the connected side.
    pub rule: Option<String>,
}

/// Looks at volumes. Nothing is written; a volume that is refused keeps no other from being looked at.
///
/// # Errors
/// As [`verify`](super::verify::verify).
pub fn inspect(
    bundles: &[PathBuf],
    against: VerifyAgainst<'_>,
    options: &VerifyOptions,
    progress: &dyn Progress,
) -> Result<InspectReport> {
    let bundle = check_bundle(bundles, against, options, progress, &mut Transcript::none())?;
    let mut files = files_on(&bundle)?;
    let named = nameless(&files.payloads);
    let mut updates = Updates::default();
    let mut unread_documents = 0;
    for segment in bundle.named_segments() {
        if segment.kind != SegmentKind::Catalogue || !files.objects.contains_key(&segment.sha256) {
            continue;
        }
        match bundle.segments.open_read(segment)? {
            Some(records) => updates.add(records, options, &named, &mut files.payloads)?,
            None => unread_documents += 1,
        }
    }
    let newest = bundle.volumes.iter().max_by_key(|volume| volume.verified.index.snapshot);
    let policy = newest.map_or_else(Policy::default, |volume| volume.verified.policy.clone());
    let names = Names { updates: &updates, catalog: bundle.catalog.as_ref() };
    Ok(InspectReport {
        verified: bundle.report()?,
        policy: names.policy(policy)?,
        withdrawn: names.withdrawn()?,
        updates: names.updates()?,
        files: files.list(),
        unread_documents,
    })
}

/// Objects on the volumes that are what they must be.
#[derive(Default)]
struct Files {
    /// Bytes of each object, and the volumes that it is on.
    objects: BTreeMap<Sha256, (u64, BTreeSet<u32>)>,
    payloads: NamedPayloads,
}

impl Files {
    fn list(self) -> Vec<InspectedFile> {
        let objects = self.objects;
        let mut files: Vec<InspectedFile> = self
            .payloads
            .into_iter()
            .map(|(sha256, payload)| {
                let (here, volumes) = objects.get(&sha256).cloned().unwrap_or_default();
                let volumes = volumes.into_iter().collect();
                InspectedFile { named: payload.needed, here, volumes }
            })
            .collect();
        files.sort_by(|a, b| (b.named.size, &a.named.file).cmp(&(a.named.size, &b.named.file)));
        files
    }
}

fn files_on(bundle: &CheckedBundle<'_>) -> Result<Files> {
    let mut files = Files::default();
    let mut seen = HashSet::new();
    for volume in &bundle.volumes {
        for object in volume.objects() {
            let (bytes, volumes) = files.objects.entry(object.sha256).or_default();
            volumes.insert(volume.note.volume);
            if seen.insert((object.sha256, object.offset)) {
                *bytes += object.size;
            }
        }
    }
    let segments = bundle.named_segments();
    let names: HashSet<Sha256> = segments.iter().map(|segment| segment.sha256).collect();
    let mut sha1s: HashMap<Sha256, (Sha1, u64)> = HashMap::new();
    for segment in segments.iter().filter(|s| s.kind == SegmentKind::Payloads) {
        for record in bundle.segments.open(segment)?.into_iter().flatten() {
            let record = expect_payload(record.map_err(segments::refused)?)?;
            if files.objects.contains_key(&record.sha256) {
                sha1s.insert(record.sha256, (record.sha1, record.size));
            }
        }
    }
    for (sha256, (here, _)) in files.objects.iter().filter(|(name, _)| !names.contains(*name)) {
        let known = sha1s.get(sha256);
        let size = known.map_or(*here, |(_, size)| *size);
        let (file, updates) = (None, Vec::new());
        let needed = MissingPayload { sha256: *sha256, size, file, updates };
        let sha1 = known.map(|(sha1, _)| *sha1);
        files.payloads.insert(*sha256, NamedPayload { sha1, needed });
    }
    if let Some(catalog) = &bundle.catalog {
        name_by_catalogue(catalog, &mut files.payloads)?;
    }
    Ok(files)
}

/// Names of files by what is here already.
fn name_by_catalogue(catalog: &Catalog, payloads: &mut NamedPayloads) -> Result<()> {
    let nothing = |_: &SegmentRef| Ok(None);
    let search = super::missing_payloads::PayloadSearch {
        open: &nothing,
        is_here: &|_, _| Ok(true),
        catalog: Some(catalog),
        documents: &crate::update::DocumentLimits::default(),
    };
    for (sha256, payload) in payloads.iter_mut() {
        let named = search.named(*sha256, payload.needed.size, payload.sha1)?;
        payload.needed = named.needed;
    }
    Ok(())
}

/// What the documents on the volumes say.
#[derive(Default)]
struct Updates {
    revisions: BTreeMap<UpdateIdentity, Revision>,
    withdrawn: BTreeSet<UpdateIdentity>,
}

struct Revision {
    named: UpdateSummary,
    /// Bytes of its own files.
    bytes: u64,
    bundled: Vec<UpdateIdentity>,
}

impl Updates {
    fn add(
        &mut self,
        records: Records,
        options: &VerifyOptions,
        by_sha1: &HashMap<Sha1, Sha256>,
        payloads: &mut NamedPayloads,
    ) -> Result<()> {
        for record in records {
            match record.map_err(segments::refused)? {
                Record::Revision(record) => {
                    let identity = UpdateIdentity {
                        id: UpdateId(record.update_id),
                        revision: record.revision_number,
                    };
                    self.withdrawn.remove(&identity);
                    let document = UpdateDocument::parse(&record.xml, &options.documents).ok();
                    if let Some(document) = &document {
                        name_files(document, by_sha1, payloads);
                    }
                    self.revisions.insert(identity, Revision::new(identity, document.as_ref()));
                }
                Record::Withdrawal { update_id, revision_number } => {
                    let identity =
                        UpdateIdentity { id: UpdateId(update_id), revision: revision_number };
                    self.withdrawn.insert(identity);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The newest revision of each update that is offered.
    fn newest(&self) -> BTreeMap<UpdateId, &Revision> {
        let offered =
            self.revisions.iter().filter(|(identity, _)| !self.withdrawn.contains(identity));
        offered.map(|(identity, revision)| (identity.id, revision)).collect()
    }

    /// Bytes of the files of a revision and of all that it bundles; each revision counts once.
    fn size(&self, revision: &Revision) -> u64 {
        let mut bytes = revision.bytes;
        let mut open: Vec<&UpdateIdentity> = revision.bundled.iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(identity) = open.pop() {
            if let Some(member) = self.revisions.get(identity).filter(|_| seen.insert(identity)) {
                bytes = bytes.saturating_add(member.bytes);
                open.extend(&member.bundled);
            }
        }
        bytes
    }
}

impl Revision {
    fn new(identity: UpdateIdentity, document: Option<&UpdateDocument>) -> Self {
        let Some(document) = document else {
            let named = UpdateSummary::unknown(identity);
            return Self { named, bytes: 0, bundled: Vec::new() };
        };
        let mut seen = HashSet::new();
        let files = document.files.iter().filter(|f| !f.is_express() && seen.insert(f.sha1));
        Self {
            named: UpdateSummary::of_document(document),
            bytes: files.map(|file| file.size).fold(0, u64::saturating_add),
            bundled: document.bundled.iter().flat_map(|clause| &clause.any_of).copied().collect(),
        }
    }
}

/// Names of updates: from the volumes, else from the catalogue here.
struct Names<'a> {
    updates: &'a Updates,
    catalog: Option<&'a Catalog>,
}

impl Names<'_> {
    fn find(&self, update: UpdateId) -> Result<UpdateSummary> {
        let first = UpdateIdentity { id: update, revision: 0 };
        let last = UpdateIdentity { id: update, revision: u32::MAX };
        if let Some((_, revision)) = self.updates.revisions.range(first..=last).next_back() {
            return Ok(revision.named.clone());
        }
        let known = self.catalog.map(|catalog| catalog.revisions_of(update)).transpose()?;
        let known = known.and_then(|mut revisions| revisions.pop());
        Ok(known.map_or_else(|| UpdateSummary::unknown(first), UpdateSummary::of_summary))
    }

    fn updates(&self) -> Result<Vec<InspectedUpdate>> {
        let mut updates = Vec::new();
        for revision in self.updates.newest().into_values() {
            let named = revision.named.clone();
            let identity = UpdateIdentity { id: named.update, revision: named.revision };
            let known = match self.catalog {
                Some(catalog) => Some(catalog.revision_id(&identity)?.is_some()),
                None => None,
            };
            updates.push(InspectedUpdate { named, size: self.updates.size(revision), known });
        }
        updates.sort_by(|a, b| a.named.title.cmp(&b.named.title));
        Ok(updates)
    }

    fn withdrawn(&self) -> Result<Vec<UpdateSummary>> {
        let offered = self.updates.newest();
        let withdrawn: BTreeSet<UpdateId> =
            self.updates.withdrawn.iter().map(|identity| identity.id).collect();
        withdrawn
            .into_iter()
            .filter(|id| !offered.contains_key(id))
            .map(|id| self.find(id))
            .collect()
    }

    fn policy(&self, policy: Policy) -> Result<InspectedPolicy> {
        let mut approvals = Vec::new();
        for approval in policy.approvals {
            approvals.push(InspectedApproval {
                named: self.find(UpdateId(approval.update))?,
                group: approval.group,
                action: approval.action,
                deadline: approval.deadline,
                rule: approval.rule,
            });
        }
        let declined = policy.declined.into_iter().map(|id| self.find(UpdateId(id)));
        Ok(InspectedPolicy {
            groups: policy.groups,
            approvals,
            declined: declined.collect::<Result<_>>()?,
            rules: policy.rules.into_iter().map(|rule| (rule.name, rule.text)).collect(),
        })
    }
}
