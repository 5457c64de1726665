//! `tidegate prune`

use std::io::IsTerminal as _;

use tidegate::ops::prune::{self, PruneReport, PruneRequest, UnneededReason};

use super::{
    Context, Outcome,
    output::{count, human_bytes},
};

/// Remove what belongs to past snapshots only; with --payloads, files that nobody needs too.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Payloads that no update names any more, too; and after a question those that nobody needs:
    /// of declined updates, of superseded ones that are approved nowhere, of replaced revisions
    #[arg(long)]
    payloads: bool,
    /// Remove what nobody needs without the question
    #[arg(long, requires = "payloads")]
    yes: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let ops = context.ops();
        let Self { dry_run, payloads, yes } = self;
        let mut request = PruneRequest { dry_run, payloads, unneeded: yes || dry_run };
        if payloads && !yes && !dry_run && std::io::stdin().is_terminal() {
            let would = prune::prune(&ops, PruneRequest { dry_run: true, ..request })?;
            request.unneeded = !would.unneeded.is_empty() && confirm(context, &would)?;
        }
        let report = prune::prune(&ops, request)?;
        context.out.data(&report, || text(&report))?;
        Ok(Outcome::Done)
    }
}

/// Asks whether what nobody needs shall go.
fn confirm(context: &Context, would: &PruneReport) -> anyhow::Result<bool> {
    context.out.note(unneeded(would).trim_end());
    context.out.note("Remove them? Type yes:");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}

fn text(report: &PruneReport) -> String {
    if report.is_empty() {
        return "Nothing to remove.\n".to_owned();
    }
    let mut text = String::new();
    for number in &report.heads {
        text.push_str(&format!("signed head of snapshot {number}\n"));
    }
    for (what, objects) in [("segment", &report.segments), ("payload", &report.payloads)] {
        for (sha256, size) in objects {
            text.push_str(&format!("{what} {sha256} ({})\n", human_bytes(*size)));
        }
    }
    text.push_str(&unneeded(report));
    if !report.unneeded.is_empty() && !report.frees_unneeded {
        text.push_str("These stay: `tidegate prune --payloads --yes` removes them.\n");
    }
    let freed = if report.frees_unneeded { report.unneeded.len() as u64 } else { 0 };
    text.push_str(&format!(
        "{} {}, {} and {} ({}).\n",
        if report.dry_run { "Would remove" } else { "Removed" },
        count(report.heads.len() as u64, "head"),
        count(report.segments.len() as u64, "segment"),
        count(report.payloads.len() as u64 + freed, "payload"),
        human_bytes(report.bytes)
    ));
    text
}

/// What nobody needs, by reason.
fn unneeded(report: &PruneReport) -> String {
    let reasons = [
        (UnneededReason::Declined, "of declined updates"),
        (UnneededReason::Superseded, "of superseded updates that are approved nowhere"),
        (UnneededReason::Replaced, "of revisions that newer ones have replaced"),
    ];
    let mut text = String::new();
    for (reason, words) in reasons {
        let sizes: Vec<u64> = report
            .unneeded
            .iter()
            .filter(|payload| payload.reason == reason)
            .map(|payload| payload.size)
            .collect();
        if !sizes.is_empty() {
            let payloads = count(sizes.len() as u64, "payload");
            text.push_str(&format!("{payloads} {words} ({})\n", human_bytes(sizes.iter().sum())));
        }
    }
    text
}
