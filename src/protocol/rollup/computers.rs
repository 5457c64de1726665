//! RollupComputers: the computers of the servers below. [MS-WSUSSS] 3.1.4.15
//!
//! Unlike everywhere else, the values are attributes.

use std::convert::Infallible;

use serde::{Deserialize, Serialize};
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
};

/// A downstream reports computers: its own, and those of the servers below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupComputers {
    /// Its clock.
    pub client_time: DateTime,
    /// The computers.
    pub computers: Vec<RollupComputer>,
}

/// A computer of a server below. All of it is a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupComputer {
    /// `clientId`.
    pub id: String,
    /// When it last synchronized.
    pub last_sync: Option<DateTime>,
    /// 0 unknown, 1 succeeded, 2 failed.
    pub last_sync_result: i32,
    /// When it last restarted.
    pub last_reboot: Option<DateTime>,
    /// When it last reported.
    pub last_report: Option<DateTime>,
    /// When it last sent its inventory.
    pub last_inventory: Option<DateTime>,
    /// The server that it comes to.
    pub parent: Uuid,
    /// The first time, and when they changed.
    pub details: Option<ComputerDetails>,
}

/// What does not change often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct ComputerDetails {
    /// The address from which it called.
    pub ip_address: Option<String>,
    /// DNS name.
    pub name: Option<String>,
    /// Major, minor, build, service pack major and minor.
    pub os_version: [i32; 5],
    /// Such as `en-US`.
    pub os_locale: Option<String>,
    /// Such as `Windows`.
    pub os_family: Option<String>,
    /// Such as `Windows Server 2008`.
    pub os_description: Option<String>,
    /// Manufacturer.
    pub make: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Of its firmware.
    pub bios_version: Option<String>,
    /// Of its firmware.
    pub bios_name: Option<String>,
    /// Of its firmware, as it was sent.
    pub bios_release: Option<String>,
    /// Such as `AMD64`.
    pub architecture: Option<String>,
    /// As the system has it.
    pub suite_mask: i16,
    /// As the system has it.
    pub old_product_type: u8,
    /// As the system has it.
    pub new_product_type: i32,
    /// As the system has it.
    pub system_metrics: i32,
    /// Version of its agent.
    pub client_version: Option<String>,
    /// Groups that it is in.
    pub groups: Vec<Uuid>,
    /// Groups that it asks for.
    pub requested_groups: Vec<String>,
}

/// How the upstream answers for a computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedComputer {
    /// `clientId`.
    pub id: String,
    /// Whether to forget it, or to send its details again.
    pub change: RollupChange,
}

/// What a downstream is to do about a computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollupChange {
    /// Forget it.
    Deleted,
    /// Send it again with its details.
    NewParent,
}

const OS_VERSION: [&str; 5] = [
    "OSMajorVersion",
    "OSMinorVersion",
    "OSBuildNumber",
    "OSServicePackMajorNumber",
    "OSServicePackMinorNumber",
];

impl Operation for RollupComputers {
    type Answer = Vec<ChangedComputer>;
    const NAME: &'static str = "RollupComputers";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let computers = fields.each_within("computers", "ComputerRollupInfo", MAX_ITEMS)?;
        Ok(Self {
            client_time: fields.get("clientTime")?,
            computers: computers.iter().map(RollupComputer::read).collect::<Result<_, _>>()?,
        })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        write_cookie(w);
        w.value("clientTime", self.client_time);
        w.element("computers", |w| self.computers.iter().for_each(|computer| computer.write(w)));
    }

    fn read_answer(answer: &Element) -> Result<Self::Answer, ProtocolFault> {
        let changed = Fields::new(answer).each_within(
            "RollupComputersResult",
            "ChangedComputer",
            MAX_ITEMS,
        )?;
        changed
            .iter()
            .map(|fields| {
                let change = match fields.attribute_text("Change") {
                    Some("Deleted") => RollupChange::Deleted,
                    Some("NewParent") => RollupChange::NewParent,
                    _ => return Err(ProtocolFault::invalid("ChangedComputer.Change")),
                };
                Ok(ChangedComputer { id: fields.attribute("ComputerId")?, change })
            })
            .collect()
    }
}

impl RollupComputers {
    /// Writes the answer.
    pub fn write_answer<F>(changed: &[ChangedComputer], w: &mut Writer<F>) {
        write_result::<Self, F>(w, |w| {
            for computer in changed {
                let change = match computer.change {
                    RollupChange::Deleted => "Deleted",
                    RollupChange::NewParent => "NewParent",
                };
                let attributes = [
                    ("ComputerId", Some(computer.id.clone())),
                    ("Change", Some(change.to_owned())),
                ];
                w.element_with("ChangedComputer", &attributes, |_| {});
            }
        });
    }
}

