//! What a set of target groups is deployed.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    decisions::{Decision, Decisions},
    graph::{Graph, key},
    revision::{FileState, Index},
};
use crate::update::{RevisionId, UpdateId, UpdateType};

/// `Deployment/Action`. [MS-WUSP] 2.2.2.2.4. Ordered: what has several roles gets the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Others depend on it: do not offer, do not report.
    Evaluate,
    /// Do not offer, report whether it is needed.
    PreDeploymentCheck,
    /// Part of an update that is deployed.
    Bundle,
    /// Offer, never by itself.
    OptionalInstall,
    /// Offer and install.
    Install,
    /// Remove.
    Uninstall,
}

impl Action {
    /// As the protocol spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Evaluate => "Evaluate",
            Self::PreDeploymentCheck => "PreDeploymentCheck",
            Self::Bundle => "Bundle",
            Self::OptionalInstall => "OptionalInstall",
            Self::Install => "Install",
            Self::Uninstall => "Uninstall",
        }
    }
}

/// A deployed revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeployedRevision {
    /// Its number towards agents.
    pub id: RevisionId,
    /// What agents shall do with it.
    pub action: Action,
    /// By when.
    pub deadline: Option<Timestamp>,
    /// Approved itself, not only brought by others.
    pub approved: bool,
}

/// All that is deployed to computers in these groups (ancestors included), in the order of revision
/// IDs, closed under dependencies, one revision of each update. The rules are in the [module](super).
pub fn deploy(graph: &Graph, decisions: &Decisions, groups: &[Uuid]) -> Vec<DeployedRevision> {
    let mut closure = Closure::default();
    let mut deadlines = HashMap::new();
    for update in decisions.approved() {
        let Some(newest) = graph.newest_index(update) else { continue };
        if decisions.is_declined(update) {
            continue;
        }
        let Some((decision, deadline)) = decisions.resolve(update, groups) else { continue };
        let Some(action) = action(graph, decisions, newest, decision) else { continue };
        closure.reach(graph, newest, action);
        let deadline = deadline.filter(|_| action > Action::Bundle);
        deadlines.insert(newest, deadline);
    }
    closure.close(graph);

    let mut chosen: HashMap<u32, (Action, Index)> = HashMap::with_capacity(closure.actions.len());
    for (i, action) in closure.actions {
        let rank = |(action, i): (Action, Index)| (action, graph.revision_number_at(i));
        let best = chosen.entry(graph.update_at(i)).or_insert((action, i));
        if rank((action, i)) > rank(*best) {
            *best = (action, i);
        }
    }
    let mut deployed: Vec<DeployedRevision> = chosen
        .into_values()
        .map(|(action, i)| DeployedRevision {
            id: graph.id_at(i),
            action,
            deadline: deadlines.get(&i).copied().flatten(),
            approved: deadlines.contains_key(&i),
        })
        .collect();
    deployed.sort_unstable_by_key(|d| key(d.id));
    deployed
}

/// All categories with everything that they require: what category scans may ask for although
/// nothing is approved, always as [`Action::Evaluate`]. In the order of revision IDs.
pub fn category_closure(graph: &Graph) -> Vec<RevisionId> {
    let mut ids: Vec<RevisionId> =
        close(graph, graph.categories()).map(|i| graph.id_at(i)).collect();
    ids.sort_unstable_by_key(|id| key(*id));
    ids
}

/// All that the roots bring with them, themselves included, in no order.
pub(super) fn close(
    graph: &Graph,
    roots: impl IntoIterator<Item = Index>,
) -> impl Iterator<Item = Index> {
    let mut closure = Closure::default();
    for root in roots {
        closure.reach(graph, root, Action::Evaluate);
    }
    closure.close(graph);
    closure.actions.into_keys()
}

/// Why an update that is approved is not offered as its approval says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The catalogue does not have it.
    NotInCatalogue,
    /// It is declined.
    Declined,
    /// It is a category or a detectoid.
    NotInstallable,
    /// Its publisher has withdrawn it.
    Expired,
    /// Its licence is not accepted.
    LicenceNotAccepted,
    /// Files that it or its members need are not here.
    Files(FileState),
}

/// What keeps an update from being offered as `decision` asks; nothing for a decision that offers
/// nothing. The rule by which [`deploy`] works.
pub fn obstacle(
    graph: &Graph,
    decisions: &Decisions,
    update: UpdateId,
    decision: Decision,
) -> Option<Obstacle> {
    if decisions.is_declined(update) {
        return Some(Obstacle::Declined);
    }
    let Some(newest) = graph.newest_index(update) else { return Some(Obstacle::NotInCatalogue) };
    obstacle_at(graph, decisions, newest, decision)
}

fn obstacle_at(
    graph: &Graph,
    decisions: &Decisions,
    i: Index,
    decision: Decision,
) -> Option<Obstacle> {
    if decision == Decision::Block {
        return None;
    }
    if matches!(graph.type_at(i), UpdateType::Category | UpdateType::Detectoid) {
        return Some(Obstacle::NotInstallable);
    }
    if decision == Decision::Uninstall {
        return None;
    }
    if graph.expired_at(i) {
        return Some(Obstacle::Expired);
    }
    if decision == Decision::Detect {
        return None;
    }
    if graph.eula_at(i).is_some_and(|eula| !decisions.is_accepted(eula)) {
        return Some(Obstacle::LicenceNotAccepted);
    }
    let files = graph.files_at(i);
    (files != FileState::Complete).then_some(Obstacle::Files(files))
}

/// What becomes of a decision on a revision.
fn action(graph: &Graph, decisions: &Decisions, i: Index, decision: Decision) -> Option<Action> {
    match (obstacle_at(graph, decisions, i, decision), decision) {
        (None, Decision::Block) => None,
        (None, Decision::Uninstall) => Some(Action::Uninstall),
        (None, Decision::Detect) | (Some(Obstacle::Files(_)), _) => {
            Some(Action::PreDeploymentCheck)
        }
        (None, Decision::Install) => Some(Action::Install),
        (None, Decision::OptionalInstall) => Some(Action::OptionalInstall),
        (Some(_), _) => None,
    }
}

/// Revisions with the strongest action found so far.
#[derive(Default)]
struct Closure {
    actions: HashMap<Index, Action>,
    open: Vec<Index>,
}

impl Closure {
    fn reach(&mut self, graph: &Graph, i: Index, action: Action) {
        let action = match graph.type_at(i) {
            UpdateType::Category | UpdateType::Detectoid => Action::Evaluate,
            UpdateType::Software | UpdateType::Driver => action,
        };
        match self.actions.get_mut(&i) {
            Some(known) => *known = action.max(*known),
            None => {
                self.actions.insert(i, action);
                self.open.push(i);
            }
        }
    }

    fn close(&mut self, graph: &Graph) {
        while let Some(i) = self.open.pop() {
            for clause in graph.clauses_at(i) {
                for alternative in graph.alternatives(*clause) {
                    self.reach(graph, alternative, Action::Evaluate);
                }
            }
            for member in graph.bundled_at(i) {
                self.reach(graph, *member, Action::Bundle);
            }
        }
    }
}
