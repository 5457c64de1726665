//! How many bytes of requests are on their way: many that are begun and not ended fill no memory.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Bytes of small bodies that may be on their way at one time without a permit: whoever comes then waits for
/// a place as for a large one.
const SMALL_IN_ALL: u64 = 64 * 1024 * 1024;

/// Counts the bytes of bodies that are on their way or at work.
#[derive(Debug, Default)]
pub(crate) struct BodyBytes(AtomicU64);

/// The bytes of one body, as long as it is here.
#[derive(Debug)]
pub(crate) struct BodyShare {
    all: Arc<BodyBytes>,
    bytes: u64,
}

impl BodyShare {
    pub(crate) fn new(all: &Arc<BodyBytes>) -> Self {
        Self { all: Arc::clone(all), bytes: 0 }
    }

    pub(crate) fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.all.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether there are so many bytes that this body has to wait for a place.
    pub(crate) fn is_crowded(&self) -> bool {
        self.all.0.load(Ordering::Relaxed) > SMALL_IN_ALL
    }
}

impl Drop for BodyShare {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_bodies_are_counted_and_their_bytes_come_back() {
        const SMALL: usize = 256 * 1024;
        let all = Arc::new(BodyBytes::default());
        let body = || {
            let mut body = BodyShare::new(&all);
            body.add(SMALL);
            body
        };
        let most = usize::try_from(SMALL_IN_ALL).unwrap() / SMALL;
        let mut bodies: Vec<BodyShare> = (0..most).map(|_| body()).collect();
        assert!(!bodies[0].is_crowded());
        bodies.push(body());
        assert!(bodies[0].is_crowded());
        bodies.pop();
        assert!(!bodies[0].is_crowded());
        drop(bodies);
        assert_eq!(all.0.load(Ordering::Relaxed), 0);
    }
}
