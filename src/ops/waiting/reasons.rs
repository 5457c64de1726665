//! Updates that are approved and not offered, and why. The one place that says so; the server goes by
//! the same rule ([`scope::obstacle`]).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use crate::{
    catalog::{Catalog, GraphNode, PayloadState},
    fleet::{ApprovalAction, Fleet},
    ops::Result,
    scope::{self, Decision, Graph, Obstacle},
    server::view::{decision, decisions, scope_revision},
    update::{UpdateId, UpdateIdentity},
};

/// More files or updates than these are not named for one reason.
const NAMED: usize = 20;

/// Why an approved update is not offered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum WaitingReason {
    /// Files that it needs are not here.
    MissingFile {
        /// Their names, the first twenty.
        files: Vec<String>,
    },
    /// Files that it needs are not carried, by choice of the mirror or of this side.
    NotCarried {
        /// Their names, the first twenty.
        files: Vec<String>,
    },
    /// Its files are for languages of which nothing is here.
    Language {
        /// Short names.
        languages: Vec<String>,
    },
    /// A file of its name is here, but its bytes are not what the document says.
    ContradictingDigest {
        /// Their names, the first twenty.
        files: Vec<String>,
    },
    /// Its licence is not accepted.
    LicenceNotAccepted {
        /// The id of the licence.
        licence: String,
    },
    /// Approved updates supersede each other in a ring: agents take none of them.
    SupersededRing {
        /// The others of the ring.
        updates: Vec<UpdateId>,
    },
    /// It requires one of no updates, which never holds.
    UnfitClause,
    /// What it requires is not in the catalogue.
    PrerequisiteNotHere {
        /// The alternatives, the first twenty.
        updates: Vec<UpdateId>,
    },
    /// Its publisher has withdrawn it.
    Expired,
    /// It is declined.
    Declined,
    /// The catalogue does not have it.
    NotInCatalogue,
    /// It is a category or a detectoid, which nobody installs.
    NotInstallable,
}

/// An approved update that is not offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WaitingUpdate {
    /// The update.
    pub update: UpdateId,
    /// Why, at least one reason.
    pub reasons: Vec<WaitingReason>,
}

/// The updates that are approved to be installed or removed and that nobody is offered, sorted.
///
/// # Errors
/// When a store fails.
pub(in crate::ops) fn waiting(catalog: &Catalog, fleet: &Fleet) -> Result<Vec<WaitingUpdate>> {
    let mut approved: BTreeMap<UpdateId, BTreeSet<Decision>> = BTreeMap::new();
    for approval in fleet.approvals()? {
        if !matches!(approval.action, ApprovalAction::Detect | ApprovalAction::Block) {
            approved.entry(approval.update).or_default().insert(decision(approval.action));
        }
    }
    if approved.is_empty() {
        return Ok(Vec::new());
    }
    let mut nodes = HashMap::new();
    catalog.nodes(&mut |node| {
        nodes.insert(node.identity, node);
    })?;
    let graph = Graph::new(nodes.values().map(scope_revision).collect());
    let decisions = decisions(fleet)?;
    let view = Approved { nodes, graph, approved: &approved };
    let mut found = Vec::new();
    for (update, wanted) in &approved {
        let mut reasons = BTreeSet::new();
        for decision in wanted {
            let obstacle = scope::obstacle(&view.graph, &decisions, *update, *decision);
            reasons.extend(match obstacle {
                Some(obstacle) => view.explain(catalog, *update, obstacle)?,
                None => Vec::new(),
            });
        }
        reasons.extend(view.never_applicable(*update));
        if !reasons.is_empty() {
            found.push(WaitingUpdate { update: *update, reasons: reasons.into_iter().collect() });
        }
    }
    Ok(found)
}

/// What is approved, and the catalogue around it.
struct Approved<'a> {
    nodes: HashMap<UpdateIdentity, GraphNode>,
    graph: Graph,
    approved: &'a BTreeMap<UpdateId, BTreeSet<Decision>>,
}

