//! `tidegate withdraw`

use std::{
    io::{self, BufRead as _, IsTerminal as _},
    slice,
};

use tidegate::{
    ops::withdraw::{self, NamedRevision, WithdrawOutcome, WithdrawRequest},
    update::UpdateId,
};

use super::{
    Context, Outcome, exit,
    output::{count, printable, titled},
    waiting,
};

/// Take updates out of the mirror: the next snapshot does not have them, and no source brings them
/// again.
///
/// For what was published by mistake, or is wrong in itself. What only should not be offered is
/// declined (`tidegate decline`).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Update ids
    #[arg(value_name = "UPDATE", required = true)]
    updates: Vec<UpdateId>,
    /// Only this revision; all of them if it is not given
    #[arg(long, value_name = "N")]
    revision: Option<u32>,
    /// Offer them again; approvals do not come back
    #[arg(long)]
    undo: bool,
    /// Only show what goes
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let Self { updates, revision, undo, dry_run, yes } = self;
        let request = WithdrawRequest { updates, revision, dry_run };
        if undo {
            let offered = withdraw::offer_again(&context.ops(), &request)?;
            context.out.data(&offered, || match offered.is_empty() {
                true => "Nothing to offer again: it is not withdrawn.".to_owned(),
                false => offered_again(&offered, dry_run),
            })?;
            return Ok(Outcome::complete(offered.iter().all(|one| one.left_out.is_none())));
        }
        if !dry_run && !yes {
            let shown = WithdrawRequest { dry_run: true, ..request.clone() };
            let planned = withdraw::withdraw(&context.ops(), &shown)?;
            if !planned.is_empty() {
                context.out.note(&text(&planned));
                ask(context)?;
            }
        }
        let outcome = withdraw::withdraw(&context.ops(), &request)?;
        context.out.data(&outcome, || text(&outcome))?;
        Ok(Outcome::Done)
    }
}

/// What is offered again, or would be, and what stays out of snapshots for another reason.
fn offered_again(revisions: &[NamedRevision], dry_run: bool) -> String {
    let mut text = String::new();
    let mut offered = 0;
    for one in revisions {
        text.push_str(&lines(slice::from_ref(one), ""));
        match &one.left_out {
            None => offered += 1,
            Some(why) => text.push_str(&format!(
                "    not offered: it {}. It is left out of snapshots until its publisher corrects it\n",
                printable(why)
            )),
        }
    }
    let verb = match (dry_run, offered) {
        (true, _) => "would be offered",
        (false, 1) => "is offered",
        (false, _) => "are offered",
    };
    format!("{text}{} {verb} again.", count(offered, "revision"))
}

/// Nothing is withdrawn unasked.
fn ask(context: &Context) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        return Err(exit::usage("nothing was withdrawn: --yes does it, --dry-run only shows it"));
    }
    context.out.note("Withdraw all of that? Type yes:");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    anyhow::ensure!(answer.trim().eq_ignore_ascii_case("yes"), "nothing was withdrawn");
    Ok(())
}

fn text(outcome: &WithdrawOutcome) -> String {
    if outcome.is_empty() {
        return "Nothing to withdraw: it is withdrawn already.".to_owned();
    }
    let mut text = lines(&outcome.revisions, "");
    text.push_str(&lines(&outcome.bundles, ", a bundle that needs what is withdrawn"));
    for one in &outcome.approvals {
        text.push_str(&format!("approval of {} for \"{}\"\n", one.update, one.group_name));
    }
    for one in &outcome.no_longer_offered {
        text.push_str(&format!(
            "{}: approved, and no longer offered without what is withdrawn\n",
            waiting::named(one)
        ));
    }
    text.push_str(&format!(
        "{}, {} and {} {}.",
        count(outcome.revisions.len() as u64, "revision"),
        count(outcome.bundles.len() as u64, "bundle"),
        count(outcome.approvals.len() as u64, "approval"),
        match (outcome.dry_run, outcome.in_snapshots) {
            (true, _) => "would go",
            (false, true) => "withdrawn; sites follow with the next bundle",
            (false, false) => "withdrawn; no site has had them, and none will",
        }
    ));
    text
}

fn lines(revisions: &[NamedRevision], what: &str) -> String {
    let line = |one: &NamedRevision| format!("{} ({}){what}\n", titled(&one.title), one.identity);
    revisions.iter().map(line).collect()
}
