//! Approval rules.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Result,
    context::Context,
    error::OpsError,
    wording::{count, listed},
};
pub use crate::approval::rules::{Criteria, Period, Rule, RuleChanges, RunOptions};
use crate::{
    approval::rules::{self, Body},
    catalog::Catalog,
    data_dir::DataDir,
    fleet::{ApprovalAction, Fleet, FleetError, StoredRule},
    journal::EntryKind,
};

/// What an isolated side does instead.
const NO_RULES: &str = "rules are run on the connected side, and what they approve comes with the policy (`tidegate policy show`)";

/// A rule that is to be added.
#[derive(Debug, Clone)]
pub struct NewRule {
    /// Its name.
    pub name: String,
    /// Which updates.
    pub criteria: Criteria,
    /// For which target groups, by name or id.
    pub groups: Vec<String>,
    /// What to do.
    pub action: ApprovalAction,
    /// How long after the approval it has to be installed.
    pub deadline: Option<Period>,
    /// Whether it is on.
    pub enabled: bool,
    /// Whether it takes the place of the rule of this name.
    pub replace: bool,
}

/// A rule, and its sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleEntry {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// What it does, in a sentence.
    #[serde(skip)]
    pub text: String,
}

/// A rule, and what it has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleDetails {
    /// The rule.
    pub rule: RuleEntry,
    /// How many approvals stand that it made.
    pub approvals: u64,
}

/// A rule that was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleRemoved {
    /// Its name.
    pub removed: String,
}

/// A rule that was switched on or off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleSwitched {
    /// Its name.
    pub rule: String,
    /// Whether it is on now.
    pub enabled: bool,
    /// What it does, in a sentence.
    #[serde(skip)]
    pub text: String,
}

/// All rules in their new order; serializes to their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RuleOrder {
    /// Their names.
    pub names: Vec<String>,
    /// The rules as they are stored.
    #[serde(skip)]
    pub rules: Vec<StoredRule>,
}

/// All rules, in the order in which they decide.
///
/// # Errors
/// When this is an isolated side, or the fleet cannot be read.
pub fn list(context: &Context<'_>) -> Result<Vec<RuleEntry>> {
    let (_, fleet) = open(context, Fleet::open_to_look)?;
    entries(&fleet)
}

/// One rule, by its name in any letter case.
///
/// # Errors
/// When there is none of this name, or as [`list`].
pub fn show(context: &Context<'_>, name: &str) -> Result<RuleDetails> {
    let (_, fleet) = open(context, Fleet::open_to_look)?;
    let wanted = name.trim().to_lowercase();
    let mut all = entries(&fleet)?.into_iter();
    let Some(rule) = all.find(|entry| entry.rule.name.to_lowercase() == wanted) else {
        return Err(OpsError::unfit(format!(
            "there is no rule {name:?}: `tidegate rules list` lists them"
        )));
    };
    let made = fleet.approvals()?.into_iter().filter(|approval| {
        approval.rule.as_ref().is_some_and(|credit| credit.name.to_lowercase() == wanted)
    });
    let approvals = made.count() as u64;
    Ok(RuleDetails { rule, approvals })
}

/// Adds a rule behind the others; nothing is approved before it is run.
///
/// # Errors
/// When its name is taken, it means every update without saying so, or it names what is not here.
pub fn add(context: &Context<'_>, new: NewRule) -> Result<RuleEntry> {
    let (data, mut fleet) = open(context, Fleet::open)?;
    let catalog = Catalog::open_to_look(&data.catalog())?;
    let mut groups = Vec::new();
    for group in &new.groups {
        let id = fleet.group(group)?.id;
        if !groups.contains(&id) {
            groups.push(id);
        }
    }
    let NewRule { name, criteria, action, deadline, enabled, replace, .. } = new;
    let rule = Rule { name, enabled, body: Body { criteria, groups, action, deadline } };
    let stored = rules::add(&catalog, &mut fleet, &rule, replace)?;
    let added = RuleEntry { rule, text: stored.text };
    context.journaled(EntryKind::Rules, "rules add", Ok(added), |added| {
        let what = format!("the rule {} was added: {}", added.rule.name, added.text);
        Some((what, json!(added.rule)))
    })
}

