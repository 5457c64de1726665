//! Which changes of a policy a person decides on.

use std::collections::HashSet;

use super::change::{PolicyChange, PolicyChangeKind, group_key};
use crate::{catalog::Catalog, transfer::error::TransferError, update::UpdateId};

type Result<T> = std::result::Result<T, TransferError>;

/// Which changes of a policy are meant. The default is all of them.
#[derive(Debug, Clone, Default)]
pub struct PolicyChoice {
    /// Those of these updates.
    pub updates: Vec<UpdateId>,
    /// Those for these groups, by name.
    pub groups: Vec<String>,
    /// Also approvals that the policy lacks without saying that they were taken back.
    pub take_back: bool,
}

impl PolicyChoice {
    /// Whether nothing was chosen, so that everything is meant.
    pub(super) fn is_all(&self) -> bool {
        self.updates.is_empty() && self.groups.is_empty()
    }

    /// Those changes that are on the chosen updates and groups.
    fn covered<'a>(&self, all: &'a [PolicyChange]) -> impl Iterator<Item = &'a PolicyChange> {
        let updates: HashSet<UpdateId> = self.updates.iter().copied().collect();
        let groups: HashSet<String> = self.groups.iter().map(|name| group_key(name)).collect();
        all.iter().filter(move |change| {
            let group = || change.group.as_deref().map(group_key);
            change.update.is_some_and(|update| updates.is_empty() || updates.contains(&update))
                && (groups.is_empty() || group().is_some_and(|group| groups.contains(&group)))
        })
    }

    /// The changes that are meant, with the groups and licences that they need.
    pub(super) fn pick(
        &self,
        all: &[PolicyChange],
        catalog: Option<&Catalog>,
    ) -> Result<Vec<PolicyChange>> {
        let counts = |change: &PolicyChange| {
            change.kind.is_effective() || (change.kind == PolicyChangeKind::Lapse && self.take_back)
        };
        if self.is_all() {
            return Ok(all.iter().filter(|change| counts(change)).cloned().collect());
        }
        let chosen: Vec<&PolicyChange> =
            self.covered(all).filter(|change| counts(change)).collect();
        let groups: HashSet<String> =
            chosen.iter().filter_map(|change| change.group.as_deref()).map(group_key).collect();
        let mut eulas = HashSet::new();
        if let Some(catalog) = catalog {
            for update in chosen.iter().filter_map(|change| change.update) {
                eulas.extend(catalog.newest(update)?.and_then(|revision| revision.eula_id));
            }
        }
        let needed = |change: &&PolicyChange| match change.kind {
            PolicyChangeKind::CreateGroup => {
                change.group.as_deref().is_some_and(|group| groups.contains(&group_key(group)))
            }
            PolicyChangeKind::AcceptEula => {
                change.detail.as_ref().is_some_and(|eula| eulas.contains(eula))
            }
            _ => false,
        };
        Ok(all.iter().filter(needed).chain(chosen).cloned().collect())
    }
}
