//! What follows the commit: the trust state, then the policy.

use bundle_format::trust::Freshness;

use super::{Result, Run, candidates::Candidate, report::ImportReport};
use crate::{
    catalog::Catalog,
    fleet::Fleet,
    transfer::{
        isolated::intake::Stage,
        kill,
        policy::{
            decide::{PolicyArrival, arrive, lapse_warning},
            diff::plan,
        },
        store::trust,
    },
};

/// Note in the catalogue: the snapshot whose policy the fleet has got.
pub(super) const APPLIED_OF: &str = "policy-applied-of";
/// The note when the count began anew: nothing of policies before is left over then.
pub(super) const ANEW: &str = "";

impl Run<'_> {
    /// What follows the commit, and what a killed run has left undone: the trust state, the policy.
    pub(super) fn finish(
        &self,
        catalog: &mut Catalog,
        taken: Option<&Candidate>,
        report: &mut ImportReport,
    ) -> Result<()> {
        let Some(in_force) = report.in_force else { return Ok(()) };
        let applied = catalog.note(APPLIED_OF)?.as_deref() == Some(in_force.to_string().as_str());
        if taken.is_none() && applied && self.known.trusted == Some(in_force) {
            return Ok(());
        }
        let verified = match taken {
            Some(candidate) => candidate.verified.clone(),
            None => match self.recheck(in_force) {
                Ok((verified, _)) => verified,
                // A catalogue from a backup, whose signatures have been revoked since.
                Err(_) if applied => return Ok(()),
                Err(e) => return Err(e),
            },
        };
        // Not by number: a count that began anew is newer with a lower one, and its root must be
        // kept, or the keys that it revokes go on counting.
        if verified.freshness == Freshness::Newer {
            trust::store_state(self.data, &verified.next_state)?;
        }
        if !applied {
            let arrival = PolicyArrival {
                policy: &verified.policy,
                snapshot: in_force,
                hold: self.options.hold_policy,
                exact: catalog.note(APPLIED_OF)?.as_deref() == Some(ANEW),
            };
            let mut fleet = Fleet::open(&self.data.fleet())?;
            (report.policy, report.policy_held) = arrive(&mut fleet, &arrival, self.options.now)?;
            report.warnings.extend(lapse_warning(&report.policy));
            kill::step("policy applied");
            let mut writer = catalog.write()?;
            writer.set_note(APPLIED_OF, &in_force.to_string())?;
            writer.commit()?;
            kill::step("policy noted");
        }
        Ok(())
    }

    pub(super) fn dry_policy(
        &self,
        stage: &Stage,
        taken: &Candidate,
        report: &mut ImportReport,
    ) -> Result<()> {
        let path = self.data.fleet();
        let path = if path.exists() { path } else { stage.folder().join("fleet.sqlite") };
        let exact = self.known.starts_over(&taken.verified);
        report.policy = plan(&Fleet::open(&path)?, &taken.verified.policy, exact)?;
        report.policy_held = self.options.hold_policy
            && report.policy.iter().any(|change| change.kind.is_effective());
        report.warnings.extend(lapse_warning(&report.policy));
        Ok(())
    }
}
