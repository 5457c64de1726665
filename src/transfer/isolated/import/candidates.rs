//! Which snapshots may be switched to.

use std::path::Path;

use bundle_format::trust::{Expectation, Freshness, Head, VerifiedHead, check_head};
use bytes::Bytes;
use uuid::Uuid;

use super::{Result, Run, report::ImportReport};
use crate::{
    catalog::SnapshotState,
    transfer::{
        error::TransferError,
        store::{heads, side},
        volume::read::Volume,
    },
};

/// A snapshot that may be switched to.
pub(super) struct Candidate {
    pub(super) verified: VerifiedHead,
    pub(super) head: Head,
    pub(super) set: Option<Uuid>,
    /// Not of these volumes, but taken in before.
    pub(super) pending: bool,
}

impl Run<'_> {
    /// Snapshots newer than what is served, newest first: of these volumes, and pending ones, whose
    /// stored heads are checked again.
    pub(super) fn candidates(&self, report: &mut ImportReport) -> Result<Vec<Candidate>> {
        let mut found: Vec<Candidate> = Vec::new();
        let has = |found: &[Candidate], n| found.iter().any(|c| c.verified.index.snapshot == n);
        let roots = self.volumes.iter().map(|v| v.head.roots()).max_by_key(Vec::len);
        let roots = roots.unwrap_or_default();
        for volume in self.volumes {
            let number = volume.verified.index.snapshot;
            if volume.verified.freshness == Freshness::Older
                || !self.known.is_news(&volume.verified)
                || has(&found, number)
            {
                continue;
            }
            if let Err(e) = self.holds_under(volume, &roots) {
                report.warnings.push(format!(
                    "snapshot {number} of {} does not take effect: it does not hold under the newest root on these volumes ({e})",
                    volume.path.display()
                ));
                continue;
            }
            found.push(Candidate {
                verified: volume.verified.clone(),
                head: volume.head.clone(),
                set: Some(volume.note.set),
                pending: false,
            });
        }
        let anew = found.iter().any(|candidate| self.known.starts_over(&candidate.verified));
        for row in self.known.snapshots.iter().filter(|row| row.state == SnapshotState::Pending) {
            if anew || has(&found, row.number) {
                continue;
            }
            match self.recheck(row.number) {
                Ok((verified, _)) if !self.known.is_news(&verified) => {}
                Ok((verified, head)) => {
                    found.push(Candidate { verified, head, set: row.bundle_set, pending: true });
                }
                Err(e) => report.warnings.push(format!(
                    "the pending snapshot {} is left out, because its stored signatures do not hold: {e}",
                    row.number
                )),
            }
        }
        found.sort_by_key(|c| std::cmp::Reverse(c.verified.index.snapshot));
        Ok(found)
    }

    /// Whether a head holds under the newest root that came with it, too: a revocation on the same
    /// stick counts at once.
    fn holds_under(&self, volume: &Volume, roots: &[Bytes]) -> Result<()> {
        if volume.head.roots().len() == roots.len() {
            return Ok(());
        }
        let mut head = volume.head.clone();
        for (version, root) in (1_u64..).zip(roots) {
            head.files.insert(format!("metadata/{version}.root.json"), root.clone());
        }
        self.check(&head, &volume.path).map(drop)
    }

    pub(super) fn check(&self, head: &Head, path: &Path) -> Result<VerifiedHead> {
        let site = side::isolated(self.data)?;
        let expect = Expectation { site: Some(site), now: self.options.now, refuse_expired: false };
        check_head(self.state, head, &expect, &self.options.limits)
            .map_err(|source| TransferError::Trust { path: path.to_owned(), source })
    }

    /// Checks a stored head like one that comes from outside. That it may have expired since was
    /// decided when it came.
    pub(super) fn recheck(&self, number: u64) -> Result<(VerifiedHead, Head)> {
        let head = heads::load(self.data, number)?;
        let verified = self.check(&head, &self.data.snapshot(number))?;
        Ok((verified, head))
    }
}
