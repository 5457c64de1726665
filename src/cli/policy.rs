//! `tidegate policy`

use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;
use tidegate::{
    fleet::Origin,
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
    volumes::{SHOWN, capped, titled},
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
        /// List every change, not only the first ten
        #[arg(long)]
        all: bool,
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
            Command::Diff { bundles, all } => {
                let changes = policy::diff(&ops, &bundles)?;
                out.data(&changes, || match changes.is_empty() {
                    true => "The policy would change nothing.\n".to_owned(),
                    false => lines(&changes, if all { usize::MAX } else { SHOWN }),
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
                    let changes = lines(&decided.changes, SHOWN);
                    format!("{update} is left to policies and rules again.\n{changes}")
                })?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn describe_decision(decided: &PolicyDecision, did: &str) -> String {
    let mut text = lines(&decided.changes, SHOWN);
    text.push_str(&format!("{} {did}.\n", count(decided.changes.len() as u64, "change")));
    if decided.held {
        let left = decided.remaining.iter().filter(|change| change.kind.is_effective()).count();
        text.push_str(&format!("Still held: {}.\n", count(left as u64, "change")));
    }
    text
}

/// One change of a policy for people: what is done, to which update, for whom, by whom.
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
    let by = |deadline: Option<Timestamp>| deadline.map(|d| format!(" by {d}")).unwrap_or_default();
    if let Some(action) = &change.action {
        add(&format!("{action}{}", by(change.deadline)));
    }
    if let Some(update) = change.update {
        add(&update_name(update, change.title.as_deref(), &change.kb));
    }
    if let Some(group) = &change.group {
        if change.update.is_some() {
            add("for");
        }
        add(group);
    }
    if let Some(was) = &change.was {
        let who = match was.origin {
            Origin::Local => "decided here",
            Origin::Policy => "by a policy",
        };
        add(&format!("(is {}{}, {who})", was.action.name(), by(was.deadline)));
    }
    match &change.rule {
        Some(rule) => add(&format!("[rule {rule}]")),
        None if change.action.is_some() => add("[a person of the connected side]"),
        None => {}
    }
    if let Some(detail) = &change.detail {
        add(detail);
    }
    text.push('\n');
    text
}

/// The first changes of a list, one a line.
pub(super) fn lines(changes: &[PolicyChange], most: usize) -> String {
    capped(changes, most, "change", |change| line(change).trim_end().to_owned())
}

fn update_name(update: UpdateId, title: Option<&str>, kb: &[String]) -> String {
    match title {
        Some(title) => titled(title, kb),
        None => format!("update {update} (its title is not known here)"),
    }
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
    let (shown, rest) = overview.local.split_at(overview.local.len().min(SHOWN));
    for LocalDecision { update, title, kb, group, decision, deadline } in shown {
        let group =
            group.as_ref().map(|group| format!(" for {}", printable(group))).unwrap_or_default();
        let deadline = deadline.map(|deadline| format!(" by {deadline}")).unwrap_or_default();
        let update = update_name(*update, title.as_deref(), kb);
        text.push_str(&format!("  {decision}{deadline}: {update}{group}\n"));
    }
    if !rest.is_empty() {
        let rest = count(rest.len() as u64, "decision");
        text.push_str(&format!("  and {rest} more; `--json` lists all\n"));
    }
    text
}
