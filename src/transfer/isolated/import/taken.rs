//! Second phase: every volume is read once, into the stage. Nothing that counts is touched.

use super::{checked::CheckedVolumes, context::ImportContext};
use crate::transfer::{
    error::TransferError,
    isolated::intake::{sink::VolumeIntake, space::prove_space, stage::Stage},
};

/// Volumes that were read to their ends; what is new waits in the stage.
pub(super) struct TakenVolumes {
    pub(super) checked: CheckedVolumes,
    pub(super) stage: Stage,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

/// Proves that there is room, reads every volume, and joins the parts that make a whole payload.
pub(super) fn take_in(
    context: &ImportContext<'_>,
    mut checked: CheckedVolumes,
    mut stage: Stage,
) -> Result<TakenVolumes, TransferError> {
    let CheckedVolumes { volumes, site, catalog } = &mut checked;
    let catalog = catalog.as_ref();
    prove_space(&stage, volumes, catalog, &site.served, &site.asked_for, context.data)?;
    let total = volumes.iter().flat_map(|v| &v.note.objects).map(|object| object.size).sum();
    context.progress.phase("reading and checking", Some(total));
    for volume in volumes.iter_mut() {
        let freshness = volume.verified.freshness;
        let limits = &context.options.limits;
        let mut sink = VolumeIntake::new(&mut stage, catalog, freshness, &site.asked_for, limits);
        volume.walk(&mut sink, context.progress)?;
    }
    let warnings = stage.join_parts()?;
    site.refuse_useless(volumes, &stage)?;
    Ok(TakenVolumes { checked, stage, warnings })
}
