//! The handshake, and refreshing the cache after a server lost its numbering. [MS-WUSP] 3.1.5.2,
//! 3.1.5.8

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    answers,
    error::ProbeError,
    fault::FaultCode,
    http::CallError,
    judge::parse_instant,
    operation::Operation,
    report::ProbeProgress,
    requests, rulebook as rules,
    session::Session,
    state::{Config, PlugIn},
};

/// Identities in one RefreshCache; a WSUS takes 200.
const REFRESH_BATCH: usize = 200;

impl Session {
    /// GetConfig if it is not known, GetAuthorizationCookie, GetCookie; RegisterComputer if this
    /// computer never was.
    pub(super) async fn handshake(
        &mut self,
        progress: ProbeProgress<'_>,
    ) -> Result<(), ProbeError> {
        let mut tries = 0;
        loop {
            self.get_config(progress).await?;
            match self.get_cookie(progress).await {
                Ok(()) => break,
                Err(CallError::Fatal(error)) => return Err(error),
                Err(CallError::Fault(fault)) => {
                    tries += 1;
                    match fault.code {
                        Some(FaultCode::ConfigChanged) if tries < 3 => self.state.config = None,
                        // The old cookie is not this server's.
                        Some(FaultCode::InvalidCookie | FaultCode::ServerChanged) if tries < 3 => {
                            self.state.cookie = None;
                        }
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
        self.emit_findings(progress);
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
        // Without SimpleTargeting there is no service that gives authorization cookies.
        let mut authorization = (config.plug_in.name().to_owned(), String::new());
        if config.plug_in != PlugIn::Anonymous {
            let operation = Operation::GetAuthorizationCookie;
            let request = requests::get_authorization_cookie(
                &self.state.client_id,
                self.options.target_group.as_deref(),
                &self.options.computer_name,
            );
            let response = self.handshake_call(operation, request, progress).await?;
            let cookie = answers::authorization_cookie(&response, &mut self.judge(operation));
            self.emit_findings(progress);
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
        self.emit_findings(progress);
        self.state.cookie = Some(cookie.ok_or_else(|| incomplete(operation))?);
        Ok(())
    }

    pub(super) async fn register(&mut self, progress: ProbeProgress<'_>) -> Result<(), ProbeError> {
        let operation = Operation::RegisterComputer;
        let request = requests::register_computer(
            self.state.cookie.as_ref(),
            &self.options.computer_name,
            &self.machine.profile,
        );
        let response = self.handshake_call(operation, request, progress).await?;
        answers::registered(&response, &mut self.judge(operation));
        self.emit_findings(progress);
        self.state.registered = true;
        Ok(())
    }

    /// Learns the ids that the server now has for what is cached, and forgets what it does not name.
    /// Says whether anything moved.
    pub(super) async fn refresh_cache(
        &mut self,
        progress: ProbeProgress<'_>,
    ) -> Result<bool, ProbeError> {
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
            self.emit_findings(progress);
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

    /// A server that lost its cookies has no reason to have another configuration.
    pub(super) fn judge_last_change(&mut self, before: Option<Config>) {
        if let (Some(before), Some(now)) = (before, self.state.config.clone())
            && parse_instant(&before.last_change) != parse_instant(&now.last_change)
        {
            let what = format!("from {} to {}", before.last_change, now.last_change);
            self.judge(Operation::GetConfig).broken(&rules::LAST_CHANGE_MOVES, what);
        }
    }
}

fn incomplete(operation: Operation) -> ProbeError {
    ProbeError::Unusable {
        operation: operation.name(),
        reason: "what an agent needs of it is missing".into(),
    }
}
