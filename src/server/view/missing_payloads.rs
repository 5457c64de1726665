//! Payloads that the catalogue says are here, and whose bytes are gone: nobody is offered what they belong
//! to.

use std::{collections::HashSet, path::Path};

use bundle_format::digest::Sha256;

use crate::{
    catalog::{GraphNode, PayloadState},
    content::ContentStore,
};

/// Which payloads have bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct ExistingPayloads(Option<HashSet<Sha256>>);

impl ExistingPayloads {
    /// Lists the folder of payloads, of which `expected` should be there. If not even their folders are
    /// there, or they cannot be listed, a disk is missing, not a payload: then the catalogue counts.
    pub fn list(content: &Path, expected: u64) -> Self {
        let folder = content.display();
        match ContentStore::for_reading(content).names() {
            Ok(Some(names)) => Self(Some(names)),
            Ok(None) => {
                if expected > 0 {
                    tracing::error!(%folder, "no payload at all is there: is the disk mounted?");
                }
                Self(None)
            }
            Err(error) => {
                tracing::error!(%folder, %error, "cannot list the payloads");
                Self(None)
            }
        }
    }

    /// Whether the bytes of a payload are there.
    pub fn has(&self, sha256: &Sha256) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(sha256))
    }

    /// Counts the files of a revision as missing whose bytes are gone; true if there are any.
    pub fn note_missing(&self, node: &mut GraphNode) -> bool {
        let mut any = false;
        for file in node.files.iter_mut().chain(&mut node.eulas) {
            let is_gone = file.sha256.is_some_and(|sha256| !self.has(&sha256));
            if file.state == PayloadState::Present && is_gone {
                file.state = PayloadState::Missing;
                any = true;
            }
        }
        any
    }
}
