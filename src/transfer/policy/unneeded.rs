//! Payloads that are here and that nobody needs: only declined updates name them, or updates that are
//! superseded and approved nowhere, or revisions that newer ones have replaced.
//!
//! What an update needs that is neither is never among them: its own files, those of all that it
//! bundles, and those of what it requires, at any depth.

use std::collections::{BTreeMap, HashMap, HashSet};

use bundle_format::digest::{Sha1, Sha256};
use serde::Serialize;

use crate::{
    catalog::{Catalog, CatalogWriter, GraphNode},
    fleet::{ApprovalAction, Fleet},
    transfer::error::TransferError,
    update::{UpdateId, UpdateIdentity, UpdateType},
};

type Result<T> = std::result::Result<T, TransferError>;

/// Why nobody needs a payload. Ordered: of several reasons the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnneededReason {
    /// Its update is declined.
    Declined,
    /// Its update is superseded, and approved for no group.
    Superseded,
    /// Its revision has been replaced by a newer one.
    Replaced,
}

impl UnneededReason {
    /// As a snapshot states it of a payload that is not carried.
    pub(crate) fn statement(self) -> &'static str {
        match self {
            Self::Declined => "its update is declined",
            Self::Superseded => "its update is superseded and approved nowhere",
            Self::Replaced => "its revision has been replaced",
        }
    }
}

/// The files that nobody needs, by SHA-1: licence texts too.
pub(crate) struct Unneeded(HashMap<Sha1, UnneededReason>);

impl Unneeded {
    /// Looks at the whole catalogue.
    pub(crate) fn find(catalog: &Catalog, fleet: &Fleet) -> Result<Self> {
        let mut nodes = HashMap::new();
        catalog.nodes(&mut |node| {
            nodes.insert(node.identity, node);
        })?;
        let declined: HashSet<UpdateId> = fleet.declined()?.into_iter().collect();
        let approved = fleet
            .approvals()?
            .into_iter()
            .filter(|approval| approval.action != ApprovalAction::Block)
            .map(|approval| approval.update)
            .collect();
        Ok(Self(Decided::new(nodes, declined, approved).unneeded()))
    }

    /// Why nobody needs a file; `None` if somebody does, or if no document names it.
    pub(crate) fn reason(&self, sha1: &Sha1) -> Option<UnneededReason> {
        self.0.get(sha1).copied()
    }
}

/// The catalogue and what was decided of it.
struct Decided {
    nodes: HashMap<UpdateIdentity, GraphNode>,
    newest: HashMap<UpdateId, UpdateIdentity>,
    bundled: HashSet<UpdateIdentity>,
    superseded: HashSet<UpdateId>,
    declined: HashSet<UpdateId>,
    approved: HashSet<UpdateId>,
}

impl Decided {
    fn new(
        nodes: HashMap<UpdateIdentity, GraphNode>,
        declined: HashSet<UpdateId>,
        approved: HashSet<UpdateId>,
    ) -> Self {
        let mut newest: HashMap<UpdateId, UpdateIdentity> = HashMap::new();
        let mut bundled = HashSet::new();
        for node in nodes.values() {
            let best = newest.entry(node.identity.id).or_insert(node.identity);
            if node.identity.revision > best.revision {
                *best = node.identity;
            }
            bundled.extend(node.bundled.iter().flat_map(|clause| clause.any_of.iter().copied()));
        }
        // What is declined itself, or withdrawn by its publisher, supersedes nothing.
        let in_force = newest.values().filter_map(|identity| nodes.get(identity));
        let superseded = in_force
            .filter(|node| !node.expired && !declined.contains(&node.identity.id))
            .flat_map(|node| {
                let others = node.superseded.iter().copied();
                others.filter(|update| *update != node.identity.id)
            })
            .collect();
        Self { nodes, newest, bundled, superseded, declined, approved }
    }

