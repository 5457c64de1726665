//! Ids in batches, as an upstream server takes them.
//!
//! A server refuses a batch as a whole and does not say because of which id. So a refused batch is
//! halved, until the id is known that is refused alone. Only Microsoft Update names what it lacks.
//! An answer may also hold less than was asked for; the rest is asked for at once while an answer
//! gives anything of it.

use std::collections::VecDeque;

use super::error::UpstreamError;
use crate::protocol::ErrorCode;

/// Ids for one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch<T> {
    pub(super) ids: Vec<T>,
    /// The same ids were refused a moment ago.
    pub(super) repeated: bool,
}

/// The batches that have not been asked for yet.
#[derive(Debug)]
pub(super) struct Batches<T> {
    waiting: VecDeque<Batch<T>>,
}

impl<T: Clone> Batches<T> {
    /// Batches of at most `most` ids, in the order of the ids.
    pub(super) fn new(ids: &[T], most: usize) -> Self {
        let batch = |ids: &[T]| Batch { ids: ids.to_vec(), repeated: false };
        Self { waiting: ids.chunks(most.max(1)).map(batch).collect() }
    }

    /// The batch to ask for next.
    pub(super) fn next(&mut self) -> Option<Batch<T>> {
        self.waiting.pop_front()
    }

    /// Puts ids that were refused together in front again, as two batches. A single id becomes one
    /// batch, no id none.
    pub(super) fn halve(&mut self, refused: &[T]) {
        let (first, second) = refused.split_at(refused.len().div_ceil(2));
        for half in [second, first].into_iter().filter(|half| !half.is_empty()) {
            self.waiting.push_front(Batch { ids: half.to_vec(), repeated: false });
        }
    }

    /// Puts what an answer has left out in front again: a server may cut an answer short, so what it
    /// gave says nothing of the rest.
    pub(super) fn ask_for_rest(&mut self, ids: Vec<T>) {
        if !ids.is_empty() {
            self.waiting.push_front(Batch { ids, repeated: false });
        }
    }

    /// Puts refused ids in front again as they are.
    pub(super) fn repeat(&mut self, ids: Vec<T>) {
        self.waiting.push_front(Batch { ids, repeated: true });
    }
}

/// Whether a request may succeed with fewer updates, or with others.
pub(super) fn is_about_the_batch(error: &UpstreamError) -> bool {
    matches!(error, UpstreamError::TooLarge { .. } | UpstreamError::Unusable { .. })
        || matches!(
            error.code(),
            Some(ErrorCode::InternalServerError | ErrorCode::InvalidParameters)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for all ids of a server that refuses every batch with a bad one in it. Gives the
    /// batches in the order in which they were asked for, and the ids that are refused alone.
    fn ask(ids: &[u32], most: usize, bad: &[u32]) -> (Vec<Vec<u32>>, Vec<u32>) {
        let mut batches = Batches::new(ids, most);
        let (mut requests, mut refused) = (Vec::new(), Vec::new());
        while let Some(batch) = batches.next() {
            requests.push(batch.ids.clone());
            match batch.ids.as_slice() {
                ids if !ids.iter().any(|id| bad.contains(id)) => {}
                [id] => refused.push(*id),
                several => batches.halve(several),
            }
        }
        (requests, refused)
    }

    #[test]
    fn a_refused_batch_is_halved_until_the_bad_id_is_alone() {
        let (requests, refused) = ask(&[1, 2, 3, 4, 5], 3, &[2]);
        assert_eq!(requests, [vec![1, 2, 3], vec![1, 2], vec![1], vec![2], vec![3], vec![4, 5]]);
        assert_eq!(refused, [2]);
        let (requests, refused) = ask(&[1, 2, 3], 50, &[1, 2, 3]);
        assert_eq!(requests.len(), 5);
        assert_eq!(refused, [1, 2, 3]);
        assert_eq!(ask(&[], 50, &[]), (vec![], vec![]));
    }

    #[test]
    fn what_is_asked_for_again_comes_first() {
        let mut batches = Batches::new(&[1, 2], 1);
        let first = batches.next().unwrap();
        assert!(!first.repeated);
        batches.repeat(first.ids);
        assert_eq!(batches.next(), Some(Batch { ids: vec![1], repeated: true }));
        assert_eq!(batches.next(), Some(Batch { ids: vec![2], repeated: false }));
        assert_eq!(batches.next(), None);
    }
}
