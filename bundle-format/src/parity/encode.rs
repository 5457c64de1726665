//! Parity files are made of volumes, one stripe of blocks after the other.

use std::io::{self, Read, Seek, SeekFrom, Write};

use reed_solomon_simd::ReedSolomonEncoder;
use sha2::Digest as _;

use super::{
    BLOCK_BYTES, ParityError, blocks_of, check_counts,
    preamble::{BlockDigest, ParityFile, ParityNote, digest_of},
};
use crate::digest::Sha256;

/// Reads the volumes once, in step, and writes the parity files. The note names the volumes with their
/// sizes, and how many parity files there are; digests are filled in. `each` is told how many bytes were
/// read.
///
/// # Errors
/// When counts are out of range, a volume does not have its size, or the disk fails.
pub fn make_parity<R: Read, W: Write + Seek>(
    note: &ParityNote,
    volumes: &mut [R],
    outs: &mut [W],
    each: &mut dyn FnMut(u64),
) -> Result<(), ParityError> {
    check_counts(volumes.len(), outs.len())?;
    let mut files = empty_files(note, volumes.len(), outs.len())?;
    for (file, out) in files.iter().zip(outs.iter_mut()) {
        // Its place; the digests in it are known at the end.
        out.write_all(&file.to_bytes()?)?;
    }
    let mut hashers = vec![sha2::Sha256::new(); volumes.len()];
    let mut encoder = ReedSolomonEncoder::new(volumes.len(), outs.len(), BLOCK_BYTES)
        .map_err(ParityError::coding)?;
    let mut block = vec![0; BLOCK_BYTES];
    for stripe in 0..note.stripes() {
        for (at, volume) in volumes.iter_mut().enumerate() {
            let size = note.volumes.get(at).map_or(0, |volume| volume.size);
            let read = read_block(volume, size, stripe, &mut block)?;
            if stripe < blocks_of(size) {
                if let (Some(hasher), Some(bytes)) = (hashers.get_mut(at), block.get(..read)) {
                    hasher.update(bytes);
                }
                let digest = digest_of(&block);
                for file in &mut files {
                    put(file.volume_blocks.get_mut(at), stripe, digest);
                }
            }
            each(read as u64);
            encoder.add_original_shard(&block).map_err(ParityError::coding)?;
        }
        let encoded = encoder.encode().map_err(ParityError::coding)?;
        for ((file, out), recovery) in
            files.iter_mut().zip(outs.iter_mut()).zip(encoded.recovery_iter())
        {
            put(Some(&mut file.own_blocks), stripe, digest_of(recovery));
            out.write_all(recovery)?;
        }
    }
    let sums = hashers.into_iter().map(|hasher| Sha256::from_bytes(hasher.finalize().into()));
    let sums: Vec<Sha256> = sums.collect();
    for (file, out) in files.iter_mut().zip(outs.iter_mut()) {
        for (volume, sum) in file.note.volumes.iter_mut().zip(&sums) {
            volume.sha256 = *sum;
        }
        let preamble = file.to_bytes()?;
        out.write_all(&preamble)?;
        out.write_all(&(preamble.len() as u64).to_le_bytes())?;
        out.seek(SeekFrom::Start(0))?;
        out.write_all(&preamble)?;
        out.flush()?;
    }
    Ok(())
}

/// Files with as many digests as they will have, so that the preamble has its length.
fn empty_files(
    note: &ParityNote,
    volumes: usize,
    parity: usize,
) -> Result<Vec<ParityFile>, ParityError> {
    let of = u32::try_from(parity).unwrap_or(u32::MAX);
    if note.volumes.len() != volumes || note.of != of {
        return Err(ParityError::refused("the description names other volumes or parity files"));
    }
    let file = |number| ParityFile {
        note: ParityNote { number, ..note.clone() },
        volume_blocks: note.volumes.iter().map(|volume| zeros(blocks_of(volume.size))).collect(),
        own_blocks: zeros(note.stripes()),
    };
    Ok((1..=of).map(file).collect())
}

fn zeros(blocks: u64) -> Vec<BlockDigest> {
    vec![[0; 16]; usize::try_from(blocks).unwrap_or_default()]
}

fn put(digests: Option<&mut Vec<BlockDigest>>, block: u64, digest: BlockDigest) {
    let place = digests.and_then(|digests| digests.get_mut(usize::try_from(block).ok()?));
    if let Some(place) = place {
        *place = digest;
    }
}

/// The next block of a volume, filled with zeros. Gives how many bytes are the volume's.
fn read_block(
    volume: &mut impl Read,
    size: u64,
    stripe: u64,
    block: &mut [u8],
) -> Result<usize, ParityError> {
    let left = size.saturating_sub(stripe * BLOCK_BYTES as u64).min(BLOCK_BYTES as u64);
    let length = usize::try_from(left).unwrap_or_default();
    let (bytes, rest) = block.split_at_mut(length);
    rest.fill(0);
    match volume.read_exact(bytes) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            Err(ParityError::refused("a volume has become shorter"))
        }
        done => Ok(done.map(|()| length)?),
    }
}
