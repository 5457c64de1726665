//! Approval rules: what matches is approved, without anybody having to look each time.
//!
//! Rules are kept in the fleet, in an order. For an update and a group the first rule that matches
//! decides. What a person has decided always wins, and nothing is taken back unless that is asked
//! for.

mod glob;
mod matching;
mod period;
mod run;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use glob::Glob;
pub use period::{NoPeriod, Period};
pub use run::{
    PreviousApproval, RuleApproval, RuleChanges, RuleDifference, RunOptions, SkippedApproval, run,
};

use self::matching::Matcher;
use super::ApprovalError;
use crate::{
    catalog::Catalog,
    fleet::{ApprovalAction, Fleet, FleetError, StoredRule},
};

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Whether it is run.
    pub enabled: bool,
    /// What it asks for and does.
    #[serde(flatten)]
    pub body: Body,
}

/// What a rule asks for and does. A criterion that this program does not know is an error: without
/// it the rule would approve too much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Body {
    /// Which updates.
    pub criteria: Criteria,
    /// For which groups.
    pub groups: Vec<Uuid>,
    /// What to do.
    pub action: ApprovalAction,
    /// How long after the approval it has to be installed.
    pub deadline: Option<Period>,
}

/// Which updates a rule means. All that is said must hold; of a list, one entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Criteria {
    /// Products or product families, by title or id.
    pub products: Vec<String>,
    /// Classifications, by title or id.
    pub classifications: Vec<String>,
    /// MSRC severities; `Unspecified` also stands for none.
    pub severities: Vec<String>,
    /// Published at least so long ago.
    pub min_age: Option<Period>,
    /// Published at most so long ago.
    pub max_age: Option<Period>,
    /// Patterns for titles.
    pub titles: Vec<Glob>,
    /// Patterns for titles that are left out.
    pub not_titles: Vec<Glob>,
    /// Superseded updates too.
    pub superseded: bool,
}

impl Criteria {
    /// Whether nothing is asked for: every update would be meant.
    pub fn is_empty(&self) -> bool {
        Self { superseded: false, ..self.clone() } == Self::default()
    }
}

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
    let text = text(rule, fleet)?;
    let stored = StoredRule { name: rule.name.clone(), enabled: rule.enabled, body, text };
    fleet.store_rule(&stored, replace)?;
    Ok(stored)
}

/// All rules, in the order in which they decide.
///
/// # Errors
/// When the fleet fails, or one was made by a newer program.
pub fn list(fleet: &Fleet) -> Result<Vec<Rule>, ApprovalError> {
    fleet.rules()?.into_iter().map(read).collect()
}

fn read(stored: StoredRule) -> Result<Rule, ApprovalError> {
    let StoredRule { name, enabled, body, .. } = stored;
    match serde_json::from_str(&body) {
        Ok(body) => Ok(Rule { name, enabled, body }),
        Err(e) => Err(ApprovalError::Rule {
            name,
            what: format!(
                "it cannot be read, perhaps because a newer program made it; add it anew with --replace ({e})"
            ),
        }),
    }
}

/// A rule in a sentence.
fn text(rule: &Rule, fleet: &Fleet) -> Result<String, FleetError> {
    let Body { criteria, groups, action, deadline } = &rule.body;
    let mut parts = Vec::new();
    let mut list = |what: &str, names: &[String], between: &str| {
        if !names.is_empty() {
            parts.push(format!("{what} {}", names.join(between)));
        }
    };
    list("product", &criteria.products, " or ");
    list("classification", &criteria.classifications, " or ");
    list("severity", &criteria.severities, " or ");
    let quoted = |globs: &[Glob]| -> Vec<String> {
        globs.iter().map(|glob| format!("{:?}", glob.as_str())).collect()
    };
    list("title", &quoted(&criteria.titles), " or ");
    list("title not", &quoted(&criteria.not_titles), " nor ");
    if let Some(age) = criteria.min_age {
        parts.push(format!("at least {age} old"));
    }
    if let Some(age) = criteria.max_age {
        parts.push(format!("at most {age} old"));
    }
    parts.push(if criteria.superseded { "superseded or not" } else { "not superseded" }.to_owned());
    let known = fleet.groups()?;
    let groups: Vec<String> = groups
        .iter()
        .map(|id| match known.iter().find(|group| group.id == *id) {
            Some(group) => group.name.clone(),
            None => id.to_string(),
        })
        .collect();
    let deadline = deadline.map(|after| format!(" by {after} after approval")).unwrap_or_default();
    Ok(format!("{}: {}{deadline} for {}", parts.join(", "), action.name(), groups.join(" and ")))
}
