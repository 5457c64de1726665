//! What is missing on this site, for the connected side.

pub use bundle_format::needs::Needs;

use super::{Result, context::Context};
use crate::transfer;

/// What this site lacks of its snapshots. Changes nothing.
///
/// # Errors
/// On a connected side, before the first import, and when a store fails.
pub fn needs(context: &Context<'_>) -> Result<Needs> {
    Ok(transfer::needs(&context.data_dir()?, context.now(), &context.limits())?)
}
