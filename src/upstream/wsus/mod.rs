//! The downstream side of [MS-WUSSS]: synchronizing from a WSUS, or from another Tidegate. The
//! messages are `protocol::server_sync`.
//!
//! | file | what |
//! |---|---|
//! | `channel` | one SOAP call over HTTP, within limits, with retries |
//! | `spool` | an answer between the network and its reader |
//! | `session` | handshake, cookies and their renewal |
//! | `choice` | what can be chosen, and what is chosen |
//! | `names` | names become ids; what is near a name that nothing has |
//! | `health` | how a server is, without synchronizing |
//! | `known` | what others may know of the servers |
//! | `state` | anchors between runs, and whole or changes for each id |
//! | `hardware` | for which hardware drivers are wanted |
//! | `ask` | telling a server which files it does not have |
//! | `engine` | one synchronization: the order of things, lists |
//! | `fetch` | documents by their ids, halving what fails |
//! | `pipe` | asking, unpacking and writing at the same time |
//! | `closure` | what is named, but not held |
//! | `keys` | keys of encrypted files |
//! | `drivers` | drivers and driver sets by hardware |
//! | `replica` | groups and approvals of the upstream, for a replica |
//! | `rollup`, `summary` | telling the upstream how this server and its computers stand |

pub(super) mod channel;
pub(super) mod choice;
pub(super) mod closure;
pub(super) mod drivers;
pub(super) mod engine;
pub(super) mod error;
pub(super) mod fetch;
pub(super) mod hardware;
pub(super) mod health;
pub(super) mod keys;
pub(super) mod names;
pub(super) mod pipe;
pub(crate) mod questions;
pub(super) mod replica;
pub(super) mod rollup;
pub(super) mod session;
pub(super) mod spool;
pub(super) mod state;
pub(super) mod summary;
pub(crate) mod upstream_record;

pub(super) use engine::run;
use error::UpstreamError;
pub(super) use error::chain;
use hardware::Hardware;
pub(super) use questions::ask_for_files;
use reqwest::Url;

use super::client::{ConnectionOptions, without_credentials};

/// What is asked of an upstream server, and how.
#[derive(Debug, Clone, Default)]
pub struct UpstreamOptions {
    /// What to synchronize.
    pub selection: SyncSelection,
    /// How to reach it.
    pub connection: ConnectionOptions,
}

/// What to synchronize. Names are titles or ids; `all` is everything; `None` is as the last time,
/// the first time everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncSelection {
    /// Products.
    pub products: Option<Vec<String>>,
    /// Classifications.
    pub classifications: Option<Vec<String>>,
    /// Languages, as short names (`en`, `pt-br`) or LCIDs.
    pub languages: Option<Vec<String>>,
    /// Hardware whose drivers are wanted, from servers that look for them (Microsoft Update).
    pub hardware: Option<Hardware>,
    /// Only products, classifications and detectoids, no updates.
    pub categories_only: bool,
}

/// The root of the server that a text names: scheme, host and port.
pub(super) fn address(text: &str) -> Result<Url, UpstreamError> {
    let wrong = |why| UpstreamError::Address { url: without_credentials(text), why };
    let mut url = Url::parse(text).map_err(|_| wrong("it cannot be read"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("only https:// and http:// are spoken"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("credentials in it would be seen in lists of processes and logs"));
    }
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}
