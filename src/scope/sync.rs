//! The answer to one SyncUpdates. [MS-WUSP] 3.1.5.7

use std::collections::HashMap;

use roaring::{MultiOps, RoaringBitmap};

use super::{
    deploy::{DeployedRevision, close},
    graph::{Graph, key},
    revision::Index,
};
use crate::update::{RevisionId, UpdateId, UpdateType};

/// What an agent says it has.
#[derive(Debug, Clone, Copy, Default)]
pub struct AgentQuery<'a> {
    /// `InstalledNonLeafUpdateIDs`: the only thing that satisfies prerequisites.
    pub installed: &'a [i32],
    /// `OtherCachedUpdateIDs`.
    pub cached: &'a [i32],
    /// `FilterCategoryIds`; not empty in a category scan.
    pub filter: &'a [UpdateId],
    /// Change mark up to which it knows the deployments; 0 if nothing is known of it.
    pub anchor: u64,
    /// `NeedTwoGroupOutOfScopeUpdates`.
    pub two_groups: bool,
}

/// What it has to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// `NewUpdates`: non-leaf ones first, then ascending.
    pub new: Vec<RevisionId>,
    /// `OutOfScopeRevisionIDs`, ascending; unknown ids are among them.
    pub out_of_scope: Vec<i32>,
    /// `ChangedUpdates`, ascending; always all of them.
    pub changed: Vec<RevisionId>,
    /// More new ones remain.
    pub truncated: bool,
    /// `DeployedOutOfScopeRevisionIds`, ascending.
    pub deployed_out_of_scope: Vec<i32>,
    /// The agent now knows all changes of what it has; its anchor may rise. A category scan tells
    /// only of what it is about, and so may leave some out.
    pub knows_all_changes: bool,
    /// No driver is deployed to it.
    pub driver_sync_not_needed: bool,
}

/// How much goes on one page.
#[derive(Debug, Clone, Copy)]
pub struct PageLimits {
    /// Revisions.
    pub revisions: u64,
    /// Bytes of their fragments.
    pub bytes: u64,
}

/// Agents abort a scan after 200 calls, so a page may be as large as this part of what remains: 1.2 GB
/// of fragments at 1 MiB a page then take some 120 calls, not 1,200.
const PAGES_FOR_BYTES: u64 = 25;
/// The same for revisions: 137,000 of them take some 180 calls.
const PAGES_FOR_REVISIONS: u64 = 50;

/// Deployed revisions with the change marks of their deployments.
#[derive(Debug, Clone, Default)]
pub struct ChangeMarks(Vec<(u64, u32)>);

impl ChangeMarks {
    /// From pairs of revision and change mark.
    pub fn new(marks: impl IntoIterator<Item = (RevisionId, u64)>) -> Self {
        let mut marks: Vec<_> = marks.into_iter().map(|(id, mark)| (mark, key(id))).collect();
        marks.sort_unstable();
        Self(marks)
    }

    /// The revisions changed after `anchor`.
    fn since(&self, anchor: u64) -> RoaringBitmap {
        let first = self.0.partition_point(|(mark, _)| *mark <= anchor);
        self.0.iter().skip(first).map(|(_, id)| *id).collect()
    }
}

/// What is deployed to a set of groups, prepared for questions. All sets hold revision IDs.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Everything, drivers included.
    deployed: RoaringBitmap,
    approved: RoaringBitmap,
    /// By update: its revision that is deployed.
    standing: HashMap<u32, Index>,
    software: PassScope,
    has_drivers: bool,
    marks: ChangeMarks,
}

/// What one pass may deliver.
#[derive(Debug, Clone, Default)]
struct PassScope {
    members: RoaringBitmap,
    non_leaf: RoaringBitmap,
    /// Clause, and the members that it holds back while it does not hold.
    clauses: Vec<(u32, RoaringBitmap)>,
}

impl Scope {
    /// Prepares what [`super::deploy`] found.
    pub fn new(graph: &Graph, deployed: &[DeployedRevision], marks: ChangeMarks) -> Self {
        let indexes = deployed.iter().filter_map(|d| graph.index_of(key(d.id)));
        Self {
            deployed: deployed.iter().map(|d| key(d.id)).collect(),
            approved: deployed.iter().filter(|d| d.approved).map(|d| key(d.id)).collect(),
            standing: indexes.clone().map(|i| (graph.update_at(i), i)).collect(),
            has_drivers: indexes.clone().any(|i| graph.type_at(i) == UpdateType::Driver),
            software: PassScope::new(graph, indexes),
            marks,
        }
    }

    /// Whether a revision is deployed.
    pub fn contains(&self, id: RevisionId) -> bool {
        self.deployed.contains(key(id))
    }

