//! One synchronization: categories, then updates, then what bundles name. Written in batches; killed
//! anywhere, the next run lists again and fetches only what is not held.

use std::collections::{HashSet, VecDeque};

use reqwest::Url;

use super::{UpstreamError, choice, known::NOTE, session::Session, state::State};
use crate::{
    catalog::{Catalog, CatalogError},
    protocol::server_sync::{Filter, UpdateItem},
    update::{UpdateDocument, UpdateIdentity},
    upstream::{Progress, SyncError, SyncOptions, SyncReport, take::take},
};

type Result<T> = std::result::Result<T, SyncError>;

/// Updates per request to a server that states no limit.
const DEFAULT_BATCH: usize = 50;

/// Updates per request, whatever the server would allow.
const LARGEST_BATCH: usize = 500;

/// So many single updates refused in a row, without one that is given: the server is broken.
const REFUSED_IN_A_ROW: usize = 1000;

/// So many in a row are asked for a second time; after them a refusal is taken as meant.
const PATIENCE: usize = 10;

/// So many failed updates are remembered. With more, the anchor stays where it was.
const FAILED: usize = 20_000;

/// Synchronizes from the server at `base`.
pub(in crate::upstream) fn run(
    base: &Url,
    catalog: &mut Catalog,
    options: &SyncOptions,
    progress: &mut dyn FnMut(Progress<'_>),
    report: &mut SyncReport,
) -> Result<()> {
    let account = catalog.mirror_id()?.unwrap_or_default();
    let session = Session::new(base, account, &options.upstream.connection)?;
    let key = format!("{NOTE}{base}");
    // A note of another form is as good as none: then everything is listed, not fetched, again.
    let state = catalog.note(&key)?.and_then(|text| serde_json::from_str(&text).ok());
    let mut run = Run {
        session,
        catalog,
        options,
        progress,
        report,
        key,
        state: state.unwrap_or_default(),
        batch: 0,
        asked: HashSet::new(),
        failed: Vec::new(),
        refused_in_a_row: 0,
        done: 0,
        total: 0,
    };
    match run.all() {
        // The server was replaced or restored: its anchors begin anew. Once.
        Err(SyncError::Upstream(e)) if e.is_fault("ServerChanged") => {
            tracing::warn!("the upstream server has changed; listing everything again");
            run.state.forget_anchors();
            run.save()?;
            run.all()
        }
        done => done,
    }
}

struct Run<'a> {
    session: Session,
    catalog: &'a mut Catalog,
    options: &'a SyncOptions,
    progress: &'a mut dyn FnMut(Progress<'_>),
    report: &'a mut SyncReport,
    key: String,
    state: State,
    /// Updates per request, by the server's limit.
    batch: usize,
    /// Everything asked for in this run.
    asked: HashSet<UpdateIdentity>,
    /// What the server did not give in this run.
    failed: Vec<UpdateIdentity>,
    refused_in_a_row: usize,
    done: u64,
    total: u64,
}

