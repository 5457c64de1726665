//! Which snapshots may be switched to.

use std::cmp::Reverse;

use bundle_format::trust::{Freshness, Head, VerifiedHead};
use uuid::Uuid;

use super::{checked::CheckedVolumes, context::ImportContext};
use crate::{catalog::SnapshotState, error_chain::chain};

/// A snapshot that may be switched to.
pub(super) struct Candidate {
    pub(super) verified: VerifiedHead,
    pub(super) head: Head,
    pub(super) set: Option<Uuid>,
    /// Not of these volumes, but of an earlier import.
    pub(super) pending: bool,
}

impl Candidate {
    /// The number of the snapshot.
    pub(super) fn number(&self) -> u64 {
        self.verified.index.snapshot
    }
}

/// Snapshots that may be switched to, newest first, and warnings about those that may not.
pub(super) struct Candidates {
    pub(super) list: Vec<Candidate>,
    pub(super) warnings: Vec<String>,
}

/// Finds the snapshots that are newer than what is served: those of these volumes, and pending
/// ones, whose stored heads are checked again.
pub(super) fn find_candidates(context: &ImportContext<'_>, checked: &CheckedVolumes) -> Candidates {
    let mut found = Candidates { list: Vec::new(), warnings: Vec::new() };
    found.add_volumes(checked);
    found.add_pending(context, checked);
    found.list.sort_by_key(|candidate| Reverse(candidate.number()));
    found
}

impl Candidates {
    fn contains(&self, number: u64) -> bool {
        self.list.iter().any(|candidate| candidate.number() == number)
    }

    fn add_volumes(&mut self, checked: &CheckedVolumes) {
        for volume in &checked.volumes {
            let number = volume.verified.index.snapshot;
            if volume.verified.freshness == Freshness::Older
                || !checked.site.is_news(&volume.verified)
                || self.contains(number)
            {
                continue;
            }
            self.list.push(Candidate {
                verified: volume.verified.clone(),
                head: volume.head.clone(),
                set: Some(volume.note.set),
                pending: false,
            });
        }
    }

    fn add_pending(&mut self, context: &ImportContext<'_>, checked: &CheckedVolumes) {
        let site = &checked.site;
        self.warnings.extend(site.revoked.iter().map(|(number, refusal)| {
            format!(
                "snapshot {number}, which was pending, is dropped: its signatures do not hold ({refusal}). What newer snapshots need of it stays"
            )
        }));
        // Numbers from before the count began anew mean nothing any more.
        if self.list.iter().any(|candidate| site.starts_over(&candidate.verified)) {
            return;
        }
        for row in site.snapshots.iter().filter(|row| row.state == SnapshotState::Pending) {
            if self.contains(row.number) {
                continue;
            }
            match context.check_stored_head(row.number) {
                Ok((verified, _)) if !site.is_news(&verified) => {}
                Ok((verified, head)) => {
                    let set = row.bundle_set;
                    self.list.push(Candidate { verified, head, set, pending: true });
                }
                Err(e) => self.warnings.push(format!(
                    "the pending snapshot {} is left out, because its stored signatures cannot be read: {}",
                    row.number,
                    chain(&e)
                )),
            }
        }
    }
}
