//! After the scan: download, pretend to install, report.

use std::{collections::BTreeMap, time::Instant};

use reqwest::Url;

use super::{action::Action, operation::Operation};
use super::{
    answers,
    content::{Failure, Fetch},
    error::ProbeError,
    fragments::File,
    http::random_vector,
    judge::{Judge, clip},
    offers::{Offer, Offers},
    operation::CONTENT,
    report::{ProbeEvent, ProbeProgress},
    requests::{self, events::EventKind},
    session::{Session, SessionEnd, millis},
};

/// Events in one report.
const REPORT_BATCH: usize = 200;

/// No location for a file.
const NOT_DOWNLOADED: u32 = 0x8024_6007;

impl Session {
    /// Does what the options ask for with what is offered, and reports it.
    pub(crate) async fn deliver(
        &mut self,
        offers: Offers,
        progress: ProbeProgress<'_>,
    ) -> Result<(), SessionEnd> {
        let found = offers.needed.len();
        let mut before = vec![
            requests::AgentEvent::of_computer(EventKind::Detected { found }),
            requests::AgentEvent::of_computer(EventKind::Status {
                needed: offers.needed.clone(),
                installed: offers.installed.clone(),
            }),
        ];
        let mut after = Vec::new();
        let begin = Instant::now();
        let mut fetched = BTreeMap::new();
        for (n, offer) in offers.list.iter().enumerate() {
            let mut outcome = Ok(());
            if self.options.download && offer.action != Action::Uninstall {
                outcome = self.download(offer, &offers, &mut fetched, progress).await?;
                report_download(offer, &outcome, &mut before);
            }
            if let Err(failure) = &outcome
                && let Some(update) = self.report.offered.get_mut(n)
            {
                update.failure = Some(failure.reason.clone());
            }
            if self.options.install && offer.action != Action::Uninstall {
                before.push(about(offer, EventKind::InstallStarted));
                after.push(self.install(offer, &outcome));
            }
        }
        self.report.timings.download = millis(begin);
        if self.options.report {
            self.send(&before, progress).await?;
            self.send(&after, progress).await?;
        }
        Ok(())
    }

    /// Fetches the files of an update, each file of the run once.
    async fn download(
        &mut self,
        offer: &Offer,
        offers: &Offers,
        fetched: &mut BTreeMap<[u8; 20], Result<(), Failure>>,
        progress: ProbeProgress<'_>,
    ) -> Result<Result<(), Failure>, SessionEnd> {
        for file in &offer.files {
            let outcome = match fetched.get(&file.sha1) {
                Some(known) => known.clone(),
                None => self.fetch(file, offers.locations.get(&file.sha1), progress).await?,
            };
            fetched.insert(file.sha1, outcome.clone());
            if outcome.is_err() {
                return Ok(outcome);
            }
        }
        Ok(Ok(()))
    }

    /// Fetches and checks a file.
    async fn fetch(
        &mut self,
        file: &File,
        location: Option<&Url>,
        progress: ProbeProgress<'_>,
    ) -> Result<Result<(), Failure>, SessionEnd> {
        let outcome = match location {
            Some(url) => {
                let fetch = Fetch {
                    client: &self.wire.client,
                    connections: self.options.connections,
                    seed: self.options.seed.unwrap_or_else(random_seed),
                    limit: self.options.limits.file,
                    folder: self.options.keep.as_deref(),
                    vector: format!("{}.2.0.0.1", random_vector()),
                };
                let mut judge = Judge::new(&mut self.findings, CONTENT);
                fetch.file(url, file, &mut judge, progress).await?
            }
            None => Err(Failure {
                code: NOT_DOWNLOADED,
                reason: format!("no location for {:?}", clip(&file.name)),
                digest: false,
            }),
        };
        self.emit_findings(progress);
        progress(ProbeEvent::Downloaded { file: file.name.clone(), ok: outcome.is_ok() });
        match &outcome {
            Ok(()) => {
                self.report.downloaded_files += 1;
                self.report.downloaded_bytes += file.size;
            }
            Err(failure) => self.report.digests_ok &= !failure.digest,
        }
        Ok(outcome)
    }

    /// Counts an update as installed, unless its download failed. Gives the event for it.
    fn install(&mut self, offer: &Offer, outcome: &Result<(), Failure>) -> requests::AgentEvent {
        if outcome.is_err() {
            return about(offer, EventKind::InstallFailed { code: NOT_DOWNLOADED });
        }
        self.state.installed.insert(offer.update.id);
        self.state.installed.extend(&offer.members);
        self.report.installed.push(offer.update.id);
        about(offer, EventKind::Installed)
    }

    /// ReportEventBatch.
    async fn send(
        &mut self,
        events: &[requests::AgentEvent],
        progress: ProbeProgress<'_>,
    ) -> Result<(), SessionEnd> {
        let operation = Operation::ReportEventBatch;
        for batch in events.chunks(REPORT_BATCH) {
            let answer = self
                .call(operation, progress, |session| {
                    requests::events_request(
                        session.state.cookie.as_ref(),
                        &session.state.client_id,
                        batch,
                        &session.machine.profile,
                        session.wire.base.host_str().unwrap_or_default(),
                    )
                })
                .await;
            let response = match answer {
                // Judged already: the events stay, as with any agent.
                Err(SessionEnd::Failed(ProbeError::Busy { .. })) => break,
                answer => answer?,
            };
            if answers::reported(&response, &mut self.judge(operation)) {
                self.report.reported += batch.len();
                let events = batch.iter().map(requests::AgentEvent::id).collect();
                progress(ProbeEvent::Reported { events });
            }
            self.emit_findings(progress);
        }
        Ok(())
    }
}

fn report_download(
    offer: &Offer,
    outcome: &Result<(), Failure>,
    events: &mut Vec<requests::AgentEvent>,
) {
    events.push(about(offer, EventKind::DownloadStarted));
    events.push(about(
        offer,
        match outcome {
            Ok(()) => EventKind::Downloaded { bytes: offer.update.bytes },
            Err(failure) => EventKind::DownloadFailed { code: failure.code },
        },
    ));
}

fn about(offer: &Offer, kind: EventKind) -> requests::AgentEvent {
    requests::AgentEvent {
        kind,
        update: (offer.update.id, offer.update.revision),
        title: offer.update.title.clone(),
        bundle: offer.bundle,
    }
}

fn random_seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}
