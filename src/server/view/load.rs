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
        let decisions = deployments::decisions(&fleet)?;
        let mut loader = Loader { generation: &generation, fleet, previous, number, loaded };
        let categories = loader.categories()?;
        let sets = loader.sets(&decisions)?;
        let revisions = generation.graph.len();
        tracing::info!(view = number, revisions, sets = sets.len(), "view loaded");
        Ok(Self {
            generation,
            fleet_change,
            number,
            loaded,
            page: options.page(),
            decisions,
            categories,
            sets,
            late: Mutex::default(),
        })
    }
}

/// Records what is deployed.
struct Loader<'a> {
    generation: &'a Generation,
    fleet: Fleet,
    /// The previous view, if it is of the same generation.
    previous: Option<&'a View>,
    number: u64,
    loaded: Timestamp,
}

impl Loader<'_> {
    fn categories(&mut self) -> Result<Arc<Deployments>, FleetError> {
        if let Some(view) = self.previous {
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
                .filter(|set| set.deployed == deployed);
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
        let (fleet, number) = (&mut self.fleet, self.number);
        let set =
            Deployments::record(self.generation, fleet, groups, deployed, number, self.loaded)?;
        Ok(Arc::new(set))
    }
}
