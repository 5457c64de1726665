//! The Client service: what agents scan for. [MS-WUSP] 3.1.5
//!
//! | file | what it owns |
//! |---|---|
//! | `handshake` | configuration, cookies, registration |
//! | `scan` | what is there for a client |
//! | `category_scan` | which categories a client may narrow its scan to |
//! | `metadata` | more about what a client found applicable |
//! | `locations` | where its files are |

mod category_scan;
mod handshake;
mod locations;
mod metadata;
mod scan;

use super::operation::Operations;

pub(super) const OPERATIONS: Operations = &[
    ("GetConfig", handshake::config),
    ("GetCookie", handshake::cookie),
    ("RegisterComputer", handshake::register),
    ("StartCategoryScan", category_scan::start_category_scan),
    ("SyncUpdates", scan::sync_updates),
    ("SyncPrinterCatalog", scan::sync_printers),
    ("RefreshCache", scan::refresh_cache),
    ("GetExtendedUpdateInfo", metadata::by_number),
    ("GetExtendedUpdateInfo2", metadata::by_identity),
    ("GetFileLocations", locations::file_locations),
];
