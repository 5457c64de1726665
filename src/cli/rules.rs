//! `tidegate rules`

use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::json;
use tidegate::{
    approval::rules::{
        self, Body, Criteria, Glob, Period, Rule, RuleApproval, RuleChanges, RuleDifference,
        RunOptions,
    },
    catalog::Catalog,
    data_dir::Side,
    fleet::{Fleet, StoredRule},
};

use super::{Context, Outcome, approve::Action, output::count};

/// Connected: rules that approve updates by themselves. Without a subcommand: list them.
///
/// For an update and a group the first rule that matches decides. What a person has approved,
/// declined or taken back always wins.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the rules in the order in which they decide
    List,
    /// Add a rule behind the others; nothing is approved before it is run
    Add(Box<Add>),
    /// Show a rule
    Show {
        /// Its name
        name: String,
    },
    /// Remove a rule; the approvals that it made stay
    Remove {
        /// Its name
        name: String,
    },
    /// Switch a rule on
    Enable {
        /// Its name
        name: String,
    },
    /// Switch a rule off; the approvals that it made stay
    Disable {
        /// Its name
        name: String,
    },
    /// Put these rules first, in this order
    Order {
        /// Their names
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Approve what the rules say, all of it or nothing
    Run {
        /// Only show the difference
        #[arg(long)]
        dry_run: bool,
        /// Take back what a rule has approved before and no longer means
        #[arg(long)]
        take_back: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Add {
    /// Its name
    name: String,
    /// Products or product families, by title or id, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    products: Vec<String>,
    /// Classifications, by title or id, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    classifications: Vec<String>,
    /// MSRC severities, separated by commas
    #[arg(long, value_enum, value_name = "SEVERITIES", value_delimiter = ',')]
    severity: Vec<Severity>,
    /// Published at least so long ago (7d, 36h, 2w), by the creation date of the newest revision
    #[arg(long, value_name = "AGE")]
    min_age: Option<Period>,
    /// Published less than so long ago
    #[arg(long, value_name = "AGE")]
    max_age: Option<Period>,
    /// Title, with * for any text and ? for any character; may be given several times
    #[arg(long, value_name = "GLOB")]
    title: Vec<String>,
    /// Not this title; may be given several times
    #[arg(long, value_name = "GLOB")]
    not_title: Vec<String>,
    /// Superseded updates too. With --min-age a successor counts once it is that old itself
    #[arg(long, overrides_with = "not_superseded")]
    superseded: bool,
    /// Not those that a newer update supersedes (this is the default)
    #[arg(long)]
    not_superseded: bool,
    /// Target group, by name or id; may be given several times
    #[arg(long, short, value_name = "GROUP", required = true)]
    group: Vec<String>,
    /// What to do
    #[arg(long, value_enum, default_value_t = Action::Install)]
    action: Action,
    /// Must be installed so long after the approval, for example 14d
    #[arg(long, value_name = "PERIOD")]
    deadline: Option<Period>,
    /// Keep it, but do not run it yet
    #[arg(long)]
    disabled: bool,
    /// Replace the rule of this name, in its place
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Severity {
    Critical,
    Important,
    Moderate,
    Low,
    /// None is given
    Unspecified,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Critical => "Critical",
            Self::Important => "Important",
            Self::Moderate => "Moderate",
            Self::Low => "Low",
            Self::Unspecified => "Unspecified",
        }
    }
}

impl Add {
    fn rule(self, fleet: &Fleet) -> anyhow::Result<(Rule, bool)> {
        let mut groups = Vec::new();
        for group in &self.group {
            let id = fleet.group(group)?.id;
            if !groups.contains(&id) {
                groups.push(id);
            }
        }
        let trimmed = |names: Vec<String>| -> Vec<String> {
            names.iter().map(|name| name.trim().to_owned()).collect()
        };
        let criteria = Criteria {
            products: trimmed(self.products),
            classifications: trimmed(self.classifications),
            severities: self.severity.into_iter().map(|s| s.name().to_owned()).collect(),
            min_age: self.min_age,
            max_age: self.max_age,
            titles: self.title.into_iter().map(Glob::new).collect(),
            not_titles: self.not_title.into_iter().map(Glob::new).collect(),
            superseded: self.superseded,
        };
        let action = self.action.into();
        let body = Body { criteria, groups, action, deadline: self.deadline };
        Ok((Rule { name: self.name, enabled: !self.disabled, body }, self.replace))
    }
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let data = context.data_dir()?;
        if let Side::Isolated { .. } = data.side() {
            anyhow::bail!(
                "{} is an isolated side: rules are run on the connected side, and what they approve comes with the policy (`tidegate policy show`)",
                data.root().display()
            );
        }
        let mut fleet = Fleet::open(&data.fleet())?;
        match self.command.unwrap_or(Command::List) {
            Command::List => {
                let stored = fleet.rules()?;
                if stored.is_empty() && !context.out.is_json() {
                    context.out.note("There are no rules yet: `tidegate rules add` makes one.");
                }
                context.out.data(&rules::list(&fleet)?, || stored.iter().map(line).collect())?;
            }
            Command::Show { name } => {
                let wanted = name.trim().to_lowercase();
                let all = rules::list(&fleet)?;
                let found = all.into_iter().find(|rule| rule.name.to_lowercase() == wanted);
                let Some(rule) = found else {
                    anyhow::bail!("there is no rule {name:?}: `tidegate rules list` lists them");
                };
                let by =
                    |credit: &tidegate::fleet::ApprovingRule| credit.name.to_lowercase() == wanted;
                let approvals = fleet.approvals()?;
                let made = approvals.iter().filter(|a| a.rule.as_ref().is_some_and(by)).count();
                let stored = fleet.rules()?.into_iter().find(|stored| stored.name == rule.name);
                let text = stored.map(|stored| line(&stored)).unwrap_or_default();
                context.out.data(&json!({ "rule": rule, "approvals": made }), || {
                    format!("{text}{} made.", count(made as u64, "approval"))
                })?;
            }
            Command::Add(add) => {
                let catalog = Catalog::open(&data.catalog())?;
                let (rule, replace) = add.rule(&fleet)?;
                let stored = rules::add(&catalog, &mut fleet, &rule, replace)?;
                context.out.data(&rule, || line(&stored))?;
            }
            Command::Remove { name } => {
                let rule = fleet.remove_rule(&name)?;
                context.out.data(&json!({ "removed": rule.name }), || {
                    format!("Removed the rule {}. The approvals that it made stay.", rule.name)
                })?;
            }
            Command::Enable { name } => switch(context, &mut fleet, &name, true)?,
            Command::Disable { name } => switch(context, &mut fleet, &name, false)?,
            Command::Order { names } => {
                let ordered = fleet.order_rules(&names)?;
                let names: Vec<_> = ordered.iter().map(|rule| &rule.name).collect();
                context.out.data(&names, || ordered.iter().map(line).collect())?;
            }
            Command::Run { dry_run, take_back } => {
                let catalog = Catalog::open(&data.catalog())?;
                let options = RunOptions { dry_run, take_back };
                let difference = rules::run(&catalog, &mut fleet, options, Timestamp::now())?;
                context.out.data(&difference, || text(&difference))?;
                return Ok(if difference.is_complete() { Outcome::Done } else { Outcome::Partial });
            }
        }
        Ok(Outcome::Done)
    }
}

