//! Files of the story: an installer to publish, a damaged copy of a volume.

use std::{
    fs::File,
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

/// Makes a file that begins as a Windows program does and goes on with bytes that do not compress.
pub(super) fn make_installer(path: &Path, size: u64) -> anyhow::Result<()> {
    let mut file = BufWriter::with_capacity(1024 * 1024, File::create(path)?);
    file.write_all(b"MZ")?;
    let mut left = size.saturating_sub(2);
    // xorshift64: any bytes do, as long as they are the same on each run.
    let mut state = 0x7469_6465_6761_7465_u64;
    while left > 0 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let bytes = state.to_le_bytes();
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        file.write_all(bytes.get(..take).unwrap_or_default())?;
        left -= take as u64;
    }
    file.flush()?;
    Ok(())
}

/// Copies a file and changes one byte in the middle of the copy.
pub(super) fn flip_one_byte(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut file = File::options().read(true).write(true).create_new(true).open(to)?;
    // `fs::copy` would copy the permissions too, which not every file system has.
    let size = io::copy(&mut File::options().read(true).open(from)?, &mut file)?;
    let mut byte = [0];
    file.seek(SeekFrom::Start(size / 2))?;
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(size / 2))?;
    file.write_all(&[byte[0] ^ 1])?;
    Ok(())
}
