//! Running rules: first the difference, then, in the same transaction, what it says.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{
    matching::{Match, Matcher},
    rule::{Rule, read_stored},
};
use crate::{
    approval::error::ApprovalError,
    catalog::{Catalog, RevisionFilter, RevisionSummary},
    fleet::{Approval, ApprovalAction, ApprovingRule, Fleet, FleetError, NewApproval, Origin},
    update::{UpdateId, UpdateType},
};

/// How to run the rules.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// Look only.
    pub dry_run: bool,
    /// Take back what a rule approved before and no longer selects.
    pub take_back: bool,
}

/// What the rules change, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleChanges {
    /// Only looked at.
    pub dry_run: bool,
    /// What no longer matches is taken back.
    pub take_back: bool,
    /// Rule by rule, in the order in which they decide.
    pub rules: Vec<RuleDifference>,
}

/// What one rule changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleDifference {
    /// Its name.
    pub rule: String,
    /// Why it could not be run, or not for all groups.
    pub problem: Option<String>,
    /// New approvals.
    pub approve: Vec<RuleApproval>,
    /// Approvals by rules that become others.
    pub change: Vec<RuleApproval>,
    /// Approvals that it made for updates that it no longer selects; taken back only if that is asked
    /// for.
    pub no_longer: Vec<RuleApproval>,
    /// What it selects and leaves alone.
    pub skipped: Vec<SkippedApproval>,
    /// Approvals that are as it wants them.
    pub unchanged: u64,
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleApproval {
    /// The update.
    pub update: UpdateId,
    /// Its title.
    pub title: String,
    /// The group.
    pub group: Uuid,
    /// Its name.
    pub group_name: String,
    /// What to do.
    pub action: ApprovalAction,
    /// By when it has to be installed.
    pub deadline: Option<Timestamp>,
    /// When a rule first approved it.
    #[serde(skip)]
    pub since: Timestamp,
    /// What was there before.
    pub was: Option<PreviousApproval>,
}

/// What an approval was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PreviousApproval {
    /// The action.
    pub action: ApprovalAction,
    /// The deadline.
    pub deadline: Option<Timestamp>,
    /// The rule.
    pub rule: String,
}

/// What a rule selects and leaves alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SkippedApproval {
    /// The update.
    pub update: UpdateId,
    /// Its title.
    pub title: String,
    /// The group.
    pub group: Uuid,
    /// Its name.
    pub group_name: String,
    /// Why.
    pub why: String,
}

impl RuleChanges {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.rules.iter().all(|rule| {
            rule.approve.is_empty()
                && rule.change.is_empty()
                && (!self.take_back || rule.no_longer.is_empty())
        })
    }

    /// Whether every rule that is on could be run.
    pub fn is_complete(&self) -> bool {
        self.rules.iter().all(|rule| rule.problem.is_none())
    }
}

/// Runs all rules that are on, all of them or none. Run again, it changes nothing.
///
/// # Errors
/// When a store fails.
pub fn run(
    catalog: &Catalog,
    fleet: &mut Fleet,
    options: RunOptions,
    now: Timestamp,
) -> Result<RuleChanges, ApprovalError> {
    if options.dry_run {
        return difference(catalog, fleet, options, now);
    }
    fleet.at_once(|fleet| {
        let difference = difference(catalog, fleet, options, now)?;
        make(fleet, &difference, now)?;
        Ok(difference)
    })
}

/// Does what a difference says.
fn make(fleet: &mut Fleet, difference: &RuleChanges, now: Timestamp) -> Result<(), FleetError> {
    for rule in &difference.rules {
        for item in rule.approve.iter().chain(&rule.change) {
            let credit = ApprovingRule { name: rule.rule.clone(), since: item.since };
            let approval = NewApproval {
                update: item.update,
                group: item.group,
                action: item.action,
                deadline: item.deadline,
                origin: Origin::Local,
                rule: Some(credit),
            };
            fleet.store_approval(&approval, now)?;
        }
        if difference.take_back {
            for item in &rule.no_longer {
                fleet.withdraw_approval(item.update, item.group)?;
            }
        }
    }
    Ok(())
}