    fn unneeded(&self) -> HashMap<Sha1, UnneededReason> {
        let mut reasons: BTreeMap<UpdateIdentity, UnneededReason> = BTreeMap::new();
        let mut needed = Vec::new();
        for node in self.nodes.values() {
            match self.reason(node) {
                Some(reason) => drop(reasons.insert(node.identity, reason)),
                // A member is needed with what bundles it.
                None if self.is_root(node) => needed.push(node.identity),
                None => {}
            }
        }
        let needed = self.closure(needed);
        // Members go with the bundles that nobody needs.
        for (identity, reason) in reasons.clone() {
            for member in self.closure_of_members(identity) {
                let old = reasons.entry(member).or_insert(reason);
                *old = reason.min(*old);
            }
        }
        let mut files: HashMap<Sha1, UnneededReason> = HashMap::new();
        for (identity, reason) in reasons {
            let Some(node) = self.nodes.get(&identity) else { continue };
            for file in node.files.iter().chain(&node.eulas) {
                let old = files.entry(file.sha1).or_insert(reason);
                *old = reason.min(*old);
            }
        }
        for node in needed.iter().filter_map(|identity| self.nodes.get(identity)) {
            for file in node.files.iter().chain(&node.eulas) {
                files.remove(&file.sha1);
            }
        }
        files
    }

    /// Why a revision is needed by nobody by itself.
    fn reason(&self, node: &GraphNode) -> Option<UnneededReason> {
        let update = node.identity.id;
        if !matches!(node.update_type, UpdateType::Software | UpdateType::Driver) {
            return None;
        }
        if self.approved.contains(&update) && self.newest.get(&update) == Some(&node.identity) {
            return None;
        }
        if self.declined.contains(&update) {
            return Some(UnneededReason::Declined);
        }
        if self.newest.get(&update) != Some(&node.identity) {
            return Some(UnneededReason::Replaced);
        }
        let is_superseded = node.explicitly_deployable && self.superseded.contains(&update);
        is_superseded.then_some(UnneededReason::Superseded)
    }

    /// Whether a revision counts by itself, not only as a member.
    fn is_root(&self, node: &GraphNode) -> bool {
        node.explicitly_deployable || !self.bundled.contains(&node.identity)
    }

    /// What the revisions bundle and require, at any depth, themselves included.
    fn closure(&self, roots: Vec<UpdateIdentity>) -> HashSet<UpdateIdentity> {
        let mut seen = HashSet::new();
        let mut open = roots;
        while let Some(identity) = open.pop() {
            let Some(node) = self.nodes.get(&identity).filter(|_| seen.insert(identity)) else {
                continue;
            };
            open.extend(node.bundled.iter().flat_map(|clause| clause.any_of.iter().copied()));
            let required = node.prerequisites.iter().flat_map(|clause| &clause.any_of);
            open.extend(required.filter_map(|update| self.newest.get(update).copied()));
        }
        seen
    }

    fn closure_of_members(&self, bundle: UpdateIdentity) -> HashSet<UpdateIdentity> {
        let mut seen = HashSet::new();
        let mut open = vec![bundle];
        while let Some(identity) = open.pop() {
            let Some(node) = self.nodes.get(&identity) else { continue };
            for member in node.bundled.iter().flat_map(|clause| &clause.any_of) {
                if seen.insert(*member) {
                    open.push(*member);
                }
            }
        }
        seen
    }
}

/// States in the catalogue which payloads are left out because their updates are declined, and takes
/// back what was left out and is needed again.
pub(crate) fn leave_out_declined(writer: &mut CatalogWriter<'_>, fleet: &Fleet) -> Result<()> {
    if fleet.declined()?.is_empty() && writer.left_out()?.is_empty() {
        return Ok(());
    }
    let unneeded = Unneeded::find(writer, fleet)?;
    restore(writer, &unneeded)?;
    let mut declined = Vec::new();
    writer.payloads(&mut |row| {
        if row.present && unneeded.reason(&row.sha1) == Some(UnneededReason::Declined) {
            declined.push(row.sha256);
        }
    })?;
    for sha256 in &declined {
        writer.leave_out(sha256, UnneededReason::Declined.statement())?;
    }
    Ok(())
}

/// Takes back what was left out and is needed again: it is missing from now on, or carried.
///
/// # Errors
/// When a store fails.
pub fn restore_needed(catalog: &mut Catalog, fleet: &Fleet) -> Result<u64> {
    if catalog.left_out()?.is_empty() {
        return Ok(0);
    }
    let mut writer = catalog.write()?;
    let unneeded = Unneeded::find(&writer, fleet)?;
    let restored = restore(&mut writer, &unneeded)?;
    writer.commit()?;
    Ok(restored)
}

fn restore(writer: &mut CatalogWriter<'_>, unneeded: &Unneeded) -> Result<u64> {
    let mut restored = 0;
    let left_out: Vec<(Sha256, Sha1)> = writer.left_out()?;
    for (sha256, sha1) in left_out {
        if unneeded.reason(&sha1).is_none() {
            writer.carry_again(&sha256)?;
            restored += 1;
        }
    }
    Ok(restored)
}
