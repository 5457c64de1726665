//! The fleet: `fleet.sqlite`. Computers, target groups, approvals, events and compliance: the only
//! data that agents change. What agents say are claims.
//!
//! Blocking and durable. Knows neither the protocol nor the other stores.

mod approvals;
mod compliance;
mod computers;
mod database;
mod deployments;
mod downstreams;
mod error;
mod groups;
mod lasting;
mod limits;
mod meta;
mod outcome;
mod policies;
mod replica;
mod replicated;
mod reports;
mod rolled;
mod rules;
mod schema;
mod told;
mod wanted;

pub use database::Fleet;
pub use approvals::{Approval, ApprovalAction, Credit, NewApproval, Origin};
pub use computers::{Computer, Contact};
pub use deployments::{Recorded, Wanted};
pub use downstreams::{Activity, DOWNSTREAMS_KEPT, Downstream, Given, ServerReport};
pub use error::FleetError;
pub use groups::{ALL_COMPUTERS, Group, UNASSIGNED_COMPUTERS, unfit_group_name};
pub use lasting::{TakenBack};
pub use policies::{PolicyState, StoredPolicy};
pub use replica::{TakenOver, Told, ToldDeployment, ToldGroup};
pub use replicated::{Replicated, ReplicatedApproval, ReplicatedDeployment, TOMBSTONES_KEPT};
pub use compliance::{ComplianceState, Event};
pub use reports::{Compliance, EVENTS_KEPT};
pub use rolled::{ComputerChange, ComputerReport, ROLLED_COMPUTERS_KEPT, RolledComputer, StatusReport};
pub use rules::{StoredRule};
pub use told::{ComputerCounts, Installations, ToldComputer, Untold};
pub use wanted::{WantedFile};
