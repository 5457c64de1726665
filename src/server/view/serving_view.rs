//! The view, and how it answers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bundle_format::digest::Sha1;
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    anchor::Anchors,
    deployments::{Deployments, Offer},
    generation::{Generation, ViewFile},
    query::{SyncAnswer, SyncQuery},
};
use crate::{
    scope::{self, Decisions, PageLimits},
    server::pack::{
        error::PackError,
        fragment::{FragmentKind, PackedFragment},
    },
    update::{RevisionId, UpdateId, UpdateIdentity},
};

/// Sets of groups that are kept until the next view, beside those that it has prepared.
const LATE: usize = 1000;

/// All that is served, at one moment.
#[derive(Debug)]
pub struct View {
    pub(super) generation: Arc<Generation>,
    pub(super) fleet_change: u64,
    pub(super) number: u64,
    pub(super) loaded: Timestamp,
    pub(super) page: PageLimits,
    pub(super) decisions: Decisions,
    /// Categories that category scans may ask for although nothing approved needs them.
    pub(super) categories: Arc<Deployments>,
    pub(super) sets: HashMap<Vec<Uuid>, Arc<Deployments>>,
    /// The fleet has recorded the deployments.
    pub(super) recorded: bool,
    /// Sets of groups that did not exist when the view was loaded.
    pub(super) late: Mutex<HashMap<Vec<Uuid>, Arc<Deployments>>>,
}

impl View {
    /// Whether the stores have not changed since.
    pub fn is_current(&self, catalog_change: u64, fleet_change: u64) -> bool {
        self.generation.change == catalog_change && self.fleet_change == fleet_change
    }

    /// Whether the fleet has recorded what is deployed; it could not be written otherwise.
    pub fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// A number that grows with every view that is recorded.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Answers one call of the software pass.
    pub fn sync(&self, query: &SyncQuery<'_>) -> SyncAnswer {
        let set = self.set(query.groups);
        let anchors = Anchors::new(query.groups, self.number);
        let question = scope::AgentQuery {
            installed: query.installed,
            cached: query.cached,
            filter: query.filter,
            anchor: anchors.known_until(query.anchor),
            two_groups: query.two_groups,
        };
        let size = |id| set.core_size(id).or_else(|| self.categories.core_size(id)).unwrap_or(0);
        let answer = set.scope.sync(
            &self.generation.graph,
            &question,
            &self.page,
            &size,
            &self.categories.marks,
        );
        let offers = |ids: Vec<RevisionId>| {
            ids.into_iter().filter_map(|id| self.offer_in(&set, id)).collect()
        };
        SyncAnswer {
            new: offers(answer.new),
            out_of_scope: answer.out_of_scope,
            changed: offers(answer.changed),
            truncated: answer.truncated,
            deployed_out_of_scope: answer.deployed_out_of_scope,
            anchor: if answer.knows_all_changes { anchors.newest() } else { query.anchor },
            driver_sync_not_needed: answer.driver_sync_not_needed,
        }
    }

    /// The number of a revision.
    pub fn lookup(&self, identity: &UpdateIdentity) -> Option<RevisionId> {
        self.generation.graph.lookup(identity)
    }

    /// Which revision a number stands for.
    pub fn identity(&self, id: RevisionId) -> Option<UpdateIdentity> {
        self.generation.graph.identity(id)
    }

    /// What computers in these groups (ancestors included, sorted) are deployed of a revision:
    /// what SyncUpdates may deliver them, in category scans too.
    pub fn offer(&self, groups: &[Uuid], id: RevisionId) -> Option<Offer> {
        self.offer_in(&self.set(groups), id)
    }

    /// The payload files of a revision.
    pub fn files(&self, id: RevisionId) -> &[ViewFile] {
        self.generation.files(id)
    }

    /// A payload file or licence text by the name that agents use; of several documents that name it, one whose
    /// file is here.
    pub fn file(&self, sha1: &Sha1) -> Option<&ViewFile> {
        self.generation.file(sha1)
    }

    /// The type of a category (`Company`, `ProductFamily`, `Product`, `UpdateClassification`);
    /// `None` for anything that is no category of the catalogue. A category whose document states
    /// no type has an empty one.
    pub fn category_type(&self, id: UpdateId) -> Option<String> {
        self.generation.category_type(id).map(str::to_owned)
    }

    /// A fragment of a revision, if there is one. A language is found in any letter case, and
    /// `en-US` finds `en`.
    ///
    /// # Errors
    /// When the disk fails or the pack is damaged.
    pub fn fragment(
        &self,
        id: RevisionId,
        kind: FragmentKind<'_>,
    ) -> Result<Option<PackedFragment>, PackError> {
        match self.identity(id) {
            Some(identity) => self.generation.packs.fragment(&identity, kind),
            None => Ok(None),
        }
    }

    /// The texts of a revision for an agent that asks for `locales`: what there is of these, and
    /// English in any case; each once. [MS-WUSP] 3.1.5.9
    ///
    /// # Errors
    /// As [`View::fragment`].
    pub fn localized(
        &self,
        id: RevisionId,
        locales: &[&str],
    ) -> Result<Vec<PackedFragment>, PackError> {
        match self.identity(id) {
            Some(identity) => self.generation.packs.localized(&identity, locales),
            None => Ok(Vec::new()),
        }
    }

    /// The licence texts of a revision, as [`View::localized`], for a country (`GeoId`).
    ///
    /// # Errors
    /// As [`View::fragment`].
    pub fn eulas(
        &self,
        id: RevisionId,
        locales: &[&str],
        geo_id: Option<&str>,
    ) -> Result<Vec<PackedFragment>, PackError> {
        match self.identity(id) {
            Some(identity) => self.generation.packs.eulas(&identity, locales, geo_id),
            None => Ok(Vec::new()),
        }
    }

    fn offer_in(&self, set: &Deployments, id: RevisionId) -> Option<Offer> {
        set.offer(id).or_else(|| self.categories.offer(id))
    }

    /// What is deployed to a set of groups. All sets are prepared but those that arose since, by
    /// moving a computer: they last until the next view, which records them.
    fn set(&self, groups: &[Uuid]) -> Arc<Deployments> {
        if let Some(set) = self.sets.get(groups) {
            return Arc::clone(set);
        }
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = late.get(groups) {
            return Arc::clone(set);
        }
        let deployed = scope::deploy(&self.generation.graph, &self.decisions, groups);
        let set = Arc::new(Deployments::provisional(
            &self.generation,
            deployed,
            self.number,
            self.loaded,
        ));
        // Who asks for ever new combinations fills no memory: it is worked out anew each time.
        if late.len() < LATE {
            late.insert(groups.to_vec(), Arc::clone(&set));
        }
        set
    }
}
