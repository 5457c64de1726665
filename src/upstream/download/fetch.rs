//! One file, from the first location that gives the right bytes.

use std::{sync::Arc, time::Duration};

use bundle_format::digest::PayloadDigests;

use super::{
    fetcher::Fetcher,
    file_plan::PlannedFile,
    locations::{Location, LocationKind},
    outcome::{FetchOutcome, FetchStop, ReceiveOutcome, RejectedContent},
};
use crate::{
    content::{ContentError, Partial},
    upstream::retry::{LONGEST_WAIT, backoff},
};

/// With so many more bytes, or the whole rest, a broken connection has still brought us on.
const PROGRESS: u64 = 1024 * 1024;

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
                match self.fetch_from(&mut job, &location).await? {
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
            let seconds = pause.as_secs();
            tracing::info!(file = %file.name, seconds, "{}; trying again", failures.join("; "));
            self.unless_stopped(tokio::time::sleep(pause)).await?;
        }
        Ok(job.fetched)
    }

    /// Gets a file from one location, through as many broken connections as it takes while each
    /// brings more of it.
    async fn fetch_from(
        &self,
        job: &mut FetchJob<'_>,
        at: &Location,
    ) -> Result<LocationResult, FetchStop> {
        let size = job.file.expected.size;
        let mut best = job.len();
        let mut restarted = false;
        loop {
            if let Some(why) = self.unreachable_host(at) {
                return Ok(job.fail(at, &why));
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
                ReceiveOutcome::Complete => match self.finish(job)? {
                    None => return Ok(LocationResult::Here),
                    // Bytes of several answers, perhaps of several versions: no location is to
                    // blame yet.
                    Some(_) if !whole && !restarted => (restarted, best) = (true, 0),
                    Some((what, expected, found)) => {
                        return Ok(job.reject(at, what, expected, found));
                    }
                },
                ReceiveOutcome::OtherSize(found) => {
                    return Ok(job.reject(at, "size", size.to_string(), found));
                }
                ReceiveOutcome::Again if !restarted => (restarted, best) = (true, 0),
                ReceiveOutcome::Again => {
                    return Ok(job.fail(at, "it answers with other parts than were asked for"));
                }
                ReceiveOutcome::Gone { why, absent } => {
                    if absent {
                        job.fetched.absent.extend(at.upstream);
                    }
                    return Ok(job.fail(at, &why));
                }
                ReceiveOutcome::Passing { why, after: Some(after), .. } if after > LONGEST_WAIT => {
                    return Ok(job.fail(at, &format!("{why}, and asks to wait too long")));
                }
                ReceiveOutcome::Passing { why, after, .. } => {
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

    /// Compares a complete file with its digests. What differs is thrown away; the difference is
    /// what was compared, what was expected and what was found.
    fn finish(&self, job: &mut FetchJob<'_>) -> Result<Option<Mismatch>, FetchStop> {
        let mut partial = job.slot.take().ok_or(FetchStop::Lost)?;
        let digests = partial.digests();
        let mismatch = job.file.expected.mismatch(&digests);
        if mismatch.is_none() {
            job.fetched.got = Some((partial, digests));
            return Ok(None);
        }
        self.throw_away(&mut partial)?;
        job.slot = Some(partial);
        Ok(mismatch)
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
}

/// What was compared, what was expected and what was found.
type Mismatch = (&'static str, String, String);

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

    /// How often it was restarted, and how many bytes are here.
    fn state(&self) -> (u32, u64) {
        self.slot.as_ref().map_or((0, 0), |partial| (partial.restarts(), partial.len()))
    }

    /// Notes that a location does not give the file.
    fn fail(&mut self, at: &Location, why: &str) -> LocationResult {
        self.fetched.failures.push(format!("{}: {why}", at.name()));
        LocationResult::Never
    }

    /// Notes that a location gave something else.
    fn reject(
        &mut self,
        at: &Location,
        what: &'static str,
        expected: String,
        found: String,
    ) -> LocationResult {
        self.fetched.rejected.push(RejectedContent {
            file: self.file.name.clone(),
            sha1: self.file.expected.sha1.to_string(),
            location: at.name(),
            what,
            expected,
            found,
        });
        LocationResult::Never
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
