//! Take updates out of the mirror: published by mistake, or wrong in themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    Result,
    context::Context,
    error::OpsError,
    waiting::{self, reasons::NamedUpdate},
    wording::{count, listed},
};
use crate::{
    catalog::{Catalog, RevisionSummary},
    fleet::Fleet,
    journal::EntryKind,
    update::{UpdateId, UpdateIdentity},
};

/// What an isolated side does instead.
const ONLY_THE_MIRROR: &str =
    "only the connected side withdraws; decline the update here instead (`tidegate decline`)";

/// What to withdraw.
#[derive(Debug, Clone)]
pub struct WithdrawRequest {
    /// The updates.
    pub updates: Vec<UpdateId>,
    /// Only this revision of them; all if not given.
    pub revision: Option<u32>,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// A revision, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NamedRevision {
    /// Which revision.
    pub identity: UpdateIdentity,
    /// Its title.
    pub title: String,
    /// Why no snapshot gets it, if it contradicts a payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// An approval that goes with its update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WithdrawnApproval {
    /// The update.
    pub update: UpdateId,
    /// The group.
    pub group: Uuid,
    /// Its name.
    pub group_name: String,
}

/// What is withdrawn, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WithdrawOutcome {
    /// The revisions that were asked for.
    pub revisions: Vec<NamedRevision>,
    /// Bundles that cannot be installed without them: withdrawn too.
    pub bundles: Vec<NamedRevision>,
    /// Approvals of updates of which nothing is offered any more: taken back.
    pub approvals: Vec<WithdrawnApproval>,
    /// Approved updates that are offered now and would not be without them, although they stay: no other
    /// alternative of a bundle has its files here.
    pub no_longer_offered: Vec<NamedUpdate>,
    /// A snapshot has some of these revisions: sites follow with the next bundle.
    pub in_snapshots: bool,
    /// Nothing was changed, because only that was asked for.
    pub dry_run: bool,
}

impl WithdrawOutcome {
    /// Whether nothing is left to withdraw.
    pub fn is_empty(&self) -> bool {
        self.revisions.is_empty() && self.bundles.is_empty() && self.approvals.is_empty()
    }
}

/// Withdraws updates with the bundles that cannot do without them, and takes their approvals back.
/// The next snapshot does not have them, and no source brings them again.
///
/// # Errors
/// When this is an isolated side, there is no such update or revision, or a store fails.
pub fn withdraw(context: &Context<'_>, request: &WithdrawRequest) -> Result<WithdrawOutcome> {
    let (data, _) = context.connected_side(ONLY_THE_MIRROR)?;
    if request.dry_run {
        let (catalog, fleet) = context.catalog_and_fleet()?;
        return plan(context, &catalog, &fleet, request);
    }
    let mut catalog = Catalog::open(&data.catalog())?;
    let mut fleet = Fleet::open(&data.fleet())?;
    let outcome = plan(context, &catalog, &fleet, request)?;
    if outcome.is_empty() {
        return Ok(outcome);
    }
    let mut writer = catalog.write()?;
    for one in outcome.revisions.iter().chain(&outcome.bundles) {
        writer.withdraw_by_person(&one.identity)?;
    }
    writer.commit()?;
    // If this fails, the same command again finds them: they count whether or not there is a revision.
    fleet.at_once(|fleet| {
        for one in &outcome.approvals {
            fleet.unapprove(one.update, one.group)?;
        }
        Ok::<_, OpsError>(())
    })?;
    context.journaled(EntryKind::Withdraw, "withdraw", Ok(outcome), |done| {
        let revisions = done.revisions.iter().chain(&done.bundles);
        let what = format!("{} withdrawn", count(revisions.clone().count() as u64, "revision"));
        let approvals = listed(&done.approvals);
        Some((what, json!({ "revisions": listed(revisions), "approvals": approvals })))
    })
}

