//! What one list of segments says of updates and payloads that another does not. Segments that both lists
//! name are not read.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::PathBuf,
};

use bundle_format::{
    digest::Sha256,
    index::{SegmentKind, SegmentRef},
    limits::BundleLimits,
    segment::Record,
};
use serde::Serialize;

use super::update_summary::UpdateSummary;
use crate::{
    catalog::Catalog,
    transfer::{error::TransferError, store::segments},
    update::{DocumentLimits, UpdateDocument, UpdateId, UpdateIdentity},
};

type Result<T> = std::result::Result<T, TransferError>;

/// How the updates of one snapshot differ from those of another, by title.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UpdateChanges {
    /// Updates that are new.
    pub new: Vec<UpdateSummary>,
    /// Updates of which there is a newer revision.
    pub revised: Vec<UpdateSummary>,
    /// Updates that are no longer offered.
    pub withdrawn: Vec<UpdateSummary>,
    /// Files that are new.
    pub new_files: u64,
    /// Their bytes.
    pub new_bytes: u64,
    /// Parts of the lists that are gone: what they say is not in here.
    pub unread_segments: u64,
}

/// Where segments and names are looked for.
pub(in crate::transfer) struct SegmentDiff<'a> {
    /// Where a segment lies, if it is there.
    pub(in crate::transfer) find: &'a dyn Fn(&SegmentRef) -> Option<PathBuf>,
    pub(in crate::transfer) limits: &'a BundleLimits,
    pub(in crate::transfer) documents: &'a DocumentLimits,
    /// Names what it knows; documents name the rest.
    pub(in crate::transfer) catalog: &'a Catalog,
}

/// What the segments of one list say that the other does not name.
#[derive(Default)]
struct ListedObjects {
    offered: BTreeMap<UpdateIdentity, UpdateSummary>,
    withdrawn: BTreeSet<UpdateIdentity>,
    /// Payloads that are carried, with their sizes.
    payloads: BTreeMap<Sha256, u64>,
    unread: u64,
}

impl ListedObjects {
    /// Whether a revision of an update is offered.
    fn offers(&self, id: UpdateId) -> bool {
        let revision = |revision| UpdateIdentity { id, revision };
        self.offered.range(revision(0)..=revision(u32::MAX)).next().is_some()
    }
}

impl SegmentDiff<'_> {
    /// Compares two lists.
    pub(in crate::transfer) fn changes(
        &self,
        old: &[SegmentRef],
        new: &[SegmentRef],
    ) -> Result<UpdateChanges> {
        let before = self.read_unlike(old, new)?;
        let after = self.read_unlike(new, old)?;
        let new_payloads: Vec<u64> = after
            .payloads
            .iter()
            .filter(|(sha256, _)| !before.payloads.contains_key(*sha256))
            .map(|(_, size)| *size)
            .collect();
        let mut changes = UpdateChanges {
            new_files: new_payloads.len() as u64,
            new_bytes: new_payloads.into_iter().fold(0, u64::saturating_add),
            unread_segments: before.unread + after.unread,
            ..UpdateChanges::default()
        };
        let newest: BTreeMap<UpdateId, &UpdateSummary> = after
            .offered
            .iter()
            .filter(|(identity, _)| !before.offered.contains_key(*identity))
            .map(|(identity, named)| (identity.id, named))
            .collect();
        for (update, named) in &newest {
            let is_revision =
                before.offers(*update) || self.knows_other(*update, named.revision, &after)?;
            let list = if is_revision { &mut changes.revised } else { &mut changes.new };
            list.push((*named).clone());
        }
        self.add_withdrawn(&before, &after, &mut changes)?;
        for list in [&mut changes.new, &mut changes.revised, &mut changes.withdrawn] {
            list.sort_by(|a, b| a.title.cmp(&b.title));
        }
        Ok(changes)
    }

    /// Updates that are no longer offered: withdrawn, or no longer in the list at all.
    fn add_withdrawn(
        &self,
        before: &ListedObjects,
        after: &ListedObjects,
        changes: &mut UpdateChanges,
    ) -> Result<()> {
        let withdrawn = after.withdrawn.difference(&before.withdrawn);
        let gone = before.offered.keys().filter(|id| !after.offered.contains_key(*id));
        let identities: BTreeSet<UpdateIdentity> = withdrawn.chain(gone).copied().collect();
        let mut seen = HashSet::new();
        for identity in identities.iter().rev() {
            if after.offers(identity.id) || !seen.insert(identity.id) {
                continue;
            }
            let mut known = self.catalog.revisions_of(identity.id)?;
            let others = known
                .iter()
                .any(|revision| revision.is_offered() && !identities.contains(&revision.identity));
            if others {
                continue;
            }
            let named = before.offered.get(identity).cloned();
            let named = named.or_else(|| known.pop().map(UpdateSummary::of_summary));
            changes.withdrawn.push(named.unwrap_or_else(|| UpdateSummary::unknown(*identity)));
        }
        Ok(())
    }

    /// Whether the catalogue knows an older revision of an update that the new list did not bring.
    fn knows_other(&self, update: UpdateId, revision: u32, after: &ListedObjects) -> Result<bool> {
        let known = self.catalog.revisions_of(update)?;
        Ok(known.iter().any(|one| {
            one.identity.revision < revision && !after.offered.contains_key(&one.identity)
        }))
    }

    /// Reads the segments of a list that the other one does not name, in order.
    fn read_unlike(&self, list: &[SegmentRef], other: &[SegmentRef]) -> Result<ListedObjects> {
        let common: HashSet<Sha256> = other.iter().map(|segment| segment.sha256).collect();
        let mut listed = ListedObjects::default();
        for segment in list.iter().filter(|segment| !common.contains(&segment.sha256)) {
            if !matches!(segment.kind, SegmentKind::Catalogue | SegmentKind::Payloads) {
                continue;
            }
            let Some(path) = (self.find)(segment) else {
                listed.unread += 1;
                continue;
            };
            for record in segments::open(&path, segment, self.limits, segments::refused)? {
                self.add(record.map_err(segments::refused)?, &mut listed)?;
            }
        }
        Ok(listed)
    }

    fn add(&self, record: Record, listed: &mut ListedObjects) -> Result<()> {
        match record {
            Record::Revision(record) => {
                let identity = UpdateIdentity {
                    id: UpdateId(record.update_id),
                    revision: record.revision_number,
                };
                listed.withdrawn.remove(&identity);
                let named = self.named(identity, &record.xml)?;
                listed.offered.insert(identity, named);
            }
            Record::Withdrawal { update_id, revision_number } => {
                let identity =
                    UpdateIdentity { id: UpdateId(update_id), revision: revision_number };
                listed.offered.remove(&identity);
                listed.withdrawn.insert(identity);
            }
            Record::Payload(payload) if payload.not_carried.is_none() => {
                listed.payloads.insert(payload.sha256, payload.size);
            }
            Record::Payload(payload) => {
                listed.payloads.remove(&payload.sha256);
            }
            Record::Key { .. } | Record::DriverSet { .. } => {}
        }
        Ok(())
    }

    fn named(&self, identity: UpdateIdentity, xml: &[u8]) -> Result<UpdateSummary> {
        if let Some(id) = self.catalog.revision_id(&identity)?
            && let Some(summary) = self.catalog.revision(id)?
        {
            return Ok(UpdateSummary::of_summary(summary));
        }
        let document = UpdateDocument::parse(xml, self.documents).ok();
        let named = document.map(|document| UpdateSummary::of_document(&document));
        Ok(named.unwrap_or_else(|| UpdateSummary::unknown(identity)))
    }
}
