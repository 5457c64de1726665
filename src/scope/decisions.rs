//! What the administrators decided, and which of several decisions counts.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use uuid::Uuid;

use crate::update::UpdateId;

/// What an approval asks for. Ordered: of several that stand side by side the greatest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// Do not offer; report whether it is needed.
    Detect,
    /// Offer, never by itself.
    OptionalInstall,
    /// Offer and install.
    Install,
    /// Remove.
    Uninstall,
    /// Do not deploy.
    Block,
}

/// An approval of an update for a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approval {
    /// The update.
    pub update: UpdateId,
    /// The group.
    pub group: Uuid,
    /// What to do.
    pub decision: Decision,
    /// By when it has to be done.
    pub deadline: Option<Timestamp>,
}

/// Which group lies in which.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    parents: HashMap<Uuid, Uuid>,
}

impl Groups {
    /// From pairs of a group and the group around it.
    pub fn new(parents: impl IntoIterator<Item = (Uuid, Uuid)>) -> Self {
        Self { parents: parents.into_iter().collect() }
    }

    /// Whether `outer` lies around `inner`, at any distance.
    pub fn is_around(&self, outer: Uuid, inner: Uuid) -> bool {
        let mut at = inner;
        for _ in 0..self.parents.len() {
            match self.parents.get(&at) {
                Some(parent) if *parent == outer => return outer != inner,
                Some(parent) => at = *parent,
                None => return false,
            }
        }
        false
    }
}

/// All decisions of a site.
#[derive(Debug, Clone, Default)]
pub struct Decisions {
    groups: Groups,
    approvals: BTreeMap<UpdateId, Vec<Approval>>,
    declined: HashSet<UpdateId>,
    /// In lower case: they are ids, and servers hand them on in either.
    accepted: HashSet<String>,
}

impl Decisions {
    /// Collects them. `accepted` are the ids of accepted licences.
    pub fn new(
        groups: Groups,
        approvals: impl IntoIterator<Item = Approval>,
        declined: impl IntoIterator<Item = UpdateId>,
        accepted: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut by_update: BTreeMap<UpdateId, Vec<Approval>> = BTreeMap::new();
        for approval in approvals {
            by_update.entry(approval.update).or_default().push(approval);
        }
        Self {
            groups,
            approvals: by_update,
            declined: declined.into_iter().collect(),
            accepted: accepted.into_iter().map(|id| id.to_ascii_lowercase()).collect(),
        }
    }

    /// The one approval that counts for computers in these groups (ancestors included):
    ///
    /// 1. An approval for a group overrides those for the groups around it.
    /// 2. Of the others `Block` counts before `Uninstall`, `Install`, `OptionalInstall`, `Detect`.
    /// 3. The deadline is the earliest of those that ask for what counts.
    ///
    /// The specification leaves this open. [MS-WUSP] 3.1.1
    pub fn resolve(
        &self,
        update: UpdateId,
        groups: &[Uuid],
    ) -> Option<(Decision, Option<Timestamp>)> {
        let approvals = self.approvals.get(&update)?;
        let ours = || approvals.iter().filter(|a| groups.contains(&a.group));
        let standing =
            || ours().filter(|a| !ours().any(|other| self.groups.is_around(a.group, other.group)));
        let decision = standing().map(|a| a.decision).max()?;
        let deadline =
            standing().filter(|a| a.decision == decision).filter_map(|a| a.deadline).min();
        Some((decision, deadline))
    }

    /// The updates that somebody approved, each once.
    pub fn approved(&self) -> impl Iterator<Item = UpdateId> {
        self.approvals.keys().copied()
    }

    /// Whether an update is declined.
    pub fn is_declined(&self, update: UpdateId) -> bool {
        self.declined.contains(&update)
    }

    /// Whether a licence is accepted.
    pub fn is_accepted(&self, eula_id: &str) -> bool {
        self.accepted.contains(&eula_id.to_ascii_lowercase())
    }
}
