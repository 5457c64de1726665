//! Volumes: strict ustar, written and read member by member.
//!
//! The reader compares each 512-byte header with the one that it would have written for the same
//! name and size, and checks padding and tail; everything that it did not write itself is refused.
//! So there is one way to read a volume, and GNU tar, bsdtar and Python list exactly what we read.
//!
//! Known attacks on archives, and what stops them here: links, devices, directories, `..`, absolute
//! and long names, PAX and GNU extensions, sparse files (one header form, one name grammar); the
//! same name twice, members left out, added or moved (the note lists them, and it is compared one
//! by one); a size that lies (it moves every later header); bytes in the padding or behind the end
//! (zero, and the end is the end); a volume cut off anywhere (the tail is asked for).

mod layout;
mod note;
mod read;
mod slot;
#[cfg(test)]
mod tests;
mod write;

use std::io;

pub use note::{ObjectEntry, PART_MAX, VolumeNote};
pub use read::VolumeReader;
pub use slot::{CountersignError, countersign_volume};
pub use write::{VolumeWriter, volume_size};

/// What is wrong with a volume.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// The medium or the disk failed.
    #[error("cannot read or write the volume")]
    Io(#[source] io::Error),
    /// The volume is refused.
    #[error("refused at byte {at}: {what}")]
    Refused {
        /// Where in the volume.
        at: u64,
        /// What is wrong and what to do about it.
        what: String,
    },
}

impl From<io::Error> for VolumeError {
    /// A refusal that travelled through [`io::Read`] is a refusal again.
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(refusal) => refusal,
            Err(error) => Self::Io(error),
        }
    }
}

impl From<VolumeError> for io::Error {
    /// For [`io::Read`].
    fn from(error: VolumeError) -> Self {
        match error {
            VolumeError::Io(error) => error,
            refusal @ VolumeError::Refused { .. } => Self::new(io::ErrorKind::InvalidData, refusal),
        }
    }
}
