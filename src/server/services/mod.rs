//! The services: for each operation a request in, and the pieces of an answer out. Knows no HTTP.
//!
//! | file | for whom |
//! |---|---|
//! | `simple_auth`, `client/`, `reporting` | agents. [MS-WUSP] |
//! | `dss_auth`, `server_sync/`, `rollup` | downstream servers. [MS-WSUSSS] |

pub(super) mod client;
pub(super) mod dss_auth;
pub(super) mod reporting;
pub(super) mod rollup;
pub(super) mod server_sync;
pub(super) mod simple_auth;
