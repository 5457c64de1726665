//! A limit on bytes per second, over all connections together.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Bytes that were saved up while nothing came are used within this time at most.
const BURST: Duration = Duration::from_millis(250);

/// The limit. Every piece that has arrived is counted; its task then waits until the piece would have
/// been due.
#[derive(Debug)]
pub(super) struct Pace {
    started: Instant,
    bucket: Option<Mutex<Bucket>>,
}

impl Pace {
    /// Bytes per second; `None`: as fast as it goes.
    pub(super) fn new(rate: Option<u64>) -> Self {
        Self { started: Instant::now(), bucket: rate.map(|rate| Mutex::new(Bucket::new(rate))) }
    }

    /// Accounts for a piece and waits.
    pub(super) async fn throttle(&self, bytes: usize) {
        let Some(bucket) = &self.bucket else { return };
        let now = self.started.elapsed();
        let wait = bucket.lock().unwrap_or_else(PoisonError::into_inner).spend(now, bytes as u64);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

/// A bucket that fills with time. It may go below empty: what has come cannot be sent back, so the
/// debt is waited for.
#[derive(Debug)]
struct Bucket {
    /// Bytes per second.
    rate: u64,
    /// When all that was taken so far is paid for.
    paid: Duration,
}

impl Bucket {
    fn new(rate: u64) -> Self {
        Self { rate: rate.max(1), paid: Duration::ZERO }
    }

    /// Takes bytes at a moment; gives how long the taker has to wait.
    fn spend(&mut self, now: Duration, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate);
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.paid = self.paid.max(now.saturating_sub(BURST)).saturating_add(cost);
        self.paid.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that only the waiting moves.
    fn run(bucket: &mut Bucket, mut now: Duration, pieces: &[u64]) -> Duration {
        for piece in pieces {
            now += bucket.spend(now, *piece);
        }
        now
    }

    #[test]
    fn the_rate_is_kept_whatever_the_pieces() {
        for piece in [1, 1000, 16 * 1024, 300_000] {
            let mut bucket = Bucket::new(1_000_000);
            let pieces = vec![piece; usize::try_from(3_000_000 / piece).unwrap()];
            let took = run(&mut bucket, Duration::from_secs(1), &pieces);
            let took = took - Duration::from_secs(1);
            let due = Duration::from_micros(pieces.iter().sum());
            assert!(took <= due, "{piece}: {took:?}");
            assert!(took >= due - BURST, "{piece}: {took:?}");
        }
    }

    #[test]
    fn connections_share_it() {
        let mut bucket = Bucket::new(1000);
        let now = Duration::from_secs(10);
        let waits: Vec<_> = (0..4).map(|_| bucket.spend(now, 1000).as_millis()).collect();
        assert_eq!(waits, [750, 1750, 2750, 3750]);
    }

    #[test]
    fn little_is_saved_up_in_a_pause() {
        let mut bucket = Bucket::new(1000);
        bucket.spend(Duration::ZERO, 1000);
        let later = Duration::from_secs(3600);
        assert_eq!(bucket.spend(later, 1000), Duration::from_millis(750));
        assert_eq!(bucket.spend(later + Duration::from_millis(750), 1000), Duration::from_secs(1));
    }

    #[test]
    fn absurd_numbers_do_no_harm() {
        let mut bucket = Bucket::new(0);
        assert!(bucket.spend(Duration::MAX, u64::MAX) <= Duration::MAX);
        let mut bucket = Bucket::new(u64::MAX);
        assert_eq!(bucket.spend(Duration::ZERO, 1), Duration::ZERO);
    }
}
