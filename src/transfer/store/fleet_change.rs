//! How far the fleet was when a snapshot was sealed, as a note in the catalogue: an older fleet would
//! take back what was decided since.

use crate::{
    catalog::{Catalog, CatalogWriter},
    fleet::Fleet,
    transfer::error::TransferError,
};

type Result<T> = std::result::Result<T, TransferError>;

/// Note in the catalogue: [`Fleet::change`] of the fleet that was sealed last.
const FLEET_CHANGE: &str = "fleet-change";

/// Notes the fleet that is sealed.
pub(crate) fn note_fleet_change(writer: &mut CatalogWriter<'_>, fleet: &Fleet) -> Result<()> {
    writer.set_note(FLEET_CHANGE, &fleet.change()?.to_string())?;
    Ok(())
}

/// Whether the fleet has fewer changes than the one that was sealed last: it came from a backup.
pub(crate) fn is_older_fleet(catalog: &Catalog, fleet: &Fleet) -> Result<bool> {
    let sealed = catalog.note(FLEET_CHANGE)?.and_then(|change| change.parse::<u64>().ok());
    Ok(fleet.change()? < sealed.unwrap_or(0))
}
