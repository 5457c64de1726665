//! Limits on concurrent work and on memory. A request waits for its permit.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests that are worked on at one time.
const AT_WORK: usize = 32;
/// Large requests that are received at one time.
const LARGE_BODIES: usize = 8;
/// Requests over the usual bounds that are held at one time.
const LARGEST_BODIES: usize = 1;

/// Permission for one request; given back when dropped. The work owns it: a client that hangs up
/// frees nothing before the work for it has ended.
pub(crate) struct Permit(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

/// The permits that requests wait for.
pub(crate) struct Permits {
    at_work: Arc<Semaphore>,
    large_bodies: Arc<Semaphore>,
    largest_bodies: Arc<Semaphore>,
}

impl Default for Permits {
    fn default() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self {
            at_work: semaphore(AT_WORK),
            large_bodies: semaphore(LARGE_BODIES),
            largest_bodies: semaphore(LARGEST_BODIES),
        }
    }
}

impl Permits {
    /// Waits until a request may be worked on; `None` when the server ends.
    pub(crate) async fn work(&self) -> Option<Permit> {
        acquire(&self.at_work).await
    }

    /// Waits until a large request may be received; `None` when the server ends.
    pub(crate) async fn large_body(&self) -> Option<Permit> {
        acquire(&self.large_bodies).await
    }

    /// Waits until a request over the usual bounds, a report of a downstream server, may be held;
    /// `None` when the server ends.
    pub(crate) async fn largest_body(&self) -> Option<Permit> {
        acquire(&self.largest_bodies).await
    }

    /// How many permits of each kind are free.
    #[cfg(test)]
    pub(crate) fn available(&self) -> (usize, usize, usize) {
        (
            self.at_work.available_permits(),
            self.large_bodies.available_permits(),
            self.largest_bodies.available_permits(),
        )
    }
}

async fn acquire(semaphore: &Arc<Semaphore>) -> Option<Permit> {
    Arc::clone(semaphore).acquire_owned().await.ok().map(Permit)
}
