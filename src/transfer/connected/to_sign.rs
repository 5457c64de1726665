//! What a person is shown before signing a snapshot: what it changes, by title.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::PathBuf,
};

use bundle_format::{
    digest::Sha256,
    policy::{Policy, PolicyApproval},
    segment::{Record, RevisionRecord, SegmentError},
    trust::{RootRoles, SealSummary},
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    transfer::{error::TransferError, store::segments},
    update::{DocumentLimits, UpdateDocument},
};

type Result<T> = std::result::Result<T, TransferError>;

/// So many entries of a list are named; the others are counted.
const LISTED: usize = 200;

/// A snapshot that a person is about to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapshotToSign {
    /// Its number.
    pub snapshot: u64,
    /// The mirror.
    pub mirror_id: Uuid,
    /// SHA-256 of what the signature covers: it says exactly what was shown.
    pub timestamp_sha256: Sha256,
    /// When it was sealed.
    pub created: Timestamp,
    /// The sites that it is for.
    pub sites: Vec<String>,
    /// The root that it is sealed under.
    pub root: RootRoles,
    /// Who has signed it, for people.
    pub signed_by: Vec<String>,
    /// How many signatures it has.
    pub signatures: u64,
    /// How many it needs.
    pub needed: u64,
    /// The snapshot that it is compared with; `None` where only volumes are at hand.
    pub since: Option<u64>,
    /// Updates that are new since then; without such a snapshot, all that are at hand.
    pub new: ListToSign<UpdateToSign>,
    /// Updates that are withdrawn.
    pub withdrawn: ListToSign<UpdateToSign>,
    /// Approvals and declines that are new or taken back; without such a snapshot, all of them.
    pub decisions: ListToSign<DecisionToSign>,
    /// Parts of the catalogue that are not at hand.
    pub unread_segments: u64,
    /// The volumes that are signed in place; none for the snapshot of a data folder.
    pub volumes: Vec<PathBuf>,
}

/// A list of which only the first entries are named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListToSign<T> {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub first: Vec<T>,
}

/// A revision of an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UpdateToSign {
    /// The update.
    pub update: Uuid,
    /// Its revision.
    pub revision: u32,
    /// Its title, where its document is at hand.
    pub title: Option<String>,
}

/// A decision that travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DecisionToSign {
    /// What was decided.
    pub kind: DecisionToSignKind,
    /// On which update.
    pub update: Uuid,
    /// Its title, where its document is at hand.
    pub title: Option<String>,
    /// For which group.
    pub group: Option<String>,
    /// What computers shall do.
    pub action: Option<String>,
    /// Until when.
    pub deadline: Option<Timestamp>,
}

/// What a decision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionToSignKind {
    /// An approval.
    Approved,
    /// An approval that is there no more.
    ApprovalTakenBack,
    /// A decline.
    Declined,
    /// A decline that is there no more.
    DeclineTakenBack,
}

impl<T> Default for ListToSign<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

impl<T> ListToSign<T> {
    fn push(&mut self, entry: impl FnOnce() -> T) {
        self.count += 1;
        if self.first.len() < LISTED {
            self.first.push(entry());
        }
    }
}

/// The contents of a snapshot, gathered from what is at hand.
pub(super) struct ContentsToSign {
    /// Revisions of the snapshot before, in segments that were merged since.
    known: HashSet<(Uuid, u32)>,
    /// Updates whose titles are asked for.
    decided: BTreeSet<Uuid>,
    titles: BTreeMap<Uuid, String>,
    limits: DocumentLimits,
    new: ListToSign<UpdateToSign>,
    withdrawn: ListToSign<UpdateToSign>,
}

impl ContentsToSign {
    /// For a snapshot with this policy.
    pub(super) fn new(decisions: &[DecisionToSign]) -> Self {
        Self {
            known: HashSet::new(),
            decided: decisions.iter().map(|decision| decision.update).collect(),
            titles: BTreeMap::new(),
            limits: DocumentLimits::default(),
            new: ListToSign::default(),
            withdrawn: ListToSign::default(),
        }
    }

    /// Notes what the snapshot before had.
    pub(super) fn know(
        &mut self,
        records: impl Iterator<Item = std::result::Result<Record, SegmentError>>,
    ) -> Result<()> {
        for record in records {
            if let Record::Revision(record) = record.map_err(segments::refused)? {
                self.known.insert((record.update_id, record.revision_number));
            }
        }
        Ok(())
    }

