//! One file, from the first location that gives the right bytes.

use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bundle_format::digest::PayloadDigests;
use serde::Serialize;
use tokio::sync::watch;

use super::{
    locations::{Location, LocationKind},
    pace::Pace,
    plan::PlannedFile,
    receive::ReceiveOutcome,
};
use crate::{
    content::{ContentError, Partial, Partials},
    upstream::{
        client::ConnectionOptions,
        retry::{LONGEST_WAIT, backoff},
    },
};

/// With so many more bytes, or the whole rest, a broken connection has still brought us on.
const PROGRESS: u64 = 1024 * 1024;
/// Failures to reach a host in a row, for each attempt that a file has; then it is left alone.
const UNREACHED: u32 = 3;

/// Why a file is left as it is for now.
#[derive(Debug)]
pub(super) enum FetchStop {
    /// The window has closed, or the user has enough.
    Asked,
    /// The disk failed or is full.
    Disk(ContentError),
    /// A thread of ours has gone.
    Lost,
}

impl From<ContentError> for FetchStop {
    fn from(error: ContentError) -> Self {
        Self::Disk(error)
    }
}

/// Something that a location gave and that was thrown away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RejectedContent {
    /// The file's name in its document.
    pub file: String,
    /// How others name it.
    pub sha1: String,
    /// Who gave it.
    pub location: String,
    /// What was wrong: `size`, `SHA-1` or `SHA-256`.
    pub what: &'static str,
    /// What the document says.
    pub expected: String,
    /// What came.
    pub found: String,
}

