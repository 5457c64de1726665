//! How much memory the answers take that clients have not taken yet. Beyond it they wait in files, so that
//! many slow readers fill no memory.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::body::Bytes;

use super::spool::SpooledAnswer;

/// Bytes of all answers that may be in memory at one time.
const MOST: u64 = 256 * 1024 * 1024;

/// Counts the bytes of answers in memory, from when they are made until the last of them is sent.
#[derive(Debug, Clone, Default)]
pub(super) struct AnswerMemory(Arc<AtomicU64>);

/// An answer, or a part of one, as it waits for its client.
#[derive(Debug)]
pub(super) enum WaitingAnswer {
    Held(Bytes),
    Spooled(SpooledAnswer),
}

impl AnswerMemory {
    /// Holds bytes in memory if there is room, else in a file in `folder`; where the disk is full, in
    /// memory all the same. Blocking.
    pub(super) fn hold(&self, bytes: Vec<u8>, folder: &Path) -> WaitingAnswer {
        let size = bytes.len() as u64;
        let counted = HeldBytes { bytes, used: Arc::clone(&self.0) };
        if self.0.fetch_add(size, Ordering::Relaxed).saturating_add(size) > MOST
            && let Ok(spooled) = SpooledAnswer::in_file(&counted.bytes, folder)
        {
            return WaitingAnswer::Spooled(spooled);
        }
        WaitingAnswer::Held(Bytes::from_owner(counted))
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes that count as long as anybody has them.
struct HeldBytes {
    bytes: Vec<u8>,
    used: Arc<AtomicU64>,
}

impl AsRef<[u8]> for HeldBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes.len() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_slow_readers_leave_waits_in_files_and_memory_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let memory = AnswerMemory::default();
        let piece = usize::try_from(MOST / 8).unwrap();
        let mut waiting: Vec<WaitingAnswer> =
            (0..12).map(|n| memory.hold(vec![n; piece], folder.path())).collect();
        let held = |waiting: &[WaitingAnswer]| {
            waiting.iter().filter(|answer| matches!(answer, WaitingAnswer::Held(_))).count()
        };
        assert_eq!((held(&waiting), memory.used()), (8, MOST));
        let Some(WaitingAnswer::Spooled(last)) = waiting.pop() else { panic!("it is in memory") };
        assert!(last.chunks().all(|chunk| chunk.unwrap().iter().all(|byte| *byte == 11)));
        waiting.drain(..4);
        assert_eq!(memory.used(), MOST / 2);
        assert!(matches!(memory.hold(vec![1; piece], folder.path()), WaitingAnswer::Held(_)));
        drop(waiting);
        assert_eq!(memory.used(), 0);
        // A folder where nothing can be written: better served from memory than not at all.
        let nowhere = folder.path().join("nowhere");
        let all: Vec<_> = (0..9).map(|n| memory.hold(vec![n; piece], &nowhere)).collect();
        assert_eq!(held(&all), 9);
    }
}
