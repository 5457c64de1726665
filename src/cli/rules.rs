//! `tidegate rules`

use clap::{Subcommand, ValueEnum};
use tidegate::{
    approval::rules::{
        Criteria, Glob, Period, RuleApproval, RuleChanges, RuleDifference, RunOptions,
    },
    ops::rules::{self, NewRule, RuleEntry},
};

use super::{
    Context, Outcome,
    approve::Action,
    output::{count, printable, titled},
};

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
    fn rule(self) -> NewRule {
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
        NewRule {
            name: self.name,
            criteria,
            groups: self.group,
            action: self.action.into(),
            deadline: self.deadline,
            enabled: !self.disabled,
            replace: self.replace,
        }
    }
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let (ops, out) = (context.ops(), &context.out);
        match self.command.unwrap_or(Command::List) {
            Command::List => {
                let all = rules::list(&ops)?;
                if all.is_empty() && !out.is_json() {
                    out.note("There are no rules yet: `tidegate rules add` makes one.");
                }
                out.data(&all, || all.iter().map(entry).collect())?;
            }
            Command::Show { name } => {
                let details = rules::show(&ops, &name)?;
                out.data(&details, || {
                    let made = count(details.approvals, "approval");
                    format!("{}{made} made.", entry(&details.rule))
                })?;
            }
            Command::Add(add) => {
                let added = rules::add(&ops, add.rule())?;
                out.data(&added, || entry(&added))?;
            }
            Command::Remove { name } => {
                let outcome = rules::remove(&ops, &name)?;
                out.data(&outcome, || {
                    format!(
                        "Removed the rule {}. The approvals that it made stay.",
                        outcome.removed
                    )
                })?;
            }
            Command::Enable { name } => switch(context, &name, true)?,
            Command::Disable { name } => switch(context, &name, false)?,
            Command::Order { names } => {
                let order = rules::order(&ops, &names)?;
                out.data(&order, || {
                    order.rules.iter().map(|r| line(&r.name, r.enabled, &r.text)).collect()
                })?;
            }
            Command::Run { dry_run, take_back } => {
                let difference = rules::run(&ops, RunOptions { dry_run, take_back })?;
                out.data(&difference, || text(&difference))?;
                return Ok(Outcome::complete(difference.is_complete()));
            }
        }
        Ok(Outcome::Done)
    }
}

fn switch(context: &Context, name: &str, on: bool) -> anyhow::Result<()> {
    let switched = rules::switch(&context.ops(), name, on)?;
    context.out.data(&switched, || line(&switched.rule, on, &switched.text))
}

fn entry(entry: &RuleEntry) -> String {
    line(&entry.rule.name, entry.rule.enabled, &entry.text)
}

fn line(name: &str, enabled: bool, text: &str) -> String {
    let off = if enabled { "" } else { " (off)" };
    format!("{name}{off}  {text}\n")
}

/// A difference for people, rule by rule.
pub(super) fn text(difference: &RuleChanges) -> String {
    if difference.rules.is_empty() {
        return "No rule is on.\n".to_owned();
    }
    difference.rules.iter().map(|rule| rule_text(rule, difference)).collect()
}

fn rule_text(rule: &RuleDifference, difference: &RuleChanges) -> String {
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
        text.push_str(&format!("  approve  {}\n", item_text(item)));
    }
    for item in &rule.change {
        let was = item.was.as_ref().map(|was| {
            let deadline = was.deadline.map(|d| format!(" by {d}")).unwrap_or_default();
            format!(" (was {}{deadline}, rule {})", was.action.name(), was.rule)
        });
        text.push_str(&format!("  change  {}{}\n", item_text(item), was.unwrap_or_default()));
    }
    for item in &rule.no_longer {
        let what = match (difference.take_back, difference.dry_run) {
            (true, true) => "would be taken back",
            (true, false) => "taken back",
            (false, _) => "no longer meant, stays (--take-back takes it back)",
        };
        text.push_str(&format!("  {what}  {}\n", item_text(item)));
    }
    for skipped in &rule.skipped {
        text.push_str(&format!(
            "  skipped  {}  {} for {}: {}\n",
            skipped.update,
            titled(&skipped.title),
            printable(&skipped.group_name),
            skipped.why
        ));
    }
    text
}

fn item_text(item: &RuleApproval) -> String {
    let deadline = item.deadline.map(|deadline| format!(" by {deadline}")).unwrap_or_default();
    format!(
        "{}  {}: {}{deadline} for {}",
        item.update,
        titled(&item.title),
        item.action.name(),
        printable(&item.group_name)
    )
}
