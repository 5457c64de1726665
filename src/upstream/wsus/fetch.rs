//! Fetching documents by their ids, in batches; one that fails is halved until it is known which id
//! it fails for. [MS-WUSSS] 3.1.4.6

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    thread,
};

use super::{
    engine::{Result, SyncRun, note},
    error::UpstreamError,
    keys,
    pipe::{AT_ONCE, BatchEvent, Pipe},
};
use crate::{
    update::UpdateIdentity,
    upstream::{
        documents,
        report::{SyncProgress, SyncReport},
    },
};

/// So many single updates refused in a row, without one that is given: the server is broken.
const REFUSED_IN_A_ROW: usize = 1000;

/// So many in a row are asked for a second time; after them a refusal is taken as meant.
const PATIENCE: usize = 10;

/// So many answers in a row beyond the limit, without one update in them: the server never ends.
/// More than it takes to halve the largest batch down to one update that is too large.
const ENDLESS_IN_A_ROW: usize = 12;

/// One request.
struct BatchRequest {
    ids: Vec<UpdateIdentity>,
    /// The same was refused a moment ago.
    again: bool,
}

impl SyncRun<'_> {
    /// Fetches what is neither held nor asked for yet; gives their number.
    pub(super) fn fetch(&mut self, identities: Vec<UpdateIdentity>) -> Result<usize> {
        let mut missing = Vec::new();
        for identity in identities {
            if !self.catalog.is_held(&identity)? && self.asked.insert(identity) {
                missing.push(identity);
            }
        }
        self.fetch_missing(missing)
    }

    /// The same of what is known to be neither.
    pub(super) fn fetch_missing(&mut self, missing: Vec<UpdateIdentity>) -> Result<usize> {
        let number = missing.len();
        self.total += number as u64;
        self.tell();
        if number == 0 {
            return Ok(0);
        }
        let queue = missing
            .chunks(self.batch)
            .map(|ids| BatchRequest { ids: ids.to_vec(), again: false })
            .collect();
        drop(missing);
        let (session, limits) = (Arc::clone(&self.session), self.options.limits.clone());
        thread::scope(|scope| {
            let pipe = Pipe::start(scope, &session, &limits);
            self.pump(&pipe, queue)
        })?;
        Ok(number)
    }

    fn pump(&mut self, pipe: &Pipe, mut queue: VecDeque<BatchRequest>) -> Result<()> {
        let mut open: VecDeque<BatchRequest> = VecDeque::new();
        let mut endless_in_a_row = 0;
        loop {
            while open.len() < AT_ONCE
                && let Some(ask) = queue.pop_front()
            {
                pipe.ask(&ask.ids);
                open.push_back(ask);
            }
            let Some(ask) = open.pop_front() else { return Ok(()) };
            let (given, end) = self.receive(&ask.ids, pipe)?;
            self.done += given.len() as u64;
            if !given.is_empty() {
                self.refused_in_a_row = 0;
                endless_in_a_row = 0;
            }
            match end {
                Ok(()) => {
                    for identity in ask.ids.iter().filter(|identity| !given.contains(identity)) {
                        let why = "asked for, but missing in the answer";
                        self.failed.insert(*identity, why.to_owned());
                    }
                }
                Err(e) if is_about_the_batch(&e) => {
                    let endless = matches!(e, UpstreamError::TooLarge { .. });
                    endless_in_a_row += usize::from(endless);
                    if endless_in_a_row >= ENDLESS_IN_A_ROW {
                        return Err(e.into());
                    }
                    let BatchRequest { mut ids, again } = ask;
                    let is_alone = ids.len() == 1;
                    ids.retain(|identity| !given.contains(identity));
                    match ids.as_slice() {
                        [] => {}
                        [identity] if is_alone => {
                            if again
                                || endless
                                || self.refused_in_a_row >= PATIENCE
                                || self.failed_before(identity)
                            {
                                self.give_up(identity, &e)?;
                            } else {
                                // The same fault may pass.
                                self.session.channel.pause();
                                queue.push_front(BatchRequest { ids, again: true });
                            }
                        }
                        // One unknown id fails them all, and nothing says which.
                        several => {
                            let (first, second) = several.split_at(several.len().div_ceil(2));
                            for half in [second, first].into_iter().filter(|half| !half.is_empty())
                            {
                                queue.push_front(BatchRequest { ids: half.to_vec(), again: false });
                            }
                        }
                    }
                }
                Err(e) => return Err(e.into()),
            }
            self.tell();
        }
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
        self.state.failed.binary_search(identity).is_ok()
    }

    /// Takes in one batch as far as it comes, in one transaction, together with what has to follow.
    /// Gives which of the batch were there, in whatever state.
    fn receive(
        &mut self,
        batch: &[UpdateIdentity],
        pipe: &Pipe,
    ) -> Result<(HashSet<UpdateIdentity>, std::result::Result<(), UpstreamError>)> {
        let mut given = HashSet::new();
        let mut more_to_do = false;
        // What was not asked for is not taken; what was asked for twice is given twice.
        let mut strangers = false;
        let mut is_new = |identity: &UpdateIdentity, report: &mut SyncReport| {
            if !batch.contains(identity) {
                // Said once: there may be millions.
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
        // The answer is here as a whole: nobody waits for the network while he writes.
        let mut writer = self.catalog.write()?;
        let end = loop {
            match piece {
                BatchEvent::Document(given) => {
                    if is_new(&given.identity, self.report) {
                        let (document, xml) = (&given.document, given.xml.as_bytes());
                        documents::add(&mut writer, document, xml, self.options, self.report)?;
                        for member in document.bundled.iter().flat_map(|clause| &clause.any_of) {
                            if !self.asked.contains(member)
                                && !writer.is_held(member)?
                                && self.named.insert(*member)
                            {
                                self.state.members.push(*member);
                                more_to_do = true;
                            }
                        }
                        if document.properties.file_decryption {
                            self.state.keyless.push(given.identity);
                            more_to_do = true;
                        }
                    }
                }
                BatchEvent::Unreadable(identity, why) => {
                    if is_new(&identity, self.report) {
                        self.failed.insert(identity, why);
                    }
                }
                BatchEvent::Url(sha1, url) => writer.store_file_url(&sha1, &url)?,
                BatchEvent::Key(sha1, key) => keys::put(&mut writer, self.report, &sha1, &key)?,
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

    fn tell(&mut self) {
        (self.progress)(SyncProgress::Documents { done: self.done, total: Some(self.total) });
    }
}

/// Whether fewer updates, or others, may pass.
pub(super) fn is_about_the_batch(error: &UpstreamError) -> bool {
    matches!(error, UpstreamError::TooLarge { .. } | UpstreamError::Unusable { .. })
        || error.is_fault("InternalServerError")
        || error.is_fault("InvalidParameters")
}
