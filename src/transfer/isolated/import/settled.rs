//! Last phase, after the commit: the trust state follows, then the policy, then parts that nothing
//! asks for any more go. Each step is repeated by the next import if a run is killed before it.

use std::collections::HashSet;

use bundle_format::{digest::Sha256, index::SegmentKind, trust::Freshness};

use super::{
    commit::{Committed, Switched},
    context::ImportContext,
    report::PendingReport,
};
use crate::{
    catalog::Catalog,
    fleet::Fleet,
    transfer::{
        error::TransferError,
        isolated::intake::stage::Stage,
        kill,
        policy::{
            arrival::{PolicyArrival, apply_or_hold, lapse_warning},
            change::PolicyChange,
            diff::plan,
        },
        store::trust,
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// What the policy has changed. In a dry run: what it would have.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) policy: Vec<PolicyChange>,
    /// The policy waits for a person.
    pub(super) policy_held: bool,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

impl Settled {
    fn new((policy, policy_held): (Vec<PolicyChange>, bool)) -> Self {
        let warnings = lapse_warning(&policy).into_iter().collect();
        Self { policy, policy_held, warnings }
    }
}

/// Does what follows the commit of this import, or of one that was killed after it. A dry run only
/// says what the policy would change.
pub(super) fn apply_trust_and_policy(
    context: &ImportContext<'_>,
    committed: &mut Committed,
) -> Result<Settled> {
    let in_force = committed.in_force();
    let Committed { taken, switched, pending, .. } = committed;
    let site = &taken.checked.site;
    if context.options.dry_run {
        return match switched {
            Some(switched) => {
                plan_policy(context, &taken.stage, switched, site.starts_over(&switched.verified))
            }
            None => Ok(Settled::default()),
        };
    }
    let Some(catalog) = taken.checked.catalog.as_mut() else { return Ok(Settled::default()) };
    let settled = match in_force {
        Some(number) => {
            let trusted = site.trusted;
            follow(
                context,
                catalog,
                &ServedSnapshot { number, trusted, switched: switched.as_ref() },
            )?
        }
        None => Settled::default(),
    };
    sweep_parts(&taken.stage, catalog, pending)?;
    Ok(settled)
}

/// The snapshot in force, which trust state and policy follow.
pub(super) struct ServedSnapshot<'a> {
    pub(super) number: u64,
    /// The snapshot that was trusted last.
    pub(super) trusted: Option<u64>,
    /// It took effect just now.
    pub(super) switched: Option<&'a Switched>,
}

/// Brings the trust state and the policy up to the snapshot in force. Until then it is not served.
pub(super) fn follow(
    context: &ImportContext<'_>,
    catalog: &mut Catalog,
    in_force: &ServedSnapshot<'_>,
) -> Result<Settled> {
    let followed = bring_up(context, catalog, in_force);
    followed.map_err(|source| match catalog.awaits_policy() {
        Ok(Some(snapshot)) => TransferError::Unfinished { snapshot, source: Box::new(source) },
        _ => source,
    })
}

fn bring_up(
    context: &ImportContext<'_>,
    catalog: &mut Catalog,
    &ServedSnapshot { number: in_force, trusted, switched }: &ServedSnapshot<'_>,
) -> Result<Settled> {
    let is_applied = catalog.awaits_policy()?.is_none();
    if switched.is_none() && is_applied && trusted == Some(in_force) {
        return Ok(Settled::default());
    }
    let verified = match switched {
        Some(switched) => switched.verified.clone(),
        None => match context.check_served_head(in_force) {
            Ok(verified) => verified,
            // A catalogue from a backup, whose signatures have been revoked since.
            Err(_) if is_applied => return Ok(Settled::default()),
            Err(e) => return Err(e),
        },
    };
    // Freshness decides, not the number: a snapshot of a count that began anew is newer with a
    // lower number, and its root must be stored, or the keys that it revokes stay trusted.
    if verified.freshness == Freshness::Newer {
        trust::store_state(context.data, &verified.next_state)?;
    }
    if is_applied {
        return Ok(Settled::default());
    }
    let arrival = PolicyArrival {
        policy: &verified.policy,
        snapshot: in_force,
        hold: context.options.hold_policy || catalog.is_policy_to_hold(in_force)?,
        exact: catalog.policy_starts_over()?,
    };
    let mut fleet = Fleet::open(&context.data.fleet())?;
    let settled = Settled::new(apply_or_hold(&mut fleet, &arrival, context.options.now)?);
    kill::step("policy applied");
    let mut writer = catalog.write()?;
    writer.set_policy_applied(in_force)?;
    writer.commit()?;
    kill::step("policy noted");
    Ok(settled)
}

/// What the policy of a snapshot would change; nothing is written.
fn plan_policy(
    context: &ImportContext<'_>,
    stage: &Stage,
    switched: &Switched,
    exact: bool,
) -> Result<Settled> {
    let path = context.data.fleet();
    // Opening makes a database, which a dry run must not leave behind.
    let path = if path.exists() { path } else { stage.folder().join("fleet.sqlite") };
    let policy = plan(&Fleet::open(&path)?, &switched.verified.policy, exact)?;
    let is_held =
        context.options.hold_policy && policy.iter().any(|change| change.kind.is_effective());
    Ok(Settled::new((policy, is_held)))
}

/// Removes parts of payloads that neither a pending snapshot nor the one that is served lacks.
fn sweep_parts(stage: &Stage, catalog: &Catalog, pending: &[PendingReport]) -> Result<()> {
    let missing = || pending.iter().map(|pending| &pending.missing);
    let lacking: HashSet<&Sha256> =
        missing().flat_map(|missing| &missing.payloads).map(|(sha256, _)| sha256).collect();
    // As long as a payload table is missing, it is not known what its snapshot names.
    let lacks_table = missing()
        .flat_map(|missing| &missing.segments)
        .any(|segment| segment.kind == SegmentKind::Payloads);
    stage.sweep_parts(&mut |sha256| {
        let row = catalog.payload(sha256)?;
        Ok(lacking.contains(sha256)
            || row.map_or(lacks_table, |row| {
                !row.present && (lacks_table || row.not_carried.is_none())
            }))
    })
}
