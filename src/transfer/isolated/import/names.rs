//! What an import has changed, and what is still missing, by the names that people know.

use std::{
    collections::{BTreeSet, HashSet},
    path::PathBuf,
};

use bundle_format::{digest::Sha256, index::SegmentRef, needs::MissingPayload};

use super::{
    commit::{Committed, Switched},
    context::ImportContext,
    report::PendingReport,
};
use crate::{
    catalog::Catalog,
    transfer::{
        error::TransferError,
        store::segments,
        volume::{
            checked_segments::{Records, records_at},
            missing_payloads::{NamedPayloads, PayloadSearch},
            segment_diff::{SegmentDiff, UpdateChanges},
            verify_report::gaps,
        },
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// Gives names to what an import has done.
pub(super) struct ImportNames<'a> {
    context: &'a ImportContext<'a>,
    committed: &'a Committed,
    catalog: &'a Catalog,
}

impl<'a> ImportNames<'a> {
    /// `None` when there is no catalogue yet, so that nothing has a name.
    pub(super) fn new(context: &'a ImportContext<'a>, committed: &'a Committed) -> Option<Self> {
        let catalog = committed.taken.checked.catalog.as_ref()?;
        Some(Self { context, committed, catalog })
    }

    /// The updates that a switch has changed.
    pub(super) fn changes(&self, switched: &Switched) -> Result<UpdateChanges> {
        let options = self.context.options;
        let diff = SegmentDiff {
            find: &|segment| self.find(segment),
            limits: &options.limits,
            documents: &options.documents,
            catalog: self.catalog,
        };
        let served = &self.committed.taken.checked.site.served;
        diff.changes(served, &switched.verified.index.segments)
    }

    /// The payloads that are missing.
    pub(super) fn missing_files(&self) -> Result<Vec<MissingPayload>> {
        let pending = &self.committed.pending;
        let missing: HashSet<Sha256> =
            pending.iter().flat_map(|p| &p.missing.payloads).map(|(sha256, _)| *sha256).collect();
        let options = self.context.options;
        let search = PayloadSearch {
            open: &|segment| self.open(segment),
            is_here: &|sha256, _| Ok(!missing.contains(sha256)),
            catalog: Some(self.catalog),
            documents: &options.documents,
        };
        let mut files = NamedPayloads::new();
        for pending in pending.iter().filter(|pending| !pending.missing.payloads.is_empty()) {
            search.add_missing(&self.segments_of(pending)?, &mut files)?;
        }
        Ok(files.into_values().map(|payload| payload.needed).collect())
    }

    /// Snapshots that neither the site nor a volume has, as far as newer ones need what they brought.
    pub(super) fn never_brought(&self) -> Vec<(u64, u64)> {
        let checked = &self.committed.taken.checked;
        let lists = self.committed.pending.iter().filter(|p| !p.missing.segments.is_empty());
        let (Some(newest), Some(in_force)) =
            (lists.map(|pending| pending.snapshot).max(), checked.site.in_force)
        else {
            return Vec::new();
        };
        let mut there: BTreeSet<u64> =
            checked.volumes.iter().map(|volume| volume.verified.index.snapshot).collect();
        there.extend(checked.site.snapshots.iter().map(|row| row.number));
        gaps(in_force, newest, &there)
    }

    fn segments_of(&self, pending: &PendingReport) -> Result<Vec<SegmentRef>> {
        let volumes = &self.committed.taken.checked.volumes;
        let volume = volumes.iter().find(|v| v.verified.index.snapshot == pending.snapshot);
        match volume {
            Some(volume) => Ok(volume.verified.index.segments.clone()),
            None => Ok(self.catalog.segments_of(pending.snapshot)?),
        }
    }

    /// A segment in its place, or, in a dry run, in the stage.
    fn find(&self, segment: &SegmentRef) -> Option<PathBuf> {
        segments::find(&self.context.data.segments(), segment)
            .or_else(|| self.committed.taken.stage.find_segment(segment))
    }

    fn open(&self, segment: &SegmentRef) -> Result<Option<Records>> {
        let limits = &self.context.options.limits;
        self.find(segment).map(|path| records_at(&path, segment, limits)).transpose()
    }
}
