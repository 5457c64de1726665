//! The services: for each operation a request in, and the pieces of an answer out. Knows no HTTP.
//!
//! | file | what it owns |
//! |---|---|
//! | `dispatch` | which operation of which service answers a message |
//! | `simple_auth`, `client/`, `reporting` | what agents call. [MS-WUSP] |
//! | `dss_auth`, `server_sync/`, `rollup` | what downstream servers call. [MS-WSUSSS] |
//! | `agent_session`, `operation` | what the services have in common: the cookie of an agent, the table of operations |

mod agent_session;
mod client;
pub(super) mod dispatch;
mod dss_auth;
mod operation;
mod reporting;
mod rollup;
mod server_sync;
mod simple_auth;
