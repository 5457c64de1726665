//! What is kept of a volume while it is read.

use std::{collections::HashSet, fs::File, io::Write};

use bundle_format::{
    container::{ObjectEntry, VolumeNote},
    digest::Sha256,
    index::SegmentRef,
    limits::BundleLimits,
    trust::VerifiedHead,
};

use super::Stage;
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

/// One volume being taken.
pub(super) struct VolumeIntake<'a> {
    pub(super) stage: &'a mut Stage,
    pub(super) catalog: Option<&'a Catalog>,
    pub(super) older: bool,
    pub(super) asked_for: &'a [SegmentRef],
    /// Payloads that an older bundle may bring.
    pub(super) gaps: HashSet<Sha256>,
    pub(super) limits: &'a BundleLimits,
    /// The member being read is to be kept.
    pub(super) keep: bool,
}

impl VolumeSink for VolumeIntake<'_> {
    fn begin(&mut self, member: &Member<'_>) -> Result<Option<Box<dyn Write + Send>>> {
        self.keep = false;
        let name = match member {
            Member::Segment(segment) => {
                if self.stage.find_segment(segment).is_some() {
                    self.stage.counts.held += 1;
                    return Ok(None);
                }
                if self.older && !self.asked_for.iter().any(|s| s.sha256 == segment.sha256) {
                    self.stage.counts.skipped += 1;
                    return Ok(None);
                }
                segment.sha256
            }
            Member::Payload(entry, record) => {
                let wanted = record.is_some() && (!self.older || self.gaps.contains(&entry.sha256));
                let held = self.stage.staged_payloads.contains_key(&entry.sha256)
                    || self.stage.holds(entry, self.catalog)?;
                if held || !wanted {
                    let counts = &mut self.stage.counts;
                    *if held { &mut counts.held } else { &mut counts.skipped } += 1;
                    return Ok(None);
                }
                entry.sha256
            }
        };
        self.keep = true;
        let path = self.stage.staged(&name);
        match member {
            Member::Payload(..) if self.stage.dry_run => Ok(None),
            Member::Payload(entry @ ObjectEntry { offset: Some(_), .. }, _) => {
                self.stage.parts.writer(self.stage.folder(), entry).map(Some)
            }
            _ => Ok(Some(Box::new(File::create(&path).doing("write", &path)?))),
        }
    }

    fn end(&mut self, member: &Member<'_>) -> Result<()> {
        kill::step("object staged");
        if !self.keep {
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
                    self.stage.parts.came(&folder, entry, record);
                    return Ok(());
                }
                self.stage.staged_payloads.insert(record.sha256, (*record).clone());
            }
            // Never kept: nothing says what it should be.
            Member::Payload(_, None) => return Ok(()),
        }
        self.stage.counts.new += 1;
        Ok(())
    }

    fn table(&mut self, verified: &VerifiedHead, note: &VolumeNote) -> Result<PayloadTable> {
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
        if table.complete && !self.older {
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
