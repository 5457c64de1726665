//! `tidegate approve`

use anyhow::Context as _;
use clap::ValueEnum;
use jiff::Timestamp;
use tidegate::{
    fleet::ApprovalAction,
    ops::approve::{
        self, ApprovalEntry, ApprovalOutcome, ApproveRequest, SelectedUpdate, UpdateSelection,
    },
    update::UpdateId,
};

use super::{
    Context, Outcome, exit,
    output::{count, printable, titled},
    waiting,
};

/// Approve updates for a target group, list approvals or take them back.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Target group, by name or id
    #[arg(long, short, value_name = "GROUP", required_unless_present = "list")]
    group: Option<String>,
    /// What to do
    #[arg(long, value_enum, default_value_t = Action::Install)]
    action: Action,
    /// Install by then, for example 2026-12-01T20:00:00Z
    #[arg(long, value_name = "TIME")]
    deadline: Option<Timestamp>,
    /// Accept the licences of the updates on behalf of the computers
    #[arg(long)]
    accept_eula: bool,
    /// Only show what would be approved
    #[arg(long)]
    dry_run: bool,
    /// Take the approvals back; with --all: every one that the group has
    #[arg(long, conflicts_with_all = ["deadline", "accept_eula", "dry_run"])]
    remove: bool,
    /// List all approvals
    #[arg(long, conflicts_with_all = ["updates", "kb", "all", "group", "remove"])]
    list: bool,
}

/// Which updates.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Update ids
    #[arg(value_name = "UPDATE", conflicts_with_all = ["kb", "all"])]
    updates: Vec<UpdateId>,
    /// All updates of a KB article
    #[arg(long, value_name = "N", conflicts_with = "all")]
    kb: Option<String>,
    /// All that can be approved and are not superseded
    #[arg(long)]
    all: bool,
    /// With --all: superseded ones too
    #[arg(long, requires = "all")]
    superseded: bool,
}

impl Which {
    pub(super) fn selection(self) -> anyhow::Result<UpdateSelection> {
        match (self.kb, self.all) {
            (Some(kb), _) => Ok(UpdateSelection::Kb(kb)),
            (None, true) => Ok(UpdateSelection::All { superseded: self.superseded }),
            (None, false) if self.updates.is_empty() => {
                Err(exit::usage("name updates by id, by --kb, or all of them with --all"))
            }
            (None, false) => Ok(UpdateSelection::Ids(self.updates)),
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Action {
    /// Offer and install
    Install,
    /// Offer, never by itself
    OptionalInstall,
    /// Remove
    Uninstall,
    /// Do not offer, but report whether it is needed
    Detect,
    /// Do not deploy, whatever a wider group says
    Block,
}

impl From<Action> for ApprovalAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Install => Self::Install,
            Action::OptionalInstall => Self::OptionalInstall,
            Action::Uninstall => Self::Uninstall,
            Action::Detect => Self::Detect,
            Action::Block => Self::Block,
        }
    }
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let (ops, out) = (context.ops(), &context.out);
        if self.list {
            let approvals = approve::list(&ops)?;
            out.data(&approvals, || approvals.iter().map(entry).collect())?;
            return Ok(Outcome::Done);
        }
        let group = self.group.context("no group is given")?;
        let selection = self.which.selection()?;
        if self.remove {
            let outcome = approve::unapprove(&ops, &selection, &group)?;
            out.data(&outcome, || {
                let approvals = count(outcome.removed.len() as u64, "approval");
                format!("Took {approvals} back for {}.", outcome.group.name)
            })?;
            return Ok(Outcome::Done);
        }
        let request = ApproveRequest {
            selection,
            group,
            action: self.action.into(),
            deadline: self.deadline,
            accept_eulas: self.accept_eula,
            dry_run: self.dry_run,
        };
        let outcome = approve::approve(&ops, &request)?;
        out.data(&outcome, || {
            let group = &outcome.group.name;
            let mut text: String =
                outcome.updates.iter().map(|one| line(one, group, self.dry_run)).collect();
            if !outcome.waiting.is_empty() {
                let waiting = count(outcome.waiting.len() as u64, "approved update");
                text.push_str(&format!("Not offered: {waiting}\n"));
                for one in &outcome.waiting {
                    text.push_str(&format!(
                        "  {} ({})\n{}",
                        titled(&one.title),
                        one.update,
                        waiting::reasons(&one.reasons)
                    ));
                }
            }
            text
        })?;
        Ok(Outcome::complete(outcome.is_complete()))
    }
}

fn line(decided: &SelectedUpdate, group: &str, dry_run: bool) -> String {
    let SelectedUpdate { update, title, decision, superseded, no_longer_declined } = decided;
    let result = match decision {
        ApprovalOutcome::Approved { changed: true } if dry_run => {
            format!("would be approved for {group}")
        }
        ApprovalOutcome::Approved { changed: true } => format!("approved for {group}"),
        ApprovalOutcome::Approved { changed: false } => format!("is approved for {group} already"),
        ApprovalOutcome::Skipped { why } => format!("not approved: {why}"),
    };
    let title = titled(title);
    let superseded = if *superseded { " (superseded)" } else { "" };
    let declined = match (no_longer_declined, dry_run) {
        (false, _) => "",
        (true, true) => "; it is declined, and would not be any more",
        (true, false) => "; it was declined, and is not any more",
    };
    format!("{update}  {title}{superseded}: {result}{declined}\n")
}

fn entry(entry: &ApprovalEntry) -> String {
    let ApprovalEntry { approval, title, group_name, waiting } = entry;
    let by = approval.rule.as_ref().map(|rule| format!(" (rule {})", rule.name));
    let deadline = approval.deadline.map(|d| format!(" by {d}")).unwrap_or_default();
    format!(
        "{}  {}: {}{deadline} for {}{}\n{}",
        approval.update,
        title.as_deref().map_or("(not in the catalogue)".to_owned(), titled),
        approval.action.name(),
        group_name.as_deref().map_or("?".to_owned(), printable),
        by.unwrap_or_default(),
        waiting::reasons(waiting),
    )
}