    /// Notes what a segment of the snapshot brings.
    pub(super) fn read(
        &mut self,
        records: impl Iterator<Item = std::result::Result<Record, SegmentError>>,
    ) -> Result<()> {
        for record in records {
            match record.map_err(segments::refused)? {
                Record::Revision(record) => self.revision(&record),
                Record::Withdrawal { update_id: update, revision_number: revision } => {
                    self.withdrawn.push(|| UpdateToSign { update, revision, title: None });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn revision(&mut self, record: &RevisionRecord) {
        let (update, revision) = (record.update_id, record.revision_number);
        let is_new = !self.known.contains(&(update, revision));
        let is_named = is_new && self.new.first.len() < LISTED;
        let title = (is_named || self.decided.contains(&update))
            .then(|| UpdateDocument::parse(&record.xml, &self.limits).ok())
            .flatten()
            .and_then(|document| document.title("en").map(str::to_owned));
        if let Some(title) = &title {
            self.titles.insert(update, title.clone());
        }
        if is_new {
            self.new.push(|| UpdateToSign { update, revision, title });
        }
    }

    /// All of it, with titles; `look_up` knows those of updates whose documents were not read.
    pub(super) fn finish(
        mut self,
        summary: SealSummary,
        mut decisions: ListToSign<DecisionToSign>,
        look_up: &dyn Fn(Uuid) -> Result<Option<String>>,
    ) -> Result<SnapshotToSign> {
        let title = |update| match self.titles.get(&update) {
            Some(title) => Ok(Some(title.clone())),
            None => look_up(update),
        };
        for update in &mut self.withdrawn.first {
            update.title = title(update.update)?;
        }
        for decision in &mut decisions.first {
            decision.title = title(decision.update)?;
        }
        let SealSummary {
            index,
            timestamp_digest,
            signatures: (signatures, needed),
            roles,
            signed_by,
            ..
        } = summary;
        Ok(SnapshotToSign {
            snapshot: index.snapshot,
            mirror_id: index.mirror_id,
            timestamp_sha256: timestamp_digest,
            created: index.created,
            sites: index.sites,
            root: roles,
            signed_by,
            signatures,
            needed,
            since: None,
            new: self.new,
            withdrawn: self.withdrawn,
            decisions,
            unread_segments: 0,
            volumes: Vec::new(),
        })
    }
}

/// What a policy decides otherwise than the one before.
pub(super) fn decisions(before: Option<&Policy>, policy: &Policy) -> ListToSign<DecisionToSign> {
    let mut list = ListToSign::default();
    let none = Policy::default();
    let before = before.unwrap_or(&none);
    let mut approvals = |kind, of: &[PolicyApproval], not_in: &[PolicyApproval]| {
        let old: HashSet<_> = not_in.iter().map(key).collect();
        for approval in of.iter().filter(|approval| !old.contains(&key(approval))) {
            list.push(|| DecisionToSign {
                kind,
                update: approval.update,
                title: None,
                group: Some(approval.group.clone()),
                action: Some(approval.action.clone()),
                deadline: approval.deadline,
            });
        }
    };
    approvals(DecisionToSignKind::Approved, &policy.approvals, &before.approvals);
    // One that only has another action or deadline is not taken back.
    let named: HashSet<_> = policy.approvals.iter().map(|a| (a.update, &a.group)).collect();
    let mut gone = before.approvals.clone();
    gone.retain(|old| !named.contains(&(old.update, &old.group)));
    approvals(DecisionToSignKind::ApprovalTakenBack, &gone, &[]);
    let mut declines = |kind, of: &[Uuid], not_in: &[Uuid]| {
        let old: HashSet<&Uuid> = not_in.iter().collect();
        for update in of.iter().filter(|update| !old.contains(update)) {
            list.push(|| DecisionToSign {
                kind,
                update: *update,
                title: None,
                group: None,
                action: None,
                deadline: None,
            });
        }
    };
    declines(DecisionToSignKind::Declined, &policy.declined, &before.declined);
    declines(DecisionToSignKind::DeclineTakenBack, &before.declined, &policy.declined);
    list
}

fn key(approval: &PolicyApproval) -> (Uuid, &str, &str, Option<Timestamp>) {
    (approval.update, &approval.group, &approval.action, approval.deadline)
}
