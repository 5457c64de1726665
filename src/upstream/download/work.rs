//! Several files at a time, within the window; what has arrived goes into the stores.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bundle_format::digest::{PayloadDigests, Sha1, Sha256};
use jiff::Zoned;
use tokio::{runtime::Builder, sync::watch, task::JoinSet, time::MissedTickBehavior};

use super::{
    error::DownloadError,
    fetcher::Fetcher,
    locations::Locations,
    outcome::{FetchOutcome, FetchStop},
    pace::Pace,
    planned_file::PlannedFile,
    problems::Problems,
    report::{DownloadOptions, DownloadProgress, DownloadReport, StopReason},
    upstream_requests::ask_upstreams,
};
use crate::{
    catalog::{Catalog, PayloadRow},
    content::{ContentStore, Partial, Partials},
};

type Result<T> = std::result::Result<T, DownloadError>;

/// Payloads are synced to the disk and noted in the catalogue in batches of so many bytes…
const BATCH_BYTES: u64 = 1 << 30;
/// …or files…
const BATCH_FILES: usize = 64;
/// …or after so long.
const BATCH_TIME: Duration = Duration::from_secs(5);
/// How often progress is told and the window looked at.
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
        let kept = batch.keep(self.catalog, self.content);
        self.report.received_bytes = fetcher.received.load(Ordering::Relaxed);
        driven?;
        kept?;
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
        let mut queue = VecDeque::from(files);
        let mut running: JoinSet<FileResult> = JoinSet::new();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failed: Option<DownloadError> = None;
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        let mut listening = true;
        loop {
            let closed = self.options.window.and_then(|window| {
                let now = Zoned::now();
                (!window.contains(&now)).then(|| window.opens_in(&now))
            });
            let ending = failed.is_some() || self.report.stopped.is_some();
            if closed.is_some() && !ending {
                if self.options.once {
                    self.report.stopped = Some(StopReason::WindowClosed);
                }
                stop.send_replace(true);
            }
            let ending = ending || self.report.stopped.is_some();
            if ending && running.is_empty() {
                break;
            }
            if closed.is_none() && !ending {
                if *stop.borrow() && running.is_empty() {
                    stop.send_replace(false);
                }
                while !*stop.borrow() && running.len() < self.options.parallel.max(1) {
                    let Some(file) = queue.pop_front() else { break };
                    if let Some(digests) = self.in_the_store(&file)? {
                        self.note(&file, digests, None, batch)?;
                        continue;
                    }
                    let locations = self.locations.of(self.catalog, &file)?;
                    let fetcher = Arc::clone(fetcher);
                    running.spawn(async move {
                        let fetched = fetcher.fetch(&file, locations).await;
                        (file, fetched)
                    });
                }
            }
            if running.is_empty() && queue.is_empty() {
                break;
            }
            tokio::select! {
                Some(done) = running.join_next() => match done {
                    Ok((file, Ok(fetched))) => self.settle(&file, fetched, batch)?,
                    Ok((file, Err(FetchStop::Asked))) => queue.push_front(file),
                    Ok((_, Err(stopped))) => {
                        stop.send_replace(true);
                        failed.get_or_insert(match stopped {
                            FetchStop::Disk(source) => {
                                DownloadError::Disk { fetched: self.report.fetched, source }
                            }
                            _ => DownloadError::Lost,
                        });
                    }
                    Err(_) => {
                        stop.send_replace(true);
                        failed.get_or_insert(DownloadError::Lost);
                    }
                },
                _ = tick.tick() => {
                    if batch.is_due() {
                        batch.keep(self.catalog, self.content)?;
                    }
                    let free = self.content.free_space()?;
                    if failed.is_none() && free < self.options.reserve / GIVE_WAY {
                        stop.send_replace(true);
                        failed = Some(DownloadError::Low { free, fetched: self.report.fetched });
                    }
                    match closed {
                        Some(wait) if !ending && running.is_empty() => {
                            progress(DownloadProgress::Waiting(wait));
                        }
                        _ => progress(self.done(fetcher)),
                    }
                },
                heard = &mut interrupted, if listening => {
                    listening = false;
                    if heard.is_ok() {
                        self.report.stopped = Some(StopReason::Interrupted);
                        stop.send_replace(true);
                    }
                },
            }
        }
        self.report.missing += queue.len() as u64;
        progress(self.done(fetcher));
        match failed {
            Some(error) => Err(error),
            None => Ok(()),
        }
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

    /// Takes in what became of a file.
    fn settle(
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
        batch.add(partial, digests);
        if batch.is_full() {
            batch.keep(self.catalog, self.content)?;
        }
        Ok(())
    }
}

/// Payloads that are complete but not yet durable: first their bytes, then their rows.
#[derive(Default)]
struct Batch {
    partials: Vec<(Partial, Sha256)>,
    rows: Vec<PayloadRow>,
    bytes: u64,
    since: Option<Instant>,
}

impl Batch {
    fn add(&mut self, partial: Option<Partial>, digests: PayloadDigests) {
        let PayloadDigests { sha256, sha1, size, chunks } = digests;
        self.partials.extend(partial.map(|partial| (partial, sha256)));
        self.rows.push(PayloadRow { sha256, sha1, size, chunks, present: true, not_carried: None });
        self.bytes += size;
        self.since.get_or_insert_with(Instant::now);
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= BATCH_FILES || self.bytes >= BATCH_BYTES
    }

    fn is_due(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= BATCH_TIME)
    }

    fn keep(&mut self, catalog: &mut Catalog, content: &ContentStore) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(self);
        content.store_partials(batch.partials)?;
        let mut writer = catalog.write()?;
        for row in &batch.rows {
            writer.store_payload(row)?;
        }
        writer.commit()?;
        Ok(())
    }
}
