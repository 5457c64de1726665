//! Loading a view from the stores. What the previous one holds of the same state is taken over.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    deployments::{self, Deployments},
    error::ViewError,
    generation::Generation,
    query::ViewOptions,
    serving_view::View,
};
use crate::{
    catalog::Catalog,
    data_dir::DataDir,
    fleet::{Fleet, FleetError},
    scope::{self, Decisions, DeployedRevision},
};

/// How often a view is loaded anew because an import came between.
const LOADS: usize = 3;

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
        for _ in 0..LOADS {
            if let Some(view) = Self::load_once(data, options, previous)? {
                return Ok(view);
            }
        }
        Err(ViewError::Switched)
    }

    /// `None` when an import has switched meanwhile: what was loaded may be of both.
    fn load_once(
        data: &DataDir,
        options: &ViewOptions,
        previous: Option<&Self>,
    ) -> Result<Option<Self>, ViewError> {
        let (catalog, mut fleet) = open_stores(data)?;
        let in_force = catalog.in_force_with_policy()?;
        // Read before what they count: if a writer comes between, the view is loaded once more.
        let catalog_change = catalog.change()?;
        let fleet_change = fleet.change()?;
        let generation = match previous {
            Some(view) if view.generation.is_current(catalog_change, &data.content()) => {
                Arc::clone(&view.generation)
            }
            _ => Arc::new(Generation::load(&catalog, catalog_change, data, &options.limits)?),
        };
        let previous = previous.filter(|view| Arc::ptr_eq(&view.generation, &generation));

        let loaded = Timestamp::now();
        let (number, writable) = match fleet.next_view() {
            Err(error) if error.is_unwritable() => (fleet.last_view()?, false),
            number => (number?, true),
        };
        let decisions = deployments::decisions(&fleet)?;
        let mut loader =
            Loader { generation: &generation, fleet, previous, number, loaded, writable };
        let categories = loader.categories()?;
        let sets = loader.sets(&decisions)?;
        if catalog.in_force_with_policy()? != in_force {
            return Ok(None);
        }
        let revisions = generation.graph.len();
        let recorded = loader.writable;
        if writable {
            loader.forget_other_sets(&sets)?;
        }
        tracing::info!(view = number, revisions, sets = sets.len(), recorded, "view loaded");
        Ok(Some(Self {
            generation,
            fleet_change,
            number,
            loaded,
            page: options.page(),
            decisions,
            categories,
            sets,
            recorded,
            late: Mutex::default(),
        }))
    }
}

fn open_stores(data: &DataDir) -> Result<(Catalog, Fleet), ViewError> {
    // Not for reading only: a new site has no catalogue yet, an upgraded one an old schema. But what
    // a full disk keeps from being written can be served.
    let catalog = match Catalog::open(&data.catalog()) {
        Err(error) if error.is_unwritable() => Catalog::open_read_only(&data.catalog())?,
        opened => opened?,
    };
    let fleet = match Fleet::open(&data.fleet()) {
        Err(error) if error.is_unwritable() => Fleet::open_read_only(&data.fleet())?,
        opened => opened?,
    };
    Ok((catalog, fleet))
}

/// Records what is deployed.
struct Loader<'a> {
    generation: &'a Generation,
    fleet: Fleet,
    /// The previous view, if it is of the same generation.
    previous: Option<&'a View>,
    number: u64,
    loaded: Timestamp,
    /// Whether deployments can be recorded.
    writable: bool,
}

impl Loader<'_> {
    fn categories(&mut self) -> Result<Arc<Deployments>, FleetError> {
        if let Some(view) = self.previous.filter(|view| view.categories.recorded) {
            return Ok(Arc::clone(&view.categories));
        }
        self.record(&[], deployments::categories(self.generation))
    }

    /// What is deployed to each set of groups that computers are in.
    fn sets(
        &mut self,
        decisions: &Decisions,
    ) -> Result<HashMap<Vec<Uuid>, Arc<Deployments>>, FleetError> {
        let mut sets = HashMap::new();
        for groups in self.fleet.group_sets()? {
            let deployed = scope::deploy(&self.generation.graph, decisions, &groups);
            let same = self
                .previous
                .and_then(|view| view.sets.get(&groups))
                .filter(|set| set.deployed == deployed && set.recorded);
            let set = match same {
                Some(set) => Arc::clone(set),
                None => self.record(&groups, deployed)?,
            };
            sets.insert(groups, set);
        }
        Ok(sets)
    }

    fn record(
        &mut self,
        groups: &[Uuid],
        deployed: Vec<DeployedRevision>,
    ) -> Result<Arc<Deployments>, FleetError> {
        if self.writable {
            let (fleet, number) = (&mut self.fleet, self.number);
            let wanted = deployed.clone();
            let set =
                Deployments::record(self.generation, fleet, groups, wanted, number, self.loaded);
            match set {
                Err(error) if error.is_unwritable() => self.writable = false,
                set => return Ok(Arc::new(set?)),
            }
        }
        let (fleet, number) = (&self.fleet, self.number);
        let set =
            Deployments::unrecorded(self.generation, fleet, groups, deployed, number, self.loaded)?;
        Ok(Arc::new(set))
    }

    /// Forgets what was offered to sets of groups in which no computer is any more.
    fn forget_other_sets(
        &mut self,
        sets: &HashMap<Vec<Uuid>, Arc<Deployments>>,
    ) -> Result<(), FleetError> {
        let kept: Vec<&[Uuid]> =
            sets.keys().map(Vec::as_slice).chain(std::iter::once(&[][..])).collect();
        match self.fleet.keep_deployments_of(&kept) {
            Err(error) if error.is_unwritable() => Ok(()),
            done => done,
        }
    }
}
