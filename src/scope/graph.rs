//! The catalogue as a graph of dense integers.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::{
    members::{self, Members},
    revision::{FileState, Index, Revision},
    table::{Table, index},
};
use crate::update::{RevisionId, UpdateId, UpdateIdentity, UpdateType};

/// All revisions of the catalogue and how they hang together.
///
/// References to what is not in the catalogue are ignored. A prerequisite clause of which no
/// alternative is known can never hold.
#[derive(Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    by_id: HashMap<u32, Index>,
    by_identity: HashMap<UpdateIdentity, Index>,
    by_update: HashMap<UpdateId, u32>,
    /// By update: its newest revision.
    newest: Vec<Index>,
    /// By update: some prerequisite names it.
    required: Vec<bool>,
    /// By clause: its alternatives as updates. Equal clauses are one.
    clauses: Table,
    /// By update: the clauses that it satisfies.
    satisfies: Table,
    /// By revision: its prerequisite clauses.
    prerequisites: Table,
    /// By revision: what it bundles, all clauses together.
    bundled: Table,
    /// By category update: the revision IDs that name it in an `IsCategory` clause.
    categorized: HashMap<u32, RoaringBitmap>,
}

#[derive(Debug)]
struct Node {
    id: RevisionId,
    identity: UpdateIdentity,
    update: u32,
    update_type: UpdateType,
    expired: bool,
    eula_id: Option<String>,
    files: FileState,
}

impl Graph {
    /// Builds the graph. Of two revisions with one ID or identity the first counts.
    pub fn new(mut revisions: Vec<Revision>) -> Self {
        revisions.sort_by_key(|r| key(r.id));
        revisions.dedup_by_key(|r| r.id);
        let mut graph = Self {
            nodes: Vec::with_capacity(revisions.len()),
            by_id: HashMap::with_capacity(revisions.len()),
            by_identity: HashMap::with_capacity(revisions.len()),
            by_update: HashMap::new(),
            newest: Vec::new(),
            required: Vec::new(),
            clauses: Table::new(),
            satisfies: Table::new(),
            prerequisites: Table::new(),
            bundled: Table::new(),
            categorized: HashMap::new(),
        };
        revisions.retain(|revision| graph.add_node(revision));
        graph.add_prerequisites(&revisions);
        graph.add_bundled(&revisions);
        graph
    }

    /// How many revisions there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The number of a revision.
    pub fn lookup(&self, identity: &UpdateIdentity) -> Option<RevisionId> {
        self.node(*self.by_identity.get(identity)?).map(|node| node.id)
    }

    /// Which revision a number stands for.
    pub fn identity(&self, id: RevisionId) -> Option<UpdateIdentity> {
        self.node(self.index_of(key(id))?).map(|node| node.identity)
    }

    /// The kind of a revision.
    pub fn update_type(&self, id: RevisionId) -> Option<UpdateType> {
        self.node(self.index_of(key(id))?).map(|node| node.update_type)
    }

    /// The newest revision of an update.
    pub fn newest(&self, update: UpdateId) -> Option<RevisionId> {
        self.node(self.newest_index(update)?).map(|node| node.id)
    }

    /// Whether no prerequisite of any revision in the catalogue names the update, `IsCategory`
    /// clauses included. Being bundled does not matter. [MS-WUSP] 3.1.5.7
    pub fn is_leaf(&self, id: RevisionId) -> bool {
        self.index_of(key(id)).is_none_or(|i| self.is_leaf_at(i))
    }

    /// Whether all files are here that the revision and what it bundles need. One alternative of a
    /// bundled clause may be not carried if another one is complete; none may be missing.
    pub fn files(&self, id: RevisionId) -> Option<FileState> {
        self.node(self.index_of(key(id))?).map(|node| node.files)
    }

    pub(super) fn index_of(&self, id: u32) -> Option<Index> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn newest_index(&self, update: UpdateId) -> Option<Index> {
        self.newest.get(*self.by_update.get(&update)? as usize).copied()
    }

    pub(super) fn update_index(&self, update: UpdateId) -> Option<u32> {
        self.by_update.get(&update).copied()
    }

    pub(super) fn id_at(&self, i: Index) -> RevisionId {
        self.node(i).map_or(RevisionId(0), |node| node.id)
    }

    /// The update of a revision.
    pub(super) fn update_at(&self, i: Index) -> u32 {
        self.node(i).map_or(u32::MAX, |node| node.update)
    }

    pub(super) fn revision_number_at(&self, i: Index) -> u32 {
        self.node(i).map_or(0, |node| node.identity.revision)
    }

    pub(super) fn type_at(&self, i: Index) -> UpdateType {
        self.node(i).map_or(UpdateType::Detectoid, |node| node.update_type)
    }

    pub(super) fn expired_at(&self, i: Index) -> bool {
        self.node(i).is_some_and(|node| node.expired)
    }

    pub(super) fn eula_at(&self, i: Index) -> Option<&str> {
        self.node(i)?.eula_id.as_deref()
    }

