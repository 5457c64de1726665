//! The fleet: `fleet.sqlite`. Computers, target groups, approvals, events and compliance: the only
//! data that agents change. What agents say are claims.
//!
//! Blocking and durable. Knows neither the protocol nor the other stores.
//!
//! | folder, file | what it owns | knows beside the files at the bottom |
//! |---|---|---|
//! | `decisions/` | groups, approvals, declines, rules, policies | nothing |
//! | `computers/` | computers, their events and compliance | `decisions/` |
//! | `hierarchy/` | servers below and above | `decisions/`, `computers/` |
//! | `database`, `meta`, `schema`, `limits`, `dropped`, `turned_away`, `error` | the bottom: the file, its transactions, bounds, what went because of them, clients turned away | |

mod computers;
mod database;
mod decisions;
mod dropped;
mod error;
mod hierarchy;
mod limits;
mod meta;
mod schema;
mod turned_away;

pub use computers::compliance::{ComplianceState, Event};
pub use computers::contacts::Contact;
pub use computers::counts::ComputerCounts;
pub use computers::missing_groups::{MISSING_GROUPS_LISTED, MissingGroup};
pub use computers::placement::{GROUPS_ASKED_FOR, SETS_ASKED_FOR};
pub use computers::registration::{Computer, Introduction, bounded_details};
pub use computers::reports::{Compliance, EVENTS_KEPT};
pub use database::Fleet;
pub use decisions::approvals::{Approval, ApprovalAction, ApprovingRule, NewApproval};
pub use decisions::deployments::{ApprovalNeed, RecordedDeployment};
pub use decisions::groups::{ALL_COMPUTERS, Group, UNASSIGNED_COMPUTERS, unfit_group_name};
pub use decisions::origin::Origin;
pub use decisions::overrides::WithdrawnApproval;
pub use decisions::policies::{PolicyState, StoredPolicy};
pub use decisions::rules::StoredRule;
pub use dropped::Dropped;
pub use error::FleetError;
pub use hierarchy::change_marks::{
    ReplicaChanges, ReplicatedApproval, ReplicatedDeployment, TOMBSTONES_KEPT,
};
pub use hierarchy::downstream_computers::{
    ComputerChange, ComputerReport, DownstreamComputer, StatusReport,
};
pub use hierarchy::downstream_servers::{DOWNSTREAMS_KEPT, Downstream, DownstreamDelivery};
pub use hierarchy::installations::Installations;
pub use hierarchy::limits::DOWNSTREAM_COMPUTERS_KEPT;
pub use hierarchy::missing_files::MissingFile;
pub use hierarchy::replica::decisions::{
    ReplicaReport, UpstreamDecisions, UpstreamDeployment, UpstreamGroup,
};
pub use hierarchy::server_reports::{Activity, ServerReport};
pub use hierarchy::upstream_reports::{PendingReport, ReportedComputer};
pub use limits::FleetBounds;
pub use turned_away::{TURNED_AWAY_KEPT, TurnedAway};
