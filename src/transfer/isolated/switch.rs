//! Switch: the records of a complete snapshot become the catalogue, in the caller's transaction.

use std::collections::HashSet;

use bundle_format::{
    digest::Sha256,
    index::{Index, SegmentKind, SegmentRef},
    limits::BundleLimits,
    segment::{PayloadRecord, Record, RevisionRecord},
};
use jiff::Timestamp;
use serde::Serialize;

use super::intake::stage::Stage;
use crate::{
    catalog::{
        AddOutcome, CatalogError, CatalogWriter, FIRST_LOCAL_REVISION_ID, Numbering, PayloadRow,
    },
    transfer::{error::TransferError, store::segments, volume::payload_table},
    update::{self, RevisionId, UpdateDocument, UpdateId, UpdateIdentity},
};

type Result<T> = std::result::Result<T, TransferError>;

/// What a switch changes.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Changes {
    /// Revisions that were not here.
    pub revisions_added: u64,
    /// Revisions that the mirror no longer offers.
    pub revisions_withdrawn: u64,
    /// Revisions that were here with other bytes than the mirror's: what was here stays.
    pub revisions_differing: u64,
    /// Revisions that the snapshot no longer names.
    pub revisions_removed: u64,
    /// Revisions that only replaced keys have signed, and that contradicted this snapshot: it has its own in
    /// their place.
    pub revisions_replaced: u64,
    /// Payload rows that are new or changed.
    pub payloads_changed: u64,
    /// Payload rows that the snapshot no longer names.
    pub payloads_removed: u64,
    /// Keys of encrypted files that are new or changed.
    pub keys_changed: u64,
    /// Driver sets that are new, changed or gone.
    pub driver_sets_changed: u64,
}

/// The result of an attempt to switch.
pub(crate) enum SwitchAttempt {
    /// Everything is there; the transaction holds the new catalogue.
    Complete(Changes),
    /// Something is missing; the transaction is as it was.
    Incomplete(MissingObjects),
}

/// What a snapshot lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MissingObjects {
    /// Segments. As long as one is missing, payloads that it names are not in the other list.
    pub segments: Vec<SegmentRef>,
    /// Payloads, with their sizes.
    pub payloads: Vec<(Sha256, u64)>,
}

/// What an attempt needs beside the transaction.
pub(crate) struct Switch<'a> {
    pub(crate) stage: &'a Stage,
    /// The segments of what is served.
    pub(crate) served: &'a [SegmentRef],
    /// What is served was signed with keys that were replaced since: nothing of it counts against the
    /// snapshot.
    pub(crate) keys_replaced: bool,
    pub(crate) limits: &'a BundleLimits,
    pub(crate) documents: &'a update::DocumentLimits,
    pub(crate) now: Timestamp,
}

