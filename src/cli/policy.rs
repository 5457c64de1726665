//! `tidegate policy`

use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;
use tidegate::{
    ops::policy::{
        self, LocalDecision, OverrideRequest, PolicyChange, PolicyChangeKind, PolicyChoice,
        PolicyDecision, PolicyOverview, PolicySummary,
    },
    update::UpdateId,
};

use super::{
    Context, Outcome,
    approve::Action,
    output::{count, printable},
};

/// What the connected side decided, and what is decided here against it. Without a subcommand: show
/// how it stands.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The policy in effect, one that is held, their rules, and what was decided here
    Show,
    /// What the held policy would change here, or the one in a bundle
    Diff {
        /// Volumes, or folders of them; only their signed heads are read
        #[arg(value_name = "BUNDLE")]
        bundles: Vec<PathBuf>,
    },
    /// Let the held policy take effect, all of it or a part
    Accept {
        #[command(flatten)]
        choice: Choice,
        /// Take back, too, what is no longer in the policy without being said to be taken back
        #[arg(long)]
        take_back: bool,
    },
    /// Refuse the held policy; or a part: then things stay here as they are, whatever comes later
    Reject {
        #[command(flatten)]
        choice: Choice,
    },
    /// Decide here, for good, for an update and a group
    Override {
        /// The update
        update: UpdateId,
        /// Target group, by name or id
        #[arg(long, short, value_name = "GROUP")]
        group: String,
        /// What to do
        #[arg(long, value_enum, required_unless_present = "keep_unapproved")]
        action: Option<Action>,
        /// Install by then, for example 2026-12-01T20:00:00Z
        #[arg(long, value_name = "TIME", requires = "action")]
        deadline: Option<Timestamp>,
        /// Accept the licence of the update on behalf of the computers
        #[arg(long, requires = "action")]
        accept_eula: bool,
        /// No approval here, whatever a policy says
        #[arg(long, conflicts_with = "action")]
        keep_unapproved: bool,
    },
    /// Let decisions made here go, and follow the policy (or the rules) again
    Release {
        /// The update
        update: UpdateId,
        /// Only for this target group, by name or id
        #[arg(long, short, value_name = "GROUP")]
        group: Option<String>,
    },
}

/// Which part.
#[derive(Debug, clap::Args)]
struct Choice {
    /// Only for this update; may be given several times
    #[arg(long, value_name = "UPDATE")]
    update: Vec<UpdateId>,
    /// Only for this target group, by name; may be given several times
    #[arg(long, short, value_name = "GROUP")]
    group: Vec<String>,
}

