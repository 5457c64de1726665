//! RefreshCache: a client learns the new numbers of its revisions after the server changed.

use super::{NAMESPACE, deployment::Deployment};
use crate::{
    protocol::{
        cookie::read_cookie, fault::ProtocolFault, fields::Fields, version::ProtocolVersion,
    },
    soap::{Element, Writer},
    update::UpdateIdentity,
};

/// A client asks for the numbers of what it has cached. [MS-WUSP] 2.2.2.2.5
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshCache {
    /// `EncryptedData` of its cookie.
    pub cookie: Option<Vec<u8>>,
    /// What it has cached.
    pub identities: Vec<UpdateIdentity>,
}

impl RefreshCache {
    /// Reads the operation.
    ///
    /// # Errors
    /// `InvalidParameters` with the path, `InvalidCookie`.
    pub fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let cookie = read_cookie(&fields, "cookie")?;
        let identities = fields.each_within("globalIDs", "UpdateIdentity", 50_000)?;
        let identities = identities.iter().map(Fields::identity).collect::<Result<_, _>>()?;
        Ok(Self { cookie, identities })
    }
}

/// One revision that is still deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshedRevision {
    /// Its number here.
    pub id: i32,
    /// Which revision it is.
    pub identity: UpdateIdentity,
    /// No revision's prerequisites name its update.
    pub is_leaf: bool,
    /// Its deployment.
    pub deployment: Deployment,
}

/// Writes the answer to RefreshCache. The array and its items have the same name.
pub fn write_refreshed<F>(
    revisions: &[RefreshedRevision],
    version: ProtocolVersion,
    w: &mut Writer<F>,
) {
    w.element_in(NAMESPACE, "RefreshCacheResponse", |w| {
        w.element("RefreshCacheResult", |w| {
            for revision in revisions {
                w.element("RefreshCacheResult", |w| {
                    w.value("RevisionID", revision.id);
                    w.element("GlobalID", |w| {
                        w.value("UpdateID", revision.identity.id);
                        w.value("RevisionNumber", revision.identity.revision);
                    });
                    w.value("IsLeaf", revision.is_leaf);
                    revision.deployment.write(version, w);
                });
            }
        });
    });
}
