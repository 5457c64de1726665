//! What belongs to the answers to downstream servers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::newer_protocols::NewerProtocols;

/// What requests of downstream servers share.
#[derive(Default)]
pub(crate) struct DownstreamState {
    replicated: Mutex<Option<(u64, u64)>>,
    newer_protocols: NewerProtocols,
    large_document: Mutex<()>,
}

impl DownstreamState {
    /// The changes of catalogue and fleet up to which the deployments for replicas are recorded;
    /// `None` before the first time.
    pub(crate) fn replicated(&self) -> MutexGuard<'_, Option<(u64, u64)>> {
        self.replicated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which updates need a newer protocol.
    pub(crate) fn newer_protocols(&self) -> &NewerProtocols {
        &self.newer_protocols
    }

    /// Held while a large document is put into the form in which servers send it, so that only one
    /// at a time is in memory in all its forms.
    pub(crate) fn large_document(&self) -> MutexGuard<'_, ()> {
        self.large_document.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
