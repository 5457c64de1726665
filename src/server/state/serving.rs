//! What is served now, and how it is replaced when the stores have changed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use bundle_format::digest::Sha1;

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
pub(crate) struct CurrentServing {
    serving: ArcSwap<Serving>,
    /// A payload that the view offers is gone.
    lacks_payload: AtomicBool,
}

impl CurrentServing {
    /// Loads the first view. Blocking.
    pub(super) fn load(
        stores: &Stores,
        secrets: &SiteSecrets,
        options: &ViewOptions,
    ) -> Result<Self, ServerError> {
        let serving = ArcSwap::from_pointee(Serving::load(stores, secrets, options, None)?);
        Ok(Self { serving, lacks_payload: AtomicBool::new(false) })
    }

    /// What is served now. A request goes on with what it got here, whatever is swapped meanwhile.
    pub(crate) fn get(&self) -> Arc<Serving> {
        self.serving.load_full()
    }

    /// Notes that the bytes of a payload are gone: if the view offers it, it is loaded again.
    pub(crate) fn note_missing(&self, sha1: &Sha1) {
        if self.get().view.file(sha1).is_some_and(|file| file.present) {
            self.lacks_payload.store(true, Ordering::Relaxed);
        }
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
        let lacks_payload = self.lacks_payload.swap(false, Ordering::Relaxed);
        if !old.view.is_current(catalog, fleet) || !is_final || lacks_payload {
            let previous = (!lacks_payload).then_some(&old.view);
            let new = Serving::load(stores, secrets, options, previous)?;
            self.serving.store(Arc::new(new));
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