impl Run<'_> {
    fn all(&mut self) -> Result<()> {
        let config = self.session.config()?;
        self.state.facts = (&config).into();
        self.state.last_attempt = Some(self.options.now);
        self.batch = match config.max_updates {
            0 => DEFAULT_BATCH,
            limit => limit.min(LARGEST_BATCH),
        };

        let filter =
            Filter { anchor: self.state.config_anchor.clone(), config: true, ..Filter::default() };
        let anchor = self.list_and_fetch(filter)?;
        if self.failed.len() <= FAILED {
            self.state.config_anchor = Some(anchor);
        }
        self.settle()?;
        if self.options.upstream.selection.categories_only {
            return Ok(());
        }

        let chosen = choice::chosen(&self.options.upstream.selection, &self.state.chosen);
        let wanted = choice::wanted(self.catalog, &config, &chosen)?;
        let anchor = self.list_and_fetch(self.state.filter(&wanted))?;
        self.fetch(self.state.failed.clone())?;
        loop {
            let members = self.state.members.clone();
            if self.fetch(members)? == 0 {
                break;
            }
        }
        if self.failed.len() <= FAILED {
            self.state.anchor = Some(anchor);
            self.state.asked = wanted;
        }
        self.state.chosen = chosen;
        self.state.members.clear();
        // What failed before has been tried again.
        self.state.failed.clear();
        if self.failed.is_empty() {
            self.state.last_success = Some(self.options.now);
        }
        self.settle()
    }

    /// Remembers what the server did not give.
    fn settle(&mut self) -> Result<()> {
        self.state.failed.extend(self.failed.iter().copied());
        self.state.failed.sort_unstable();
        self.state.failed.dedup();
        self.state.failed.truncate(FAILED);
        self.save()
    }

    /// Gives the anchor of the list; everything in it is held, or has failed.
    fn list_and_fetch(&mut self, filter: Filter) -> Result<String> {
        let (anchor, list) = match self.session.revisions(&filter) {
            // An anchor that this server does not take: everything again, once.
            Err(e) if filter.anchor.is_some() && e.is_fault("InvalidParameters") => {
                tracing::warn!(error = %e, "the upstream server refuses our anchor; listing everything");
                let mut filter = Filter { anchor: None, ..filter };
                for id in filter.categories.iter_mut().chain(&mut filter.classifications) {
                    id.delta = false;
                }
                for id in &mut filter.languages {
                    id.delta = false;
                }
                self.session.revisions(&filter)?
            }
            list => list?,
        };
        self.fetch(list)?;
        Ok(anchor)
    }

    /// Fetches what is neither held nor asked for yet; gives their number.
    fn fetch(&mut self, identities: Vec<UpdateIdentity>) -> Result<usize> {
        let mut missing = Vec::new();
        for identity in identities {
            if !self.is_held(&identity)? && self.asked.insert(identity) {
                missing.push(identity);
            }
        }
        let number = missing.len();
        self.total += number as u64;
        (self.progress)(Progress::Documents { done: self.done, total: Some(self.total) });
        let mut queue: VecDeque<&[UpdateIdentity]> = missing.chunks(self.batch).collect();
        while let Some(batch) = queue.pop_front() {
            match self.session.update_data(batch) {
                Ok(data) => {
                    self.refused_in_a_row = 0;
                    self.keep(batch, data)?;
                }
                Err(e) if is_about_the_batch(&e) => match halves(batch) {
                    // One unknown id fails them all, and nothing says which.
                    Some((first, second)) => {
                        queue.push_front(second);
                        queue.push_front(first);
                        continue;
                    }
                    None => self.try_alone(batch, &e)?,
                },
                Err(e) => return Err(e.into()),
            }
            self.done += batch.len() as u64;
            (self.progress)(Progress::Documents { done: self.done, total: Some(self.total) });
        }
        Ok(number)
    }

    /// The same fault may pass: once more, then it is noted.
    fn try_alone(&mut self, batch: &[UpdateIdentity], error: &UpstreamError) -> Result<()> {
        if self.refused_in_a_row >= PATIENCE {
            return self.give_up(batch, error);
        }
        self.session.channel.pause();
        match self.session.update_data(batch) {
            Ok(data) => {
                self.refused_in_a_row = 0;
                self.keep(batch, data)
            }
            Err(again) if is_about_the_batch(&again) => self.give_up(batch, &again),
            Err(e) => Err(e.into()),
        }
    }

    fn give_up(&mut self, batch: &[UpdateIdentity], error: &UpstreamError) -> Result<()> {
        self.refused_in_a_row += 1;
        if self.refused_in_a_row >= REFUSED_IN_A_ROW {
            return Err(UpstreamError::RefusesAll(self.refused_in_a_row).into());
        }
        for identity in batch {
            self.report.problem(identity, format!("listed, but not given: {error}"));
        }
        self.failed.extend(batch);
        Ok(())
    }

    /// One batch, one transaction, together with the members that have to follow.
    fn keep(&mut self, batch: &[UpdateIdentity], data: Vec<UpdateItem>) -> Result<()> {
        let mut given = HashSet::new();
        let mut documents = Vec::with_capacity(data.len());
        let mut urls = Vec::new();
        for item in data {
            let item = match item {
                UpdateItem::Update(item) => item,
                UpdateItem::Url(url) => {
                    urls.extend(url.mu_url.map(|mu_url| (url.digest, mu_url)));
                    continue;
                }
            };
            if !batch.contains(&item.identity) {
                self.report.problem(item.identity, "given without having been asked for");
                continue;
            }
            // An id that was asked for twice is given twice.
            if !given.insert(item.identity) {
                continue;
            }
            match item.blob.into_document(self.options.limits.bytes) {
                Ok(document) => documents.push((item.identity, document)),
                Err(e) => {
                    self.report.problem(item.identity, super::error::chain(&e));
                    self.failed.push(item.identity);
                }
            }
        }
        for identity in batch.iter().filter(|identity| !given.contains(identity)) {
            self.report.problem(identity, "asked for, but missing in the answer");
            self.failed.push(*identity);
        }
        let members = self.members(&documents)?;
        let new_members = !members.is_empty();
        self.state.members.extend(members);
        let note = self.note()?;
        let mut writer = self.catalog.write()?;
        for (identity, document) in &documents {
            let at = identity.to_string();
            let before = self.report.documents;
            take(
                &mut writer,
                document.as_bytes(),
                Some(*identity),
                &at,
                self.options,
                self.report,
            )?;
            if self.report.documents == before {
                self.failed.push(*identity);
            }
        }
        for (sha1, url) in &urls {
            writer.put_file_url(sha1, url)?;
        }
        if new_members {
            writer.set_note(&self.key, &note)?;
        }
        writer.commit()?;
        Ok(())
    }

    /// Bundled revisions that are not held and were not listed either.
    fn members(
        &self,
        documents: &[(UpdateIdentity, String)],
    ) -> std::result::Result<Vec<UpdateIdentity>, CatalogError> {
        let mut members = Vec::new();
        let mut seen = HashSet::new();
        for (_, document) in documents {
            let Ok(document) = UpdateDocument::parse(document.as_bytes(), &self.options.limits)
            else {
                continue;
            };
            for member in document.bundled.iter().flat_map(|clause| &clause.any_of) {
                if !self.asked.contains(member) && seen.insert(*member) && !self.is_held(member)? {
                    members.push(*member);
                }
            }
        }
        Ok(members)
    }

    /// A withdrawn revision that is offered again is fetched again.
    fn is_held(&self, identity: &UpdateIdentity) -> std::result::Result<bool, CatalogError> {
        let Some(id) = self.catalog.revision_id(identity)? else { return Ok(false) };
        Ok(self.catalog.revision(id)?.is_some_and(|summary| !summary.withdrawn))
    }

    fn note(&self) -> Result<String> {
        Ok(serde_json::to_string(&self.state).map_err(UpstreamError::State)?)
    }

    fn save(&mut self) -> Result<()> {
        let note = self.note()?;
        let mut writer = self.catalog.write()?;
        writer.set_note(&self.key, &note)?;
        writer.commit()?;
        Ok(())
    }
}

/// Whether fewer updates, or others, may pass.
fn is_about_the_batch(error: &UpstreamError) -> bool {
    matches!(error, UpstreamError::TooLarge { .. } | UpstreamError::Unusable { .. })
        || error.is_fault("InternalServerError")
        || error.is_fault("InvalidParameters")
}

fn halves(batch: &[UpdateIdentity]) -> Option<(&[UpdateIdentity], &[UpdateIdentity])> {
    (batch.len() > 1).then(|| batch.split_at(batch.len() / 2))
}
