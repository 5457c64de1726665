//! A run of the stand-in: its parts, and calls with the recoveries that the protocol knows.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use uuid::Uuid;

use super::{
    answers,
    applicability::Applicability,
    error::ProbeError,
    findings::Findings,
    http::{CallError, HttpTransport, ReceivedFault},
    judge::{Judge, parse_instant},
    operation::Operation,
    options::ProbeOptions,
    report::{ProbeEvent, ProbeProgress, ProbeReport},
    requests, rulebook as rules,
    rules::{Evaluator, Machine, Verdict},
    state::{Config, Datastore},
    tree::Element,
};

/// Identities in one RefreshCache; a WSUS takes 200.
const REFRESH_BATCH: usize = 200;

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
        self.tell_findings(progress);
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

    fn evaluate_all(&mut self) {
        self.verdicts.clear();
        let ids: Vec<i32> = self.state.cache.keys().copied().collect();
        ids.into_iter().for_each(|id| self.evaluate(id));
    }

    /// Hands on findings that are new.
    pub(crate) fn tell_findings(&mut self, progress: ProbeProgress<'_>) {
        for finding in self.findings.fresh() {
            progress(ProbeEvent::Finding(finding.clone()));
        }
    }

    /// A judge for answers to `operation`.
    pub(crate) fn judge(&mut self, operation: Operation) -> Judge<'_> {
        Judge::new(&mut self.findings, operation.name())
    }

    /// Calls an operation; where the server asks for it, makes the handshake anew and calls again.
    /// `body` writes the request, with the cookie that is then in use.
    pub(crate) async fn call(
        &mut self,
        operation: Operation,
        progress: ProbeProgress<'_>,
        body: impl Fn(&Self) -> String,
    ) -> Result<Element, SessionEnd> {
        let mut recovered: Vec<String> = Vec::new();
        loop {
            let request = body(self);
            let fault = match self.plain_call(operation, request, progress).await {
                Ok(response) => return Ok(response),
                Err(CallError::Fatal(error)) => return Err(error.into()),
                Err(CallError::Fault(fault)) => fault,
            };
            if recovered.contains(&fault.code) {
                self.judge(operation).broken(&rules::FAULT_ENDLESS, fault.code.clone());
                let operation = operation.name();
                return Err(ProbeError::Endless { operation, code: fault.code }.into());
            }
            recovered.push(fault.code.clone());
            self.recover(operation, fault, progress).await?;
        }
    }

    /// Does what an agent does after a fault ([MS-WUSP] 3.2.5).
    async fn recover(
        &mut self,
        operation: Operation,
        fault: ReceivedFault,
        progress: ProbeProgress<'_>,
    ) -> Result<(), SessionEnd> {
        match fault.code.as_str() {
            "InvalidCookie" | "ServerChanged" => {
                self.state.cookie = None;
                let before = self.state.config.take();
                self.handshake(progress).await?;
                self.judge_last_change(before);
                if self.refresh_cache(progress).await? {
                    return Err(SessionEnd::Renumbered);
                }
                Ok(())
            }
            "ConfigChanged" => {
                self.state.config = None;
                Ok(self.handshake(progress).await?)
            }
            "CookieExpired" => Ok(self.handshake(progress).await?),
            "RegistrationRequired" => Ok(self.register(progress).await?),
            _ => Err(self.give_up(operation, fault).into()),
        }
    }

    /// A server that lost its cookies has no reason to have another configuration.
    fn judge_last_change(&mut self, before: Option<Config>) {
        if let (Some(before), Some(now)) = (before, self.state.config.clone())
            && parse_instant(&before.last_change) != parse_instant(&now.last_change)
        {
            let what = format!("from {} to {}", before.last_change, now.last_change);
            self.judge(Operation::GetConfig).broken(&rules::LAST_CHANGE_MOVES, what);
        }
    }

    fn give_up(&mut self, operation: Operation, fault: ReceivedFault) -> ProbeError {
        let what = format!("{} {}", fault.code, fault.message);
        self.judge(operation).broken(&rules::FAULT_UNEXPECTED, what.trim());
        ProbeError::Fault { operation: operation.name(), code: fault.code, message: fault.message }
    }

    /// A call without recovery.
    async fn plain_call(
        &mut self,
        operation: Operation,
        body: String,
        progress: ProbeProgress<'_>,
    ) -> Result<Element, CallError> {
        progress(ProbeEvent::Call { operation: operation.name() });
        let path = self.state.config.as_ref().map(|config| config.service_url.clone());
        let path = path.unwrap_or_default();
        let outcome = self.wire.call(operation, &path, body, &mut self.findings).await;
        self.tell_findings(progress);
        outcome
    }

    /// A call of the handshake, where every fault is the end.
    async fn handshake_call(
        &mut self,
        operation: Operation,
        body: String,
        progress: ProbeProgress<'_>,
    ) -> Result<Element, ProbeError> {
        match self.plain_call(operation, body, progress).await {
            Ok(response) => Ok(response),
            Err(CallError::Fatal(error)) => Err(error),
            Err(CallError::Fault(fault)) => Err(self.give_up(operation, fault)),
        }
    }

    /// GetConfig if it is not known, GetAuthorizationCookie, GetCookie; RegisterComputer if this
    /// computer never was.
    async fn handshake(&mut self, progress: ProbeProgress<'_>) -> Result<(), ProbeError> {
        let mut tries = 0;
        loop {
            self.get_config(progress).await?;
            match self.get_cookie(progress).await {
                Ok(()) => break,
                Err(CallError::Fatal(error)) => return Err(error),
                Err(CallError::Fault(fault)) => {
                    tries += 1;
                    match fault.code.as_str() {
                        "ConfigChanged" if tries < 3 => self.state.config = None,
                        // The old cookie is not this server's.
                        "InvalidCookie" | "ServerChanged" if tries < 3 => self.state.cookie = None,
                        _ => return Err(self.give_up(Operation::GetCookie, fault)),
                    }
                }
            }
        }
        let wanted = self.state.config.as_ref().is_some_and(|config| config.registration);
        if wanted && !self.state.registered {
            self.register(progress).await?;
        }
        Ok(())
    }

    async fn get_config(&mut self, progress: ProbeProgress<'_>) -> Result<(), ProbeError> {
        if self.state.config.is_some() {
            return Ok(());
        }
        let operation = Operation::GetConfig;
        let response = self.handshake_call(operation, requests::get_config(), progress).await?;
        let config = answers::config(&response, &mut self.judge(operation));
        self.tell_findings(progress);
        self.state.config = config;
        match self.state.config {
            Some(_) => Ok(()),
            None => Err(incomplete(operation)),
        }
    }

    async fn get_cookie(&mut self, progress: ProbeProgress<'_>) -> Result<(), CallError> {
        let Some(config) = self.state.config.clone() else {
            return Err(incomplete(Operation::GetConfig).into());
        };
        // Without SimpleTargeting there is nobody to ask for an authorization cookie.
        let mut authorization = (config.plug_in.clone(), String::new());
        if config.plug_in != "Anonymous" {
            let operation = Operation::GetAuthorizationCookie;
            let request = requests::get_authorization_cookie(
                &self.state.client_id,
                self.options.target_group.as_deref(),
                &self.options.computer_name,
            );
            let response = self.handshake_call(operation, request, progress).await?;
            let cookie = answers::authorization_cookie(&response, &mut self.judge(operation));
            self.tell_findings(progress);
            let cookie = cookie.ok_or_else(|| incomplete(operation))?;
            authorization = (cookie.plug_in, cookie.data);
        }
        let operation = Operation::GetCookie;
        let request = requests::get_cookie(
            &authorization.0,
            &authorization.1,
            self.state.cookie.as_ref(),
            &config.last_change,
        );
        let response = self.plain_call(operation, request, progress).await?;
        let cookie = answers::cookie(&response, &mut self.judge(operation));
        self.tell_findings(progress);
        self.state.cookie = Some(cookie.ok_or_else(|| incomplete(operation))?);
        Ok(())
    }

    async fn register(&mut self, progress: ProbeProgress<'_>) -> Result<(), ProbeError> {
        let operation = Operation::RegisterComputer;
        let request = requests::register_computer(
            self.state.cookie.as_ref(),
            &self.options.computer_name,
            &self.machine.profile,
        );
        let response = self.handshake_call(operation, request, progress).await?;
        answers::registered(&response, &mut self.judge(operation));
        self.tell_findings(progress);
        self.state.registered = true;
        Ok(())
    }

    /// Learns the ids that the server now has for what is cached, and forgets what it does not name.
    /// Says whether anything moved.
    async fn refresh_cache(&mut self, progress: ProbeProgress<'_>) -> Result<bool, ProbeError> {
        let operation = Operation::RefreshCache;
        let before = std::mem::take(&mut self.state.cache);
        let identities: Vec<(Uuid, i32)> =
            before.values().map(|cached| (cached.core.update_id, cached.core.revision)).collect();
        let mut held: HashMap<(Uuid, i32), _> = before
            .iter()
            .map(|(&id, cached)| ((cached.core.update_id, cached.core.revision), (id, cached)))
            .collect();
        let mut moved = false;
        let mut renamed = HashMap::new();
        for batch in identities.chunks(REFRESH_BATCH) {
            let request = requests::refresh_cache(self.state.cookie.as_ref(), batch);
            let response = self.handshake_call(operation, request, progress).await?;
            let kept = answers::refreshed(&response, batch, &mut self.judge(operation));
            self.tell_findings(progress);
            for (identity, info) in kept {
                let Some((old, cached)) = held.remove(&identity) else { continue };
                let mut cached = cached.clone();
                cached.leaf = info.leaf;
                cached.action = info.action.unwrap_or(cached.action);
                moved |= old != info.id;
                renamed.insert(old, info.id);
                self.state.cache.insert(info.id, cached);
            }
        }
        moved |= !held.is_empty();
        self.state.described =
            self.state.described.iter().filter_map(|id| renamed.get(id).copied()).collect();
        self.evaluate_all();
        Ok(moved)
    }
}

fn incomplete(operation: Operation) -> ProbeError {
    ProbeError::Unusable {
        operation: operation.name(),
        reason: "what an agent needs of it is missing".into(),
    }
}

/// Milliseconds since then.
pub(crate) fn millis(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX)
}