fn difference(
    catalog: &Catalog,
    fleet: &Fleet,
    options: RunOptions,
    now: Timestamp,
) -> Result<RuleChanges, ApprovalError> {
    let mut outcomes = Vec::new();
    let mut rules = Vec::new();
    for stored in fleet.rules()?.into_iter().filter(|rule| rule.enabled) {
        let name = stored.name.clone();
        let (rule, problem) = match read_stored(stored) {
            Ok(rule) => (Some(rule), None),
            Err(e) => (None, Some(e.to_string())),
        };
        rules.push(rule);
        outcomes.push(RuleDifference { rule: name, problem, ..RuleDifference::default() });
    }
    let mut active = Vec::new();
    for (rule, outcome) in rules.iter().zip(&mut outcomes) {
        let Some(rule) = rule else { continue };
        match Matcher::new(catalog, &rule.body.criteria)? {
            Ok(matcher) => active.push(Active { rule, matcher, outcome, spared: HashSet::new() }),
            Err(what) => outcome.problem = Some(what),
        }
    }
    let decided = ExistingDecisions::read(fleet)?;
    for one in &mut active {
        let gone =
            one.rule.body.groups.iter().filter(|id| !decided.groups.contains_key(id)).count();
        if gone > 0 {
            one.outcome.problem = Some(format!(
                "{gone} of its {} target groups no longer exist: add it anew with --replace",
                one.rule.body.groups.len()
            ));
        }
    }
    let superseded = catalog.superseded()?;
    let mut claimed = HashSet::new();
    let filter = RevisionFilter { newest: true, deployable: true, ..RevisionFilter::default() };
    catalog.find(&filter, &mut |revision| {
        let can_be = matches!(revision.update_type, UpdateType::Software | UpdateType::Driver);
        if !can_be || revision.expired {
            return;
        }
        for one in &mut active {
            match one.matcher.matches(&revision, &superseded, now) {
                Match::No => {}
                Match::TooYoung => drop(one.spared.insert(revision.identity.id)),
                Match::Yes => one.decide(&revision, &decided, &mut claimed, now),
            }
        }
    })?;
    for one in active {
        one.leftovers(catalog, &decided, &claimed)?;
    }
    Ok(RuleChanges { dry_run: options.dry_run, take_back: options.take_back, rules: outcomes })
}

/// What has been decided before.
struct ExistingDecisions {
    groups: BTreeMap<Uuid, String>,
    approvals: HashMap<(UpdateId, Uuid), Approval>,
    declines: HashMap<UpdateId, Origin>,
    taken_back: HashSet<(UpdateId, Uuid)>,
    licences: BTreeSet<String>,
}

impl ExistingDecisions {
    fn read(fleet: &Fleet) -> Result<Self, FleetError> {
        let lasting = fleet.withdrawn_approvals()?.into_iter().filter(|one| one.by_person);
        Ok(Self {
            groups: fleet.groups()?.into_iter().map(|group| (group.id, group.name)).collect(),
            approvals: fleet.approvals()?.into_iter().map(|a| ((a.update, a.group), a)).collect(),
            declines: fleet.declines()?.into_iter().collect(),
            taken_back: lasting.map(|one| (one.update, one.group)).collect(),
            licences: fleet.accepted_eulas()?.into_iter().collect(),
        })
    }

