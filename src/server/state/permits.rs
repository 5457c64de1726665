//! Limits on concurrent work and on memory. A request waits for its permit.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::server::call::ClientAddress;

/// Requests that are worked on at one time.
const AT_WORK: usize = 32;
/// Large requests that are received at one time.
const LARGE_BODIES: usize = 8;
/// Requests over the usual bounds that are held at one time.
const LARGEST_BODIES: usize = 1;

/// One address gets this part of each kind of permit: half.
const SHARE: usize = 2;
/// Addresses that are kept before those without requests are forgotten.
const KEPT_ADDRESSES: usize = 256;

/// Permission for one request; given back when dropped. The work owns it: a client that hangs up
/// frees nothing before the work for it has ended.
pub(crate) struct Permit {
    _of_address: Option<OwnedSemaphorePermit>,
    _of_all: OwnedSemaphorePermit,
    _share: Option<Arc<PermitKinds>>,
}

/// The permits that requests wait for.
pub(crate) struct Permits {
    all: Arc<PermitKinds>,
    by_address: Mutex<AddressPermits>,
}

struct AddressPermits {
    shares: HashMap<ClientAddress, Weak<PermitKinds>>,
    sweep_at: usize,
}

struct PermitKinds {
    at_work: Arc<Semaphore>,
    large_bodies: Arc<Semaphore>,
    largest_bodies: Arc<Semaphore>,
}

/// The permits that requests of one client wait for: first for one of its share, then for one of all.
/// So its requests wait behind each other, and others never behind all of them.
pub(crate) struct ClientPermits {
    all: Arc<PermitKinds>,
    share: Option<Arc<PermitKinds>>,
}

impl PermitKinds {
    fn new(part: usize) -> Arc<Self> {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.div_ceil(part)));
        Arc::new(Self {
            at_work: semaphore(AT_WORK),
            large_bodies: semaphore(LARGE_BODIES),
            largest_bodies: semaphore(LARGEST_BODIES),
        })
    }
}

impl Default for Permits {
    fn default() -> Self {
        let none = AddressPermits { shares: HashMap::new(), sweep_at: KEPT_ADDRESSES };
        Self { all: PermitKinds::new(1), by_address: Mutex::new(none) }
    }
}

impl Permits {
    /// The permits of a client; without an address (which tests leave out) it has no bounds of its
    /// own.
    pub(crate) fn of(&self, address: Option<ClientAddress>) -> ClientPermits {
        let share = address.map(|address| {
            let mut kept = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.shares.len() >= kept.sweep_at {
                kept.shares.retain(|_, share| share.strong_count() > 0);
                kept.sweep_at = KEPT_ADDRESSES.max(kept.shares.len() * 2);
            }
            let entry = kept.shares.entry(address).or_default();
            entry.upgrade().unwrap_or_else(|| {
                let share = PermitKinds::new(SHARE);
                *entry = Arc::downgrade(&share);
                share
            })
        });
        ClientPermits { all: Arc::clone(&self.all), share }
    }

    /// How many permits of each kind are free.
    #[cfg(test)]
    pub(crate) fn available(&self) -> (usize, usize, usize) {
        (
            self.all.at_work.available_permits(),
            self.all.large_bodies.available_permits(),
            self.all.largest_bodies.available_permits(),
        )
    }
}

impl ClientPermits {
    /// Waits until a request may be worked on; `None` when the server ends.
    pub(crate) async fn work(&self) -> Option<Permit> {
        self.acquire(|kinds| &kinds.at_work).await
    }

    /// Waits until a large request may be received; `None` when the server ends.
    pub(crate) async fn large_body(&self) -> Option<Permit> {
        self.acquire(|kinds| &kinds.large_bodies).await
    }

    /// Waits until a request over the usual bounds, a report of a downstream server, may be held;
    /// `None` when the server ends.
    pub(crate) async fn largest_body(&self) -> Option<Permit> {
        self.acquire(|kinds| &kinds.largest_bodies).await
    }

    async fn acquire(&self, kind: impl Fn(&PermitKinds) -> &Arc<Semaphore>) -> Option<Permit> {
        let of_address = match &self.share {
            Some(share) => Some(Arc::clone(kind(share)).acquire_owned().await.ok()?),
            None => None,
        };
        let of_all = Arc::clone(kind(&self.all)).acquire_owned().await.ok()?;
        Some(Permit { _of_address: of_address, _of_all: of_all, _share: self.share.clone() })
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use futures_util::FutureExt as _;

    use super::*;

    fn address(text: &str) -> ClientAddress {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn one_address_takes_half_of_the_places_and_others_wait_for_none() {
        let permits = Permits::default();
        let greedy = permits.of(Some(address("2001:db8::1")));
        let again = permits.of(Some(address("2001:db8::2")));
        let take = |of: &ClientPermits| of.large_body().now_or_never().flatten();
        let mut taken: Vec<_> = (0..4).map(|_| take(&greedy).unwrap()).collect();
        assert!(take(&greedy).is_none());
        assert!(take(&again).is_none(), "one network is one client");
        let other = permits.of(Some(address("192.0.2.1")));
        assert!(take(&other).is_some());
        drop((greedy, again));
        taken.pop();
        let greedy = permits.of(Some(address("2001:db8::1")));
        assert!(take(&greedy).is_some());
        assert!(permits.of(Some(address("2001:db8::1"))).share.is_some());
    }

    #[test]
    fn addresses_without_requests_are_forgotten() {
        let permits = Permits::default();
        for low in 0..10_000_u32 {
            permits.of(Some(IpAddr::from(std::net::Ipv4Addr::from(low)).into()));
        }
        assert!(permits.by_address.lock().unwrap().shares.len() <= KEPT_ADDRESSES);
    }
}
