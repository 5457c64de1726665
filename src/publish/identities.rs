//! Identities that are derived from names, and so are the same everywhere.

use bundle_format::digest::PayloadDigests;
use uuid::Uuid;

use super::request::PublishRequest;
use crate::update::UpdateId;

/// The name space of the identities that we derive from names.
pub(super) const NAMESPACE: Uuid = Uuid::from_u128(0x7d1d_6a7e_2f52_4c58_9b0e_5f0c_6c1b_a9d4);

/// The same file under the same title and product is the same update, wherever it is published.
pub(super) fn update_id(request: &PublishRequest, payload: &PayloadDigests) -> UpdateId {
    let name = format!("update\n{}\n{}\n{}", request.product, request.title, payload.sha256);
    UpdateId(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
}

/// The same name in any letter case gives the same identity everywhere.
pub(super) fn category_id(kind: &str, parts: &[&str]) -> UpdateId {
    let name = format!("{kind}\n{}", parts.join("\n").to_lowercase());
    UpdateId(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
}