impl Approved<'_> {
    fn newest(&self, update: UpdateId) -> Option<&GraphNode> {
        self.nodes.get(&self.graph.identity(self.graph.newest(update)?)?)
    }

    fn explain(
        &self,
        catalog: &Catalog,
        update: UpdateId,
        obstacle: Obstacle,
    ) -> Result<Vec<WaitingReason>> {
        Ok(match obstacle {
            Obstacle::NotInCatalogue => {
                let files = catalog.contradicting_files(update)?;
                vec![match files.is_empty() {
                    true => WaitingReason::NotInCatalogue,
                    false => WaitingReason::ContradictingDigest { files: named(files) },
                }]
            }
            Obstacle::Declined => vec![WaitingReason::Declined],
            Obstacle::NotInstallable => vec![WaitingReason::NotInstallable],
            Obstacle::Expired => vec![WaitingReason::Expired],
            Obstacle::LicenceNotAccepted => {
                let licence = self.newest(update).and_then(|node| node.eula_id.clone());
                vec![WaitingReason::LicenceNotAccepted { licence: licence.unwrap_or_default() }]
            }
            Obstacle::Files(_) => self.files(catalog, update)?,
        })
    }

    /// Which files of an update and its members are not here, sorted by why.
    fn files(&self, catalog: &Catalog, update: UpdateId) -> Result<Vec<WaitingReason>> {
        let (mut missing, mut not_carried, mut contradicting) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (mut languages, mut only_languages) = (BTreeSet::new(), true);
        let carried = catalog.carried_languages()?;
        for node in self.with_members(update) {
            for file in node.files.iter().filter(|file| !file.express) {
                if file.state == PayloadState::Present {
                    continue;
                }
                let of_language = |language: &String| {
                    carried.as_ref().is_none_or(|carried| !carried.contains(language))
                };
                let other = !node.languages.is_empty() && node.languages.iter().all(of_language);
                only_languages &= other;
                languages.extend(node.languages.iter().cloned());
                let here = catalog.payload_by_sha1(&file.sha1)?.filter(|payload| payload.present);
                match (here, file.state) {
                    (Some(_), _) => contradicting.insert(file.name.clone()),
                    (None, PayloadState::NotCarried) => not_carried.insert(file.name.clone()),
                    (None, _) => missing.insert(file.name.clone()),
                };
            }
        }
        if only_languages && contradicting.is_empty() && !languages.is_empty() {
            return Ok(vec![WaitingReason::Language { languages: named(languages) }]);
        }
        let mut reasons = Vec::new();
        if !missing.is_empty() {
            reasons.push(WaitingReason::MissingFile { files: named(missing) });
        }
        if !not_carried.is_empty() {
            reasons.push(WaitingReason::NotCarried { files: named(not_carried) });
        }
        if !contradicting.is_empty() {
            reasons.push(WaitingReason::ContradictingDigest { files: named(contradicting) });
        }
        Ok(reasons)
    }

    /// The newest revision of an update and all that it bundles.
    fn with_members(&self, update: UpdateId) -> Vec<&GraphNode> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut open: Vec<&GraphNode> = self.newest(update).into_iter().collect();
        while let Some(node) = open.pop() {
            if seen.insert(node.identity) {
                found.push(node);
                let members = node.bundled.iter().flat_map(|clause| &clause.any_of);
                open.extend(members.filter_map(|member| self.nodes.get(member)));
            }
        }
        found
    }

    /// Why agents never find an update applicable, whatever computer they are on.
    fn never_applicable(&self, update: UpdateId) -> Vec<WaitingReason> {
        let Some(node) = self.newest(update) else { return Vec::new() };
        let mut reasons = Vec::new();
        for clause in &node.prerequisites {
            if clause.any_of.is_empty() {
                reasons.push(WaitingReason::UnfitClause);
            } else if clause.any_of.iter().all(|update| self.graph.newest(*update).is_none()) {
                let updates = named(clause.any_of.iter().copied());
                reasons.push(WaitingReason::PrerequisiteNotHere { updates });
            }
        }
        let ring = self.ring(update);
        if !ring.is_empty() {
            reasons.push(WaitingReason::SupersededRing { updates: named(ring) });
        }
        reasons
    }

    /// The approved updates, itself too, by which an update supersedes itself.
    fn ring(&self, update: UpdateId) -> BTreeSet<UpdateId> {
        let superseded = |update: UpdateId| {
            let names = self.newest(update).map_or(&[][..], |node| &node.superseded);
            names.iter().copied().filter(|name| self.approved.contains_key(name))
        };
        let reached = |from: UpdateId| {
            let mut seen = BTreeSet::new();
            let mut open: Vec<UpdateId> = superseded(from).collect();
            while let Some(next) = open.pop() {
                if seen.insert(next) {
                    open.extend(superseded(next));
                }
            }
            seen
        };
        let below = reached(update);
        if !below.contains(&update) {
            return BTreeSet::new();
        }
        below.into_iter().filter(|other| reached(*other).contains(&update)).collect()
    }
}

fn named<T>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    all.into_iter().take(NAMED).collect()
}
