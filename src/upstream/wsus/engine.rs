//! One synchronization: categories, then updates, then what they need. Written in batches; killed
//! anywhere, the next run lists again and fetches only what is not held.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use reqwest::Url;

use super::{
    choice,
    error::UpstreamError,
    session::Session,
    state::{NOTE, ResolvedSelection, UpstreamState},
};
use crate::{
    catalog::{Catalog, CatalogError},
    protocol::{
        ErrorCode,
        server_sync::{ConfigData, ServerSyncFilter},
    },
    update::UpdateIdentity,
    upstream::{
        error::SyncError,
        report::{SyncOptions, SyncProgress, SyncReport},
    },
};

pub(super) type Result<T> = std::result::Result<T, SyncError>;

/// Updates per request to a server that states no limit.
const DEFAULT_BATCH: usize = 50;

/// Updates per request, whatever the server would allow.
pub(super) const LARGEST_BATCH: usize = 500;

/// So many failed updates are remembered. With more, the anchor stays where it was.
const FAILED: usize = 20_000;

/// Synchronizes from the server at `base`.
pub(in crate::upstream) fn run(
    base: &Url,
    catalog: &mut Catalog,
    options: &SyncOptions,
    progress: &mut dyn FnMut(SyncProgress<'_>),
    report: &mut SyncReport,
) -> Result<()> {
    let account = catalog.mirror_id()?.unwrap_or_default();
    let mut session = Session::new(base, account, &options.upstream.connection)?;
    if let Some(folder) = catalog.folder() {
        session.channel.spool_in(folder.to_owned());
    }
    let key = format!("{NOTE}{base}");
    // A note of another form is as good as none: then everything is listed, not fetched, again.
    let state: Option<UpstreamState> =
        catalog.note(&key)?.and_then(|text| serde_json::from_str(&text).ok());
    let mut run = SyncRun {
        session: Arc::new(session),
        catalog,
        options,
        progress,
        report,
        key,
        failed_before: state.iter().flat_map(|state| &state.failed).copied().collect(),
        state: state.unwrap_or_default(),
        batch: DEFAULT_BATCH,
        requested: HashSet::new(),
        named: HashSet::new(),
        failed: BTreeMap::new(),
        refused_in_a_row: 0,
        done: 0,
        total: 0,
    };
    let done = match run.all() {
        // The server was replaced or restored: its anchors mean nothing now. This is done once.
        Err(SyncError::Upstream(e)) if e.is_fault(ErrorCode::ServerChanged) => {
            tracing::warn!("the upstream server has changed; listing everything again");
            run.state.forget_anchors();
            run.requested.clear();
            run.named.clear();
            run.failed.clear();
            run.save()?;
            run.all()
        }
        done => done,
    };
    for (identity, why) in std::mem::take(&mut run.failed) {
        run.report.problem(identity, why);
    }
    done
}

/// A synchronization under way.
pub(super) struct SyncRun<'a> {
    pub(super) session: Arc<Session>,
    pub(super) catalog: &'a mut Catalog,
    pub(super) options: &'a SyncOptions,
    pub(super) progress: &'a mut dyn FnMut(SyncProgress<'_>),
    pub(super) report: &'a mut SyncReport,
    /// Of the note.
    pub(super) key: String,
    pub(super) state: UpstreamState,
    /// Updates per request, by the server's limit.
    pub(super) batch: usize,
    /// Everything asked for in this run.
    pub(super) requested: HashSet<UpdateIdentity>,
    /// Members of bundles that are waiting to be asked for, those of this run.
    pub(super) named: HashSet<UpdateIdentity>,
    /// What the server did not give in earlier runs; the state has those of this run too.
    pub(super) failed_before: HashSet<UpdateIdentity>,
    /// What the server did not give in this run, and why.
    pub(super) failed: BTreeMap<UpdateIdentity, String>,
    pub(super) refused_in_a_row: usize,
    pub(super) done: u64,
    pub(super) total: u64,
}

