//! The state of a running server.

use std::sync::Arc;

use super::{
    agent_config, body_bytes::BodyBytes, contacts::ContactNotes, downstream::DownstreamState,
    log_lines::LogLines, permits::Permits, secrets::SiteSecrets, serving::CurrentServing,
    settings::Settings, stores::Stores, turned_away::TurnedAwayNotes,
};
use crate::{
    data_dir::DataDir,
    protocol::client::Config,
    server::{
        answer_memory::AnswerMemory,
        error::ServerError,
        options::{Addresses, ServeOptions},
    },
};

/// The state of a running server: pieces that each know their own matter only.
pub(crate) struct ServerState {
    pub(crate) settings: Settings,
    pub(crate) stores: Stores,
    pub(crate) secrets: SiteSecrets,
    /// What GetConfig answers.
    pub(crate) agent_config: Config,
    pub(crate) serving: CurrentServing,
    pub(crate) contacts: ContactNotes,
    pub(crate) downstream: DownstreamState,
    pub(crate) permits: Permits,
    pub(crate) body_bytes: Arc<BodyBytes>,
    /// Of answers that clients have not taken yet.
    pub(crate) answer_memory: AnswerMemory,
    pub(crate) log_lines: LogLines,
    pub(crate) turned_away: TurnedAwayNotes,
}

impl ServerState {
    /// Opens the stores and loads the first view. Blocking.
    pub(crate) fn open(
        data: DataDir,
        options: ServeOptions,
        addresses: Addresses,
    ) -> Result<Self, ServerError> {
        let settings = Settings::new(options, addresses)?;
        let stores = Stores::open(data, settings.options().bounds)?;
        let secrets = SiteSecrets::load(&stores)?;
        let agent_config = agent_config::load(&stores)?;
        let serving = CurrentServing::load(&stores, &secrets, &settings.options().view)?;
        Ok(Self {
            settings,
            stores,
            secrets,
            agent_config,
            serving,
            contacts: ContactNotes::default(),
            downstream: DownstreamState::default(),
            permits: Permits::default(),
            body_bytes: Arc::default(),
            answer_memory: AnswerMemory::default(),
            log_lines: LogLines::default(),
            turned_away: TurnedAwayNotes::default(),
        })
    }

    /// Writes down who was here, and swaps the view if the stores have changed. Blocking.
    pub(super) fn look(&self) -> Result<(), ServerError> {
        self.contacts.flush(&self.stores);
        self.turned_away.flush(&self.stores);
        self.log_lines.say_what_was_left_out();
        self.serving.refresh(&self.stores, &self.secrets, &self.settings.options().view)
    }
}
