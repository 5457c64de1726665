//! What a parity file says of the volumes that it belongs to.
//!
//! Bytes of a parity file: a preamble; one block for each stripe; the same preamble again; its length, as
//! 8 bytes. The preamble: the magic (16 bytes), the length of what follows the digest (8 bytes), the
//! SHA-256 of that, and that: the length of the note (4 bytes), the note as JSON, the digests of all blocks
//! of each volume in order, the digests of this file's own blocks. Numbers are little-endian; the digest
//! of a block is the first 16 bytes of its SHA-256.

use std::io::{Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BLOCK_BYTES, ParityError, blocks_of, check_counts};
use crate::{
    digest::Sha256,
    index::{MAX_SNAPSHOT, is_site},
};

const MAGIC: &[u8; 16] = b"tidegate-parity\n";
const VERSION: u32 = 1;
/// Bytes before the note: magic, length, SHA-256.
const FIXED: usize = 16 + 8 + 32;
/// The largest preamble that is read (endless preamble): blocks of 16 TiB.
const LARGEST: u64 = 1024 * 1024 * 1024;
/// The largest note in it.
const NOTE_BYTES: u64 = 4 * 1024 * 1024;

/// The first 16 bytes of the SHA-256 of a block.
pub type BlockDigest = [u8; 16];

/// Which volumes a parity file belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ParityNote {
    /// 1.
    pub format_version: u32,
    /// The set of the volumes.
    pub set: Uuid,
    /// Their site.
    pub site: String,
    /// Their snapshot.
    pub snapshot: u64,
    /// The volumes, in order.
    pub volumes: Vec<ParityVolume>,
    /// Which parity file this is, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

/// A volume as a parity file describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ParityVolume {
    /// Its file name.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// Of all its bytes.
    pub sha256: Sha256,
}

impl ParityNote {
    /// The note of the first of `of` parity files.
    pub fn new(
        set: Uuid,
        site: String,
        snapshot: u64,
        volumes: Vec<ParityVolume>,
        of: u32,
    ) -> Self {
        Self { format_version: VERSION, set, site, snapshot, volumes, number: 1, of }
    }

    /// Stripes of blocks: as many as the largest volume has blocks.
    pub fn stripes(&self) -> u64 {
        self.volumes.iter().map(|volume| blocks_of(volume.size)).max().unwrap_or_default()
    }

    /// Whether both are of the same volumes.
    pub fn is_beside(&self, other: &Self) -> bool {
        (self.set, self.of, &self.volumes) == (other.set, other.of, &other.volumes)
    }

    fn check(&self) -> Result<(), ParityError> {
        check_counts(self.volumes.len(), usize::try_from(self.of).unwrap_or(usize::MAX))?;
        let plain = |name: &str| {
            let chars = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '\\' | ':');
            (1..=255).contains(&name.len()) && name.chars().all(chars) && !name.starts_with('.')
        };
        let refused = |what: &str| Err(ParityError::refused(what));
        if !(1..=self.of).contains(&self.number) {
            return refused("its number is out of range");
        }
        if !is_site(&self.site) || self.snapshot > MAX_SNAPSHOT {
            return refused("its site or its snapshot cannot be");
        }
        let mut names: Vec<&str> = self.volumes.iter().map(|v| v.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() != self.volumes.len() || !self.volumes.iter().all(|v| plain(&v.name)) {
            return refused("it names a volume twice, or by a name that no file may have");
        }
        Ok(())
    }
}

/// A parity file: its note, the digests, and where its blocks begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParityFile {
    /// Which volumes it belongs to.
    pub note: ParityNote,
    /// The digests of all blocks of each volume.
    pub volume_blocks: Vec<Vec<BlockDigest>>,
    /// The digests of its own blocks.
    pub own_blocks: Vec<BlockDigest>,
}

impl ParityFile {
    /// Reads the preamble at the beginning, or, where that is damaged, at the end.
    ///
    /// # Errors
    /// When neither is whole, or it is no parity file.
    pub fn read(file: &mut (impl Read + Seek)) -> Result<Self, ParityError> {
        let first = Self::read_at(file, SeekFrom::Start(0));
        let Err(ParityError::Refused { .. } | ParityError::Io(_)) = first else { return first };
        let mut length = [0; 8];
        file.seek(SeekFrom::End(-8))?;
        file.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        if !(FIXED as u64..=FIXED as u64 + LARGEST).contains(&length) {
            return first;
        }
        let back =
            i64::try_from(length + 8).map_err(|_| ParityError::refused("it is too large"))?;
        Self::read_at(file, SeekFrom::End(-back)).or(first)
    }