    pub(super) fn files_at(&self, i: Index) -> FileState {
        self.node(i).map_or(FileState::Complete, |node| node.files)
    }

    pub(super) fn is_leaf_at(&self, i: Index) -> bool {
        !self.required.get(self.update_at(i) as usize).copied().unwrap_or(false)
    }

    /// What a revision bundles.
    pub(super) fn bundled_at(&self, i: Index) -> &[Index] {
        self.bundled.row(i)
    }

    /// The prerequisite clauses of a revision.
    pub(super) fn clauses_at(&self, i: Index) -> &[u32] {
        self.prerequisites.row(i)
    }

    /// The newest revisions of the alternatives of a clause.
    pub(super) fn alternatives(&self, clause: u32) -> impl Iterator<Item = Index> {
        self.clauses.row(clause).iter().filter_map(|u| self.newest.get(*u as usize).copied())
    }

    pub(super) fn clause_count(&self) -> usize {
        self.clauses.rows()
    }

    /// The clauses that having an update installed satisfies.
    pub(super) fn satisfied_by(&self, update: u32) -> &[u32] {
        self.satisfies.row(update)
    }

    /// The revision IDs that name a category update in an `IsCategory` clause.
    pub(super) fn categorized(&self, update: u32) -> Option<&RoaringBitmap> {
        self.categorized.get(&update)
    }

    /// The newest revisions of all categories.
    pub(super) fn categories(&self) -> impl Iterator<Item = Index> {
        self.newest.iter().copied().filter(|i| self.type_at(*i) == UpdateType::Category)
    }

    fn node(&self, i: Index) -> Option<&Node> {
        self.nodes.get(i as usize)
    }

    fn add_node(&mut self, revision: &Revision) -> bool {
        if self.by_identity.contains_key(&revision.identity) {
            return false;
        }
        let here = index(self.nodes.len());
        self.by_id.insert(key(revision.id), here);
        self.by_identity.insert(revision.identity, here);
        let next = index(self.by_update.len());
        let update = *self.by_update.entry(revision.identity.id).or_insert(next);
        match self.newest.get_mut(update as usize) {
            None => self.newest.push(here),
            Some(newest) => {
                let known = self.nodes.get(*newest as usize);
                if known.is_none_or(|n| n.identity.revision < revision.identity.revision) {
                    *newest = here;
                }
            }
        }
        self.nodes.push(Node {
            id: revision.id,
            identity: revision.identity,
            update,
            update_type: revision.update_type,
            expired: revision.expired,
            eula_id: revision.eula_id.clone(),
            files: revision.files,
        });
        true
    }

    fn add_prerequisites(&mut self, revisions: &[Revision]) {
        let mut interned: HashMap<Vec<u32>, u32> = HashMap::new();
        let mut satisfies = Vec::new();
        self.required = vec![false; self.newest.len()];
        for revision in revisions {
            let mut clauses = Vec::with_capacity(revision.prerequisites.len());
            for clause in &revision.prerequisites {
                let mut updates: Vec<u32> = clause
                    .any_of
                    .iter()
                    .filter_map(|update| self.by_update.get(update).copied())
                    .collect();
                updates.sort_unstable();
                updates.dedup();
                for update in &updates {
                    if let Some(required) = self.required.get_mut(*update as usize) {
                        *required = true;
                    }
                    if clause.is_category {
                        self.categorized.entry(*update).or_default().insert(key(revision.id));
                    }
                }
                let next = index(self.clauses.rows());
                let clause = *interned.entry(updates).or_insert_with_key(|updates| {
                    self.clauses.push(updates);
                    satisfies.extend(updates.iter().map(|update| (*update, next)));
                    next
                });
                clauses.push(clause);
            }
            clauses.sort_unstable();
            clauses.dedup();
            self.prerequisites.push(&clauses);
        }
        self.satisfies = Table::from_pairs(self.newest.len(), satisfies);
    }

    fn add_bundled(&mut self, revisions: &[Revision]) {
        let mut clauses: Vec<Vec<Vec<Index>>> = Vec::with_capacity(revisions.len());
        for revision in revisions {
            let known: Vec<Vec<Index>> = revision
                .bundled
                .iter()
                .map(|clause| {
                    let found = clause.any_of.iter().filter_map(|i| self.by_identity.get(i));
                    found.copied().collect()
                })
                .collect();
            clauses.push(known);
        }
        let states = members::file_states(revisions, &clauses);
        for clauses in &clauses {
            let members = Members::new(revisions, &states, clauses);
            let mut all: Vec<Index> = members.deployed(clauses);
            all.sort_unstable();
            all.dedup();
            self.bundled.push(&all);
        }
        for (node, files) in self.nodes.iter_mut().zip(states) {
            node.files = files;
        }
    }
}

/// Bitmaps hold revision IDs as unsigned numbers: no mapping stands between them and the wire.
pub(super) fn key(id: RevisionId) -> u32 {
    id.0.cast_unsigned()
}
