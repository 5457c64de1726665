//! States of updates on the computers below. [MS-WSUSSS] 3.1.4.16, 3.1.4.17

use std::convert::Infallible;

use uuid::Uuid;

use super::{MAX_ITEMS, instant, reached, short, write_cookie};
use crate::{
    protocol::{
        fault::ProtocolFault,
        fields::Fields,
        server_sync::operation::{Operation, write_result},
        time::DateTime,
    },
    soap::{Element, Writer},
    update::UpdateId,
};

/// A downstream asks for which computers the upstream lost count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetOutOfSyncComputers {
    /// The downstream that asks.
    pub parent: Uuid,
    /// What it has sent last of each.
    pub computers: Vec<LastRollupNumber>,
}

/// The number of the last report on a computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRollupNumber {
    /// `clientId`.
    pub computer: String,
    /// 0: there was none.
    pub number: i32,
}

/// A downstream reports states of updates on computers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupComputerStatus {
    /// Its clock.
    pub client_time: DateTime,
    /// The downstream that reports.
    pub parent: Uuid,
    /// The computers.
    pub computers: Vec<ComputerStatus>,
}

/// The states on one computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComputerStatus {
    /// New for each report.
    pub instance: Uuid,
    /// `clientId`.
    pub computer: String,
    /// Until when the states are those that the computer found.
    pub last_detection: Option<DateTime>,
    /// One more than that of the last report.
    pub number: i32,
    /// All states, instead of those that changed.
    pub full: bool,
    /// The states.
    pub updates: Vec<UpdateStatus>,
}

/// The state of one update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateStatus {
    /// The update.
    pub update: UpdateId,
    /// Its state.
    pub state: SummarizationState,
    /// When that state was reached.
    pub changed: Option<DateTime>,
}

/// The state of an update on a computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SummarizationState {
    /// Not needed, or not known: the specification says both of 0 and 1.
    NothingToDo,
    /// Needed.
    NotInstalled,
    /// Its files are there.
    Downloaded,
    /// Installed.
    Installed,
    /// It failed.
    Failed,
    /// Installed, but the computer has to restart.
    RestartPending,
}

impl SummarizationState {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::NothingToDo => 0,
            Self::NotInstalled => 2,
            Self::Downloaded => 3,
            Self::Installed => 4,
            Self::Failed => 5,
            Self::RestartPending => 6,
        }
    }

    pub(super) fn of_wire(number: i32) -> Self {
        match number {
            2 => Self::NotInstalled,
            3 => Self::Downloaded,
            4 => Self::Installed,
            5 => Self::Failed,
            6 => Self::RestartPending,
            _ => Self::NothingToDo,
        }
    }
}

impl Operation for GetOutOfSyncComputers {
    /// Ids of computers: all of their states are wanted.
    type Answer = Vec<String>;
    const NAME: &'static str = "GetOutOfSyncComputers";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let computers =
            fields.each_within("lastRollupNumbers", "ComputerLastRollupNumber", MAX_ITEMS)?;
        Ok(Self {
            parent: fields.get("parentServerId")?,
            computers: computers
                .iter()
                .map(|computer| {
                    Ok(LastRollupNumber {
                        computer: short(Some(computer.text("ComputerId")?), 256),
                        number: computer.get("RollupNumber")?,
                    })
                })
                .collect::<Result<_, ProtocolFault>>()?,
        })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        write_cookie(w);
        w.value("parentServerId", self.parent.hyphenated());
        w.element("lastRollupNumbers", |w| {
            for computer in &self.computers {
                w.element("ComputerLastRollupNumber", |w| {
                    w.value("ComputerId", &computer.computer);
                    w.value("RollupNumber", computer.number);
                });
            }
        });
    }

    fn read_answer(answer: &Element) -> Result<Self::Answer, ProtocolFault> {
        Fields::new(answer).list("GetOutOfSyncComputersResult", "string", MAX_ITEMS)
    }
}

impl GetOutOfSyncComputers {
    /// Writes the answer.
    pub fn write_answer<F>(computers: &[String], w: &mut Writer<F>) {
        write_result::<Self, F>(w, |w| computers.iter().for_each(|id| w.value("string", id)));
    }
}

impl Operation for RollupComputerStatus {
    /// False: the upstream is busy, try again later.
    type Answer = bool;
    const NAME: &'static str = "RollupComputerStatus";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let computers = fields.each_within("computers", "ComputerStatusRollupInfo", MAX_ITEMS)?;
        Ok(Self {
            client_time: fields.get("clientTime")?,
            parent: fields.get("parentServerId")?,
            computers: computers.iter().map(ComputerStatus::read).collect::<Result<_, _>>()?,
        })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        write_cookie(w);
        w.value("clientTime", self.client_time);
        w.value("parentServerId", self.parent.hyphenated());
        w.element("computers", |w| {
            for computer in &self.computers {
                w.element("ComputerStatusRollupInfo", |w| computer.write(w));
            }
        });
    }

    fn read_answer(answer: &Element) -> Result<bool, ProtocolFault> {
        Fields::new(answer).flag("RollupComputerStatusResult")
    }
}

impl RollupComputerStatus {
    /// Writes the answer.
    pub fn write_answer<F>(taken: bool, w: &mut Writer<F>) {
        w.element_in(Self::NAMESPACE, "RollupComputerStatusResponse", |w| {
            w.value("RollupComputerStatusResult", taken);
        });
    }
}

impl ComputerStatus {
    fn read(fields: &Fields<'_>) -> Result<Self, ProtocolFault> {
        let updates =
            fields.each_within("UpdateStatus", "ComputerStatusRollupUpdateStatus", MAX_ITEMS)?;
        Ok(Self {
            instance: fields.get("InstanceId")?,
            computer: short(Some(fields.text("ComputerId")?), 256),
            last_detection: reached(fields.get("EffectiveLastDetectionTime")?),
            number: fields.get("RollupNumber")?,
            full: fields.flag("IsFullRollup")?,
            updates: updates
                .iter()
                .map(|update| {
                    Ok(UpdateStatus {
                        update: update.update_id("UpdateId")?,
                        state: SummarizationState::of_wire(update.get("SummarizationState")?),
                        changed: reached(update.get("LastChangeTime")?),
                    })
                })
                .collect::<Result<_, ProtocolFault>>()?,
        })
    }

    fn write<F>(&self, w: &mut Writer<F>) {
        w.value("InstanceId", self.instance.hyphenated());
        w.value("ComputerId", &self.computer);
        w.value("EffectiveLastDetectionTime", instant(self.last_detection));
        w.value("RollupNumber", self.number);
        w.value("IsFullRollup", self.full);
        w.element("UpdateStatus", |w| {
            for status in &self.updates {
                w.element("ComputerStatusRollupUpdateStatus", |w| {
                    w.value("UpdateId", status.update);
                    w.value("SummarizationState", status.state.number());
                    w.value("LastChangeTime", instant(status.changed));
                });
            }
        });
    }
}
