//! What all requests share.
//!
//! | file | what it owns |
//! |---|---|
//! | `server_state` | the whole, made of the pieces below |
//! | `settings`, `agent_config` | options, addresses, the configuration that agents ask for |
//! | `stores` | data folder, catalogue, payloads, fleet |
//! | `secrets` | the ids of the server, and what seals cookies |
//! | `serving` | what is served now, and how it is swapped |
//! | `watcher` | looks whether the stores have changed |
//! | `permits` | how much is held and worked on at one time |
//! | `body_bytes` | how many bytes of requests are on their way |
//! | `log_lines` | how many log lines one client may cause |
//! | `turned_away` | clients that are turned away, for the operator |
//! | `contacts` | when computers were here |
//! | `waiting_notes` | what of that is not written yet |
//! | `downstream`, `newer_protocols` | what belongs to the answers to downstream servers |

mod agent_config;
pub(super) mod body_bytes;
pub(super) mod contacts;
pub(super) mod downstream;
pub(super) mod log_lines;
pub(super) mod newer_protocols;
pub(super) mod permits;
pub(super) mod secrets;
pub(super) mod server_state;
pub(super) mod serving;
pub(super) mod settings;
pub(super) mod stores;
pub(super) mod turned_away;
mod waiting_notes;
pub(super) mod watcher;
