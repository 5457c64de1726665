//! The second part: computers, and which of their states the upstream lacks.

use std::collections::{HashMap, HashSet};

use bundle_format::digest::Sha256;
use jiff::Timestamp;

use super::{report::RollupError, run::RollupRun, summary};
use crate::protocol::{
    DateTime,
    rollup::{
        GetOutOfSyncComputers, LastRollupNumber, RollupChange, RollupComputer, RollupComputers,
    },
};

/// Computers and numbers in one message, whatever the upstream would take.
const COMPUTERS: usize = 1000;
const NUMBERS: usize = 20_000;
/// How often a computer is reported again within one run.
const ROUNDS: u32 = 3;

/// A computer that the upstream knows now.
pub(super) struct AcceptedComputer {
    pub(super) id: String,
    pub(super) last_sync: Option<DateTime>,
}

/// A computer that may be reported, with when it was last seen.
type KnownComputer = (RollupComputer, Timestamp);

/// SHA-256 of the details of computers, by their ids.
type DetailDigests<'a> = HashMap<&'a str, Vec<u8>>;

impl RollupRun<'_> {
    /// Reports all computers, with details where they changed, again where the upstream wants it.
    pub(super) fn report_computers(&mut self) -> Result<Vec<AcceptedComputer>, RollupError> {
        let mut accepted = Vec::new();
        let all = self.all_computers()?;
        for batch in all.chunks(self.config.computers_batch.min(COMPUTERS)) {
            let (mut send, digests) = self.with_changed_details(batch)?;
            for round in 0..ROUNDS {
                if send.is_empty() {
                    break;
                }
                let (known, repeat) = self.send_computers(batch, &send, &digests)?;
                accepted.extend(known);
                send = repeat;
                if round + 1 == ROUNDS && !send.is_empty() {
                    tracing::warn!(
                        computers = send.len(),
                        "the upstream server asks for computers again and again; left for the next time"
                    );
                }
            }
        }
        Ok(accepted)
    }

    /// Those of a batch that are reported: not those that were deleted at the upstream and not seen
    /// since, and without the details that the upstream has. With the digests of all details.
    fn with_changed_details<'b>(
        &self,
        batch: &'b [KnownComputer],
    ) -> Result<(Vec<RollupComputer>, DetailDigests<'b>), RollupError> {
        let mut send = Vec::new();
        let mut digests = HashMap::new();
        for (computer, last_seen) in batch {
            let before = self.fleet.reported_computer(&computer.id)?;
            if before.deleted.is_some_and(|deleted| *last_seen <= deleted) {
                continue;
            }
            let json = serde_json::to_vec(&computer.details).unwrap_or_default();
            let digest = Sha256::hash(&json).as_bytes().to_vec();
            let details =
                computer.details.clone().filter(|_| before.details.as_ref() != Some(&digest));
            digests.insert(computer.id.as_str(), digest);
            send.push(RollupComputer { details, ..computer.clone() });
        }
        Ok((send, digests))
    }

    /// Sends one message. Gives the computers that the upstream knows now, and those that it wants
    /// once more, as a whole.
    fn send_computers(
        &mut self,
        batch: &[KnownComputer],
        send: &[RollupComputer],
        digests: &DetailDigests<'_>,
    ) -> Result<(Vec<AcceptedComputer>, Vec<RollupComputer>), RollupError> {
        let client_time = DateTime(Timestamp::now());
        let request = RollupComputers { client_time, computers: send.to_vec() };
        let changes: HashMap<String, RollupChange> = self
            .session
            .report(&request)?
            .into_iter()
            .map(|changed| (changed.id.to_lowercase(), changed.change))
            .collect();
        let change = |id: &str| changes.get(&id.to_lowercase()).copied();
        let known: Vec<(&str, &[u8])> = send
            .iter()
            .filter(|computer| change(&computer.id).is_none())
            .filter_map(|c| Some((c.id.as_str(), digests.get(c.id.as_str())?.as_slice())))
            .collect();
        self.fleet.mark_computers_reported(&known)?;
        self.done.computers += known.len() as u64;
        let mut repeat = Vec::new();
        for (computer, _) in batch {
            match change(&computer.id) {
                Some(RollupChange::Deleted) => {
                    self.fleet.note_deleted_upstream(&computer.id, Timestamp::now())?;
                }
                Some(RollupChange::NewParent) => {
                    // It knows no states either.
                    self.fleet.report_again(std::slice::from_ref(&computer.id))?;
                    repeat.push(computer.clone());
                }
                None => {}
            }
        }
        let last_sync = |id| batch.iter().find(|(c, _)| c.id == id).and_then(|c| c.0.last_sync);
        let accepted = known
            .iter()
            .map(|(id, _)| AcceptedComputer { id: (*id).to_owned(), last_sync: last_sync(*id) })
            .collect();
        Ok((accepted, repeat))
    }

    /// The computers that come here, and those of the servers below.
    fn all_computers(&self) -> Result<Vec<KnownComputer>, RollupError> {
        let computers = self.fleet.computers()?;
        let ours: HashSet<String> = computers.iter().map(|c| c.id.to_ascii_lowercase()).collect();
        let mut all: Vec<KnownComputer> = computers
            .iter()
            .map(|computer| {
                let sent = RollupComputer {
                    id: computer.id.clone(),
                    last_sync: computer.last_sync.map(DateTime),
                    last_sync_result: i32::from(computer.last_sync.is_some()),
                    last_reboot: None,
                    last_report: computer.last_report.map(DateTime),
                    last_inventory: None,
                    parent: self.account,
                    details: Some(summary::computer_details(computer)),
                };
                (sent, computer.last_seen)
            })
            .collect();
        for computer in self.fleet.downstream_computers()? {
            if ours.contains(&computer.id.to_ascii_lowercase())
                || !self.reported_servers.contains(&computer.server)
            {
                continue;
            }
            let last_seen = computer.last_sync.max(computer.last_report);
            let last_seen = last_seen.unwrap_or(Timestamp::MIN);
            let sent = RollupComputer {
                id: computer.id,
                last_sync: computer.last_sync.map(DateTime),
                last_sync_result: computer.last_sync_result,
                last_reboot: None,
                last_report: computer.last_report.map(DateTime),
                last_inventory: None,
                parent: computer.server,
                details: Some(serde_json::from_value(computer.details).unwrap_or_default()),
            };
            all.push((sent, last_seen));
        }
        Ok(all)
    }

    /// Asks which computers the upstream lacks states of; these are reported again as a whole.
    pub(super) fn ask_for_missing_statuses(
        &mut self,
        accepted: &[AcceptedComputer],
    ) -> Result<(), RollupError> {
        for batch in accepted.chunks(self.config.out_of_sync_batch.min(NUMBERS)) {
            let mut computers = Vec::with_capacity(batch.len());
            for AcceptedComputer { id, .. } in batch {
                let number = self.fleet.reported_computer(id)?.number;
                computers.push(LastRollupNumber { computer: id.clone(), number });
            }
            let lacking =
                self.session.report(&GetOutOfSyncComputers { parent: self.account, computers })?;
            self.fleet.report_again(&lacking)?;
        }
        Ok(())
    }
}
