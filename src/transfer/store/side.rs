//! Which side a data folder is, for what belongs to one side only.

use crate::{
    data_dir::{DataDir, Side},
    transfer::error::TransferError,
};

type Result<T> = std::result::Result<T, TransferError>;

/// The site, if this is an isolated side.
pub(crate) fn require_isolated(data: &DataDir) -> Result<&str> {
    match data.side() {
        Side::Isolated { site } => Ok(site),
        Side::Connected { .. } => Err(TransferError::Unfit {
            what: "this is the connected side: trust and import belong to the isolated side (`tidegate init --site NAME`)".to_owned(),
        }),
    }
}
/// The mirror's id, if this is a connected side.
pub(crate) fn require_connected(data: &DataDir) -> Result<uuid::Uuid> {
    match data.side() {
        Side::Connected { mirror_id } => Ok(*mirror_id),
        Side::Isolated { site } => Err(TransferError::Unfit {
            what: format!(
                "this is the isolated side (site {site}): keys, seal and export belong to the connected side"
            ),
        }),
    }
}
