//! The downstream side of [MS-WUSSS]: synchronizing from a WSUS, or from another Tidegate. The
//! messages are `protocol::server_sync`.
//!
//! | file | what |
//! |---|---|
//! | `channel` | one SOAP call over HTTP, within limits, with retries |
//! | `spool` | an answer between the network and its reader |
//! | `session` | handshake, cookies and their renewal |
//! | `options` | what is asked of a server, and how |
//! | `choice`, `category` | what can be chosen, and what is chosen |
//! | `names` | names become ids; what is near a name that nothing has |
//! | `health` | how a server is, without synchronizing |
//! | `facts`, `upstream_record` | what a server says of itself; what others may know of the servers |
//! | `state` | anchors between runs, and whole or changes for each id |
//! | `hardware` | for which hardware drivers are wanted |
//! | `questions` | telling a server which files it does not have |
//! | `engine` | one synchronization: the order of things, lists |
//! | `batches` | ids in batches, halved when a server refuses them |
//! | `fetch` | documents by their ids |
//! | `pipe` | asking, unpacking and writing at the same time |
//! | `closure` | what is named, but not held |
//! | `keys` | keys of encrypted files |
//! | `drivers` | drivers and driver sets by hardware |
//! | `replica` | groups and approvals of the upstream, for a replica |
//! | `rollup/` | telling the upstream how this server and its computers stand |

pub(super) mod batches;
pub(super) mod category;
pub(super) mod channel;
pub(super) mod choice;
pub(super) mod closure;
pub(super) mod drivers;
pub(super) mod engine;
pub(super) mod error;
pub(super) mod facts;
pub(super) mod fetch;
pub(super) mod hardware;
pub(super) mod health;
pub(super) mod keys;
pub(super) mod names;
pub(super) mod options;
pub(super) mod pipe;
pub(crate) mod questions;
pub(super) mod replica;
pub(super) mod rollup;
pub(super) mod session;
pub(super) mod spool;
pub(super) mod state;
pub(crate) mod upstream_record;
