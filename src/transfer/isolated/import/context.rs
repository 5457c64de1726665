//! What every phase of an import needs: the data folder, the options, what is trusted.

use std::path::Path;

use bundle_format::trust::{Expectation, Head, TrustState, VerifiedHead, check_head};

use super::options::ImportOptions;
use crate::{
    data_dir::DataDir,
    transfer::{error::TransferError, progress::Progress, store::heads},
};

/// One import, for all of its phases.
pub(super) struct ImportContext<'a> {
    pub(super) data: &'a DataDir,
    /// The id of this site.
    pub(super) site: &'a str,
    pub(super) options: &'a ImportOptions,
    /// What was trusted before this import.
    pub(super) trust: &'a TrustState,
    pub(super) progress: &'a dyn Progress,
}

impl ImportContext<'_> {
    /// Checks a head against what is trusted. Expired signatures are only a warning here: whether
    /// they are refused was decided when the volume was opened.
    pub(super) fn check_head(
        &self,
        head: &Head,
        path: &Path,
    ) -> Result<VerifiedHead, TransferError> {
        let expect =
            Expectation { site: Some(self.site), now: self.options.now, refuse_expired: false };
        check_head(self.trust, head, &expect, &self.options.limits)
            .map_err(|source| TransferError::Trust { path: path.to_owned(), source })
    }

    /// Reads the stored head of a snapshot and checks it like one that comes from outside.
    pub(super) fn check_stored_head(
        &self,
        number: u64,
    ) -> Result<(VerifiedHead, Head), TransferError> {
        let head = heads::load(self.data, number)?;
        let verified = self.check_head(&head, &self.data.snapshot(number))?;
        Ok((verified, head))
    }

    /// The same for the snapshot that is served. A newer root may have been seen since it took
    /// effect; then it is checked under the one before, and the newer root stays trusted.
    pub(super) fn check_served_head(&self, number: u64) -> Result<VerifiedHead, TransferError> {
        let refusal = match self.check_stored_head(number) {
            Ok((verified, _)) => return Ok(verified),
            Err(refusal) => refusal,
        };
        let Some(before) = self.trust.before_newest_root() else { return Err(refusal) };
        let earlier = ImportContext { trust: &before, ..*self };
        let (mut verified, _) = earlier.check_stored_head(number)?;
        verified.next_state = verified.next_state.under_root_of(self.trust);
        Ok(verified)
    }
}
