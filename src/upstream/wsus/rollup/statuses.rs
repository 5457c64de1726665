//! The third part: the states of updates on each computer.

use std::thread;

use jiff::Timestamp;
use uuid::Uuid;

use super::{computers::AcceptedComputer, report::RollupError, run::RollupRun};
use crate::{
    fleet::{ComplianceState, PendingReport},
    protocol::{
        DateTime,
        rollup::{ComputerStatus, RollupComputerStatus, SummarizationState, UpdateStatus},
    },
};

/// Computers and states in one message, whatever the upstream would take.
const STATUSES: usize = 100;
const STATES: usize = 20_000;
/// How often a busy upstream is asked.
const ATTEMPTS: u32 = 4;

impl RollupRun<'_> {
    /// Reports what has changed on each computer.
    pub(super) fn report_statuses(
        &mut self,
        accepted: &[AcceptedComputer],
    ) -> Result<(), RollupError> {
        let most = self.config.status_batch.min(STATUSES);
        let (mut batch, mut states) = (Vec::new(), 0);
        for AcceptedComputer { id, last_sync } in accepted {
            let Some(pending) = self.fleet.pending_report(id, Timestamp::now())? else {
                continue;
            };
            if !batch.is_empty() && (batch.len() >= most || states + pending.updates.len() > STATES)
            {
                self.send_statuses(std::mem::take(&mut batch))?;
                states = 0;
            }
            states += pending.updates.len();
            batch.push((pending, *last_sync));
        }
        self.send_statuses(batch)
    }

    fn send_statuses(
        &mut self,
        batch: Vec<(PendingReport, Option<DateTime>)>,
    ) -> Result<(), RollupError> {
        if batch.is_empty() {
            return Ok(());
        }
        let computers: Vec<_> =
            batch.iter().map(|(pending, sync)| status(pending, *sync)).collect();
        let pending: Vec<PendingReport> = batch.into_iter().map(|(pending, _)| pending).collect();
        for attempt in 1..=ATTEMPTS {
            let request = RollupComputerStatus {
                client_time: DateTime(Timestamp::now()),
                parent: self.account,
                computers: computers.clone(),
            };
            if self.session.report(&request)? {
                self.done.statuses += pending.len() as u64;
                return Ok(self.fleet.mark_status_reported(&pending)?);
            }
            if attempt < ATTEMPTS {
                thread::sleep(self.busy);
            }
        }
        Err(RollupError::Busy)
    }
}

fn status(pending: &PendingReport, last_detection: Option<DateTime>) -> ComputerStatus {
    let state = |state| match state {
        None => SummarizationState::NothingToDo,
        Some(ComplianceState::Needed) => SummarizationState::NotInstalled,
        Some(ComplianceState::Downloaded) => SummarizationState::Downloaded,
        Some(ComplianceState::Installed) => SummarizationState::Installed,
        Some(ComplianceState::Failed) => SummarizationState::Failed,
        Some(ComplianceState::RestartPending) => SummarizationState::RestartPending,
    };
    ComputerStatus {
        instance: Uuid::new_v4(),
        computer: pending.computer.clone(),
        last_detection,
        number: pending.number,
        full: pending.full,
        updates: pending
            .updates
            .iter()
            .map(|(update, found, changed)| UpdateStatus {
                update: *update,
                state: state(*found),
                changed: Some(DateTime(*changed)),
            })
            .collect(),
    }
}
