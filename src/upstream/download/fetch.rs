//! One file, from the first location that gives the right bytes.

use std::{sync::Arc, time::Duration};

use bundle_format::digest::PayloadDigests;

use super::{
    fetcher::Fetcher,
    locations::{Location, LocationKind},
    outcome::{FetchOutcome, FetchStop, ReceiveOutcome, RejectedContent},
    planned_file::PlannedFile,
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
