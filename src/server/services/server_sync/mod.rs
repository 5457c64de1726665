//! The ServerSync service: what downstream servers synchronize. [MS-WSUSSS] 3.1
//!
//! | file | what it owns |
//! |---|---|
//! | `anchor` | the text in which a downstream server holds our change counter |
//! | `deployments` | what replicas take over |
//! | `drivers` | what only Microsoft answers |
//! | `handshake` | cookies, configuration |
//! | `languages` | the languages of a WSUS |
//! | `lists` | which revisions there are |
//! | `session` | the session of a downstream server: its cookie, checked |
//! | `updates` | documents and files |

mod anchor;
mod deployments;
mod drivers;
mod handshake;
mod languages;
mod lists;
mod session;
mod updates;

use super::operation::Operations;

pub(super) const OPERATIONS: Operations = &[
    ("GetAuthConfig", handshake::auth_config),
    ("GetCookie", handshake::cookie),
    ("GetConfigData", handshake::config_data),
    ("GetRevisionIdList", lists::revision_ids),
    ("GetRelatedRevisionsForUpdates", lists::related),
    ("GetUpdateData", updates::update_data),
    ("GetUpdateDecryptionData", updates::decryption_data),
    ("DownloadFiles", updates::download_files),
    ("GetDeployments", deployments::deployments),
    ("GetDriverIdList", drivers::driver_id_list),
    ("GetDriverSetData", drivers::driver_set_data),
];
