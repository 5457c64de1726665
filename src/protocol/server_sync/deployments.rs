//! GetDeployments: what a replica takes over. [MS-WSUSSS] 3.1.4.10

use std::convert::Infallible;

use uuid::Uuid;

use super::{
    auth::SyncCookie,
    operation::{Operation, write_result},
};
use crate::{
    protocol::{fault::ProtocolFault, fields::Fields, time::DateTime},
    soap::{Element, Writer},
    update::UpdateIdentity,
};

/// More than any server has.
const MAX_ROWS: usize = 10_000_000;
/// A deadline that never comes.
const NEVER: &str = "9999-12-31T23:59:59.9999999Z";
const LAST_YEAR: &str = "9999";

/// A replica asks for groups, approvals and what is declined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetDeployments {
    /// Its cookie.
    pub cookie: Option<SyncCookie>,
    /// Of the last answer.
    pub deployment_anchor: Option<String>,
    /// Of its last revision list: deployments of newer revisions are of no use to it.
    pub sync_anchor: String,
}

/// The answer to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deployments {
    /// For the next call.
    pub anchor: String,
    /// All of them.
    pub groups: Vec<SyncGroup>,
    /// Those that changed.
    pub deployments: Vec<SyncDeployment>,
    /// Those that are gone.
    pub dead: Vec<Uuid>,
    /// All updates that are declined.
    pub hidden: Vec<Uuid>,
    /// All licences that are accepted.
    pub accepted_eulas: Vec<Uuid>,
}

/// A target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncGroup {
    /// Its id.
    pub id: Uuid,
    /// Nil at the top.
    pub parent: Uuid,
    /// Its name.
    pub name: String,
    /// All Computers, Unassigned Computers.
    pub builtin: bool,
}

/// `Action` between servers, where it is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentAction {
    /// Offer and install.
    Install,
    /// Remove.
    Uninstall,
    /// Report only.
    Scan,
    /// Do nothing.
    Block,
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncDeployment {
    /// Of which revision.
    pub identity: UpdateIdentity,
    /// What to do.
    pub action: DeploymentAction,
    /// Who approved.
    pub admin: String,
    /// When to force it; on the wire the end of the year 9999 says never.
    pub deadline: Option<DateTime>,
    /// To be handed on to agents.
    pub assigned: bool,
    /// From when it holds.
    pub go_live: DateTime,
    /// Its id.
    pub id: Uuid,
    /// For whom.
    pub group: Uuid,
    /// 1 low to 3 high.
    pub priority: u8,
}

impl DeploymentAction {
    const ALL: [Self; 4] = [Self::Install, Self::Uninstall, Self::Scan, Self::Block];

    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Install => 0,
            Self::Uninstall => 1,
            Self::Scan => 2,
            Self::Block => 3,
        }
    }
}

impl Operation for GetDeployments {
    type Answer = Deployments;
    const NAME: &'static str = "GetDeployments";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        Ok(Self {
            cookie: SyncCookie::read(&fields, "cookie")?,
            deployment_anchor: fields.maybe_text("deploymentAnchor").map(str::to_owned),
            sync_anchor: fields.text("syncAnchor")?.to_owned(),
        })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        if let Some(cookie) = &self.cookie {
            cookie.write("cookie", w);
        }
        w.optional("deploymentAnchor", self.deployment_anchor.as_ref());
        w.value("syncAnchor", &self.sync_anchor);
    }

    fn read_answer(answer: &Element) -> Result<Deployments, ProtocolFault> {
        let result = Fields::new(answer).within("GetDeploymentsResult")?;
        let groups = result.each_within("Groups", "ServerSyncTargetGroup", MAX_ROWS)?;
        let deployments = result.each_within("Deployments", "ServerSyncDeployment", MAX_ROWS)?;
        Ok(Deployments {
            anchor: result.text("Anchor")?.to_owned(),
            groups: groups.iter().map(SyncGroup::read).collect::<Result<_, _>>()?,
            deployments: deployments.iter().map(SyncDeployment::read).collect::<Result<_, _>>()?,
            dead: result.list("DeadDeployments", "guid", MAX_ROWS)?,
            hidden: result.list("HiddenUpdates", "guid", MAX_ROWS)?,
            accepted_eulas: result.list("AcceptedEulas", "guid", MAX_ROWS)?,
        })
    }
}

impl SyncGroup {
    fn read(fields: &Fields<'_>) -> Result<Self, ProtocolFault> {
        Ok(Self {
            id: fields.get("TargetGroupID")?,
            parent: fields.maybe("ParentGroupId")?.unwrap_or_default(),
            name: fields.text("Name")?.to_owned(),
            builtin: fields.flag("IsBuiltin")?,
        })
    }
}

impl SyncDeployment {
    fn read(fields: &Fields<'_>) -> Result<Self, ProtocolFault> {
        let number: u8 = fields.get("Action")?;
        let action = DeploymentAction::ALL.into_iter().find(|action| action.number() == number);
        Ok(Self {
            identity: UpdateIdentity {
                id: fields.update_id("UpdateId")?,
                revision: fields.get("RevisionNumber")?,
            },
            action: action.ok_or_else(|| ProtocolFault::invalid("Deployments.Action"))?,
            admin: fields.maybe_text("AdminName").unwrap_or_default().to_owned(),
            // No instant reaches the end of time: whatever is beyond is read as the last one.
            deadline: fields
                .maybe::<DateTime>("Deadline")?
                .filter(|deadline| deadline.to_string().as_str() < LAST_YEAR),
            assigned: fields.flag("IsAssigned")?,
            go_live: fields.get("GoLiveTime")?,
            id: fields.get("DeploymentGuid")?,
            group: fields.get("TargetGroupId")?,
            priority: fields.maybe("DownloadPriority")?.unwrap_or(2),
        })
    }
}

impl Deployments {
    /// Writes the answer.
    pub fn write<F>(&self, w: &mut Writer<F>) {
        let ids = |w: &mut Writer<F>, name, ids: &[Uuid]| {
            w.element(name, |w| ids.iter().for_each(|id| w.value("guid", id.hyphenated())));
        };
        write_result::<GetDeployments, F>(w, |w| {
            w.value("Anchor", &self.anchor);
            w.element("Groups", |w| {
                for group in &self.groups {
                    w.element("ServerSyncTargetGroup", |w| {
                        w.value("TargetGroupID", group.id.hyphenated());
                        w.value("ParentGroupId", group.parent.hyphenated());
                        w.value("Name", &group.name);
                        w.value("IsBuiltin", group.builtin);
                    });
                }
            });
            w.element("Deployments", |w| {
                for deployment in &self.deployments {
                    w.element("ServerSyncDeployment", |w| deployment.write_fields(w));
                }
            });
            ids(w, "DeadDeployments", &self.dead);
            ids(w, "HiddenUpdates", &self.hidden);
            ids(w, "AcceptedEulas", &self.accepted_eulas);
        });
    }
}

impl SyncDeployment {
    fn write_fields<F>(&self, w: &mut Writer<F>) {
        w.value("UpdateId", self.identity.id);
        w.value("RevisionNumber", self.identity.revision);
        w.value("Action", self.action.number());
        w.value("AdminName", &self.admin);
        match self.deadline {
            Some(deadline) => w.value("Deadline", deadline),
            None => w.value("Deadline", NEVER),
        }
        w.value("IsAssigned", self.assigned);
        w.value("GoLiveTime", self.go_live);
        w.value("DeploymentGuid", self.id.hyphenated());
        w.value("TargetGroupId", self.group.hyphenated());
        w.value("DownloadPriority", self.priority);
    }
}
