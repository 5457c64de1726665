//! All decisions together, as the rules of what is offered take them.

use crate::{
    fleet::{database::Fleet, decisions::approvals::ApprovalAction, error::FleetError},
    scope::{self, Decision, Decisions, Groups},
};

impl From<ApprovalAction> for Decision {
    fn from(action: ApprovalAction) -> Self {
        match action {
            ApprovalAction::Install => Self::Install,
            ApprovalAction::OptionalInstall => Self::OptionalInstall,
            ApprovalAction::Uninstall => Self::Uninstall,
            ApprovalAction::Detect => Self::Detect,
            ApprovalAction::Block => Self::Block,
        }
    }
}

impl Fleet {
    /// What the administrators decided.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn scope_decisions(&self) -> Result<Decisions, FleetError> {
        let groups = self.groups()?;
        let parents = groups.iter().filter_map(|g| Some((g.id, g.parent?)));
        let approvals = self.approvals()?.into_iter().map(|approval| scope::Approval {
            update: approval.update,
            group: approval.group,
            decision: approval.action.into(),
            deadline: approval.deadline,
        });
        let (declined, accepted) = (self.declined()?, self.accepted_eulas()?);
        Ok(Decisions::new(Groups::new(parents), approvals, declined, accepted))
    }
}