/// Offers withdrawn updates again; gives the revisions for which that changed anything. One that
/// contradicts a payload stays out of snapshots, and says so. Bundles that were withdrawn with them have
/// to be named too; approvals do not come back.
///
/// # Errors
/// As [`withdraw`].
pub fn offer_again(context: &Context<'_>, request: &WithdrawRequest) -> Result<Vec<NamedRevision>> {
    let (data, _) = context.connected_side(ONLY_THE_MIRROR)?;
    let mut catalog = Catalog::open(&data.catalog())?;
    let mut chosen: Vec<_> =
        chosen(&catalog, request)?.into_iter().filter(|revision| revision.withdrawn).collect();
    let mut writer = catalog.write()?;
    for revision in &chosen {
        writer.offer_again(&revision.identity)?;
    }
    for one in writer.leave_out_contradicting()? {
        for revision in chosen.iter_mut().filter(|revision| revision.identity == one.identity) {
            revision.left_out = Some(one.what.clone());
        }
    }
    // Without a commit nothing is changed.
    if !request.dry_run {
        writer.commit()?;
    }
    let again = chosen.into_iter().map(named).collect();
    context.journaled(EntryKind::Withdraw, "withdraw --undo", Ok(again), |again: &Vec<_>| {
        let what = format!("{} offered again", count(again.len() as u64, "revision"));
        let changed = !request.dry_run && !again.is_empty();
        changed.then(|| (what, json!({ "revisions": listed(again) })))
    })
}

fn plan(
    context: &Context<'_>,
    catalog: &Catalog,
    fleet: &Fleet,
    request: &WithdrawRequest,
) -> Result<WithdrawOutcome> {
    let chosen = chosen(catalog, request)?;
    let mut gone: BTreeSet<UpdateIdentity> = chosen.iter().map(|r| r.identity).collect();
    let bundled = catalog.bundles_without(&gone)?;
    let mut bundles = Vec::new();
    for identity in &bundled {
        if let Some(id) = catalog.revision_id(identity)? {
            bundles.extend(catalog.revision(id)?.map(named));
        }
    }
    gone.extend(bundled);
    let mut revisions = Vec::new();
    for revision in chosen {
        if !revision.withdrawn || !catalog.is_held(&revision.identity)? {
            revisions.push(named(revision));
        }
    }
    let approvals = approvals_without(catalog, fleet, &gone)?;
    let taken_back: BTreeSet<UpdateId> = approvals.iter().map(|one| one.update).collect();
    let mut no_longer_offered = waiting::no_longer_offered(context, catalog, fleet, &gone)?;
    no_longer_offered.retain(|one| !taken_back.contains(&one.update));
    let mut in_snapshots = false;
    for one in revisions.iter().chain(&bundles) {
        in_snapshots |= catalog.is_sealed(&one.identity)?;
    }
    let dry_run = request.dry_run;
    Ok(WithdrawOutcome { revisions, bundles, approvals, no_longer_offered, in_snapshots, dry_run })
}

/// The revisions that are asked for, withdrawn ones too.
fn chosen(catalog: &Catalog, request: &WithdrawRequest) -> Result<Vec<RevisionSummary>> {
    let mut all = Vec::new();
    for update in &request.updates {
        let mut found = catalog.revisions_of(*update)?;
        if let Some(number) = request.revision {
            found.retain(|revision| revision.identity.revision == number);
        }
        if found.is_empty() {
            let which = request.revision.map(|n| format!(" revision {n}")).unwrap_or_default();
            return Err(OpsError::unfit(format!(
                "there is no update {update}{which} in the catalogue; nothing was changed"
            )));
        }
        all.extend(found);
    }
    Ok(all)
}

/// Approvals of updates of which nothing is offered when these revisions are gone.
fn approvals_without(
    catalog: &Catalog,
    fleet: &Fleet,
    gone: &BTreeSet<UpdateIdentity>,
) -> Result<Vec<WithdrawnApproval>> {
    if fleet.replica_of()?.is_some() {
        // They are the upstream's; without the update they do nothing.
        return Ok(Vec::new());
    }
    let groups: BTreeMap<Uuid, String> =
        fleet.groups()?.into_iter().map(|group| (group.id, group.name)).collect();
    let updates: BTreeSet<UpdateId> = gone.iter().map(|identity| identity.id).collect();
    let mut approvals = Vec::new();
    for approval in fleet.approvals()? {
        if !updates.contains(&approval.update) {
            continue;
        }
        let offered = catalog.revisions_of(approval.update)?;
        if offered.iter().all(|r| !r.is_offered() || gone.contains(&r.identity)) {
            let (update, group) = (approval.update, approval.group);
            let group_name = groups.get(&group).cloned().unwrap_or_default();
            approvals.push(WithdrawnApproval { update, group, group_name });
        }
    }
    Ok(approvals)
}

fn named(revision: RevisionSummary) -> NamedRevision {
    let RevisionSummary { identity, title, left_out, .. } = revision;
    NamedRevision { identity, title, left_out }
}