impl RollupComputer {
    fn read(fields: &Fields<'_>) -> Result<Self, ProtocolFault> {
        let at = |name| Ok::<_, ProtocolFault>(reached(fields.attribute(name)?));
        let id: String = fields.attribute("ComputerId")?;
        if id.len() > 256 {
            return Err(ProtocolFault::invalid("computers.ComputerId"));
        }
        Ok(Self {
            id,
            last_sync: at("LastSyncTime")?,
            last_sync_result: fields.attribute("LastSyncResult")?,
            last_reboot: at("LastReportedRebootTime")?,
            last_report: at("LastReportedStatusTime")?,
            last_inventory: at("LastInventoryTime")?,
            parent: fields.attribute("ParentServerId")?,
            details: match fields.maybe_within("Details") {
                Some(details) => Some(ComputerDetails::read(&details)?),
                None => None,
            },
        })
    }

    fn write<F>(&self, w: &mut Writer<F>) {
        let attributes = [
            ("ComputerId", Some(self.id.clone())),
            ("LastSyncTime", Some(instant(self.last_sync))),
            ("LastSyncResult", Some(self.last_sync_result.to_string())),
            ("LastReportedRebootTime", Some(instant(self.last_reboot))),
            ("LastReportedStatusTime", Some(instant(self.last_report))),
            ("LastInventoryTime", Some(instant(self.last_inventory))),
            ("ParentServerId", Some(self.parent.hyphenated().to_string())),
        ];
        w.element_with("ComputerRollupInfo", &attributes, |w| {
            if let Some(details) = &self.details {
                details.write(w);
            }
        });
    }
}

impl ComputerDetails {
    fn read(fields: &Fields<'_>) -> Result<Self, ProtocolFault> {
        let text = |name, most| fields.attribute_text(name).map(|text| short(Some(text), most));
        let mut os_version = [0; 5];
        for (part, name) in os_version.iter_mut().zip(OS_VERSION) {
            *part = fields.attribute(name)?;
        }
        let requested: Vec<String> = fields.list("RequestedTargetGroupNames", "string", 256)?;
        Ok(Self {
            ip_address: text("IPAddress", 64),
            name: text("FullDomainName", 256),
            os_version,
            os_locale: text("OSLocale", 32),
            os_family: text("OSFamily", 256),
            os_description: text("OSDescription", 256),
            make: text("ComputerMake", 64),
            model: text("ComputerModel", 64),
            bios_version: text("BiosVersion", 64),
            bios_name: text("BiosName", 64),
            bios_release: text("BiosReleaseDate", 40),
            architecture: text("ProcessorArchitecture", 50),
            suite_mask: fields.attribute("SuiteMask")?,
            old_product_type: fields.attribute("OldProductType")?,
            new_product_type: fields.attribute("NewProductType")?,
            system_metrics: fields.attribute("SystemMetrics")?,
            client_version: text("ClientVersion", 20),
            groups: fields.list("TargetGroupIdList", "guid", 256)?,
            requested_groups: requested.iter().map(|name| short(Some(name), 256)).collect(),
        })
    }

    fn write<F>(&self, w: &mut Writer<F>) {
        let Self { ip_address, name, os_locale, os_family, os_description, .. } = self.clone();
        let mut attributes = vec![("IPAddress", ip_address), ("FullDomainName", name)];
        attributes
            .extend(OS_VERSION.into_iter().zip(self.os_version.map(|part| Some(part.to_string()))));
        attributes.extend([
            ("OSLocale", os_locale),
            ("OSFamily", os_family),
            ("OSDescription", os_description),
            ("ComputerMake", self.make.clone()),
            ("ComputerModel", self.model.clone()),
            ("BiosVersion", self.bios_version.clone()),
            ("BiosName", self.bios_name.clone()),
            ("BiosReleaseDate", Some(self.bios_release.clone().unwrap_or_else(|| instant(None)))),
            ("ProcessorArchitecture", self.architecture.clone()),
            ("SuiteMask", Some(self.suite_mask.to_string())),
            ("OldProductType", Some(self.old_product_type.to_string())),
            ("NewProductType", Some(self.new_product_type.to_string())),
            ("SystemMetrics", Some(self.system_metrics.to_string())),
            ("ClientVersion", self.client_version.clone()),
        ]);
        w.element_with("Details", &attributes, |w| {
            w.element("TargetGroupIdList", |w| {
                self.groups.iter().for_each(|id| w.value("guid", id.hyphenated()));
            });
            w.element("RequestedTargetGroupNames", |w| {
                self.requested_groups.iter().for_each(|name| w.value("string", name));
            });
        });
    }
}