/// Removes a rule; the approvals that it made stay.
///
/// # Errors
/// When there is none of this name, or as [`list`].
pub fn remove(context: &Context<'_>, name: &str) -> Result<RuleRemoved> {
    let (_, mut fleet) = open(context, Fleet::open)?;
    let removed = RuleRemoved { removed: fleet.remove_rule(name)?.name };
    context.journaled(EntryKind::Rules, "rules remove", Ok(removed), |done| {
        Some((format!("the rule {} was removed", done.removed), Value::Null))
    })
}

/// Switches a rule on or off; the approvals that it made stay.
///
/// # Errors
/// When there is none of this name, or as [`list`].
pub fn switch(context: &Context<'_>, name: &str, enabled: bool) -> Result<RuleSwitched> {
    let (_, mut fleet) = open(context, Fleet::open)?;
    let StoredRule { name, text, .. } = fleet.enable_rule(name, enabled)?;
    let switched = RuleSwitched { rule: name, enabled, text };
    context.journaled(EntryKind::Rules, "rules switch", Ok(switched), |done| {
        let on = if done.enabled { "on" } else { "off" };
        Some((format!("the rule {} was switched {on}", done.rule), Value::Null))
    })
}

/// Puts these rules first, in this order.
///
/// # Errors
/// When one is not there, or as [`list`].
pub fn order(context: &Context<'_>, names: &[String]) -> Result<RuleOrder> {
    let (_, mut fleet) = open(context, Fleet::open)?;
    let rules = fleet.order_rules(names)?;
    let names = rules.iter().map(|rule| rule.name.clone()).collect();
    context.journaled(EntryKind::Rules, "rules order", Ok(RuleOrder { names, rules }), |done| {
        let order = json!({ "order": listed(&done.names) });
        Some(("the rules were put into another order".to_owned(), order))
    })
}

/// Approves what the rules say, all of it or nothing.
///
/// # Errors
/// When a rule cannot be read, or as [`list`].
pub fn run(context: &Context<'_>, options: RunOptions) -> Result<RuleChanges> {
    let how = if options.dry_run { Fleet::open_to_look } else { Fleet::open };
    let (data, mut fleet) = open(context, how)?;
    let catalog = Catalog::open_to_look(&data.catalog())?;
    run_in(context, &catalog, &mut fleet, options)
}

/// The same with stores that are open already.
pub(super) fn run_in(
    context: &Context<'_>,
    catalog: &Catalog,
    fleet: &mut Fleet,
    options: RunOptions,
) -> Result<RuleChanges> {
    let changes = rules::run(catalog, fleet, options, context.now())?;
    context.journaled(EntryKind::Rules, "rules run", Ok(changes), |changes| {
        let of_rules = changes.rules.iter();
        let made: usize = of_rules.map(|rule| rule.approve.len() + rule.change.len()).sum();
        let what = format!("rules were run: {} made", count(made as u64, "approval"));
        let rules = changes.rules.iter().map(|rule| {
            let approved = rule.approve.iter().chain(&rule.change);
            json!({ "rule": rule.rule, "approved": approved.count() })
        });
        (!changes.dry_run && made > 0).then(|| (what, json!({ "rules": listed(rules) })))
    })
}

fn open(
    context: &Context<'_>,
    how: fn(&Path) -> std::result::Result<Fleet, FleetError>,
) -> Result<(DataDir, Fleet)> {
    let (data, _) = context.connected_side(NO_RULES)?;
    let fleet = how(&data.fleet())?;
    Ok((data, fleet))
}

fn entries(fleet: &Fleet) -> Result<Vec<RuleEntry>> {
    let texts = fleet.rules()?.into_iter().map(|stored| stored.text);
    let rules = rules::list(fleet)?;
    Ok(rules.into_iter().zip(texts).map(|(rule, text)| RuleEntry { rule, text }).collect())
}