    /// Why a rule must leave an update alone.
    fn obstacle(
        &self,
        revision: &RevisionSummary,
        group: Uuid,
        action: ApprovalAction,
    ) -> Option<String> {
        let update = revision.identity.id;
        match self.declines.get(&update) {
            Some(Origin::Local) => return Some("a person has declined it".to_owned()),
            Some(Origin::Policy) => return Some("the policy declines it".to_owned()),
            None => {}
        }
        if self.taken_back.contains(&(update, group)) {
            return Some(
                "a person has taken its approval back (`tidegate policy release` lets rules decide again)"
                    .to_owned(),
            );
        }
        match self.approvals.get(&(update, group)) {
            Some(Approval { origin: Origin::Policy, .. }) => {
                return Some("the policy has decided it".to_owned());
            }
            Some(Approval { rule: None, action, .. }) => {
                return Some(format!("a person has decided: {}", action.name()));
            }
            _ => {}
        }
        let installs = matches!(action, ApprovalAction::Install | ApprovalAction::OptionalInstall);
        let licence =
            revision.eula_id.as_ref().filter(|id| installs && !self.licences.contains(*id));
        licence.map(|_| {
            "its licence is not accepted yet: read it and approve with --accept-eula".to_owned()
        })
    }
}

/// A rule that is run.
struct Active<'a> {
    rule: &'a Rule,
    matcher: Matcher<'a>,
    outcome: &'a mut RuleDifference,
    /// What it approved before may stay, although a new revision is too young.
    spared: HashSet<UpdateId>,
}

impl Active<'_> {
    fn decide(
        &mut self,
        revision: &RevisionSummary,
        decided: &ExistingDecisions,
        claimed: &mut HashSet<(UpdateId, Uuid)>,
        now: Timestamp,
    ) {
        let update = revision.identity.id;
        let action = self.rule.body.action;
        for group in &self.rule.body.groups {
            let Some(group_name) = decided.groups.get(group) else { continue };
            if !claimed.insert((update, *group)) {
                continue;
            }
            let old = decided.approvals.get(&(update, *group));
            if let Some(why) = decided.obstacle(revision, *group, action) {
                // A person has decided the same.
                if old.is_some_and(|old| old.origin == Origin::Local && old.action == action) {
                    self.outcome.unchanged += 1;
                    continue;
                }
                let title = revision.title.clone();
                let (group, group_name) = (*group, group_name.clone());
                let skipped = SkippedApproval { update, title, group, group_name, why };
                self.outcome.skipped.push(skipped);
                continue;
            }
            let credit = old.and_then(|old| old.rule.as_ref());
            let since = credit.map_or(now, |credit| credit.since);
            let deadline = self.rule.body.deadline.map(|period| period.after(since));
            let was = old.zip(credit).map(|(old, credit)| PreviousApproval {
                action: old.action,
                deadline: old.deadline,
                rule: credit.name.clone(),
            });
            let same = was.as_ref().is_some_and(|was| {
                (was.action, was.deadline) == (action, deadline) && was.rule == self.rule.name
            });
            if same {
                self.outcome.unchanged += 1;
                continue;
            }
            let list = match was {
                None => &mut self.outcome.approve,
                Some(_) => &mut self.outcome.change,
            };
            list.push(RuleApproval {
                update,
                title: revision.title.clone(),
                group: *group,
                group_name: group_name.clone(),
                action,
                deadline,
                since,
                was,
            });
        }
    }

    /// What it approved before and no rule selects any more.
    fn leftovers(
        self,
        catalog: &Catalog,
        decided: &ExistingDecisions,
        claimed: &HashSet<(UpdateId, Uuid)>,
    ) -> Result<(), ApprovalError> {
        let mut found = Vec::new();
        for ((update, group), approval) in &decided.approvals {
            let Some(credit) = &approval.rule else { continue };
            let mine = approval.origin == Origin::Local
                && credit.name.to_lowercase() == self.rule.name.to_lowercase();
            let kept = self.rule.body.groups.contains(group) && self.spared.contains(update);
            if !mine || kept || claimed.contains(&(*update, *group)) {
                continue;
            }
            found.push(RuleApproval {
                update: *update,
                title: catalog.newest(*update)?.map(|r| r.title).unwrap_or_default(),
                group: *group,
                group_name: decided.groups.get(group).cloned().unwrap_or_default(),
                action: approval.action,
                deadline: approval.deadline,
                since: credit.since,
                was: None,
            });
        }
        found.sort_by_key(|item| (item.update, item.group));
        self.outcome.no_longer = found;
        Ok(())
    }
}
