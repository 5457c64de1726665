//! Make and sign a snapshot of the mirror.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Result,
    context::Context,
    error::OpsError,
    progress::TransferPhases,
    waiting::{self, WaitingOutcome},
};
pub use crate::transfer::{SealOptions, SealOutcome};
use crate::{
    catalog::{Catalog, Contradiction},
    data_dir::DataDir,
    fleet::Fleet,
    journal::EntryKind,
    transfer,
};

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
) -> Result<WaitingOutcome<SealOutcome>> {
    let data = context.data_dir()?;
    let created = date(context, created);
    let phases = TransferPhases::new(context.observer());
    let sealed = transfer::seal(&data, created, options, &phases).map_err(OpsError::from);
    let sealed = context.journaled(EntryKind::Seal, "seal", sealed, entry)?;
    warn_of_left_out(context, &sealed.left_out);
    with_waiting(context, &data, sealed)
}

/// What the journal says of a new snapshot.
pub(super) fn entry(sealed: &SealOutcome) -> Option<(String, Value)> {
    let SealOutcome { snapshot, index, .. } = sealed;
    let details = json!({
        "snapshot": snapshot,
        "index-sha256": index,
        "because": sealed.reasons,
        "sites": sealed.sites,
        "new-revisions": sealed.revisions,
        "withdrawals": sealed.withdrawals,
        "signatures": sealed.signatures,
    });
    sealed.new.then(|| (format!("snapshot {snapshot} was sealed"), details))
}

/// More is no clock that is a little behind.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// What a snapshot shall be dated: now if nothing is said. A date to come is warned of.
pub(super) fn date(context: &Context<'_>, created: Option<Timestamp>) -> Timestamp {
    let now = context.now();
    let created = created.unwrap_or(now);
    if created.duration_since(now) > AHEAD {
        context.observer().warn(&format!(
            "a snapshot that is sealed now is dated {created}, which is to come (here it is {now:.0}): until then, seals without --created are refused"
        ));
    }
    created
}

/// Adds what is approved and not offered: a snapshot carries it to sites as it is.
pub(super) fn with_waiting<T>(
    context: &Context<'_>,
    data: &DataDir,
    done: T,
) -> Result<WaitingOutcome<T>> {
    let catalog = Catalog::open(&data.catalog())?;
    let waiting = waiting::summary(context, &catalog, &Fleet::open(&data.fleet())?)?;
    Ok(WaitingOutcome { done, waiting })
}

/// Names what snapshots do not get.
pub(super) fn warn_of_left_out(context: &Context<'_>, left_out: &[Contradiction]) {
    for one in left_out {
        context.observer().warn(&one.notice());
    }
}