/// What became of a file.
#[derive(Default)]
pub(super) struct FetchOutcome {
    /// With its digests, if the right bytes are here.
    pub(super) got: Option<(Partial, PayloadDigests)>,
    pub(super) rejected: Vec<RejectedContent>,
    /// Why the others did not give it.
    pub(super) failures: Vec<String>,
    /// Upstream servers that named the file and do not have it.
    pub(super) absent: BTreeSet<usize>,
}

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
    /// Fetches a file.
    pub(super) async fn fetch(
        &self,
        file: &PlannedFile,
        locations: Vec<Location>,
    ) -> Result<FetchOutcome, FetchStop> {
        let mut fetched = FetchOutcome::default();
        let partial = self.open(file).await?;
        if let Some(digests) = finished(file, &partial) {
            fetched.got = Some((partial, digests));
            return Ok(fetched);
        }
        let mut job = FetchJob { file, slot: Some(partial), fetched };
        let mut open = locations;
        for round in 1..=self.attempts {
            let mut wait: Option<Duration> = None;
            let mut failures = Vec::new();
            let mut left = Vec::new();
            for location in open {
                match self.from(&mut job, &location).await? {
                    LocationResult::Here => return Ok(job.fetched),
                    LocationResult::Never => {}
                    LocationResult::Later { why, after } => {
                        let after = after.unwrap_or_default();
                        wait = Some(wait.map_or(after, |wait| wait.min(after)));
                        failures.push(format!("{}: {why}", location.name()));
                        left.push(location);
                    }
                }
            }
            open = left;
            if open.is_empty() || round == self.attempts {
                job.fetched.failures.extend(failures);
                break;
            }
            let pause = wait.unwrap_or_default() + backoff(self.first_pause, round);
            tracing::info!(file = %file.name, ?pause, "{}; trying again", failures.join("; "));
            self.unless_stopped(tokio::time::sleep(pause)).await?;
        }
        Ok(job.fetched)
    }

    /// Gets a file from one location, through as many broken connections as it takes while each
    /// brings us on.
    async fn from(
        &self,
        job: &mut FetchJob<'_>,
        at: &Location,
    ) -> Result<LocationResult, FetchStop> {
        let size = job.file.expected.size;
        let mut best = job.len();
        let mut begun_anew = false;
        loop {
            if let Some(why) = self.is_left_alone(at) {
                job.fetched.failures.push(format!("{}: {why}", at.name()));
                return Ok(LocationResult::Never);
            }
            let before = job.state();
            let attempt = match &at.place {
                LocationKind::Http { url, client } => {
                    self.request(client, url, size, &mut job.slot).await?
                }
                LocationKind::File(path) => self.copy(path, size, &mut job.slot).await?,
            };
            self.note_reached(at, &attempt);
            // The whole came with this one answer.
            let whole = before.1 == 0 || before.0 != job.state().0;
            match attempt {
                ReceiveOutcome::Complete => {
                    let partial = job.slot.take().ok_or(FetchStop::Lost)?;
                    let digests = partial.digests();
                    let Some((what, expected, found)) = job.file.expected.mismatch(&digests) else {
                        job.fetched.got = Some((partial, digests));
                        return Ok(LocationResult::Here);
                    };
                    let mut partial = partial;
                    self.throw_away(&mut partial)?;
                    job.slot = Some(partial);
                    // Bytes of several answers, perhaps of several versions: nobody is to blame yet.
                    if !whole && !begun_anew {
                        begun_anew = true;
                        best = 0;
                        continue;
                    }
                    job.reject(at, what, expected, found);
                    return Ok(LocationResult::Never);
                }
                ReceiveOutcome::OtherSize(found) => {
                    job.reject(at, "size", size.to_string(), found);
                    return Ok(LocationResult::Never);
                }
                ReceiveOutcome::Again if !begun_anew => {
                    begun_anew = true;
                    best = 0;
                }
                ReceiveOutcome::Again => {
                    let why = "it answers with other parts than were asked for".to_owned();
                    job.fetched.failures.push(format!("{}: {why}", at.name()));
                    return Ok(LocationResult::Never);
                }
                ReceiveOutcome::Gone { why, absent } => {
                    job.fetched.failures.push(format!("{}: {why}", at.name()));
                    if absent {
                        job.fetched.absent.extend(at.upstream);
                    }
                    return Ok(LocationResult::Never);
                }
                ReceiveOutcome::Passing { why, after, .. } => {
                    if after.is_some_and(|after| after > LONGEST_WAIT) {
                        let why = format!("{why}, and asks to wait too long");
                        job.fetched.failures.push(format!("{}: {why}", at.name()));
                        return Ok(LocationResult::Never);
                    }
                    if job.len() < best.saturating_add(PROGRESS) || after.is_some() {
                        return Ok(LocationResult::Later { why, after });
                    }
                    best = job.len();
                    tracing::info!(file = %job.file.name, at = best, "{}: {why}; going on", at.name());
                    self.unless_stopped(tokio::time::sleep(backoff(self.first_pause, 1))).await?;
                }
            }
        }
    }

    /// Opens the partial of a file; hashes what is there.
    async fn open(&self, file: &PlannedFile) -> Result<Partial, FetchStop> {
        let partials = Arc::clone(&self.partials);
        let expected = file.expected;
        let opened = tokio::task::spawn_blocking(move || {
            let mut partial = partials.open(&expected)?;
            // All of it, but not the right bytes: an earlier run was killed before it could tell.
            if partial.len() == expected.size && expected.mismatch(&partial.digests()).is_some() {
                partial.restart()?;
            }
            Ok::<_, ContentError>(partial)
        });
        Ok(opened.await.map_err(|_| FetchStop::Lost)??)
    }

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

    fn is_left_alone(&self, at: &Location) -> Option<String> {
        let unreached = self.unreached.lock().unwrap_or_else(PoisonError::into_inner);
        let times = *unreached.get(&at.host()?)?;
        (times >= self.attempts.saturating_mul(UNREACHED))
            .then(|| format!("the host was not reached {times} times in a row and is left alone"))
    }

    fn note_reached(&self, at: &Location, attempt: &ReceiveOutcome) {
        let Some(host) = at.host() else { return };
        let mut unreached = self.unreached.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(attempt, ReceiveOutcome::Passing { unreachable: true, .. }) {
            *unreached.entry(host).or_default() += 1;
        } else {
            unreached.remove(&host);
        }
    }
}

/// A file on its way.
struct FetchJob<'a> {
    file: &'a PlannedFile,
    /// Always there, but while a request writes to it.
    slot: Option<Partial>,
    fetched: FetchOutcome,
}

impl FetchJob<'_> {
    fn len(&self) -> u64 {
        self.slot.as_ref().map_or(0, Partial::len)
    }

    /// How often it was begun anew, and how many bytes are here.
    fn state(&self) -> (u32, u64) {
        self.slot.as_ref().map_or((0, 0), |partial| (partial.restarts(), partial.len()))
    }

    fn reject(&mut self, at: &Location, what: &'static str, expected: String, found: String) {
        self.fetched.rejected.push(RejectedContent {
            file: self.file.name.clone(),
            sha1: self.file.expected.sha1.to_string(),
            location: at.name(),
            what,
            expected,
            found,
        });
    }
}

/// How it ended with a location.
enum LocationResult {
    /// The file is here.
    Here,
    /// The file will not come from there.
    Never,
    /// It may come later.
    Later { why: String, after: Option<Duration> },
}

/// The digests of a partial to which nothing is missing.
fn finished(file: &PlannedFile, partial: &Partial) -> Option<PayloadDigests> {
    if partial.len() != file.expected.size {
        return None;
    }
    let digests = partial.digests();
    file.expected.mismatch(&digests).is_none().then_some(digests)
}
