//! Which connections are open, and which one goes when there is no room. Every address has a share;
//! under pressure those that wait for a request go first, of the address that has the most.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

use crate::server::call::ClientAddress;

/// How long to wait for a connection that was asked to close before another one is asked.
const CLOSING_TIME: Duration = Duration::from_millis(100);

/// The open connections of all listeners.
pub(super) struct ConnectionShares {
    in_all: usize,
    per_address: usize,
    turns: AtomicU64,
    open: Mutex<OpenConnections>,
    gone: Notify,
}

#[derive(Default)]
struct OpenConnections {
    count: usize,
    by_address: HashMap<ClientAddress, Vec<Arc<ConnectionState>>>,
}

/// What is known of one connection from outside of its task.
pub(super) struct ConnectionState {
    /// Requests that are received, worked on or answered.
    requests: AtomicUsize,
    /// A part of an answer waits until the client takes it.
    pub(super) writing: Arc<AtomicBool>,
    /// When it began to wait for a request, as a number that only grows.
    idle_since: AtomicU64,
    closing: AtomicBool,
    close: Notify,
}

/// Room for one connection; given back when dropped.
pub(super) struct ConnectionRoom {
    shares: Arc<ConnectionShares>,
    address: ClientAddress,
    state: Arc<ConnectionState>,
}

/// A request of a connection, until its answer is read from us.
pub(super) struct RequestInProgress {
    shares: Arc<ConnectionShares>,
    state: Arc<ConnectionState>,
}

enum Admission {
    Admitted(ConnectionRoom),
    /// All that the address may have is in use.
    Refused,
    /// Somebody was asked to go, or will go.
    Wait,
}

impl ConnectionShares {
    pub(super) fn new(in_all: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            in_all: in_all.max(1),
            per_address: per_address.max(1),
            turns: AtomicU64::new(0),
            open: Mutex::default(),
            gone: Notify::new(),
        })
    }

    /// Makes room for a connection; `None` when its address uses all of its share.
    pub(super) async fn admit(self: &Arc<Self>, address: ClientAddress) -> Option<ConnectionRoom> {
        loop {
            let gone = self.gone.notified();
            match self.try_admit(address) {
                Admission::Admitted(room) => return Some(room),
                Admission::Refused => return None,
                // The time is for one that had begun a request when it was asked.
                Admission::Wait => {
                    let _ = tokio::time::timeout(CLOSING_TIME, gone).await;
                }
            }
        }
    }

    fn try_admit(self: &Arc<Self>, address: ClientAddress) -> Admission {
        let mut open = self.lock();
        let own = open.by_address.get(&address).map(Vec::as_slice).unwrap_or_default();
        if own.len() >= self.per_address {
            return if close_one(own) { Admission::Wait } else { Admission::Refused };
        }
        if open.count >= self.in_all {
            let mut addresses: Vec<_> = open.by_address.values().collect();
            addresses.sort_by_key(|connections| std::cmp::Reverse(connections.len()));
            // None may be idle: then one will end.
            let _ = addresses.into_iter().any(|connections| close_one(connections));
            return Admission::Wait;
        }
        let state = Arc::new(ConnectionState {
            requests: AtomicUsize::new(0),
            writing: Arc::default(),
            idle_since: AtomicU64::new(self.turn()),
            closing: AtomicBool::new(false),
            close: Notify::new(),
        });
        open.count += 1;
        open.by_address.entry(address).or_default().push(Arc::clone(&state));
        Admission::Admitted(ConnectionRoom { shares: Arc::clone(self), address, state })
    }

    fn lock(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }
}

/// Asks the one that has waited longest for a request to close; false when none is idle.
fn close_one(connections: &[Arc<ConnectionState>]) -> bool {
    let idle = connections.iter().filter(|state| state.is_idle());
    let idle = idle.filter(|state| !state.closing.load(Ordering::SeqCst));
    let Some(longest) = idle.min_by_key(|state| state.idle_since.load(Ordering::Relaxed)) else {
        return false;
    };
    longest.closing.store(true, Ordering::SeqCst);
    longest.close.notify_one();
    true
}

impl ConnectionState {
    /// Whether nothing is lost when it is closed now.
    pub(super) fn is_idle(&self) -> bool {
        self.requests.load(Ordering::SeqCst) == 0 && !self.writing.load(Ordering::SeqCst)
    }

    /// Returns when the room is needed for others.
    pub(super) async fn asked_to_close(&self) {
        self.close.notified().await;
    }
}

impl ConnectionRoom {
    pub(super) fn state(&self) -> &Arc<ConnectionState> {
        &self.state
    }

    /// Notes that a request has begun.
    pub(super) fn request(&self) -> RequestInProgress {
        self.state.requests.fetch_add(1, Ordering::SeqCst);
        RequestInProgress { shares: Arc::clone(&self.shares), state: Arc::clone(&self.state) }
    }
}

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        self.state.idle_since.store(self.shares.turn(), Ordering::Relaxed);
        self.state.requests.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for ConnectionRoom {
    fn drop(&mut self) {
        let mut open = self.shares.lock();
        open.count = open.count.saturating_sub(1);
        if let Some(own) = open.by_address.get_mut(&self.address) {
            own.retain(|state| !Arc::ptr_eq(state, &self.state));
            if own.is_empty() {
                open.by_address.remove(&self.address);
            }
        }
        drop(open);
        self.shares.gone.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> ClientAddress {
        ClientAddress::from(std::net::IpAddr::from(Ipv4Addr::new(192, 0, 2, last)))
    }

    fn admitted(shares: &Arc<ConnectionShares>, last: u8) -> ConnectionRoom {
        match shares.try_admit(address(last)) {
            Admission::Admitted(room) => room,
            _ => panic!("no room for {last}"),
        }
    }

    #[test]
    fn under_pressure_the_longest_idle_of_the_greediest_goes() {
        let shares = ConnectionShares::new(4, 3);
        let greedy: Vec<_> = (0..3).map(|_| admitted(&shares, 1)).collect();
        let modest = admitted(&shares, 2);
        let in_use = greedy[0].request();
        assert!(matches!(shares.try_admit(address(3)), Admission::Wait));
        let closing = |room: &ConnectionRoom| room.state.closing.load(Ordering::SeqCst);
        assert_eq!([0, 1, 2].map(|at| closing(&greedy[at])), [false, true, false]);
        assert!(!closing(&modest));
        drop((greedy, in_use));
        let _room = admitted(&shares, 3);
    }

    #[test]
    fn an_address_gets_no_more_than_its_share() {
        let shares = ConnectionShares::new(9, 2);
        let rooms = [admitted(&shares, 1), admitted(&shares, 1)];
        let in_use = rooms.each_ref().map(ConnectionRoom::request);
        assert!(matches!(shares.try_admit(address(1)), Admission::Refused));
        let _other = admitted(&shares, 2);
        drop(in_use);
        assert!(matches!(shares.try_admit(address(1)), Admission::Wait));
        drop(rooms);
        assert_eq!(shares.lock().by_address.len(), 1);
    }
}