impl Switch<'_> {
    /// Brings the catalogue to what the index says, if nothing is missing.
    pub(crate) fn attempt(
        &self,
        writer: &mut CatalogWriter<'_>,
        index: &Index,
    ) -> Result<SwitchAttempt> {
        writer.mark_point()?;
        let missing_segments: Vec<SegmentRef> = index
            .segments
            .iter()
            .filter(|segment| self.stage.find_segment(segment).is_none())
            .cloned()
            .collect();
        let (segments_to_read, replace) = match self.appended_segments(index) {
            Some(new) if !self.keys_replaced => (new, false),
            _ => (index.segments.iter().collect(), true),
        };
        if replace {
            writer.start_list()?;
        }
        let mut changes = Changes::default();
        self.put_payloads(writer, &segments_to_read, replace, &mut changes)?;
        if replace && missing_segments.is_empty() {
            changes.payloads_removed = writer.drop_unlisted_payloads()?;
        }
        let mut missing_payloads = Vec::new();
        writer.absent_payloads(&mut |sha256, size| missing_payloads.push((sha256, size)))?;
        if !missing_segments.is_empty() || !missing_payloads.is_empty() {
            writer.back_to_mark()?;
            return Ok(SwitchAttempt::Incomplete(MissingObjects {
                segments: missing_segments,
                payloads: missing_payloads,
            }));
        }
        writer.set_mirror_id(index.mirror_id).map_err(blame_bundle)?;
        if self.keys_replaced {
            changes.revisions_replaced = self.drop_contradicting(writer, &segments_to_read)?;
        }
        self.put_revisions(writer, &segments_to_read, replace, &mut changes)?;
        self.put_keys_and_driver_sets(writer, &segments_to_read, replace, &mut changes)?;
        if replace {
            changes.revisions_removed = writer.drop_unlisted_revisions()?;
            writer.drop_unlisted_extras()?;
        }
        if self.keys_replaced && changes.revisions_replaced + changes.revisions_removed > 0 {
            // Agents may have seen numbers that mean something else now, or will in a later snapshot.
            writer.set_renumbered(&format!("{} {}", index.snapshot, self.now))?;
        }
        if let Some(first) = writer.contradictions()?.first() {
            return Err(TransferError::refused(format!(
                "the bundle contradicts itself: {}. Have the mirror checked (`tidegate check`) and sealed again",
                first
            )));
        }
        Ok(SwitchAttempt::Complete(changes))
    }

    /// The new segments, if the list of each kind only grew at its end.
    fn appended_segments<'i>(&self, index: &'i Index) -> Option<Vec<&'i SegmentRef>> {
        for kind in SegmentKind::ALL {
            let mut new = index.segments.iter().filter(|s| s.kind == kind);
            let mut served = self.served.iter().filter(|s| s.kind == kind);
            if !served.all(|segment| new.next() == Some(segment)) {
                return None;
            }
        }
        let served: HashSet<Sha256> = self.served.iter().map(|s| s.sha256).collect();
        Some(index.segments.iter().filter(|s| !served.contains(&s.sha256)).collect())
    }

    fn put_payloads(
        &self,
        writer: &mut CatalogWriter<'_>,
        segments: &[&SegmentRef],
        replace: bool,
        changes: &mut Changes,
    ) -> Result<()> {
        for segment in segments.iter().filter(|s| s.kind == SegmentKind::Payloads) {
            let Some(path) = self.stage.find_segment(segment) else { continue };
            for record in segments::open(&path, segment, self.limits, segments::refused)? {
                let record = payload_table::expect_payload(record.map_err(segments::refused)?)?;
                if replace {
                    writer.list_payload(&record.sha256)?;
                }
                changes.payloads_changed += u64::from(self.store_payload(writer, record)?);
            }
        }
        Ok(())
    }

    fn store_payload(&self, writer: &mut CatalogWriter<'_>, record: PayloadRecord) -> Result<bool> {
        let present = match writer.payload(&record.sha256)? {
            Some(row) => row.present,
            None if record.not_carried.is_some() => false,
            None => self.stage.has_bytes(&record)?,
        };
        let row = PayloadRow {
            sha256: record.sha256,
            sha1: record.sha1,
            size: record.size,
            chunks: record.chunks,
            present,
            not_carried: record.not_carried,
        };
        writer.store_payload(&row).map_err(blame_bundle)
    }

    fn put_revisions(
        &self,
        writer: &mut CatalogWriter<'_>,
        segments: &[&SegmentRef],
        replace: bool,
        changes: &mut Changes,
    ) -> Result<()> {
        for segment in segments.iter().filter(|s| s.kind == SegmentKind::Catalogue) {
            let Some(path) = self.stage.find_segment(segment) else { continue };
            for record in segments::open(&path, segment, self.limits, segments::refused)? {
                match record.map_err(segments::refused)? {
                    Record::Revision(record) => {
                        if replace {
                            writer.list_revision(record.revision_id)?;
                        }
                        match self.put_revision(writer, &record)? {
                            Some(AddOutcome::New(_)) => changes.revisions_added += 1,
                            Some(AddOutcome::OtherBytes(_)) => changes.revisions_differing += 1,
                            Some(AddOutcome::Same(_)) | None => {}
                        }
                    }
                    Record::Withdrawal { update_id, revision_number } => {
                        let identity =
                            UpdateIdentity { id: UpdateId(update_id), revision: revision_number };
                        changes.revisions_withdrawn += u64::from(writer.withdraw(&identity)?);
                    }
                    _ => {
                        return Err(TransferError::refused(
                            "a catalogue segment of the snapshot holds a record of another kind",
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes what only replaced keys have signed and what cannot be beside this snapshot's revisions.
    fn drop_contradicting(
        &self,
        writer: &mut CatalogWriter<'_>,
        segments: &[&SegmentRef],
    ) -> Result<u64> {
        let mut dropped = 0;
        for segment in segments.iter().filter(|s| s.kind == SegmentKind::Catalogue) {
            let Some(path) = self.stage.find_segment(segment) else { continue };
            for record in segments::open(&path, segment, self.limits, segments::refused)? {
                if let Record::Revision(record) = record.map_err(segments::refused)? {
                    dropped += writer.drop_contradicting(&record)?;
                }
            }
        }
        Ok(dropped)
    }

    fn put_keys_and_driver_sets(
        &self,
        writer: &mut CatalogWriter<'_>,
        segments: &[&SegmentRef],
        replace: bool,
        changes: &mut Changes,
    ) -> Result<()> {
        let is_extra = |segment: &&&SegmentRef| {
            matches!(segment.kind, SegmentKind::DecryptionKeys | SegmentKind::DriverSets)
        };
        for segment in segments.iter().filter(is_extra) {
            let Some(path) = self.stage.find_segment(segment) else { continue };
            for record in segments::open(&path, segment, self.limits, segments::refused)? {
                match record.map_err(segments::refused)? {
                    Record::Key { sha1, key } => {
                        if replace {
                            writer.list_key(&sha1)?;
                        }
                        changes.keys_changed += u64::from(writer.store_key(&sha1, &key)?);
                    }
                    Record::DriverSet { id, xml } => {
                        if replace {
                            writer.list_driver_set(&id)?;
                        }
                        let is_new = writer.store_driver_set(&id, xml.as_deref())?;
                        changes.driver_sets_changed += u64::from(is_new);
                    }
                    _ => {
                        return Err(TransferError::refused(
                            "a segment of keys or driver sets holds a record of another kind",
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds a revision; `None` if it is offered here already, exactly as it is.
    fn put_revision(
        &self,
        writer: &mut CatalogWriter<'_>,
        record: &RevisionRecord,
    ) -> Result<Option<AddOutcome>> {
        let identity =
            UpdateIdentity { id: UpdateId(record.update_id), revision: record.revision_number };
        if !(1..FIRST_LOCAL_REVISION_ID).contains(&record.revision_id) {
            return Err(TransferError::refused(format!(
                "{identity} has the revision id {}, which no mirror may give",
                record.revision_id
            )));
        }
        if writer.holds(record)? {
            return Ok(None);
        }
        let document = UpdateDocument::parse(&record.xml, self.documents).map_err(|e| {
            TransferError::refused_by(format!("the document of {identity} cannot be read"), e)
        })?;
        if document.identity != identity {
            return Err(TransferError::refused(format!(
                "the document of {identity} says that it is {}",
                document.identity
            )));
        }
        let numbering = Numbering::Given(RevisionId(record.revision_id));
        writer
            .add_revision(&document, &record.xml, numbering, self.now)
            .map(Some)
            .map_err(blame_bundle)
    }
}

/// A contradiction to the catalogue is the bundle's fault; every other error is this machine's.
fn blame_bundle(error: CatalogError) -> TransferError {
    match error {
        CatalogError::UnfitDocument { what } | CatalogError::OtherMirror { what } => {
            TransferError::refused(what)
        }
        other => other.into(),
    }
}
