//! Segments that are kept while volumes are checked, and each object noted in a transcript.

use std::io::Write;

use bundle_format::{container::VolumeNote, trust::VerifiedHead};

use super::{
    checked_segments::CheckedSegments,
    payload_table::PayloadTable,
    read::{Member, VolumeSink},
    transcript::Transcript,
};
use crate::transfer::error::TransferError;

type Result<T> = std::result::Result<T, TransferError>;

/// Keeps segments, and notes what was read.
pub(super) struct NotedSegments<'a, 'b> {
    pub(super) segments: &'a mut CheckedSegments<'b>,
    pub(super) transcript: &'a mut Transcript,
}

impl VolumeSink for NotedSegments<'_, '_> {
    fn begin_member(&mut self, member: &Member<'_>) -> Result<Option<Box<dyn Write + Send>>> {
        self.transcript.begin_object(member);
        self.segments.begin_member(member)
    }

    fn end_member(&mut self, member: &Member<'_>) -> Result<()> {
        self.transcript.object(member);
        self.segments.end_member(member)
    }

    fn payload_table(
        &mut self,
        verified: &VerifiedHead,
        note: &VolumeNote,
    ) -> Result<PayloadTable> {
        self.segments.payload_table(verified, note)
    }
}
