//! Several files at a time, within the window; what has arrived goes into the stores.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bundle_format::digest::{PayloadDigests, Sha1};
use jiff::Zoned;
use tokio::{
    runtime::Builder,
    sync::watch,
    task::{JoinError, JoinSet},
    time::MissedTickBehavior,
};

use super::{
    batch::Batch,
    error::DownloadError,
    fetcher::Fetcher,
    file_plan::PlannedFile,
    locations::Locations,
    outcome::{FetchOutcome, FetchStop},
    pace::Pace,
    problems::Problems,
    report::{DownloadOptions, DownloadProgress, DownloadReport, StopReason},
    upstream_requests::ask_upstreams,
};
use crate::{
    catalog::Catalog,
    content::{ContentStore, Partial, Partials},
};

type Result<T> = std::result::Result<T, DownloadError>;

/// How often progress is reported and the window looked at.
const TICK: Duration = Duration::from_millis(200);
/// Below the reserve, others on the file system may still use the rest of it up; at this part of it
/// the download gives way.
const GIVE_WAY: u64 = 4;

/// A download at work.
pub(super) struct DownloadRun<'a> {
    pub(super) catalog: &'a mut Catalog,
    pub(super) content: &'a ContentStore,
    pub(super) options: &'a DownloadOptions,
    pub(super) locations: Locations,
    pub(super) problems: &'a mut Problems,
    pub(super) report: &'a mut DownloadReport,
    /// Files that upstream servers do not have.
    pub(super) absent: BTreeMap<usize, Vec<Sha1>>,
}

/// What a file's task gives back.
type FileResult = (PlannedFile, std::result::Result<FetchOutcome, FetchStop>);

/// Files that are not finished.
struct OpenWork<'a> {
    queue: VecDeque<PlannedFile>,
    running: JoinSet<FileResult>,
    /// Tells the running tasks to stop.
    stop: &'a watch::Sender<bool>,
    /// Why the download ends.
    failed: Option<DownloadError>,
}