    fn read_at(file: &mut (impl Read + Seek), at: SeekFrom) -> Result<Self, ParityError> {
        let damaged = || {
            ParityError::refused(
                "this is no parity file, or both copies of its description are damaged",
            )
        };
        file.seek(at)?;
        let mut fixed = [0; FIXED];
        file.read_exact(&mut fixed)?;
        let (magic, rest) = fixed.split_at(16);
        let (length, digest) = rest.split_at(8);
        let length = u64::from_le_bytes(<[u8; 8]>::try_from(length).map_err(|_| damaged())?);
        if magic != MAGIC || length > LARGEST {
            return Err(damaged());
        }
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length || Sha256::hash(&bytes).as_bytes() != digest {
            return Err(damaged());
        }
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, ParityError> {
        let refused = |what: &str| ParityError::refused(what);
        let (length, rest) = bytes.split_at_checked(4).ok_or_else(|| refused("it is empty"))?;
        let length = u32::from_le_bytes(<[u8; 4]>::try_from(length).unwrap_or_default());
        let at = usize::try_from(length).unwrap_or(usize::MAX);
        let (note, mut digests) = rest
            .split_at_checked(at)
            .filter(|_| u64::from(length) <= NOTE_BYTES)
            .ok_or_else(|| refused("its description ends in the middle"))?;
        let version: serde_json::Value =
            serde_json::from_slice(note).map_err(|_| refused("its description cannot be read"))?;
        if version.get("format-version").and_then(serde_json::Value::as_u64) != Some(VERSION.into())
        {
            return Err(refused(
                "it has another format version; update Tidegate on this side first",
            ));
        }
        let note: ParityNote =
            serde_json::from_slice(note).map_err(|_| refused("its description cannot be read"))?;
        note.check()?;
        let blocks: u64 =
            note.volumes.iter().map(|v| blocks_of(v.size)).fold(0, u64::saturating_add);
        if blocks.saturating_add(note.stripes()).saturating_mul(16) != digests.len() as u64 {
            return Err(refused("its description does not fit the sizes of the volumes"));
        }
        let mut take = |count: u64| {
            let at = usize::try_from(count.saturating_mul(16)).unwrap_or(usize::MAX);
            let (taken, left) = digests.split_at_checked(at).unwrap_or((&[], &[]));
            digests = left;
            let (digests, _) = taken.as_chunks::<16>();
            digests.to_vec()
        };
        let volume_blocks = note.volumes.iter().map(|v| take(blocks_of(v.size))).collect();
        let own_blocks = take(note.stripes());
        Ok(Self { note, volume_blocks, own_blocks })
    }

    /// The preamble as it stands in the file.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, ParityError> {
        self.note.check()?;
        let note = serde_json::to_vec(&self.note).map_err(std::io::Error::other)?;
        let length = u32::try_from(note.len()).map_err(std::io::Error::other)?;
        let mut described = length.to_le_bytes().to_vec();
        described.extend(&note);
        for digest in self.volume_blocks.iter().flatten().chain(&self.own_blocks) {
            described.extend(digest);
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend((described.len() as u64).to_le_bytes());
        bytes.extend(Sha256::hash(&described).as_bytes());
        bytes.extend(described);
        Ok(bytes)
    }

    /// Where its blocks begin.
    pub(super) fn blocks_at(&self) -> Result<u64, ParityError> {
        Ok(self.to_bytes()?.len() as u64)
    }
}

/// Bytes of each parity file beside volumes of these sizes; names have at most `name` characters.
pub fn parity_size(sizes: &[u64], name: usize) -> u64 {
    let blocks: u64 = sizes.iter().map(|size| blocks_of(*size)).fold(0, u64::saturating_add);
    let stripes = sizes.iter().map(|size| blocks_of(*size)).max().unwrap_or_default();
    // A volume in the note: its name, and at most 160 bytes more.
    let note = 600 + sizes.len() as u64 * (name as u64 + 160);
    let preamble = FIXED as u64 + 4 + note + 16 * blocks.saturating_add(stripes);
    stripes.saturating_mul(BLOCK_BYTES as u64).saturating_add(2 * preamble + 8)
}

/// The digest of a block.
pub(super) fn digest_of(block: &[u8]) -> BlockDigest {
    let mut digest = [0; 16];
    digest.iter_mut().zip(Sha256::hash(block).as_bytes()).for_each(|(to, from)| *to = *from);
    digest
}
