//! What may go wrong between bundle and stores, sorted by whose fault it is.

use std::{io, path::PathBuf};

use bundle_format::{
    container::VolumeError, keys::KeyError, parity::ParityError, segment::SegmentError,
    trust::TrustError,
};

use crate::{
    catalog::CatalogError, content::ContentError, file_error::FileError, fleet::FleetError,
};

/// Whose fault an error is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The bundle (or the trust state) must not be trusted: exit code 3. Nothing was changed.
    Refused,
    /// This machine or this call failed: exit code 1.
    Machine,
}

/// Why a transfer between bundle and stores failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// A volume breaks the format or is damaged.
    #[error("the volume {path}")]
    Volume {
        /// The volume.
        path: PathBuf,
        /// Why.
        #[source]
        source: VolumeError,
    },
    /// The signatures, the site, the mirror or the order of a bundle are wrong; or the trust state.
    #[error("the bundle {path}")]
    Trust {
        /// The volume.
        path: PathBuf,
        /// Why.
        #[source]
        source: TrustError,
    },
    /// What a validly signed bundle holds contradicts itself or what is here.
    #[error("refused: {what}")]
    Refused {
        /// What is wrong, and what to do about it.
        what: String,
        /// Why, if something else found it.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The record of what is trusted is damaged.
    #[error("the trust state {path} cannot be used")]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: TrustError,
    },
    /// Nothing is trusted yet.
    #[error(
        "no root is trusted yet: carry the root file that `tidegate keys init` made to this side and run `tidegate trust add FILE`"
    )]
    NothingTrusted,
    /// Another root is trusted already.
    #[error("{what}")]
    OtherRoot {
        /// Which, and what to do.
        what: String,
    },
    /// The fingerprint that was given is not the root's.
    #[error(
        "the fingerprint does not match: the file's is {found}. Ask the connected side again, over another way than the file came"
    )]
    Fingerprint {
        /// The root's own fingerprint.
        found: String,
    },
    /// The disk has no room.
    #[error("{path} has {free} bytes free, but {needed} are needed for {what}: free {} more", .needed.saturating_sub(*.free))]
    NoSpace {
        /// Where.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
        /// For what.
        what: &'static str,
    },
    /// Parity files cannot be made, or do not help.
    #[error("cannot {doing} {path}")]
    Parity {
        /// What was attempted.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: ParityError,
    },
    /// The disk failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The catalogue has switched, but what follows it has failed.
    #[error(
        "snapshot {snapshot} is here, but its approvals and declines have not taken effect yet, and it is not served before they have; run `tidegate import` again, or start `tidegate serve` again, to finish it"
    )]
    Unfinished {
        /// The snapshot.
        snapshot: u64,
        /// What failed.
        #[source]
        source: Box<TransferError>,
    },
    /// Another run is at work.
    #[error(
        "another import, seal or export is at work on this data folder ({path} is locked): wait for it to end"
    )]
    Busy {
        /// The lock.
        path: PathBuf,
    },
    /// A note of an earlier run is damaged.
    #[error(
        "the catalogue's note of {what} cannot be read: bring the catalogue back from a backup"
    )]
    Note {
        /// Of what.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A call that does not fit this data folder.
    #[error("{what}")]
    Unfit {
        /// What does not fit, and what to do.
        what: String,
    },
    /// Signing or reading keys failed on this side.
    #[error("cannot {doing}")]
    Sign {
        /// What was attempted.
        doing: &'static str,
        /// Why.
        #[source]
        source: TrustError,
    },
    /// Reading or writing a segment failed on this side.
    #[error("cannot {doing}")]
    Segment {
        /// What was attempted.
        doing: &'static str,
        /// Why.
        #[source]
        source: SegmentError,
    },
    /// The file system of the medium has a limit for files.
    #[error(
        "cannot write the volumes in {out}: the file system there takes no file of {size} bytes; export again with {give}"
    )]
    VolumeTooLarge {
        /// The folder.
        out: PathBuf,
        /// Bytes of the volume.
        size: u64,
        /// Which size to give, for people.
        give: String,
    },
    /// Writing a volume failed.
    #[error("cannot write the volume {path}")]
    Export {
        /// The volume.
        path: PathBuf,
        /// Why.
        #[source]
        source: VolumeError,
    },
    /// A key file failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The payload store failed.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The fleet database failed.
    #[error(transparent)]
    Fleet(#[from] FleetError),
}

impl TransferError {
    /// Whose fault it is. No wildcard: a new error must be sorted here.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Volume { source, .. } => match source {
                VolumeError::Refused { .. } => Blame::Refused,
                VolumeError::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => Blame::Refused,
                _ => Blame::Machine,
            },
            Self::Trust { source, .. } | Self::State { source, .. } => match source {
                TrustError::Refused { .. } | TrustError::State { .. } => Blame::Refused,
                _ => Blame::Machine,
            },
            Self::Unfinished { source, .. } => source.blame(),
            Self::Refused { .. } | Self::NothingTrusted | Self::Fingerprint { .. } => {
                Blame::Refused
            }
            Self::OtherRoot { .. } => Blame::Refused,
            Self::NoSpace { .. }
            | Self::Parity { .. }
            | Self::File(_)
            | Self::Busy { .. }
            | Self::Unfit { .. }
            | Self::Note { .. }
            | Self::Sign { .. }
            | Self::Segment { .. }
            | Self::Export { .. }
            | Self::VolumeTooLarge { .. }
            | Self::Key(_)
            | Self::Catalog(_)
            | Self::Content(_)
            | Self::Fleet(_) => Blame::Machine,
        }
    }

    /// A refusal that this layer found itself.
    pub(super) fn refused(what: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), source: None }
    }

    /// A refusal with its cause.
    pub(super) fn refused_by(
        what: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Refused { what: what.into(), source: Some(Box::new(source)) }
    }
}
