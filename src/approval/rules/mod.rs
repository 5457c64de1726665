//! Approval rules: what matches is approved, without anybody having to look each time.
//!
//! Rules are kept in the fleet, in an order. For an update and a group the first rule that matches
//! decides. What a person has decided always wins, and nothing is taken back unless that is asked
//! for.

mod glob;
mod matching;
mod period;
mod rule;
mod run;

pub use glob::Glob;
pub use period::{NoPeriod, Period};
pub use rule::{Body, Criteria, Rule};
pub use run::{
    PreviousApproval, RuleApproval, RuleChanges, RuleDifference, RunOptions, SkippedApproval, run,
};

use super::error::ApprovalError;
use crate::{
    catalog::Catalog,
    fleet::{Fleet, StoredRule},
};
use matching::Matcher;
use rule::{describe, read_stored};

/// Keeps a rule behind the others, or in the place of the one that it replaces.
///
/// # Errors
/// When its name is taken or not usable, it means every update without saying so, a group is not
/// there, or a product or classification is not known.
pub fn add(
    catalog: &Catalog,
    fleet: &mut Fleet,
    rule: &Rule,
    replace: bool,
) -> Result<StoredRule, ApprovalError> {
    let refused =
        |what: &str| ApprovalError::Rule { name: rule.name.clone(), what: what.to_owned() };
    if rule.body.criteria.is_empty() {
        return Err(refused("it would approve every update: if that is meant, say --title '*'"));
    }
    if rule.body.groups.is_empty() {
        return Err(refused("it names no target group"));
    }
    for group in &rule.body.groups {
        fleet.group(&group.to_string())?;
    }
    Matcher::new(catalog, &rule.body.criteria)?.map_err(|what| refused(&what))?;
    let body = serde_json::to_string(&rule.body).map_err(|e| refused(&e.to_string()))?;
    let text = describe(rule, fleet)?;
    let stored = StoredRule { name: rule.name.clone(), enabled: rule.enabled, body, text };
    fleet.store_rule(&stored, replace)?;
    Ok(stored)
}

/// All rules, in the order in which they decide.
///
/// # Errors
/// When the fleet fails, or one was made by a newer program.
pub fn list(fleet: &Fleet) -> Result<Vec<Rule>, ApprovalError> {
    fleet.rules()?.into_iter().map(read_stored).collect()
}
