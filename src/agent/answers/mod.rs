//! Reading and judging the answers, operation by operation.

mod extended;
mod handshake;
mod sync;

pub(crate) use extended::{ExtendedInfo, extended_info, file_locations};
pub(crate) use handshake::{
    authorization_cookie, config, cookie, preferred_categories, registered, reported,
};
pub(crate) use sync::{SyncInfo, UpdateInfo, refreshed, sync_info};
