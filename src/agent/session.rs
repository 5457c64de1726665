//! A run of the stand-in, and its parts.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use uuid::Uuid;

use super::operation::Operation;
use super::{
    applicability::Applicability,
    error::ProbeError,
    findings::Findings,
    http::HttpTransport,
    judge::Judge,
    options::ProbeOptions,
    report::{ProbeEvent, ProbeProgress, ProbeReport},
    rules::{Evaluator, Verdict, machine::Machine},
    state::Datastore,
};

/// An agent at work.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) options: ProbeOptions,
    pub(crate) wire: HttpTransport,
    pub(crate) state: Datastore,
    pub(crate) findings: Findings,
    pub(crate) machine: Machine,
    /// What the rules of cached revisions say.
    pub(crate) verdicts: HashMap<i32, Verdict>,
    pub(crate) unknown_rules: BTreeMap<String, u64>,
    pub(crate) report: ProbeReport,
}

/// Why a step ended early.
#[derive(Debug)]
pub(crate) enum SessionEnd {
    /// For good.
    Failed(ProbeError),
    /// Revision ids are new: the scan starts over.
    Renumbered,
}

impl From<ProbeError> for SessionEnd {
    fn from(error: ProbeError) -> Self {
        Self::Failed(error)
    }
}

impl Session {
    /// A session with what the state file holds.
    pub(crate) fn new(url: &str, options: ProbeOptions) -> Result<Self, ProbeError> {
        let wire = HttpTransport::new(url, options.roots.as_deref(), options.limits.clone())?;
        let stored = match &options.state_file {
            Some(path) => Datastore::load(path)?,
            None => None,
        };
        let wanted = options.computer_id.map(|id| id.to_string());
        let state = match (stored, wanted) {
            (Some(state), Some(wanted)) if state.client_id == wanted => state,
            (Some(state), None) => state,
            (_, Some(wanted)) => Datastore::new(wanted),
            (None, None) => Datastore::new(Uuid::new_v4().to_string()),
        };
        let machine = Machine::new(options.profile.clone());
        Ok(Self {
            options,
            wire,
            state,
            findings: Findings::default(),
            machine,
            verdicts: HashMap::new(),
            unknown_rules: BTreeMap::new(),
            report: ProbeReport::default(),
        })
    }

    /// Scans, and does what the options ask for.
    pub(crate) async fn run(&mut self, progress: ProbeProgress<'_>) -> Result<(), ProbeError> {
        let begin = Instant::now();
        self.findings = Findings::default();
        self.unknown_rules = BTreeMap::new();
        self.report = ProbeReport { digests_ok: true, ..ProbeReport::default() };
        self.wire.posts = 0;
        self.wire.received = 0;
        self.evaluate_all();
        let mut attempts = 0;
        let outcome = loop {
            match self.attempt(progress).await {
                Ok(()) => break Ok(()),
                Err(SessionEnd::Failed(error)) => break Err(error),
                Err(SessionEnd::Renumbered) if attempts < 2 => attempts += 1,
                Err(SessionEnd::Renumbered) => {
                    break Err(ProbeError::Endless {
                        operation: Operation::SyncUpdates.name(),
                        code: "InvalidCookie".into(),
                    });
                }
            }
        };
        self.report.timings.total = millis(begin);
        self.emit_findings(progress);
        outcome
    }

    async fn attempt(&mut self, progress: ProbeProgress<'_>) -> Result<(), SessionEnd> {
        let begin = Instant::now();
        if self.state.cookie.is_none() || self.state.config.is_none() {
            self.handshake(progress).await?;
        }
        self.scan(progress).await?;
        self.report.timings.scan = millis(begin);
        let begin = Instant::now();
        let offers = self.find_offers(progress).await?;
        self.report.timings.describe = millis(begin);
        self.deliver(offers, progress).await
    }

    /// Writes the state file, if there is to be one.
    pub(crate) fn save(&self) -> Result<(), ProbeError> {
        self.options.state_file.as_deref().map_or(Ok(()), |path| self.state.save(path))
    }

    /// The report as it stands.
    pub(crate) fn report(&self) -> ProbeReport {
        ProbeReport {
            server: self.wire.server().to_owned(),
            computer_id: self.state.client_id.clone(),
            calls: self.wire.posts,
            answer_bytes: self.wire.received,
            updates_seen: self.state.cache.len(),
            findings: self.findings.list().to_vec(),
            unknown_rules: self.unknown_rules.clone(),
            ..self.report.clone()
        }
    }

    /// What applies to the machine, by what is known now.
    pub(crate) fn applicability(&self) -> Applicability<'_> {
        Applicability::new(
            &self.state,
            &self.verdicts,
            &self.machine.profile,
            self.options.assume_all,
        )
    }

    /// Evaluates the rules of a cached revision.
    pub(crate) fn evaluate(&mut self, id: i32) {
        let Some(cached) = self.state.cache.get(&id) else { return };
        let Some(rules) = &cached.core.rules else { return };
        let mut evaluator = Evaluator::new(&self.machine);
        let verdict = evaluator.verdict(rules);
        for (name, count) in evaluator.unknown {
            *self.unknown_rules.entry(name).or_default() += count;
        }
        self.verdicts.insert(id, verdict);
    }

    pub(super) fn evaluate_all(&mut self) {
        self.verdicts.clear();
        let ids: Vec<i32> = self.state.cache.keys().copied().collect();
        ids.into_iter().for_each(|id| self.evaluate(id));
    }

    /// Hands on findings that are new.
    pub(crate) fn emit_findings(&mut self, progress: ProbeProgress<'_>) {
        for finding in self.findings.fresh() {
            progress(ProbeEvent::Finding(finding.clone()));
        }
    }

    /// A judge for answers to `operation`.
    pub(crate) fn judge(&mut self, operation: Operation) -> Judge<'_> {
        Judge::new(&mut self.findings, operation.name())
    }
}

/// Milliseconds since then.
pub(crate) fn millis(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX)
}
