//! Copy a data folder while it is in use.

use std::path::{Path, absolute};

use super::{Result, context::Context, progress::TransferPhases};
use crate::transfer;
pub use crate::transfer::{BackupOptions, BackupReport};

/// Copies the data folder, as it is at one moment, to a new folder `out`.
///
/// # Errors
/// When there is something at `out`, another import, seal or export is at work, a database cannot be read,
/// or there is no room. Nothing is left at `out` then.
pub fn backup(context: &Context<'_>, out: &Path, options: &BackupOptions) -> Result<BackupReport> {
    let data = context.data_dir()?;
    // What cannot be made absolute is told when it is used.
    let out = absolute(out).unwrap_or_else(|_| out.to_owned());
    let phases = TransferPhases::new(context.observer());
    let report = transfer::backup(&data, &out, context.now(), options, &phases)?;
    drop(phases);
    for unreadable in &report.unreadable {
        context.observer().warn(&format!("not in the backup: {unreadable}"));
    }
    context.observer().warn(if report.with_keys {
        "the backup holds the signing keys and other secrets: whoever has it and the passphrase can sign for your sites. Keep it like the keys themselves"
    } else {
        "the backup holds secrets, such as the key of the agents' cookies: keep it like the data folder"
    });
    Ok(report)
}
