//! Fetching documents by their ids, in batches. [MS-WUSSS] 3.1.4.6

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    thread,
};

use super::{
    batches::{Batch, Batches, is_about_the_batch},
    engine::{Result, SyncRun, note},
    error::UpstreamError,
    keys::store_key,
    pipe::{AT_ONCE, BatchEvent, Pipe},
};
use crate::{
    catalog::CatalogWriter,
    update::{UpdateDocument, UpdateIdentity},
    upstream::{
        documents,
        report::{SyncProgress, SyncReport},
    },
};

/// So many single updates refused in a row, without one that is given: the server is broken.
const REFUSED_IN_A_ROW: usize = 1000;

/// So many refused updates in a row are asked for a second time; after them a refusal is final.
const PATIENCE: usize = 10;

/// So many answers in a row beyond the limit, without one update in them: the server never ends.
/// More than it takes to halve the largest batch down to one update that is too large.
const ENDLESS_IN_A_ROW: usize = 12;

impl SyncRun<'_> {
    /// Fetches what is neither held nor asked for yet; gives their number.
    pub(super) fn fetch(&mut self, identities: Vec<UpdateIdentity>) -> Result<usize> {
        let mut missing = Vec::new();
        for identity in identities {
            if !self.catalog.is_held(&identity)? && self.requested.insert(identity) {
                missing.push(identity);
            }
        }
        self.fetch_missing(missing)
    }

    /// Fetches updates of which it is known that they are neither held nor asked for.
    pub(super) fn fetch_missing(&mut self, missing: Vec<UpdateIdentity>) -> Result<usize> {
        let number = missing.len();
        self.total += number as u64;
        self.report_progress();
        if number == 0 {
            return Ok(0);
        }
        let batches = Batches::new(&missing, self.batch);
        drop(missing);
        let (session, limits) = (Arc::clone(&self.session), self.options.limits.clone());
        thread::scope(|scope| {
            let pipe = Pipe::start(scope, &session, &limits);
            self.fetch_batches(&pipe, batches)
        })?;
        Ok(number)
    }

    fn fetch_batches(&mut self, pipe: &Pipe, mut batches: Batches<UpdateIdentity>) -> Result<()> {
        let mut open: VecDeque<Batch<UpdateIdentity>> = VecDeque::new();
        let mut endless_in_a_row = 0;
        loop {
            while open.len() < AT_ONCE
                && let Some(batch) = batches.next()
            {
                pipe.ask(&batch.ids);
                open.push_back(batch);
            }
            let Some(batch) = open.pop_front() else { return Ok(()) };
            let (given, end) = self.receive(&batch.ids, pipe)?;
            self.done += given.len() as u64;
            if !given.is_empty() {
                self.refused_in_a_row = 0;
                endless_in_a_row = 0;
            }
            match end {
                Ok(()) => self.ask_for_rest(batch.ids, &given, &mut batches),
                Err(e) if batch.ids.iter().any(|id| e.missing_revisions().contains(id)) => {
                    self.leave_out_missing(batch.ids, &given, &e, &mut batches);
                }
                Err(e) if is_about_the_batch(&e) => {
                    endless_in_a_row += usize::from(matches!(e, UpstreamError::TooLarge { .. }));
                    if endless_in_a_row >= ENDLESS_IN_A_ROW {
                        return Err(e.into());
                    }
                    self.ask_again(batch, &given, &e, &mut batches)?;
                }
                Err(e) => return Err(e.into()),
            }
            self.report_progress();
        }
    }

    /// After an answer: asks for what it left out. Only one that gave nothing at all is final.
    fn ask_for_rest(
        &mut self,
        mut ids: Vec<UpdateIdentity>,
        given: &HashSet<UpdateIdentity>,
        batches: &mut Batches<UpdateIdentity>,
    ) {
        ids.retain(|identity| !given.contains(identity));
        if given.is_empty() {
            let why = "asked for, but missing in the answer";
            self.failed.extend(ids.into_iter().map(|identity| (identity, why.to_owned())));
        } else {
            batches.ask_for_rest(ids);
        }
    }

    /// After a fault that names what the server lacks: gives up exactly that.
    fn leave_out_missing(
        &mut self,
        mut ids: Vec<UpdateIdentity>,
        given: &HashSet<UpdateIdentity>,
        error: &UpstreamError,
        batches: &mut Batches<UpdateIdentity>,
    ) {
        ids.retain(|identity| !given.contains(identity));
        let is_missing =
            |identity: &mut UpdateIdentity| error.missing_revisions().contains(identity);
        for identity in ids.extract_if(.., is_missing) {
            let why = "listed, but the server says that it does not have it";
            self.failed.insert(identity, why.to_owned());
            self.done += 1;
        }
        batches.ask_for_rest(ids);
    }

    /// After a batch was refused: asks for what was not given in smaller batches, and for a single
    /// update once more; one that is refused twice is given up.
    fn ask_again(
        &mut self,
        batch: Batch<UpdateIdentity>,
        given: &HashSet<UpdateIdentity>,
        error: &UpstreamError,
        batches: &mut Batches<UpdateIdentity>,
    ) -> Result<()> {
        let Batch { mut ids, repeated } = batch;
        let was_alone = ids.len() == 1;
        ids.retain(|identity| !given.contains(identity));
        let identity = match ids.as_slice() {
            [identity] if was_alone => *identity,
            // One unknown id fails them all, and nothing says which.
            several => {
                batches.halve(several);
                return Ok(());
            }
        };
        let is_final = repeated
            || matches!(error, UpstreamError::TooLarge { .. })
            || self.refused_in_a_row >= PATIENCE
            || self.failed_before(&identity);
        if is_final {
            return self.give_up(&identity, error);
        }
        // The same fault may pass.
        self.session.channel.pause();
        batches.repeat(ids);
        Ok(())
    }

    fn give_up(&mut self, identity: &UpdateIdentity, error: &UpstreamError) -> Result<()> {
        // What was refused in an earlier run says nothing of how the server is now, and must not keep
        // the rest back.
        if !self.failed_before(identity) {
            self.refused_in_a_row += 1;
        }
        if self.refused_in_a_row >= REFUSED_IN_A_ROW {
            return Err(UpstreamError::RefusesAll(self.refused_in_a_row).into());
        }
        self.failed.insert(*identity, format!("listed, but not given: {error}"));
        self.done += 1;
        Ok(())
    }

    fn failed_before(&self, identity: &UpdateIdentity) -> bool {
        self.failed_before.contains(identity)
    }

    /// Stores one batch as far as it arrives, in one transaction, together with what has to follow.
    /// Gives the updates of the batch that were in the answer, readable or not.
    fn receive(
        &mut self,
        batch: &[UpdateIdentity],
        pipe: &Pipe,
    ) -> Result<(HashSet<UpdateIdentity>, std::result::Result<(), UpstreamError>)> {
        let mut given = HashSet::new();
        let mut more_to_do = false;
        // An update that was not asked for is not stored.
        let mut strangers = false;
        let mut is_new = |identity: &UpdateIdentity, report: &mut SyncReport| {
            if !batch.contains(identity) {
                // Reported once: there may be millions.
                if !std::mem::replace(&mut strangers, true) {
                    report.problem(identity, "given without having been asked for");
                }
                return false;
            }
            given.insert(*identity)
        };
        let mut piece = match pipe.next() {
            BatchEvent::End(end) => return Ok((given, end)),
            piece => piece,
        };
        // The whole answer is here: the transaction does not wait for the network.
        let mut writer = self.catalog.write()?;
        let end = loop {
            match piece {
                BatchEvent::Document(item) if is_new(&item.identity, self.report) => {
                    let (document, xml) = (&item.document, item.xml.as_bytes());
                    match documents::add(&mut writer, document, xml, self.options, self.report)? {
                        Ok(()) => {
                            let (requested, named) = (&self.requested, &mut self.named);
                            let members = new_members(document, &writer, requested, named)?;
                            more_to_do |= self.state.note_follow_ups(document, members);
                        }
                        Err(why) => drop(self.failed.insert(item.identity, why)),
                    }
                }
                BatchEvent::Unreadable(identity, why) if is_new(&identity, self.report) => {
                    self.failed.insert(identity, why);
                }
                // Given twice, or not asked for.
                BatchEvent::Document(_) | BatchEvent::Unreadable(..) => {}
                BatchEvent::Url(sha1, url) => writer.store_file_url(&sha1, &url)?,
                BatchEvent::Key(sha1, key) => store_key(&mut writer, self.report, &sha1, &key)?,
                BatchEvent::End(end) => break end,
            }
            piece = pipe.next();
        };
        if more_to_do {
            writer.set_note(&self.key, &note(&self.state)?)?;
        }
        writer.commit()?;
        Ok((given, end))
    }

    fn report_progress(&mut self) {
        (self.progress)(SyncProgress::Documents { done: self.done, total: Some(self.total) });
    }
}

/// The members of a bundle that are neither held nor asked for; each is given once in a run.
fn new_members(
    document: &UpdateDocument,
    writer: &CatalogWriter<'_>,
    requested: &HashSet<UpdateIdentity>,
    named: &mut HashSet<UpdateIdentity>,
) -> Result<Vec<UpdateIdentity>> {
    let mut members = Vec::new();
    for member in document.bundled.iter().flat_map(|clause| &clause.any_of) {
        if !requested.contains(member) && !writer.is_held(member)? && named.insert(*member) {
            members.push(*member);
        }
    }
    Ok(members)
}
