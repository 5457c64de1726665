//! Calls with the recoveries that the protocol knows.

use super::{
    error::ProbeError,
    fault::{FaultCode, ReceivedFault},
    http::CallError,
    operation::Operation,
    report::{ProbeEvent, ProbeProgress},
    rulebook as rules,
    session::{Session, SessionEnd},
    tree::Element,
};

impl Session {
    /// Calls an operation; where the server asks for it, makes a new handshake and calls again.
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
            if recovered.contains(&fault.word) {
                self.judge(operation).broken(&rules::FAULT_ENDLESS, fault.word.clone());
                let operation = operation.name();
                return Err(ProbeError::Endless { operation, code: fault.word }.into());
            }
            recovered.push(fault.word.clone());
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
        match fault.code {
            Some(FaultCode::InvalidCookie | FaultCode::ServerChanged) => {
                self.state.cookie = None;
                let before = self.state.config.take();
                self.handshake(progress).await?;
                self.judge_last_change(before);
                if self.refresh_cache(progress).await? {
                    return Err(SessionEnd::Renumbered);
                }
                Ok(())
            }
            Some(FaultCode::ConfigChanged) => {
                self.state.config = None;
                Ok(self.handshake(progress).await?)
            }
            Some(FaultCode::CookieExpired) => Ok(self.handshake(progress).await?),
            Some(FaultCode::RegistrationRequired) => Ok(self.register(progress).await?),
            _ => Err(self.give_up(operation, fault).into()),
        }
    }

    /// The error of a fault that an agent does not recover from.
    pub(super) fn give_up(&mut self, operation: Operation, fault: ReceivedFault) -> ProbeError {
        let what = format!("{} {}", fault.word, fault.message);
        if fault.code == Some(FaultCode::ServerBusy) && operation == Operation::ReportEventBatch {
            self.judge(operation).broken(&rules::REPORT_REFUSED, what.trim());
            return ProbeError::Busy { operation: operation.name(), message: fault.message };
        }
        self.judge(operation).broken(&rules::FAULT_UNEXPECTED, what.trim());
        ProbeError::Fault { operation: operation.name(), code: fault.word, message: fault.message }
    }

    /// A call without recovery.
    pub(super) async fn plain_call(
        &mut self,
        operation: Operation,
        body: String,
        progress: ProbeProgress<'_>,
    ) -> Result<Element, CallError> {
        progress(ProbeEvent::Call { operation: operation.name() });
        let path = self.state.config.as_ref().map(|config| config.service_url.clone());
        let path = path.unwrap_or_default();
        let outcome = self.wire.call(operation, &path, body, &mut self.findings).await;
        self.emit_findings(progress);
        outcome
    }

    /// A call of the handshake, where every fault is the end.
    pub(super) async fn handshake_call(
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
}
