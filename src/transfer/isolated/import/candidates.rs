//! Which snapshots may be switched to.

use std::cmp::Reverse;

use bundle_format::trust::{Freshness, Head, VerifiedHead};
use bytes::Bytes;
use uuid::Uuid;

use super::{checked::CheckedVolumes, context::ImportContext};
use crate::{
    catalog::SnapshotState,
    transfer::{error::TransferError, volume::read::Volume},
};

type Result<T> = std::result::Result<T, TransferError>;

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
    found.add_volumes(context, checked);
    found.add_pending(context, checked);
    found.list.sort_by_key(|candidate| Reverse(candidate.number()));
    found
}

impl Candidates {
    fn contains(&self, number: u64) -> bool {
        self.list.iter().any(|candidate| candidate.number() == number)
    }

    fn add_volumes(&mut self, context: &ImportContext<'_>, checked: &CheckedVolumes) {
        let newest_roots = checked.volumes.iter().map(|v| v.head.roots()).max_by_key(Vec::len);
        let newest_roots = newest_roots.unwrap_or_default();
        for volume in &checked.volumes {
            let number = volume.verified.index.snapshot;
            if volume.verified.freshness == Freshness::Older
                || !checked.site.is_news(&volume.verified)
                || self.contains(number)
            {
                continue;
            }
            if let Err(e) = check_under_roots(context, volume, &newest_roots) {
                self.warnings.push(format!(
                    "snapshot {number} of {} does not take effect: it does not hold under the newest root on these volumes ({e})",
                    volume.path.display()
                ));
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
                    "the pending snapshot {} is left out, because its stored signatures do not hold: {e}",
                    row.number
                )),
            }
        }
    }
}

/// Checks a head under the newest roots that came with any of the volumes: a key that one volume
/// revokes counts for none of the others.
fn check_under_roots(context: &ImportContext<'_>, volume: &Volume, roots: &[Bytes]) -> Result<()> {
    if volume.head.roots().len() == roots.len() {
        return Ok(());
    }
    let mut head = volume.head.clone();
    for (version, root) in (1_u64..).zip(roots) {
        head.files.insert(format!("metadata/{version}.root.json"), root.clone());
    }
    context.check_head(&head, &volume.path).map(drop)
}
