//! What follows the commit: the trust state, then the policy.

use bundle_format::{policy::Policy, trust::Freshness};

use super::{
    super::{
        TransferError, kill,
        policy::{self, PolicyChange},
        trust,
    },
    ImportReport, Result, Run, Stage,
    candidates::Candidate,
};
use crate::{catalog::Catalog, fleet::Fleet};

/// Notes in the catalogue: the policy that was applied last, and of which snapshot.
const APPLIED: &str = "policy-applied";
pub(super) const APPLIED_OF: &str = "policy-applied-of";

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
            let old = applied_policy(catalog)?;
            let mut fleet = Fleet::open(&self.data.fleet())?;
            let new = &verified.policy;
            report.policy = policy::apply(&mut fleet, &old, new, self.options.now)?;
            kill::step("policy applied");
            let json = serde_json::to_string(new)
                .map_err(|e| TransferError::refused_by("the policy cannot be kept", e))?;
            let mut writer = catalog.write()?;
            writer.set_note(APPLIED, &json)?;
            writer.set_note(APPLIED_OF, &in_force.to_string())?;
            writer.commit()?;
            kill::step("policy noted");
        }
        Ok(())
    }

    pub(super) fn dry_policy(
        &self,
        catalog: Option<&Catalog>,
        stage: &Stage,
        new: &Policy,
    ) -> Result<Vec<PolicyChange>> {
        let old = match catalog {
            Some(catalog) => applied_policy(catalog)?,
            None => Policy::default(),
        };
        let path = self.data.fleet();
        let path = if path.exists() { path } else { stage.folder().join("fleet.sqlite") };
        policy::dry_run(&mut Fleet::open(&path)?, &old, new, self.options.now)
    }
}

/// The policy that was applied last; an empty one if none was. What cannot be read is not taken for
/// an empty one: approvals that the mirror has taken back would stay.
pub(super) fn applied_policy(catalog: &Catalog) -> Result<Policy> {
    let Some(json) = catalog.note(APPLIED)? else { return Ok(Policy::default()) };
    serde_json::from_str(&json).map_err(|source| TransferError::Note {
        what: "the policy that was applied last",
        source: source.into(),
    })
}
