//! Fetching, reading and storing at the same time: one thread asks the server, one unpacks and reads
//! the answers, the caller stores them, in the order of the requests.

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::Scope,
};

use bundle_format::digest::Sha1;

use super::{
    error::UpstreamError,
    session::{Session, read_documents},
};
use crate::{
    error_chain::chain,
    protocol::server_sync::UpdateItem,
    update::{DocumentLimits, UpdateDocument, UpdateIdentity},
};

/// Requests that are open at a time: one at the server, one being read.
pub(super) const AT_ONCE: usize = 2;

/// What an answer holds, piece by piece.
pub(super) enum BatchEvent {
    /// A document that can be read.
    Document(Box<Document>),
    /// One that cannot, and why.
    Unreadable(UpdateIdentity, String),
    /// Where a file is on the Internet.
    Url(Sha1, String),
    /// What decrypts a file.
    Key(Sha1, Vec<u8>),
    /// The end of the answer, or why the rest did not arrive.
    End(Result<(), UpstreamError>),
}

/// A document that was given.
pub(super) struct Document {
    /// As announced.
    pub(super) identity: UpdateIdentity,
    pub(super) xml: String,
    pub(super) document: UpdateDocument,
}

/// Both ends of the pipe, for the caller.
pub(super) struct Pipe {
    questions: SyncSender<Vec<UpdateIdentity>>,
    pieces: Receiver<BatchEvent>,
}

impl Pipe {
    /// Starts the threads; they end when the pipe is dropped.
    pub(super) fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        session: &'scope Session,
        limits: &'scope DocumentLimits,
    ) -> Self {
        let (questions, batches) = sync_channel::<Vec<UpdateIdentity>>(AT_ONCE);
        let (answers, spools) = sync_channel(0);
        // One document waits: they can be large.
        let (sender, pieces) = sync_channel(1);
        scope.spawn(move || {
            for batch in batches {
                if answers.send(session.update_data(&batch)).is_err() {
                    return;
                }
            }
        });
        scope.spawn(move || {
            for answer in spools {
                let mut is_received = true;
                let end = answer.and_then(|answer| {
                    read_documents(answer, &mut |item| {
                        for piece in pieces_of(item, limits) {
                            is_received = is_received && sender.send(piece).is_ok();
                        }
                    })
                });
                if !is_received || sender.send(BatchEvent::End(end)).is_err() {
                    return;
                }
            }
        });
        Self { questions, pieces }
    }

    /// Asks for a batch. At most [`AT_ONCE`] are open.
    pub(super) fn ask(&self, batch: &[UpdateIdentity]) {
        // If the threads have ended, `next` says so.
        let _ = self.questions.send(batch.to_vec());
    }

    /// The next piece of the oldest batch that has not ended.
    pub(super) fn next(&self) -> BatchEvent {
        self.pieces.recv().unwrap_or(BatchEvent::End(Err(UpstreamError::Broken)))
    }
}

fn pieces_of(item: UpdateItem, limits: &DocumentLimits) -> Vec<BatchEvent> {
    match item {
        UpdateItem::Update(item) => {
            let identity = item.identity;
            let unreadable = |why| BatchEvent::Unreadable(identity, why);
            let xml = match item.blob.into_document(limits.bytes) {
                Ok(xml) => xml,
                Err(e) => return vec![unreadable(chain(&e))],
            };
            vec![match UpdateDocument::parse(xml.as_bytes(), limits) {
                Ok(document) if document.identity != identity => {
                    unreadable(format!("announced as {identity}, but it is {}", document.identity))
                }
                Ok(document) => {
                    BatchEvent::Document(Box::new(Document { identity, xml, document }))
                }
                Err(e) => unreadable(e.to_string()),
            }]
        }
        UpdateItem::Url(url) => {
            let address = url.mu_url.map(|address| BatchEvent::Url(url.digest, address));
            let key = url.decryption_key.map(|key| BatchEvent::Key(url.digest, key));
            address.into_iter().chain(key).collect()
        }
    }
}
