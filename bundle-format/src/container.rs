//! Volumes: strict ustar, written and read member by member.
//!
//! The reader compares each 512-byte header with the one that it would have written for the same
//! name and size, and checks padding and tail; everything that it did not write itself is refused.

use std::io::{Read, Write};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{digest::Sha256, limits::Limits, trust::Head};

/// `VOLUME.json`: a help for people, unsigned, never trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VolumeNote {
    /// See [`crate::index::FORMAT_VERSION`].
    pub format_version: u32,
    /// Same for all volumes of one export. Derived from what the volumes hold, so that the same
    /// snapshot and options give the same volumes.
    pub set: Uuid,
    /// This volume's number, from 1.
    pub volume: u32,
    /// How many there are.
    pub of: u32,
    /// The site that this export was made for.
    pub site: String,
    /// The snapshot's number.
    pub snapshot: u64,
    /// The objects on this volume, in order.
    pub objects: Vec<ObjectEntry>,
}

/// An object, or a part of one, as a member of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectEntry {
    /// The object's name.
    pub sha256: Sha256,
    /// Where in the object this part begins; `None` for a whole object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Bytes in this member.
    pub size: u64,
}

/// What is wrong with a volume.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VolumeError {
    /// The medium or the disk failed.
    #[error("cannot read or write the volume")]
    Io(#[from] std::io::Error),
    /// The volume is refused.
    #[error("refused at byte {at}: {what}")]
    Refused {
        /// Where in the volume.
        at: u64,
        /// What is wrong and what to do about it.
        what: String,
    },
}

/// Bytes that a volume with these members takes on the medium, to the byte.
pub fn volume_size(note: &VolumeNote, head: &Head) -> u64 {
    let _ = (note, head);
    unimplemented!()
}

/// Writes one volume.
pub struct VolumeWriter<W: Write> {
    _inner: W,
}

impl<W: Write> VolumeWriter<W> {
    /// Writes the head. Then come the objects of `note`, in its order.
    ///
    /// # Errors
    /// When writing fails, or the head holds names that a volume may not hold.
    pub fn new(inner: W, note: &VolumeNote, head: &Head) -> Result<Self, VolumeError> {
        let _ = (inner, note, head);
        unimplemented!()
    }

    /// Writes the next object from `source`, which must yield its bytes exactly. Hashes on the way;
    /// whole objects must match their name.
    ///
    /// # Errors
    /// When reading or writing fails or the bytes are not the object's.
    pub fn object(&mut self, source: &mut dyn Read) -> Result<(), VolumeError> {
        let _ = source;
        unimplemented!()
    }

    /// Writes `SHA256SUMS` and the end. All objects of the note must have been written.
    ///
    /// # Errors
    /// When an object is missing or writing fails.
    pub fn finish(self) -> Result<W, VolumeError> {
        unimplemented!()
    }
}

/// Reads one volume, once, from front to end.
pub struct VolumeReader<R: Read> {
    _inner: R,
}

impl<R: Read> VolumeReader<R> {
    /// Reads the bounded head: nothing but tar headers and raw bytes is interpreted.
    ///
    /// # Errors
    /// When it is no volume, or over a limit.
    pub fn open(inner: R, limits: &Limits) -> Result<(Self, VolumeNote, Head), VolumeError> {
        let _ = (inner, limits);
        unimplemented!()
    }

    /// The next object's entry, or `None` when `SHA256SUMS` has been reached, checked against what
    /// was read, and the tail is in order. The body of the one before must have been read whole.
    ///
    /// # Errors
    /// When the member is not the note's next one or breaks the subset.
    pub fn next_object(&mut self) -> Result<Option<ObjectEntry>, VolumeError> {
        unimplemented!()
    }

    /// Bytes of the volume read so far, for progress.
    pub fn position(&self) -> u64 {
        unimplemented!()
    }
}

impl<R: Read> Read for VolumeReader<R> {
    /// Reads the body of the current object; 0 at its end. A volume that is cut off is an error
    /// (`UnexpectedEof`), never a short body.
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let _ = buf;
        unimplemented!()
    }
}