impl SyncRun<'_> {
    fn all(&mut self) -> Result<()> {
        let config = self.session.config()?;
        let was_closed = std::mem::take(&mut self.state.closed);
        self.state.facts = (&config).into();
        self.state.last_attempt = Some(self.options.now);
        if was_closed {
            // Before anything comes: a run that is broken off leaves it so.
            self.save()?;
        }
        self.batch = match config.max_updates {
            0 => DEFAULT_BATCH,
            limit => limit.min(LARGEST_BATCH),
        };
        self.categories()?;
        self.remember_failures()?;
        if self.options.upstream.selection.categories_only {
            return Ok(());
        }

        let chosen = choice::selected_names(&self.options.upstream.selection, &self.state.chosen);
        let (wanted, notes) = choice::resolve_selection(self.catalog, &config, &chosen)?;
        self.report.notes.extend(notes);
        let mut anchor = self.list_and_fetch(self.state.filter(&wanted))?;
        if !self.failed.is_empty() {
            // A newer revision may have taken the place of one that was listed.
            anchor = self.changes_since(anchor, &wanted)?;
        }
        self.fetch(self.state.failed.clone())?;
        let drivers = self.drivers(&config, &wanted)?;
        self.members()?;
        if !was_closed || self.report.new_revisions > 0 || !self.state.unresolved.is_empty() {
            self.close(&config)?;
        }
        let looked_at = self.report.new_revisions;
        self.members()?;
        self.state.closed = self.report.new_revisions == looked_at;
        self.save()?;
        self.fetch_keys(&config)?;

        self.forget_replaced()?;
        if self.failed.len() <= FAILED {
            self.state.anchor = Some(anchor);
            self.state.selection = wanted;
            self.state.drivers = drivers;
        }
        self.state.chosen = chosen;
        // What failed before has been tried again.
        self.state.failed.clear();
        if self.failed.is_empty() {
            self.state.last_success = Some(self.options.now);
        }
        self.remember_failures()
    }

    /// Products, classifications and detectoids.
    pub(super) fn categories(&mut self) -> Result<()> {
        let filter = ServerSyncFilter {
            anchor: self.state.config_anchor.clone(),
            config: true,
            ..ServerSyncFilter::default()
        };
        let anchor = self.list_and_fetch(filter)?;
        if self.failed.len() <= FAILED {
            self.state.config_anchor = Some(anchor);
        }
        Ok(())
    }

    /// What bundles name and no list has named.
    fn members(&mut self) -> Result<()> {
        while !self.state.members.is_empty() {
            let members = self.state.members.clone();
            self.fetch(members.clone())?;
            let done: HashSet<_> = members.into_iter().collect();
            self.state.members.retain(|member| !done.contains(member));
        }
        Ok(())
    }

    fn changes_since(&mut self, anchor: String, wanted: &ResolvedSelection) -> Result<String> {
        let now = UpstreamState {
            anchor: Some(anchor),
            selection: wanted.clone(),
            ..UpstreamState::default()
        };
        self.list_and_fetch(now.filter(wanted))
    }

    /// What failed, but has a newer revision here by now, is no loss.
    fn forget_replaced(&mut self) -> Result<()> {
        let mut replaced = Vec::new();
        for identity in self.failed.keys() {
            let newest = self.catalog.newest_number(identity.id)?;
            if newest.is_some_and(|newest| newest > identity.revision) {
                replaced.push(*identity);
            }
        }
        for identity in replaced {
            self.failed.remove(&identity);
        }
        Ok(())
    }

    /// Remembers what the server did not give, for the next run.
    pub(super) fn remember_failures(&mut self) -> Result<()> {
        self.state.failed.extend(self.failed.keys().copied());
        self.state.failed.sort_unstable();
        self.state.failed.dedup();
        self.state.failed.truncate(FAILED);
        self.save()
    }

    /// Gives the anchor of the list; everything in it is held, or has failed.
    pub(super) fn list_and_fetch(&mut self, filter: ServerSyncFilter) -> Result<String> {
        let (anchor, missing) = match self.list(&filter) {
            // An anchor that this server does not take: everything again, once.
            Err(SyncError::Upstream(e))
                if filter.anchor.is_some() && e.is_fault(ErrorCode::InvalidParameters) =>
            {
                tracing::warn!(error = %e, "the upstream server refuses our anchor; listing everything");
                let mut filter = ServerSyncFilter { anchor: None, ..filter };
                for id in filter.categories.iter_mut().chain(&mut filter.classifications) {
                    id.delta = false;
                }
                for id in &mut filter.languages {
                    id.delta = false;
                }
                self.list(&filter)?
            }
            list => list?,
        };
        self.fetch_missing(missing)?;
        Ok(anchor)
    }

    /// The anchor of a list, and what of it is neither held nor asked for. Looked up while the list
    /// is read: of a whole catalogue only what is missing is ever in memory.
    ///
    /// Only a server without files sends, with each document, the addresses of its files and which of
    /// them need a key. So what is held from another source is asked for once more.
    fn list(&mut self, filter: &ServerSyncFilter) -> Result<(String, Vec<UpdateIdentity>)> {
        let (catalog, requested) = (&*self.catalog, &mut self.requested);
        let sends_addresses = self.state.facts.catalog_only;
        let (mut missing, mut failed) = (Vec::new(), None);
        let is_held = |identity: &UpdateIdentity| {
            let held = catalog.is_held(identity)?;
            Ok::<_, CatalogError>(held && !(sends_addresses && catalog.lacks_addresses(identity)?))
        };
        let anchor = self.session.revisions(filter, &mut |identity| match is_held(&identity) {
            Ok(true) => {}
            Ok(false) if requested.insert(identity) => missing.push(identity),
            Ok(false) => {}
            Err(e) => failed = Some(e),
        })?;
        match failed {
            Some(e) => Err(e.into()),
            None => Ok((anchor, missing)),
        }
    }

    pub(super) fn save(&mut self) -> Result<()> {
        let note = note(&self.state)?;
        let mut writer = self.catalog.write()?;
        writer.set_note(&self.key, &note)?;
        writer.commit()?;
        Ok(())
    }
}

/// What is remembered, as it is written down.
pub(super) fn note(state: &UpstreamState) -> std::result::Result<String, UpstreamError> {
    serde_json::to_string(state).map_err(UpstreamError::State)
}

/// Whether a server speaks this protocol or a newer one. [MS-WUSSS] 1.7
pub(super) fn speaks(config: &ConfigData, minor: u32) -> bool {
    let version = config.version.as_deref().and_then(|version| version.split_once('.'));
    version.is_some_and(|(major, rest)| {
        major.trim() == "1" && rest.trim().parse::<u32>().is_ok_and(|found| found >= minor)
    })
}
