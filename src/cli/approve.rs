//! `tidegate approve`

use anyhow::Context as _;
use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::json;
use tidegate::{
    approval::{self, ApprovalOutcome, Request, SelectedUpdate, UpdateSelection},
    catalog::Catalog,
    fleet::{ApprovalAction, Fleet},
    update::UpdateId,
};

use super::{Context, Outcome, exit, output::count};

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
        let data = context.data_dir()?;
        let catalog = Catalog::open(&data.catalog())?;
        let mut fleet = Fleet::open(&data.fleet())?;
        if self.list {
            return list(context, &catalog, &fleet);
        }
        let group = fleet.group(&self.group.context("no group is given")?)?;
        let selection = self.which.selection()?;
        if self.remove {
            let removed = approval::unapprove(&catalog, &mut fleet, &selection, group.id)?;
            context.out.data(&json!({ "removed": removed }), || {
                format!("Took {} back for {}.", count(removed.len() as u64, "approval"), group.name)
            })?;
            return Ok(Outcome::Done);
        }
        let request = Request {
            group: group.id,
            action: self.action.into(),
            deadline: self.deadline,
            accept_eulas: self.accept_eula,
            dry_run: self.dry_run,
        };
        let now = Timestamp::now();
        let decided = approval::approve(&catalog, &mut fleet, &selection, &request, now)?;
        let skipped =
            decided.iter().filter(|d| matches!(d.decision, ApprovalOutcome::Skipped { .. }));
        let partial = skipped.count() > 0;
        context.out.data(&json!({ "group": group, "updates": decided }), || {
            decided.iter().map(|d| line(d, &group.name, self.dry_run)).collect()
        })?;
        Ok(if partial { Outcome::Partial } else { Outcome::Done })
    }
}

fn line(decided: &SelectedUpdate, group: &str, dry_run: bool) -> String {
    let SelectedUpdate { update, title, decision, superseded } = decided;
    let result = match decision {
        ApprovalOutcome::Approved { changed: true } if dry_run => {
            format!("would be approved for {group}")
        }
        ApprovalOutcome::Approved { changed: true } => format!("approved for {group}"),
        ApprovalOutcome::Approved { changed: false } => format!("is approved for {group} already"),
        ApprovalOutcome::Skipped { why } => format!("not approved: {why}"),
    };
    let superseded = if *superseded { " (superseded)" } else { "" };
    format!("{update}  {title}{superseded}: {result}\n")
}

fn list(context: &Context, catalog: &Catalog, fleet: &Fleet) -> anyhow::Result<Outcome> {
    let groups = fleet.groups()?;
    let mut rows = Vec::new();
    let mut text = String::new();
    for approval in fleet.approvals()? {
        let title = catalog.newest(approval.update)?.map(|r| r.title);
        let group = groups.iter().find(|g| g.id == approval.group).map(|g| g.name.as_str());
        let by = approval.rule.as_ref().map(|rule| format!(" (rule {})", rule.name));
        let deadline = approval.deadline.map(|d| format!(" by {d}")).unwrap_or_default();
        text.push_str(&format!(
            "{}  {}: {}{deadline} for {}{}\n",
            approval.update,
            title.as_deref().unwrap_or("(not in the catalogue)"),
            approval.action.name(),
            group.unwrap_or("?"),
            by.unwrap_or_default(),
        ));
        rows.push(json!({ "approval": approval, "title": title, "group-name": group }));
    }
    context.out.data(&rows, || text)?;
    Ok(Outcome::Done)
}
