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
pub(super) mod operation;
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
pub use operation::Operation;
pub use ping::{Ping, Pong};
pub use revisions::{
    GetRelatedRevisionsForUpdates, GetRevisionIdList, IdAndDelta, LanguageAndDelta,
    ServerSyncFilter, write_related, write_revision_ids,
};
pub use updates::{
    FileUrl, GetUpdateData, UpdateData, UpdateItem, write_spooled_update_data, write_update_data,
};

/// Namespace of ServerSync, and of the SOAPAction before `/` and the operation.
pub const NAMESPACE: &str = "http://www.microsoft.com/SoftwareDistribution";
/// Namespace of DssAuth.
pub const DSS_AUTH_NAMESPACE: &str =
    "http://www.microsoft.com/SoftwareDistribution/Server/DssAuthWebService";
/// Path of ServerSync under the root of a server.
pub const SERVER_SYNC_PATH: &str = "ServerSyncWebService/ServerSyncWebService.asmx";
/// Ids that one request may hold, if the upstream does not say.
pub const MAX_UPDATES_PER_REQUEST: usize = 100;
