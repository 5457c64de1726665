//! Updates that are not listed to a downstream server of an older protocol, because they say that they
//! need a newer one. [MS-WSUSSS] 3.1.4.5
//!
//! The catalogue does not list these: documents say it, and a document never changes. They are read
//! once, when the first server that is not of our own version asks.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    catalog::Catalog,
    protocol::ProtocolVersion,
    server::failure::Failure,
    update::{UpdateIdentity, compatible_protocol},
};

/// What revisions need, as far as their documents were read.
#[derive(Default)]
pub(crate) struct NewerProtocols {
    /// With `None` any version will do.
    read: Mutex<HashMap<UpdateIdentity, Option<ProtocolVersion>>>,
}

impl NewerProtocols {
    /// Leaves out what needs a newer protocol than `version`.
    pub(crate) fn keep_compatible(
        &self,
        catalog: &Catalog,
        version: ProtocolVersion,
        revisions: &mut Vec<UpdateIdentity>,
    ) -> Result<(), Failure> {
        let all = revisions.len();
        // Other requests wait here, and then use what this one has read.
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failed = None;
        revisions.retain(|identity| {
            if let Some(needed) = read.get(identity) {
                return needed.is_none_or(|needed| needed <= version);
            }
            match needed_protocol(catalog, identity) {
                Ok(needed) => {
                    read.insert(*identity, needed);
                    needed.is_none_or(|needed| needed <= version)
                }
                Err(error) => {
                    failed.get_or_insert(error);
                    false
                }
            }
        });
        let left_out = all - revisions.len();
        if left_out > 0 {
            tracing::info!(left_out, %version, "updates need a newer protocol than a downstream's");
        }
        failed.map_or(Ok(()), Err)
    }
}

/// What a document says; a text that is no version says nothing.
fn needed_protocol(
    catalog: &Catalog,
    identity: &UpdateIdentity,
) -> Result<Option<ProtocolVersion>, Failure> {
    let Some(id) = catalog.revision_id(identity)? else {
        return Ok(None);
    };
    let document = catalog.document(id)?;
    let version = document.and_then(|document| compatible_protocol(&document));
    Ok(version.and_then(|version| version.parse().ok()))
}
