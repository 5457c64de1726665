//! The view: all that an answer to an agent needs, immutable, loaded from one state of the stores
//! and swapped as a whole after an import or an approval. Answering needs no SQL.
//!
//! | module | what it owns |
//! |---|---|
//! | [`generation`] | what comes from the catalogue: graph, files, categories, packs |
//! | [`deployments`] | what is deployed to one set of target groups, with ids and change marks |
//!
//! Approving makes a new view over the same generation; only an import or a sync makes a new
//! generation.

mod anchor;
pub(super) mod deployments;
pub(super) mod error;
pub(super) mod generation;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bundle_format::digest::Sha1;
use jiff::Timestamp;
use uuid::Uuid;

use anchor::Anchors;
pub use deployments::{Deployment, Offer};
use deployments::{Deployments, decisions};
pub use error::ViewError;
use generation::Generation;
pub use generation::ViewFile;

use super::pack::{FragmentKind, error::PackError, fragment::PackedFragment};
use crate::{
    catalog::Catalog,
    data_dir::DataDir,
    fleet::Fleet,
    scope::{self, Decisions, PageLimits},
    update::{DocumentLimits, RevisionId, UpdateId, UpdateIdentity},
};

/// How a view answers.
#[derive(Debug, Clone)]
pub struct ViewOptions {
    /// Revisions on one page of SyncUpdates. The specification's servers send 200.
    pub page_revisions: u64,
    /// Bytes of Core fragments, escaped, on one page. Both bounds give way where a scan would
    /// otherwise take more calls than agents make.
    pub page_bytes: u64,
    /// Bounds on documents.
    pub limits: DocumentLimits,
}

impl Default for ViewOptions {
    fn default() -> Self {
        Self { page_revisions: 200, page_bytes: 1 << 20, limits: DocumentLimits::default() }
    }
}

/// One SyncUpdates, software pass. [MS-WUSP] 2.2.2.2.4
#[derive(Debug, Clone, Copy, Default)]
pub struct SyncQuery<'a> {
    /// The groups of the computer, with ancestors, sorted.
    pub groups: &'a [Uuid],
    /// `InstalledNonLeafUpdateIDs`.
    pub installed: &'a [i32],
    /// `OtherCachedUpdateIDs`.
    pub cached: &'a [i32],
    /// `FilterCategoryIds`.
    pub filter: &'a [UpdateId],
    /// What the last answer said, from the cookie; 0 if there was none.
    pub anchor: u64,
    /// `NeedTwoGroupOutOfScopeUpdates`.
    pub two_groups: bool,
}

/// The answer to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncAnswer {
    /// `NewUpdates`: non-leaf ones first, then ascending.
    pub new: Vec<Offer>,
    /// `OutOfScopeRevisionIDs`.
    pub out_of_scope: Vec<i32>,
    /// `ChangedUpdates`.
    pub changed: Vec<Offer>,
    /// `Truncated`: more new ones remain.
    pub truncated: bool,
    /// `DeployedOutOfScopeRevisionIds`.
    pub deployed_out_of_scope: Vec<i32>,
    /// For the new cookie. It means nothing to anybody but a view.
    pub anchor: u64,
    /// `DriverSyncNotNeeded`.
    pub driver_sync_not_needed: bool,
}

/// All that is served, at one moment.
#[derive(Debug)]
pub struct View {
    generation: Arc<Generation>,
    fleet_change: u64,
    number: u64,
    loaded: Timestamp,
    page: PageLimits,
    decisions: Decisions,
    /// Categories that category scans may ask for although nothing approved needs them.
    categories: Arc<Deployments>,
    sets: HashMap<Vec<Uuid>, Arc<Deployments>>,
    /// Sets of groups that came up after loading.
    late: Mutex<HashMap<Vec<Uuid>, Arc<Deployments>>>,
}

impl View {
    /// Loads the view from the stores, packs what is not packed yet and records the deployments.
    /// Blocking. What `previous` still holds of the same state is taken over.
    ///
    /// # Errors
    /// When a store cannot be read or written.
    pub fn load(
        data: &DataDir,
        options: &ViewOptions,
        previous: Option<&Self>,
    ) -> Result<Self, ViewError> {
        // Not for reading only: a new site has no catalogue yet, an upgraded one an old schema.
        let catalog = Catalog::open(&data.catalog())?;
        let mut fleet = Fleet::open(&data.fleet())?;
        // Read before what they count: if a writer comes between, the view is loaded once more.
        let catalog_change = catalog.change()?;
        let fleet_change = fleet.change()?;
        let generation = match previous {
            Some(view) if view.generation.change == catalog_change => Arc::clone(&view.generation),
            _ => Arc::new(Generation::load(
                &catalog,
                catalog_change,
                &data.packs(),
                &options.limits,
            )?),
        };
        let previous = previous.filter(|view| Arc::ptr_eq(&view.generation, &generation));

        let loaded = Timestamp::now();
        let number = fleet.next_view()?;
        let decisions = decisions(&fleet)?;
        let categories = match previous {
            Some(view) => Arc::clone(&view.categories),
            None => {
                let all = deployments::categories(&generation);
                Arc::new(Deployments::record(&generation, &mut fleet, &[], all, number, loaded)?)
            }
        };
        let mut sets = HashMap::new();
        for groups in fleet.group_sets()? {
            let deployed = scope::deploy(&generation.graph, &decisions, &groups);
            let same = previous
                .and_then(|view| view.sets.get(&groups))
                .filter(|set| set.deployed == deployed);
            let set = match same {
                Some(set) => Arc::clone(set),
                None => Arc::new(Deployments::record(
                    &generation,
                    &mut fleet,
                    &groups,
                    deployed,
                    number,
                    loaded,
                )?),
            };
            sets.insert(groups, set);
        }
        tracing::info!(
            view = number,
            revisions = generation.graph.len(),
            sets = sets.len(),
            "view loaded"
        );
        Ok(Self {
            generation,
            fleet_change,
            number,
            loaded,
            page: PageLimits { revisions: options.page_revisions, bytes: options.page_bytes },
            decisions,
            categories,
            sets,
            late: Mutex::default(),
        })
    }

    /// Whether the stores have not changed since.
    pub fn is_current(&self, catalog_change: u64, fleet_change: u64) -> bool {
        self.generation.change == catalog_change && self.fleet_change == fleet_change
    }

    /// A number that grows with every view.
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
            anchor: anchors.known(query.anchor),
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
    pub fn is_category(&self, id: UpdateId) -> Option<String> {
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
        late.insert(groups.to_vec(), Arc::clone(&set));
        set
    }
}
