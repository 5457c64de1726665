//! Storing what a volume brings while it is read.

use std::{collections::HashSet, fs::File, io::Write};

use bundle_format::{
    container::{ObjectEntry, VolumeNote},
    digest::Sha256,
    index::SegmentRef,
    limits::BundleLimits,
    trust::{Freshness, VerifiedHead},
};

use super::stage::Stage;
use crate::{
    catalog::Catalog,
    file_error::Doing as _,
    transfer::{
        error::TransferError,
        kill,
        volume::{
            payload_table::{self, PayloadTable},
            read::{Member, VolumeSink},
        },
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// Takes in one volume while it is read.
pub(in crate::transfer::isolated) struct VolumeIntake<'a> {
    stage: &'a mut Stage,
    catalog: Option<&'a Catalog>,
    /// The bundle is older than what is trusted: it may only fill gaps.
    is_older: bool,
    /// The segments of what is served, of what is pending and of what comes.
    asked_for: &'a [SegmentRef],
    /// Payloads that an older bundle may bring.
    gaps: HashSet<Sha256>,
    limits: &'a BundleLimits,
    /// Whether the member being read is stored.
    is_stored: bool,
}

impl<'a> VolumeIntake<'a> {
    /// Takes in a volume of this freshness. `asked_for` are the segments of what is served, of what is
    /// pending and of what comes: an older bundle may only fill their gaps.
    pub(in crate::transfer::isolated) fn new(
        stage: &'a mut Stage,
        catalog: Option<&'a Catalog>,
        freshness: Freshness,
        asked_for: &'a [SegmentRef],
        limits: &'a BundleLimits,
    ) -> Self {
        Self {
            stage,
            catalog,
            is_older: freshness == Freshness::Older,
            asked_for,
            gaps: HashSet::new(),
            limits,
            is_stored: false,
        }
    }
}

impl VolumeSink for VolumeIntake<'_> {
    fn begin_member(&mut self, member: &Member<'_>) -> Result<Option<Box<dyn Write + Send>>> {
        self.is_stored = false;
        let name = match member {
            Member::Segment(segment) => {
                if self.stage.find_segment(segment).is_some() {
                    self.stage.counts.held += 1;
                    return Ok(None);
                }
                if self.is_older && !self.asked_for.iter().any(|s| s.sha256 == segment.sha256) {
                    self.stage.counts.skipped += 1;
                    return Ok(None);
                }
                segment.sha256
            }
            Member::Payload(entry, record) => {
                let wanted =
                    record.is_some() && (!self.is_older || self.gaps.contains(&entry.sha256));
                let is_held = self.stage.staged_payloads.contains_key(&entry.sha256)
                    || self.stage.has_object(entry, self.catalog)?;
                if is_held || !wanted {
                    let counts = &mut self.stage.counts;
                    *if is_held { &mut counts.held } else { &mut counts.skipped } += 1;
                    return Ok(None);
                }
                entry.sha256
            }
        };
        self.is_stored = true;
        let path = self.stage.staged_path(&name);
        match member {
            Member::Payload(..) if self.stage.dry_run => Ok(None),
            Member::Payload(entry @ ObjectEntry { offset: Some(_), .. }, _) => {
                self.stage.parts.open_writer(self.stage.folder(), entry).map(Some)
            }
            _ => Ok(Some(Box::new(File::create(&path).doing("write", &path)?))),
        }
    }

    fn end_member(&mut self, member: &Member<'_>) -> Result<()> {
        kill::step("object staged");
        if !self.is_stored {
            if let Member::Payload(ObjectEntry { sha256, offset: None, .. }, Some(_)) = member {
                self.stage.compared.insert(*sha256);
            }
            return Ok(());
        }
        match member {
            Member::Segment(segment) => {
                self.stage.counts.new_bytes += segment.size;
                self.stage.staged_segments.insert(segment.sha256);
            }
            Member::Payload(entry, Some(record)) => {
                self.stage.counts.new_bytes += entry.size;
                if entry.offset.is_some() {
                    let folder = self.stage.folder().to_owned();
                    self.stage.parts.add(&folder, entry, record);
                    return Ok(());
                }
                self.stage.staged_payloads.insert(record.sha256, (*record).clone());
            }
            // Never stored: nothing says what it should be.
            Member::Payload(_, None) => return Ok(()),
        }
        self.stage.counts.new += 1;
        Ok(())
    }

    fn payload_table(
        &mut self,
        verified: &VerifiedHead,
        note: &VolumeNote,
    ) -> Result<PayloadTable> {
        let wanted: HashSet<Sha256> = note.objects.iter().map(|object| object.sha256).collect();
        let find = |segment: &SegmentRef| self.stage.find_segment(segment);
        let mut table = PayloadTable::default();
        payload_table::collect_stored(
            &verified.index.segments,
            &wanted,
            self.limits,
            &find,
            &mut table,
        )?;
        if table.complete && !self.is_older {
            return Ok(table);
        }
        let mut elsewhere = PayloadTable::default();
        payload_table::collect_stored(self.asked_for, &wanted, self.limits, &find, &mut elsewhere)?;
        // What another snapshot leaves out is no gap, and says nothing of this one.
        elsewhere.records.retain(|_, record| record.not_carried.is_none());
        self.gaps.extend(elsewhere.records.keys());
        if !table.complete {
            for (sha256, record) in elsewhere.records {
                table.records.entry(sha256).or_insert(record);
            }
        }
        Ok(table)
    }
}
