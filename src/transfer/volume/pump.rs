//! One pass over an object's bytes: they are read once, and hashed and written on several cores. The
//! reader of the volume makes the SHA-256 of the whole; SHA-1 and the chunk digests are made here.

use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use bundle_format::digest::{CHUNK_SIZE, Sha1, Sha256};
use sha2::Digest as _;

use crate::transfer::progress::Progress;

/// Bytes read at a time.
const BLOCK: usize = 1 << 20;
/// Blocks that may wait for each thread: what bounds the memory.
const WAITING: usize = 8;

/// Which end failed.
#[derive(Debug)]
pub(crate) enum PumpError {
    /// The source.
    Read(io::Error),
    /// The destination.
    Write(io::Error),
}

/// What a pass yields beside the SHA-256 of the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PumpResult {
    pub(crate) sha1: Sha1,
    pub(crate) size: u64,
    pub(crate) chunks: Vec<Sha256>,
}

type Block = Arc<Vec<u8>>;
type Writer = Box<dyn Write + Send>;

/// Reads exactly `size` bytes, writes them if there is somewhere to, and hashes them.
pub(crate) fn pump(
    source: &mut dyn Read,
    size: u64,
    writer: Option<Writer>,
    progress: &dyn Progress,
) -> Result<PumpResult, PumpError> {
    if size > BLOCK as u64 {
        return pump_large(source, size, writer, progress);
    }
    let read = pump_small(source, size, writer)?;
    progress.advance(size);
    Ok(read)
}

fn pump_small(
    source: &mut dyn Read,
    size: u64,
    writer: Option<Writer>,
) -> Result<PumpResult, PumpError> {
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(BLOCK)];
    source.read_exact(&mut bytes).map_err(PumpError::Read)?;
    if let Some(mut writer) = writer {
        writer.write_all(&bytes).and_then(|()| writer.flush()).map_err(PumpError::Write)?;
    }
    let chunks = if bytes.is_empty() { Vec::new() } else { vec![Sha256::hash(&bytes)] };
    Ok(PumpResult { sha1: Sha1::hash(&bytes), size, chunks })
}

fn pump_large(
    source: &mut dyn Read,
    size: u64,
    writer: Option<Writer>,
    progress: &dyn Progress,
) -> Result<PumpResult, PumpError> {
    thread::scope(|scope| {
        let (to_sha1, sha1) = sync_channel(WAITING);
        let (to_chunks, chunks) = sync_channel(WAITING);
        let mut to = vec![to_sha1, to_chunks];
        let sha1 = scope.spawn(|| sha1_of(sha1));
        let chunks = scope.spawn(|| chunks_of(chunks));
        let writing = writer.map(|writer| {
            let (to_disk, blocks) = sync_channel(WAITING);
            to.push(to_disk);
            scope.spawn(|| write_blocks(writer, blocks))
        });
        let read = fan_out(source, size, &to, progress);
        drop(to);
        let lost = |_| PumpError::Write(io::Error::other("a thread of this program stopped"));
        let pumped = PumpResult {
            sha1: sha1.join().map_err(lost)?,
            size,
            chunks: chunks.join().map_err(lost)?,
        };
        // A full disk stops the reading; its error is the cause, not the reader's.
        if let Some(writing) = writing {
            writing.join().map_err(lost)?.map_err(PumpError::Write)?;
        }
        read.map_err(PumpError::Read)?;
        Ok(pumped)
    })
}

/// Reads block by block and hands each to every thread; stops when one of them has stopped.
fn fan_out(
    source: &mut dyn Read,
    size: u64,
    to: &[SyncSender<Block>],
    progress: &dyn Progress,
) -> io::Result<()> {
    let mut left = size;
    while left > 0 {
        let take = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        let mut bytes = vec![0; take];
        source.read_exact(&mut bytes)?;
        let block = Arc::new(bytes);
        for thread in to {
            if thread.send(Arc::clone(&block)).is_err() {
                return Err(io::Error::other("the disk took no more"));
            }
        }
        left -= take as u64;
        progress.advance(take as u64);
    }
    Ok(())
}

fn sha1_of(blocks: Receiver<Block>) -> Sha1 {
    let mut hasher = sha1::Sha1::new();
    blocks.into_iter().for_each(|block| hasher.update(block.as_slice()));
    Sha1::from_bytes(hasher.finalize().into())
}

/// Blocks divide chunks evenly, so that a chunk always ends with a block.
fn chunks_of(blocks: Receiver<Block>) -> Vec<Sha256> {
    const { assert!(CHUNK_SIZE.is_multiple_of(BLOCK as u64)) };
    let mut chunks = Vec::new();
    let (mut hasher, mut filled) = (sha2::Sha256::new(), 0);
    for block in blocks {
        hasher.update(block.as_slice());
        filled += block.len() as u64;
        if filled == CHUNK_SIZE {
            chunks.push(Sha256::from_bytes(hasher.finalize_reset().into()));
            filled = 0;
        }
    }
    if filled > 0 {
        chunks.push(Sha256::from_bytes(hasher.finalize().into()));
    }
    chunks
}

fn write_blocks(mut writer: Writer, blocks: Receiver<Block>) -> io::Result<()> {
    for block in blocks {
        writer.write_all(&block)?;
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bundle_format::digest::PayloadHasher;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(buf);
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _buf: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 31 + i / 251).to_le_bytes()[0]).collect()
    }

    #[test]
    fn many_threads_find_what_one_hasher_finds() {
        let chunk = usize::try_from(CHUNK_SIZE).unwrap();
        for len in [0, 1, BLOCK, BLOCK + 1, chunk - 1, chunk, chunk + 1, 2 * chunk + 5] {
            let data = bytes(len);
            let out = Shared::default();
            let pumped =
                pump(&mut data.as_slice(), len as u64, Some(Box::new(out.clone())), &()).unwrap();
            let mut one = PayloadHasher::new();
            one.update(&data);
            let one = one.finish();
            let expected = PumpResult { sha1: one.sha1, size: one.size, chunks: one.chunks };
            assert_eq!(pumped, expected, "{len}");
            assert!(*out.0.lock().unwrap() == data, "{len}");
        }
    }

    #[test]
    fn a_source_that_ends_early_and_a_full_disk_are_told_apart() {
        for len in [10, 5 * BLOCK] {
            let data = bytes(len);
            let short = pump(&mut data.as_slice(), len as u64 + 1, None, &());
            assert!(
                matches!(short, Err(PumpError::Read(e)) if e.kind() == io::ErrorKind::UnexpectedEof)
            );
            let full = pump(&mut data.as_slice(), len as u64, Some(Box::new(Full)), &());
            assert!(
                matches!(full, Err(PumpError::Write(e)) if e.kind() == io::ErrorKind::StorageFull)
            );
        }
    }
}
