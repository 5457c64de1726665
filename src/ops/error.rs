//! What may go wrong with an operation, sorted by whom it concerns.

use std::io;

#[cfg(feature = "probe")]
use crate::agent::ProbeError;
#[cfg(feature = "upstream")]
use crate::upstream::{DownloadError, ReplicaError, SourceError, SyncError};
use crate::{
    approval::ApprovalError,
    catalog::CatalogError,
    content::ContentError,
    data_dir::DataDirError,
    fleet::FleetError,
    journal::JournalError,
    publish::PublishError,
    server::ServerError,
    transfer::{Blame, TransferError},
};

/// Who can do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// Who asked for the operation: the request contradicts itself or the configuration.
    Caller,
    /// Who made or carried the bundle, the receipt or the journal: it must not be trusted, and nothing
    /// was changed.
    Bundle,
    /// Who runs this machine and the servers that it talks to.
    Machine,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpsError {
    /// The request contradicts itself.
    #[error("{what}")]
    Usage {
        /// What is wrong with it and what to do.
        what: String,
    },
    /// The request does not fit what is here.
    #[error("{what}")]
    Unfit {
        /// What does not fit and what to do.
        what: String,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The store of payloads failed.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The fleet database failed, or does not have what is named.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Updates or rules cannot be decided on so.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// An installer could not be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Something did not cross between bundle and stores.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The journal cannot be read, or must not be trusted.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The server does not start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The asynchronous machinery could not be started.
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    /// The source of updates cannot be used.
    #[cfg(feature = "upstream")]
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A synchronization failed.
    #[cfg(feature = "upstream")]
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The decisions of the upstream server are missing.
    #[cfg(feature = "upstream")]
    #[error("the updates are here, but not what the upstream server decided")]
    Replica(#[source] ReplicaError),
    /// A download failed as a whole.
    #[cfg(feature = "upstream")]
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// A probe cannot begin.
    #[cfg(feature = "probe")]
    #[error(transparent)]
    Probe(#[from] ProbeError),
}

impl OpsError {
    /// A request that contradicts itself.
    pub(super) fn usage(what: impl Into<String>) -> Self {
        Self::Usage { what: what.into() }
    }

    /// A request that does not fit what is here.
    pub(super) fn unfit(what: impl Into<String>) -> Self {
        Self::Unfit { what: what.into() }
    }

    /// Who can do something about it. Exhaustive, so that a new error forces the decision.
    pub fn concern(&self) -> Concern {
        match self {
            Self::Usage { .. } => Concern::Caller,
            Self::Transfer(error) => match error.blame() {
                Blame::Refused => Concern::Bundle,
                Blame::Machine => Concern::Machine,
            },
            Self::Journal(error) if error.is_broken() => Concern::Bundle,
            Self::Unfit { .. }
            | Self::Journal(_)
            | Self::DataDir(_)
            | Self::Catalog(_)
            | Self::Content(_)
            | Self::Fleet(_)
            | Self::Approval(_)
            | Self::Publish(_)
            | Self::Server(_)
            | Self::Runtime(_) => Concern::Machine,
            #[cfg(feature = "upstream")]
            Self::Source(_) | Self::Sync(_) | Self::Replica(_) | Self::Download(_) => {
                Concern::Machine
            }
            #[cfg(feature = "probe")]
            Self::Probe(_) => Concern::Machine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error_chain, file_error::FileError};

    #[test]
    fn errors_keep_their_concern_and_their_causes() {
        let error = OpsError::from(TransferError::NothingTrusted);
        assert_eq!(error.concern(), Concern::Bundle);
        assert_eq!(OpsError::usage("x").concern(), Concern::Caller);
        let disk = io::Error::other("on fire");
        let disk = FileError { doing: "read", path: "/x".into(), source: disk };
        let error = OpsError::from(TransferError::File(disk));
        assert_eq!(error.concern(), Concern::Machine);
        assert_eq!(error_chain::chain(&error), "cannot read /x: on fire");
    }
}
