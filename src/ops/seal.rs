//! Make and sign a snapshot of the mirror.

use jiff::Timestamp;

use super::{Result, context::Context, progress::TransferPhases};
use crate::transfer;
pub use crate::transfer::{SealOptions, SealOutcome};

/// Makes and signs a snapshot of the mirror, if it has changed since the last one. `created`: when it
/// shall say to be sealed, now if not given; the same mirror and time give the same bytes.
///
/// # Errors
/// When this is an isolated side, there are no keys or they do not open, another run is at work, or a
/// store fails.
pub fn seal(
    context: &Context<'_>,
    created: Option<Timestamp>,
    options: &SealOptions,
) -> Result<SealOutcome> {
    let data = context.data_dir()?;
    let created = created.unwrap_or_else(|| context.now());
    let phases = TransferPhases::new(context.observer());
    let sealed = transfer::seal(&data, created, options, &phases)?;
    warn_of_left_out(context, &sealed);
    Ok(sealed)
}

/// Names what a snapshot does not have.
pub(super) fn warn_of_left_out(context: &Context<'_>, sealed: &SealOutcome) {
    for one in &sealed.left_out {
        context.observer().warn(&format!(
            "left out of the snapshot: {}. Its publisher has to correct it; `tidegate withdraw {}` takes it out for good",
            one, one.identity.id
        ));
    }
}
