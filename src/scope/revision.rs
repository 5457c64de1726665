//! A revision as the graph takes it.

use crate::update::{Clause, RevisionId, UpdateId, UpdateIdentity, UpdateType};

/// Whether the files are here that an update needs. Ordered: the worse is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileState {
    /// All are here, or there are none.
    Complete,
    /// Some are not here yet.
    Missing,
    /// Some will not come: the mirror does not carry them, by choice.
    NotCarried,
}

/// A revision as it goes into the graph.
#[derive(Debug, Clone)]
pub struct Revision {
    /// Its number towards agents.
    pub id: RevisionId,
    /// Which revision it is.
    pub identity: UpdateIdentity,
    /// Its kind.
    pub update_type: UpdateType,
    /// Withdrawn by its publisher.
    pub expired: bool,
    /// Licence that must be accepted first.
    pub eula_id: Option<String>,
    /// Its own files, without those of the updates that it bundles.
    pub files: FileState,
    /// Which languages its files are for; none: all.
    pub languages: Vec<String>,
    /// All clauses must hold.
    pub prerequisites: Vec<Clause<UpdateId>>,
    /// Exact revisions.
    pub bundled: Vec<Clause<UpdateIdentity>>,
}

/// Position of a revision in the graph, in the order of revision IDs.
pub(super) type Index = u32;
