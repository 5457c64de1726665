//! What is served now, and how it is replaced when the stores have changed.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{secrets::SiteSecrets, stores::Stores};
use crate::{
    fleet::Fleet,
    protocol::CookieSealer,
    server::{
        error::ServerError,
        view::{query::ViewOptions, serving_view::View},
    },
};

/// What is served at one moment, with the cookies that belong to it.
pub(crate) struct Serving {
    pub(crate) view: View,
    /// The cookies of agents.
    pub(crate) cookies: CookieSealer,
    /// The cookies of downstream servers: none of them passes for one of an agent.
    pub(crate) sync_cookies: CookieSealer,
}

/// What is served now.
pub(crate) struct CurrentServing(ArcSwap<Serving>);

impl CurrentServing {
    /// Loads the first view. Blocking.
    pub(super) fn load(
        stores: &Stores,
        secrets: &SiteSecrets,
        options: &ViewOptions,
    ) -> Result<Self, ServerError> {
        Ok(Self(ArcSwap::from_pointee(Serving::load(stores, secrets, options, None)?)))
    }

    /// What is served now. A request goes on with what it got here, whatever is swapped meanwhile.
    pub(crate) fn get(&self) -> Arc<Serving> {
        self.0.load_full()
    }

    /// Swaps the view if the stores have changed. Blocking.
    pub(super) fn refresh(
        &self,
        stores: &Stores,
        secrets: &SiteSecrets,
        options: &ViewOptions,
    ) -> Result<(), ServerError> {
        let catalog = stores.catalog()?.change()?;
        let fleet = stores.read(Fleet::change)?;
        let old = self.get();
        // One whose deployments could not be recorded is loaded again when they can be.
        let is_final = old.view.is_recorded() || stores.has_failed();
        if !old.view.is_current(catalog, fleet) || !is_final {
            let new = Serving::load(stores, secrets, options, Some(&old.view))?;
            self.0.store(Arc::new(new));
        }
        Ok(())
    }
}

impl Serving {
    fn load(
        stores: &Stores,
        secrets: &SiteSecrets,
        options: &ViewOptions,
        previous: Option<&View>,
    ) -> Result<Self, ServerError> {
        let view = View::load(stores.data(), options, previous)?;
        let numbering = stores.numbering()?;
        let cookies = secrets.agent_sealer(numbering)?;
        let sync_cookies = secrets.sync_sealer(numbering)?;
        Ok(Self { view, cookies, sync_cookies })
    }
}