impl Choice {
    fn with(self, take_back: bool) -> PolicyChoice {
        PolicyChoice { updates: self.update, groups: self.group, take_back }
    }
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let (ops, out) = (context.ops(), &context.out);
        match self.command.unwrap_or(Command::Show) {
            Command::Show => {
                let overview = policy::show(&ops)?;
                out.data(&overview, || show(&overview))?;
            }
            Command::Diff { bundles } => {
                let changes = policy::diff(&ops, &bundles)?;
                out.data(&changes, || match changes.is_empty() {
                    true => "The policy would change nothing.\n".to_owned(),
                    false => changes.iter().map(line).collect(),
                })?;
            }
            Command::Accept { choice, take_back } => {
                let decided = policy::accept(&ops, &choice.with(take_back))?;
                out.data(&decided, || describe_decision(&decided, "made"))?;
            }
            Command::Reject { choice } => {
                let decided = policy::reject(&ops, &choice.with(false))?;
                out.data(&decided, || describe_decision(&decided, "refused"))?;
            }
            Command::Override { update, group, action: None, .. } => {
                let outcome = policy::forbid_approval(&ops, update, &group)?;
                out.data(&outcome, || {
                    format!("{update} is not approved for {}, whatever comes.", outcome.group.name)
                })?;
            }
            Command::Override {
                update,
                group,
                action: Some(action),
                deadline,
                accept_eula,
                ..
            } => {
                let (action, accept_eulas) = (action.into(), accept_eula);
                let request = OverrideRequest { update, group, action, deadline, accept_eulas };
                let outcome = policy::override_approval(&ops, &request)?;
                out.data(&outcome, || {
                    format!("Decided here for {update} and {}, whatever comes.", outcome.group.name)
                })?;
            }
            Command::Release { update, group } => {
                let decided = policy::release(&ops, update, group.as_deref())?;
                out.data(&decided, || {
                    let changes: String = decided.changes.iter().map(line).collect();
                    format!("{update} is left to policies and rules again.\n{changes}")
                })?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn describe_decision(decided: &PolicyDecision, did: &str) -> String {
    let mut text: String = decided.changes.iter().map(line).collect();
    text.push_str(&format!("{} {did}.\n", count(decided.changes.len() as u64, "change")));
    if decided.held {
        let left = decided.remaining.iter().filter(|change| change.kind.is_effective()).count();
        text.push_str(&format!("Still held: {}.\n", count(left as u64, "change")));
    }
    text
}

/// One change of a policy for people.
pub(super) fn line(change: &PolicyChange) -> String {
    let what = match change.kind {
        PolicyChangeKind::CreateGroup => "make the group",
        PolicyChangeKind::Approve => "approve",
        PolicyChangeKind::Change => "change",
        PolicyChangeKind::Unapprove => "take back",
        PolicyChangeKind::Lapse => "missing, stays",
        PolicyChangeKind::Decline => "decline",
        PolicyChangeKind::Undecline => "no longer decline",
        PolicyChangeKind::AcceptEula => "accept the licence",
        PolicyChangeKind::KeptLocal => "kept as decided here",
        PolicyChangeKind::NotUnderstood => "not understood",
    };
    let mut text = format!("{what}:");
    let mut add = |word: &str| {
        text.push(' ');
        text.push_str(&printable(word));
    };
    if let Some(update) = change.update {
        add(&update.to_string());
    }
    let by = |deadline: Option<Timestamp>| deadline.map(|d| format!(" by {d}")).unwrap_or_default();
    if let Some(action) = &change.action {
        add(&format!("{action}{}", by(change.deadline)));
    }
    if let Some(group) = &change.group {
        add(if change.update.is_some() { "for" } else { "" });
        add(group);
    }
    if let Some(was) = &change.was {
        add(&format!("(is {}{})", was.action.name(), by(was.deadline)));
    }
    if let Some(rule) = &change.rule {
        add(&format!("[rule {rule}]"));
    }
    if let Some(detail) = &change.detail {
        add(detail);
    }
    text.push('\n');
    text
}

fn show(overview: &PolicyOverview) -> String {
    let mut text = String::new();
    let mut add = |name: &str, summary: &Option<PolicySummary>| {
        let Some(summary) = summary else { return };
        text.push_str(&format!(
            "{name} since {}: the policy of snapshot {}, {}, {}.\n",
            summary.since.strftime("%F %T"),
            summary.snapshot,
            count(summary.approvals, "approval"),
            count(summary.declined, "decline"),
        ));
        for (rule, made) in &summary.rules {
            text.push_str(&format!(
                "  rule {} ({made} made)  {}\n",
                printable(&rule.name),
                printable(&rule.text)
            ));
        }
    };
    add("In effect", &overview.applied);
    add("Held", &overview.held);
    add("Refused", &overview.rejected);
    if overview.applied.is_none() && overview.held.is_none() && overview.rejected.is_none() {
        text.push_str("No policy has come yet.\n");
    }
    if !overview.local.is_empty() {
        text.push_str("Decided here:\n");
    }
    for LocalDecision { update, group, decision, deadline } in &overview.local {
        let group =
            group.as_ref().map(|group| format!(" for {}", printable(group))).unwrap_or_default();
        let deadline = deadline.map(|deadline| format!(" by {deadline}")).unwrap_or_default();
        text.push_str(&format!("  {update}  {decision}{deadline}{group}\n"));
    }
    text
}
