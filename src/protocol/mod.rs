//! The messages of the web services that Windows Update Agents and downstream servers call, their
//! error codes, cookies and compression. [MS-WUSP], [MS-WSUSSS] Pure: no I/O, no clock.
//!
//! Requests are read leniently, as agents of twenty years send them: absent, empty and nil elements
//! are alike, unknown ones are skipped. Answers are written strictly in the order of the schemas.

pub mod client;
pub mod content_path;
mod cookie;
mod fault;
mod fields;
pub mod reporting;
pub mod rollup;
pub mod server_sync;
pub mod simple_auth;
mod time;
mod version;
pub mod xpress;

pub use cookie::{AuthorizationCookie, Cookie, CookieSealer, EncodedCookie};
pub use fault::{ErrorCode, ProtocolFault, UnknownErrorCode};
pub use time::{BadTime, DateTime};
pub use version::{BadVersion, ProtocolVersion};
