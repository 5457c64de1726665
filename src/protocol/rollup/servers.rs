//! RollupDownstreamServers: the servers below, with numbers. [MS-WSUSSS] 3.1.4.14

use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{MAX_ITEMS, instant, reached, short, write_cookie};
use crate::{
    protocol::{
        fault::ProtocolFault,
        fields::Fields,
        server_sync::{NAMESPACE, operation::Operation},
        time::DateTime,
    },
    soap::{Element, Writer},
    update::UpdateIdentity,
};

/// A downstream reports on itself and on the servers below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupDownstreamServers {
    /// Its clock.
    pub client_time: DateTime,
    /// Parents before their children, the reporting server itself last. One whose summaries are
    /// more than the upstream takes comes several times.
    pub servers: Vec<DownstreamServer>,
}

/// A server as it reports, or as its parent does for it. All of it is a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownstreamServer {
    /// Its id, chosen by itself.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// When it last synchronized.
    pub last_sync: Option<DateTime>,
    /// Its parent; nil: the server that gets this report.
    pub parent: Uuid,
    /// Of its program: 1 to 4 numbers with dots.
    pub version: String,
    /// Takes over approvals and groups.
    pub replica: bool,
    /// When it made this report.
    pub last_rollup: Option<DateTime>,
    /// Numbers.
    pub summary: ServerSummary,
    /// Its computers by system; counts of activity are those since the last report.
    pub clients: Vec<ClientSummary>,
}

macro_rules! counts {
    ($($(#[$doc:meta])* $field:ident = $name:literal,)*) => {
        /// Numbers of a server, without the servers below it. [MS-WSUSSS] 3.1.4.14.3.2
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, rename_all = "kebab-case")]
        pub struct ServerSummary {
            $($(#[$doc])* pub $field: i32,)*
        }

        impl ServerSummary {
            fn read(fields: &Fields<'_>) -> Result<Self, ProtocolFault> {
                Ok(Self { $($field: fields.maybe($name)?.unwrap_or_default(),)* })
            }

            fn write<F>(&self, w: &mut Writer<F>) {
                $(w.value($name, self.$field);)*
            }
        }
    };
}

counts! {
    /// All updates.
    updates = "UpdateCount",
    /// Declined ones.
    declined = "DeclinedUpdateCount",
    /// Approved ones.
    approved = "ApprovedUpdateCount",
    /// Neither.
    not_approved = "NotApprovedUpdateCount",
    /// Approved in an older revision.
    stale_approvals = "UpdatesWithStaleUpdateApprovalsCount",
    /// Expired by their publisher.
    expired = "ExpiredUpdateCount",
    /// Critical and security updates that are not approved for installation.
    critical_or_security_not_approved = "CriticalOrSecurityUpdatesNotApprovedForInstallCount",
    /// The same of updates that the service itself needs.
    infrastructure_not_approved = "WsusInfrastructureUpdatesNotApprovedForInstallCount",
    /// Failed on some computer.
    with_client_errors = "UpdatesWithClientErrorsCount",
    /// Whose files could not be fetched.
    with_server_errors = "UpdatesWithServerErrorsCount",
    /// Whose files are to be fetched.
    needing_files = "UpdatesNeedingFilesCount",
    /// Needed by some computer.
    needed = "UpdatesNeededByComputersCount",
    /// Needed by none.
    up_to_date = "UpdatesUpToDateCount",
    /// Target groups, the built-in ones apart.
    groups = "CustomComputerTargetGroupCount",
    /// Computers.
    computers = "ComputerTargetCount",
    /// Those that need some update.
    computers_needing_updates = "ComputerTargetsNeedingUpdatesCount",
    /// Those on which some update failed.
    computers_with_errors = "ComputerTargetsWithUpdateErrorsCount",
    /// Those that need nothing.
    computers_up_to_date = "ComputersUpToDateCount",
}

/// Computers of one system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClientSummary {
    /// Major, minor, build, service pack major and minor.
    pub os_version: [i32; 5],
    /// Such as `en-US`.
    pub os_locale: String,
    /// As the system has it.
    pub suite_mask: i16,
    /// As the system has it.
    pub old_product_type: u8,
    /// As the system has it.
    pub new_product_type: i32,
    /// As the system has it.
    pub system_metrics: i32,
    /// Such as `AMD64`.
    pub architecture: String,
    /// How many computers.
    pub count: i32,
    /// What was installed on them since the last report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub activity: Vec<ClientActivity>,
}

/// Installations of a revision, not computers: one may try several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClientActivity {
    /// What was installed.
    pub identity: UpdateIdentity,
    /// How often that succeeded.
    pub succeeded: i32,
    /// How often it failed.
    pub failed: i32,
}

const OS_VERSION: [&str; 5] = [
    "OSMajorVersion",
    "OSMinorVersion",
    "OSBuildNumber",
    "OSServicePackMajorNumber",
    "OSServicePackMinorNumber",
];

