//! The bytes of a volume: headers, padding, names, checksums.

use tar::{EntryType, Header};

use super::VolumeError;
use crate::digest::Sha256;

/// tar counts in blocks of this many bytes.
pub(super) const BLOCK: u64 = 512;
/// Zero bytes at the end, no more and no less.
pub(super) const TAIL: usize = 1024;
/// The largest member: what an octal size field holds (8 GiB minus 1).
pub(super) const MEMBER_MAX: u64 = 8 * 1024 * 1024 * 1024 - 1;
/// First member of every volume.
pub(super) const NOTE_NAME: &str = "VOLUME.json";
/// Last member of every volume.
pub(super) const SUMS_NAME: &str = "SHA256SUMS";

/// The one header for a member of this name and size.
pub(super) fn header(name: &str, size: u64) -> Result<Header, VolumeError> {
    if size > MEMBER_MAX {
        return Err(VolumeError::Io(std::io::Error::other(format!(
            "{name} has {size} bytes; a member holds at most {MEMBER_MAX}"
        ))));
    }
    let mut header = Header::new_ustar();
    header.set_path(name).map_err(VolumeError::Io)?;
    header.set_mode(0o444);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_entry_type(EntryType::Regular);
    header.set_device_major(0).map_err(VolumeError::Io)?;
    header.set_device_minor(0).map_err(VolumeError::Io)?;
    header.set_cksum();
    Ok(header)
}

/// Zero bytes after a member of this size.
pub(super) fn padding(size: u64) -> usize {
    // Less than a block.
    usize::try_from((BLOCK - size % BLOCK) % BLOCK).unwrap_or_default()
}

/// Bytes that a member takes with its header and padding.
pub(super) fn member_size(size: u64) -> u64 {
    BLOCK.saturating_add(size).saturating_add(padding(size) as u64)
}

/// Digests of the members so far, as `sha256sum -c` reads them.
#[derive(Default)]
pub(super) struct Sums(String);

impl Sums {
    /// Adds a member.
    pub(super) fn push(&mut self, name: &str, digest: Sha256) {
        self.0.push_str(&format!("{digest}  {name}\n"));
    }

    /// The contents of `SHA256SUMS`.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Bytes that one line takes.
    pub(super) fn line_size(name: &str) -> u64 {
        2 * Sha256::LEN as u64 + 2 + name.len() as u64 + 1
    }
}