/// Runs the rules after a synchronization.
#[cfg(feature = "upstream")]
pub(super) fn after_sync(catalog: &Catalog, fleet: &mut Fleet) -> anyhow::Result<RuleChanges> {
    Ok(rules::run(catalog, fleet, RunOptions::default(), Timestamp::now())?)
}

fn switch(context: &Context, fleet: &mut Fleet, name: &str, on: bool) -> anyhow::Result<()> {
    let rule = fleet.enable_rule(name, on)?;
    context.out.data(&json!({ "rule": rule.name, "enabled": on }), || line(&rule))
}

fn line(rule: &StoredRule) -> String {
    let off = if rule.enabled { "" } else { " (off)" };
    format!("{}{off}  {}\n", rule.name, rule.text)
}

/// A difference for people, rule by rule.
pub(super) fn text(difference: &RuleChanges) -> String {
    if difference.rules.is_empty() {
        return "No rule is on.\n".to_owned();
    }
    difference.rules.iter().map(|rule| of_rule(rule, difference)).collect()
}

fn of_rule(rule: &RuleDifference, difference: &RuleChanges) -> String {
    let mut text = format!("{}: ", rule.rule);
    if let Some(problem) = &rule.problem {
        text.push_str(&format!("not run as it should: {problem}. "));
    }
    let would = if difference.dry_run { "would be " } else { "" };
    text.push_str(&format!(
        "{} {would}new, {} {would}changed, {} unchanged, {} skipped.\n",
        count(rule.approve.len() as u64, "approval"),
        rule.change.len(),
        rule.unchanged,
        rule.skipped.len(),
    ));
    for item in &rule.approve {
        text.push_str(&format!("  approve  {}\n", of_item(item)));
    }
    for item in &rule.change {
        let was = item.was.as_ref().map(|was| {
            let deadline = was.deadline.map(|d| format!(" by {d}")).unwrap_or_default();
            format!(" (was {}{deadline}, rule {})", was.action.name(), was.rule)
        });
        text.push_str(&format!("  change  {}{}\n", of_item(item), was.unwrap_or_default()));
    }
    for item in &rule.no_longer {
        let what = match (difference.take_back, difference.dry_run) {
            (true, true) => "would be taken back",
            (true, false) => "taken back",
            (false, _) => "no longer meant, stays (--take-back takes it back)",
        };
        text.push_str(&format!("  {what}  {}\n", of_item(item)));
    }
    for skipped in &rule.skipped {
        text.push_str(&format!(
            "  skipped  {}  {} for {}: {}\n",
            skipped.update, skipped.title, skipped.group_name, skipped.why
        ));
    }
    text
}

fn of_item(item: &RuleApproval) -> String {
    let deadline = item.deadline.map(|deadline| format!(" by {deadline}")).unwrap_or_default();
    format!(
        "{}  {}: {}{deadline} for {}",
        item.update,
        item.title.replace(['\r', '\n'], " "),
        item.action.name(),
        item.group_name
    )
}
