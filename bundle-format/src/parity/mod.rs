//! Parity: files beside the volumes of a bundle, of which each makes good one volume that is lost, or the
//! bad sectors of several (SPEC.md 15). Nobody signs them: what they restore is a volume, which is checked
//! like every other.
//!
//! | file | what it owns |
//! |---|---|
//! | `preamble` | what a parity file says of the volumes: written twice, at its beginning and its end |
//! | `encode` | parity files are made of volumes |
//! | `restore` | volumes are made of volumes and parity files |

mod encode;
mod preamble;
mod restore;

use std::io;

pub use encode::make_parity;
pub use preamble::{BlockDigest, ParityFile, ParityNote, ParityVolume, parity_size};
pub use restore::{Damage, Outputs, RepairOutputs, restore_volumes};

/// Volumes are divided into blocks of so many bytes; the last one is filled with zeros. A block is what is
/// found damaged, and restored.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// More volumes cannot have parity: a block of each is in memory at one time.
pub const MOST_VOLUMES: usize = 512;

/// More parity files than this are no help.
pub const MOST_PARITY: usize = 64;

/// Why there is no parity, or nothing is restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParityError {
    /// The medium or the disk failed.
    #[error("cannot read or write")]
    Io(#[from] io::Error),
    /// It is no parity file, or a damaged one.
    #[error("{what}")]
    Refused {
        /// What is wrong.
        what: String,
    },
    /// Too many volumes, or too many parity files.
    #[error(
        "{volumes} volumes with {parity} parity files cannot be: at most {MOST_VOLUMES} and {MOST_PARITY}, and at least one of each"
    )]
    Count {
        /// Volumes.
        volumes: usize,
        /// Parity files.
        parity: usize,
    },
    /// Too much is damaged.
    #[error(
        "too much is lost: at {places} places {missing} of {volumes} volumes are damaged or missing, and only {parity} parity files are good there"
    )]
    TooDamaged {
        /// How many stripes of blocks cannot be restored.
        places: u64,
        /// Volumes without a good block in the worst of them.
        missing: usize,
        /// Volumes of the bundle.
        volumes: usize,
        /// Parity files with a good block there.
        parity: usize,
    },
}

impl ParityError {
    fn refused(what: impl Into<String>) -> Self {
        Self::Refused { what: what.into() }
    }

    /// The library's own errors cannot come: counts and sizes are checked before.
    fn coding(error: reed_solomon_simd::Error) -> Self {
        Self::Io(io::Error::other(error))
    }
}

/// Refuses counts that the code cannot have.
fn check_counts(volumes: usize, parity: usize) -> Result<(), ParityError> {
    if (1..=MOST_VOLUMES).contains(&volumes) && (1..=MOST_PARITY).contains(&parity) {
        return Ok(());
    }
    Err(ParityError::Count { volumes, parity })
}

/// Blocks of a file of so many bytes.
fn blocks_of(size: u64) -> u64 {
    size.div_ceil(BLOCK_BYTES as u64)
}

#[cfg(test)]
mod tests;
