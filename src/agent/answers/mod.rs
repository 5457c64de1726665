//! Reading and judging the answers, operation by operation.

pub(super) mod extended;
pub(super) mod handshake;
pub(super) mod sync;

pub(crate) use extended::{extended_info, file_locations};
pub(crate) use handshake::{
    authorization_cookie, config, cookie, preferred_categories, registered, reported,
};
pub(crate) use sync::{refreshed, sync_info};
