//! A rule: what it asks for and does, and how it is kept and described.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{glob::Glob, period::Period};
use crate::{
    approval::error::ApprovalError,
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

/// Which updates a rule selects. All criteria that are given must hold; of a list, one entry.
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
    /// Whether there is no criterion: every update would be selected.
    pub fn is_empty(&self) -> bool {
        Self { superseded: false, ..self.clone() } == Self::default()
    }
}

/// A rule as the fleet keeps it.
pub(super) fn read_stored(stored: StoredRule) -> Result<Rule, ApprovalError> {
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
pub(super) fn describe(rule: &Rule, fleet: &Fleet) -> Result<String, FleetError> {
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
