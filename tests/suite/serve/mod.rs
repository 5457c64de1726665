//! The running server, over TCP.

mod bounds;
mod captured;
mod content;
mod documents;
mod documents_out;
mod downstream;
mod encodings;
#[cfg(unix)]
mod full_disk;
mod hostile;
mod large;
#[cfg(unix)]
mod log_flood;
mod mask;
mod messages;
mod replicas;
mod rollup;
mod server_sync;
mod session;
mod shares;
mod strangers;
mod switch;
mod tls;
mod turned_away;
mod unfinished;
mod wsus_equal;

use crate::support::server::{Running, Site};
