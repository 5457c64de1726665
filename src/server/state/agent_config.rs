//! The configuration that agents ask for. [MS-WUSP] 3.1.5.2

use bundle_format::digest::Sha256;
use jiff::Timestamp;

use super::stores::Stores;
use crate::{
    protocol::{
        DateTime,
        client::{Config, MAX_EXTENDED_UPDATES},
    },
    server::error::ServerError,
};

/// What GetConfig answers. Its `LastChange` is stored for each content by its digest: it moves when
/// the content changes, and never on a start, an import or an approval.
pub(super) fn load(stores: &Stores) -> Result<Config, ServerError> {
    let properties = vec![
        ("MaxExtendedUpdatesPerRequest", MAX_EXTENDED_UPDATES.to_string()),
        ("PackageServerShare", r"\\localhost\UpdateServicesPackages".to_owned()),
        ("ProtocolVersion", "3.2".to_owned()),
        ("IsInventoryRequired", "0".to_owned()),
        ("ClientReportingLevel", "2".to_owned()),
    ];
    let registration_required = true;
    let digest = Sha256::hash(format!("{registration_required} {properties:?}").as_bytes());
    let digest: String = digest.to_string().chars().take(16).collect();
    let key = format!("last-change-{digest}");
    let now = DateTime(
        Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or_default(),
    );
    let stored = stores.value_or_insert(&key, now.to_string().as_bytes())?;
    let stored = String::from_utf8(stored).ok().and_then(|text| text.parse::<DateTime>().ok());
    let last_change = stored.ok_or(ServerError::Value { key })?.0;
    Ok(Config { last_change, registration_required, properties })
}
