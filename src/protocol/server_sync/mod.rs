//! The messages between servers: the ServerSync and DssAuth services, both directions, both sides.
//! [MS-WSUSSS]
//!
//! A request is an [`Operation`]: the upstream reads it with [`Operation::read`], the downstream
//! writes it with [`Operation::message`] and reads what comes back with [`Operation::answer`].
//! Answers that grow with the catalogue are read item by item instead:
//! [`GetRevisionIdList::read_list`], [`GetUpdateData::read_items`].
//!
//! Reading goes by name, so that both element orders of Microsoft's servers are read; writing
//! follows the schema, in the one place where the two orders differ the one that all clients read.

mod answer;
mod auth;
mod blob;
mod config;
mod deployments;
mod drivers;
mod files;
mod ping;
mod revisions;
#[cfg(test)]
mod tests;
mod updates;

pub use answer::AnswerError;
pub use auth::{
    AuthConfig, DssAuthorization, GetAuthConfig, GetAuthorizationCookie, GetCookie, PLUG_IN,
    SERVICE_URL, SyncCookie,
};
pub use blob::{Blob, BlobError};
pub use config::{ConfigData, GetConfigData, LanguageData};
pub use deployments::{DeploymentAction, Deployments, GetDeployments, SyncDeployment, SyncGroup};
pub use drivers::{DriverIdList, DriverSet, GetDriverIdList, GetDriverSetData, HardwareIdAndDelta};
pub use files::{
    DownloadFiles, FileKey, GetUpdateDecryptionData, MAX_DIGESTS_PER_REQUEST, UpdateKeys,
    write_downloading, write_keys,
};
pub use ping::{Ping, Pong};
pub use revisions::{
    GetRelatedRevisionsForUpdates, GetRevisionIdList, IdAndDelta, LanguageAndDelta,
    ServerSyncFilter, write_related, write_revision_ids,
};
pub use updates::{
    FileUrl, GetUpdateData, UpdateData, UpdateItem, write_spooled_update_data, write_update_data,
};

use std::convert::Infallible;

use super::ProtocolFault;
use crate::soap::{Element, MessageLimits, Style, Writer, whole};

/// Namespace of ServerSync, and of the SOAPAction before `/` and the operation.
pub const NAMESPACE: &str = "http://www.microsoft.com/SoftwareDistribution";
/// Namespace of DssAuth.
pub const DSS_AUTH_NAMESPACE: &str =
    "http://www.microsoft.com/SoftwareDistribution/Server/DssAuthWebService";
/// Path of ServerSync under the root of a server.
pub const SERVER_SYNC_PATH: &str = "ServerSyncWebService/ServerSyncWebService.asmx";
/// Ids that one request may hold, if the upstream does not say.
pub const MAX_UPDATES_PER_REQUEST: usize = 100;

/// An operation of one of the two services: its request.
pub trait Operation: Sized {
    /// What is answered, if it is no list that grows with the catalogue.
    type Answer;
    /// Its name.
    const NAME: &'static str;
    /// Namespace of its service.
    const NAMESPACE: &'static str = NAMESPACE;

    /// Reads the request: the element in the body.
    ///
    /// # Errors
    /// What the upstream answers: `InvalidParameters`, `InvalidCookie`, `InvalidAuthorizationCookie`.
    fn read(operation: &Element) -> Result<Self, ProtocolFault>;

    /// Writes what is in the element of the request.
    fn write_fields(&self, w: &mut Writer<Infallible>);

    /// Reads the answer: the element in the body.
    ///
    /// # Errors
    /// The path of what is missing or malformed, as `InvalidParameters`.
    fn read_answer(answer: &Element) -> Result<Self::Answer, ProtocolFault>;

    /// The SOAPAction, without the quotes that stand around it in the header.
    fn action() -> String {
        format!("{}/{}", Self::NAMESPACE, Self::NAME)
    }

    /// The whole message of the request.
    fn message(&self) -> String {
        whole(Style::Asmx, |w| {
            w.element_in(Self::NAMESPACE, Self::NAME, |w| self.write_fields(w));
        })
    }

    /// Reads the whole message of the answer, whatever its HTTP status was.
    ///
    /// # Errors
    /// When it is a fault or not what was asked for.
    fn answer(bytes: &[u8], limits: &MessageLimits) -> Result<Self::Answer, AnswerError> {
        let root = crate::soap::read(bytes, limits)?;
        let body = answer::body::<Self>(root)?;
        Self::read_answer(&body).map_err(|fault| answer::malformed::<Self>(&fault))
    }
}

/// Writes an answer: `<NameResponse><NameResult>`.
pub(super) fn write_result<O: Operation, F>(
    w: &mut Writer<F>,
    content: impl FnOnce(&mut Writer<F>),
) {
    w.element_in(O::NAMESPACE, &format!("{}Response", O::NAME), |w| {
        w.element(&format!("{}Result", O::NAME), content);
    });
}