impl Operation for RollupDownstreamServers {
    type Answer = ();
    const NAME: &'static str = "RollupDownstreamServers";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let servers =
            fields.each_within("downstreamServers", "DownstreamServerRollupInfo", MAX_ITEMS)?;
        Ok(Self {
            client_time: fields.get("clientTime")?,
            servers: servers.iter().map(DownstreamServer::read).collect::<Result<_, _>>()?,
        })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        write_cookie(w);
        w.value("clientTime", self.client_time);
        w.element("downstreamServers", |w| {
            for server in &self.servers {
                w.element("DownstreamServerRollupInfo", |w| server.write(w));
            }
        });
    }

    fn read_answer(_: &Element) -> Result<(), ProtocolFault> {
        Ok(())
    }
}

impl RollupDownstreamServers {
    /// Writes the answer: it says nothing.
    pub fn write_answer<F>(w: &mut Writer<F>) {
        w.element_in(NAMESPACE, "RollupDownstreamServersResponse", |_| {});
    }
}

impl DownstreamServer {
    fn read(fields: &Fields<'_>) -> Result<Self, ProtocolFault> {
        let clients = fields.each_within(
            "ClientSummaries",
            "DownstreamServerRollupClientSummary",
            MAX_ITEMS,
        )?;
        let version = fields.text("Version")?;
        if version.len() > 32 || !is_version(version) {
            return Err(ProtocolFault::invalid("downstreamServers.Version"));
        }
        Ok(Self {
            id: fields.get("ServerId")?,
            name: short(Some(fields.text("FullDomainName")?), 256),
            last_sync: reached(fields.get("LastSyncTime")?),
            parent: fields.get("ParentServerId")?,
            version: version.to_owned(),
            replica: fields.flag("IsReplica")?,
            last_rollup: reached(fields.get("LastRollupTime")?),
            summary: ServerSummary::read(&fields.within("ServerSummary")?)?,
            clients: clients.iter().map(ClientSummary::read).collect::<Result<_, _>>()?,
        })
    }

    fn write<F>(&self, w: &mut Writer<F>) {
        w.value("ServerId", self.id.hyphenated());
        w.value("FullDomainName", &self.name);
        w.value("LastSyncTime", instant(self.last_sync));
        w.value("ParentServerId", self.parent.hyphenated());
        w.value("Version", &self.version);
        w.value("IsReplica", self.replica);
        w.value("LastRollupTime", instant(self.last_rollup));
        w.element("ServerSummary", |w| self.summary.write(w));
        w.element("ClientSummaries", |w| {
            for client in &self.clients {
                w.element("DownstreamServerRollupClientSummary", |w| client.write(w));
            }
        });
    }
}

fn is_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    parts.len() <= 4 && parts.iter().all(number)
}

impl ClientSummary {
    fn read(fields: &Fields<'_>) -> Result<Self, ProtocolFault> {
        let activity = fields.each_within(
            "ActivitySummaries",
            "DownstreamServerRollupClientActivitySummary",
            MAX_ITEMS,
        )?;
        let mut os_version = [0; 5];
        for (part, name) in os_version.iter_mut().zip(OS_VERSION) {
            *part = fields.get(name)?;
        }
        Ok(Self {
            os_version,
            os_locale: short(fields.maybe_text("OSLocale"), 32),
            suite_mask: fields.get("SuiteMask")?,
            old_product_type: fields.get("OldProductType")?,
            new_product_type: fields.get("NewProductType")?,
            system_metrics: fields.get("SystemMetrics")?,
            architecture: short(fields.maybe_text("ProcessorArchitecture"), 50),
            count: fields.get("Count")?,
            activity: activity.iter().map(ClientActivity::read).collect::<Result<_, _>>()?,
        })
    }

    fn write<F>(&self, w: &mut Writer<F>) {
        for (part, name) in self.os_version.iter().zip(OS_VERSION) {
            w.value(name, part);
        }
        w.value("OSLocale", &self.os_locale);
        w.value("SuiteMask", self.suite_mask);
        w.value("OldProductType", self.old_product_type);
        w.value("NewProductType", self.new_product_type);
        w.value("SystemMetrics", self.system_metrics);
        w.value("ProcessorArchitecture", &self.architecture);
        w.value("Count", self.count);
        w.element("ActivitySummaries", |w| {
            for activity in &self.activity {
                w.element("DownstreamServerRollupClientActivitySummary", |w| {
                    w.value("UpdateId", activity.identity.id);
                    w.value("RevisionNumber", activity.identity.revision);
                    w.value("InstallSuccessCount", activity.succeeded);
                    w.value("InstallFailureCount", activity.failed);
                });
            }
        });
    }
}

impl ClientActivity {
    fn read(fields: &Fields<'_>) -> Result<Self, ProtocolFault> {
        Ok(Self {
            identity: UpdateIdentity {
                id: fields.update_id("UpdateId")?,
                revision: fields.get("RevisionNumber")?,
            },
            succeeded: fields.get("InstallSuccessCount")?,
            failed: fields.get("InstallFailureCount")?,
        })
    }
}