    /// Answers one call of the software pass, which is everything but drivers.
    ///
    /// `size` gives the bytes that a revision takes on a page. `category_marks` are those of
    /// [`super::category_closure`], for category scans.
    pub fn sync(
        &self,
        graph: &Graph,
        query: &AgentQuery<'_>,
        limits: &PageLimits,
        size: &dyn Fn(RevisionId) -> u64,
        category_marks: &ChangeMarks,
    ) -> Answer {
        let mut cached = bitmap(query.cached);
        cached |= bitmap(query.installed);
        let category_scan = !query.filter.is_empty();
        let filtered;
        let pass = if category_scan {
            filtered = self.filtered(graph, query.filter);
            &filtered
        } else {
            &self.software
        };
        let needed = pass.needed(graph, query.installed);

        let mut answer = Answer { driver_sync_not_needed: !self.has_drivers, ..Answer::default() };
        pass.page(&(&needed - &cached), limits, size, &mut answer);

        let mut gone = &cached - &needed;
        if category_scan && query.two_groups {
            let kept = &gone & &self.software.members;
            gone -= &kept;
            answer.deployed_out_of_scope = numbers(&kept);
        }
        answer.out_of_scope = numbers(&gone);

        let mut changed = self.marks.since(query.anchor) & &cached;
        answer.knows_all_changes = !category_scan || changed.is_subset(&needed);
        if category_scan {
            changed |= (category_marks.since(query.anchor) & &cached) - &self.deployed;
        }
        changed &= &needed;
        answer.changed = changed.iter().map(revision).collect();
        answer
    }

    /// What a category scan is about: these categories, the approved updates that name one of them
    /// in an `IsCategory` clause, and whatever these need. [MS-WUSP] 2.2.2.2.4
    fn filtered(&self, graph: &Graph, filter: &[UpdateId]) -> PassScope {
        let mut roots = Vec::new();
        let mut related = RoaringBitmap::new();
        for category in filter {
            let Some(i) = graph.newest_index(*category) else { continue };
            if graph.type_at(i) != UpdateType::Category {
                continue;
            }
            roots.push(i);
            if let Some(ids) = graph.update_index(*category).and_then(|u| graph.categorized(u)) {
                related |= ids & &self.approved;
            }
        }
        // Of each update the revision that is deployed, if one is.
        let standing = |i: &Index| self.standing.get(&graph.update_at(*i)).copied();
        let related = related.iter().filter_map(|id| graph.index_of(id));
        let mut members: Vec<Index> = close(graph, related).filter_map(|i| standing(&i)).collect();
        members.extend(close(graph, roots).map(|i| standing(&i).unwrap_or(i)));
        members.sort_unstable();
        members.dedup();
        PassScope::new(graph, members.into_iter())
    }
}

impl PassScope {
    fn new(graph: &Graph, members: impl Iterator<Item = Index>) -> Self {
        let mut pass = Self::default();
        let mut holds_back: Vec<(u32, u32)> = Vec::new();
        for i in members.filter(|i| graph.type_at(*i) != UpdateType::Driver) {
            let id = key(graph.id_at(i));
            pass.members.insert(id);
            if !graph.is_leaf_at(i) {
                pass.non_leaf.insert(id);
            }
            holds_back.extend(graph.clauses_at(i).iter().map(|clause| (*clause, id)));
        }
        holds_back.sort_unstable();
        for same in holds_back.chunk_by(|a, b| a.0 == b.0) {
            if let Some((clause, _)) = same.first() {
                pass.clauses.push((*clause, same.iter().map(|(_, id)| *id).collect()));
            }
        }
        pass
    }

    /// The members all of whose clauses name an update that is installed.
    fn needed(&self, graph: &Graph, installed: &[i32]) -> RoaringBitmap {
        let mut holds = vec![false; graph.clause_count()];
        for id in installed {
            let Some(i) = graph.index_of(id.cast_unsigned()) else { continue };
            for clause in graph.satisfied_by(graph.update_at(i)) {
                if let Some(holds) = holds.get_mut(*clause as usize) {
                    *holds = true;
                }
            }
        }
        let held_back = self
            .clauses
            .iter()
            .filter(|(clause, _)| !holds.get(*clause as usize).copied().unwrap_or(false))
            .map(|(_, members)| members)
            .union();
        &self.members - held_back
    }

    /// Fills the page with what is new: non-leaf ones first, because others wait for them.
    fn page(
        &self,
        new: &RoaringBitmap,
        limits: &PageLimits,
        size: &dyn Fn(RevisionId) -> u64,
        answer: &mut Answer,
    ) {
        let total: u64 = new.iter().map(|id| size(revision(id))).sum();
        let max_bytes = limits.bytes.max(total / PAGES_FOR_BYTES);
        let max_revisions = limits.revisions.max(new.len() / PAGES_FOR_REVISIONS);
        let mut bytes = 0u64;
        let first = new & &self.non_leaf;
        for id in first.iter().chain(new - &first).map(revision) {
            bytes = bytes.saturating_add(size(id));
            let full = answer.new.len() as u64 >= max_revisions || bytes > max_bytes;
            if full && !answer.new.is_empty() {
                answer.truncated = true;
                return;
            }
            answer.new.push(id);
        }
    }
}

fn bitmap(ids: &[i32]) -> RoaringBitmap {
    ids.iter().map(|id| id.cast_unsigned()).collect()
}

fn numbers(ids: &RoaringBitmap) -> Vec<i32> {
    ids.iter().map(u32::cast_signed).collect()
}

fn revision(id: u32) -> RevisionId {
    RevisionId(id.cast_signed())
}
