//! Why a cabinet is refused.

use std::io;

/// Why a cabinet is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CabinetError {
    /// It could not be read.
    #[error("reading the cabinet failed")]
    Io(#[source] io::Error),
    /// It contradicts itself, was cut short or changed.
    #[error("{0}")]
    Damaged(String),
    /// It has no such member.
    #[error("the cabinet has no member {0:?}")]
    NoMember(String),
}

impl CabinetError {
    /// Sorts an error of a member's reader: the disk's own errors stay, all others say that the
    /// cabinet is damaged.
    pub fn from_read(error: io::Error) -> Self {
        if error.raw_os_error().is_some() {
            Self::Io(error)
        } else {
            Self::Damaged(format!("it cannot be unpacked: {error}"))
        }
    }
}
