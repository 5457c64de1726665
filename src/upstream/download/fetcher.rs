//! What all files of a download share: limits, counters, and the wish to stop.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::{
    locations::Location,
    outcome::{FetchStop, ReceiveOutcome},
    pace::Pace,
};
use crate::{
    content::{ContentError, Partial, Partials},
    upstream::client::ConnectionOptions,
};

/// Failures to reach a host in a row, for each attempt that a file has; then it is left alone.
const UNREACHED: u32 = 3;

/// What all files share.
pub(super) struct Fetcher {
    pub(super) partials: Arc<Partials>,
    pub(super) pace: Pace,
    pub(super) idle_limit: Duration,
    pub(super) attempts: u32,
    pub(super) first_pause: Duration,
    pub(super) connection: ConnectionOptions,
    pub(super) stop: watch::Receiver<bool>,
    /// Bytes that have come.
    pub(super) received: Arc<AtomicU64>,
    /// Bytes that were thrown away and have to come again.
    pub(super) again: AtomicU64,
    /// By host: failures to reach it, in a row.
    pub(super) unreached: Mutex<HashMap<String, u32>>,
}

impl Fetcher {
    pub(super) fn throw_away(&self, partial: &mut Partial) -> Result<(), ContentError> {
        self.again.fetch_add(partial.len(), Ordering::Relaxed);
        partial.restart()
    }

    pub(super) fn count(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn stopped(&self) -> watch::Receiver<bool> {
        self.stop.clone()
    }

    /// Waits for something, but no longer than nothing may come; `None` then.
    pub(super) async fn within<T>(
        &self,
        what: impl Future<Output = T>,
    ) -> Result<Option<T>, FetchStop> {
        let limited = tokio::time::timeout(self.idle_limit, what);
        Ok(self.unless_stopped(limited).await?.ok())
    }

    /// Waits for something, unless all shall stop.
    pub(super) async fn unless_stopped<T>(
        &self,
        what: impl Future<Output = T>,
    ) -> Result<T, FetchStop> {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => Err(FetchStop::Asked),
            done = what => Ok(done),
        }
    }

    /// Why a host is asked no more: it was not reached too often.
    pub(super) fn unreachable_host(&self, at: &Location) -> Option<String> {
        let unreached = self.unreached.lock().unwrap_or_else(PoisonError::into_inner);
        let times = *unreached.get(&at.host()?)?;
        (times >= self.attempts.saturating_mul(UNREACHED))
            .then(|| format!("the host was not reached {times} times in a row and is left alone"))
    }

    pub(super) fn note_reached(&self, at: &Location, attempt: &ReceiveOutcome) {
        let Some(host) = at.host() else { return };
        let mut unreached = self.unreached.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(attempt, ReceiveOutcome::Passing { unreachable: true, .. }) {
            *unreached.entry(host).or_default() += 1;
        } else {
            unreached.remove(&host);
        }
    }
}