impl DownloadRun<'_> {
    /// Downloads the files, in their order.
    pub(super) fn run(
        mut self,
        files: Vec<PlannedFile>,
        partials: Arc<Partials>,
        progress: &mut dyn FnMut(DownloadProgress<'_>),
    ) -> Result<()> {
        let (stop, stopping) = watch::channel(false);
        let fetcher = Arc::new(Fetcher {
            partials,
            pace: Pace::new(self.options.rate),
            idle_limit: self.options.idle_limit,
            attempts: self.options.attempts.max(1),
            first_pause: self.options.first_pause,
            connection: self.options.connection.clone(),
            stop: stopping,
            received: Arc::new(AtomicU64::new(0)),
            again: AtomicU64::new(0),
            unreached: Mutex::new(HashMap::new()),
        });
        let runtime =
            Builder::new_multi_thread().enable_all().build().map_err(DownloadError::Runtime)?;
        let mut batch = Batch::default();
        let driven = runtime.block_on(self.drive(files, &fetcher, &stop, &mut batch, progress));
        // Threads that still write are waited for.
        drop(runtime);
        let stored = self.store(&mut batch);
        self.report.received_bytes = fetcher.received.load(Ordering::Relaxed);
        driven?;
        stored?;
        let absent = std::mem::take(&mut self.absent);
        self.report.asked_upstream =
            ask_upstreams(self.catalog, &self.locations, absent, self.options, self.problems)?;
        Ok(())
    }

    async fn drive(
        &mut self,
        files: Vec<PlannedFile>,
        fetcher: &Arc<Fetcher>,
        stop: &watch::Sender<bool>,
        batch: &mut Batch,
        progress: &mut dyn FnMut(DownloadProgress<'_>),
    ) -> Result<()> {
        let queue = VecDeque::from(files);
        let mut work = OpenWork { queue, running: JoinSet::new(), stop, failed: None };
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        let mut listening = true;
        loop {
            let closed_for = self.window_closed_for();
            if closed_for.is_some() && !self.is_ending(&work) {
                if self.options.once {
                    self.report.stopped = Some(StopReason::WindowClosed);
                }
                stop.send_replace(true);
            }
            let ending = self.is_ending(&work);
            if ending && work.running.is_empty() {
                break;
            }
            if closed_for.is_none() && !ending {
                self.start_files(&mut work, fetcher, batch)?;
            }
            if work.running.is_empty() && work.queue.is_empty() {
                break;
            }
            tokio::select! {
                Some(done) = work.running.join_next() => self.finish_file(done, &mut work, batch)?,
                _ = tick.tick() => {
                    self.keep_room(&mut work, batch)?;
                    progress(match closed_for {
                        Some(wait) if !ending && work.running.is_empty() => {
                            DownloadProgress::Waiting(wait)
                        }
                        _ => self.done(fetcher),
                    });
                },
                signal = &mut interrupted, if listening => {
                    listening = false;
                    if signal.is_ok() {
                        self.report.stopped = Some(StopReason::Interrupted);
                        stop.send_replace(true);
                    }
                },
            }
        }
        self.report.missing += work.queue.len() as u64;
        progress(self.done(fetcher));
        work.failed.map_or(Ok(()), Err)
    }

    /// Until the window opens; `None` if it is open, or there is none.
    fn window_closed_for(&self) -> Option<Duration> {
        let window = self.options.window?;
        let now = Zoned::now();
        (!window.contains(&now)).then(|| window.opens_in(&now))
    }

    fn is_ending(&self, work: &OpenWork<'_>) -> bool {
        work.failed.is_some() || self.report.stopped.is_some()
    }

    /// Starts as many files as may be fetched at a time.
    fn start_files(
        &mut self,
        work: &mut OpenWork<'_>,
        fetcher: &Arc<Fetcher>,
        batch: &mut Batch,
    ) -> Result<()> {
        if *work.stop.borrow() && work.running.is_empty() {
            work.stop.send_replace(false);
        }
        while !*work.stop.borrow() && work.running.len() < self.options.parallel.max(1) {
            let Some(file) = work.queue.pop_front() else { break };
            if let Some(digests) = self.in_the_store(&file)? {
                self.note(&file, digests, None, batch)?;
                continue;
            }
            let locations = self.locations.find(self.catalog, &file)?;
            let fetcher = Arc::clone(fetcher);
            work.running.spawn(async move {
                let fetched = fetcher.fetch(&file, locations).await;
                (file, fetched)
            });
        }
        Ok(())
    }

    /// After a file's task has ended.
    fn finish_file(
        &mut self,
        done: std::result::Result<FileResult, JoinError>,
        work: &mut OpenWork<'_>,
        batch: &mut Batch,
    ) -> Result<()> {
        let error = match done {
            Ok((file, Ok(fetched))) => return self.record(&file, fetched, batch),
            Ok((file, Err(FetchStop::Asked))) => {
                work.queue.push_front(file);
                return Ok(());
            }
            Ok((_, Err(FetchStop::Disk(source)))) => {
                DownloadError::Disk { fetched: self.report.fetched, source }
            }
            Ok((_, Err(FetchStop::Lost))) | Err(_) => DownloadError::Lost,
        };
        work.stop.send_replace(true);
        work.failed.get_or_insert(error);
        Ok(())
    }

    /// Stores what has waited long enough, and gives way when the disk becomes full.
    fn keep_room(&mut self, work: &mut OpenWork<'_>, batch: &mut Batch) -> Result<()> {
        if batch.is_due() {
            self.store(batch)?;
        }
        let free = self.content.free_space()?;
        if work.failed.is_none() && free < self.options.reserve / GIVE_WAY {
            work.stop.send_replace(true);
            work.failed = Some(DownloadError::Low { free, fetched: self.report.fetched });
        }
        Ok(())
    }

    fn done(&self, fetcher: &Fetcher) -> DownloadProgress<'static> {
        DownloadProgress::Bytes {
            done: fetcher.received.load(Ordering::Relaxed),
            total: self.report.forecast.fetch_bytes + fetcher.again.load(Ordering::Relaxed),
            files: self.report.fetched,
        }
    }

    /// A run that was killed may have stored a file without noting it.
    fn in_the_store(&self, file: &PlannedFile) -> Result<Option<PayloadDigests>> {
        let Some(sha256) = file.expected.sha256 else { return Ok(None) };
        if !self.content.contains(&sha256, file.expected.size)? {
            return Ok(None);
        }
        self.content.renew(&sha256)?;
        let digests = self.content.rehash(&sha256, &mut |_| {})?;
        Ok(digests.filter(|digests| file.expected.mismatch(digests).is_none()))
    }

    /// Records what became of a file.
    fn record(
        &mut self,
        file: &PlannedFile,
        fetched: FetchOutcome,
        batch: &mut Batch,
    ) -> Result<()> {
        let FetchOutcome { got, rejected, failures, absent } = fetched;
        let reasons: Vec<String> = failures
            .into_iter()
            .chain(rejected.iter().map(|r| {
                format!("{}: {} {} instead of {}", r.location, r.what, r.found, r.expected)
            }))
            .collect();
        rejected.into_iter().for_each(|rejected| self.problems.reject(rejected));
        if let Some((partial, digests)) = got {
            return self.note(file, digests, Some(partial), batch);
        }
        self.report.missing += 1;
        for upstream in absent {
            self.absent.entry(upstream).or_default().push(file.expected.sha1);
        }
        let what = match reasons.is_empty() {
            true => "no place is known where it is; name one with --location".to_owned(),
            false => reasons.join("; "),
        };
        self.problems.add(&format!("{} ({})", file.name, file.expected.sha1), &what);
        Ok(())
    }

    fn note(
        &mut self,
        file: &PlannedFile,
        digests: PayloadDigests,
        partial: Option<Partial>,
        batch: &mut Batch,
    ) -> Result<()> {
        self.report.fetched += 1;
        self.report.fetched_bytes += digests.size;
        self.report.sha1_only += u64::from(file.expected.sha256.is_none());
        batch.add(format!("{} ({})", file.name, file.expected.sha1), partial, digests);
        if batch.is_full() {
            self.store(batch)?;
        }
        Ok(())
    }

    /// Stores what is complete; what contradicts the catalogue is a problem of its file.
    fn store(&mut self, batch: &mut Batch) -> Result<()> {
        for one in batch.store(self.catalog, self.content)? {
            self.report.fetched -= 1;
            self.report.fetched_bytes -= one.size;
            self.report.missing += 1;
            self.problems.add(&one.at, &one.why);
        }
        Ok(())
    }
}
