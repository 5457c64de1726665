//! `tidegate prune`

use std::io::IsTerminal as _;

use tidegate::ops::prune::{self, PruneReport, PruneRequest, UnneededReason};

use super::{
    Context, Outcome, exit,
    output::{count, human_bytes, printable},
};

/// Payloads that are shown for each reason; the rest are in the JSON form.
const SHOWN: usize = 20;

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
        if payloads && !yes && !dry_run {
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
    if !std::io::stdin().is_terminal() {
        return Err(exit::usage("nothing was removed: --yes does it, --dry-run only shows it"));
    }
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
    for (what, objects) in
        [("segment", &report.segments), ("payload that no update names", &report.payloads)]
    {
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
        "{} {} and {} ({}).\n",
        if report.dry_run { "Would remove" } else { "Removed" },
        count(report.segments.len() as u64, "segment"),
        count(report.payloads.len() as u64 + freed, "payload"),
        human_bytes(report.bytes)
    ));
    text
}

/// What nobody needs, by reason, the first few with file and title.
fn unneeded(report: &PruneReport) -> String {
    let reasons = [
        (UnneededReason::Declined, "of declined updates"),
        (
            UnneededReason::Superseded,
            "of superseded updates that are approved nowhere on this side",
        ),
        (UnneededReason::Replaced, "of revisions that newer ones have replaced"),
    ];
    let mut text = String::new();
    for (reason, words) in reasons {
        let of_reason = || report.unneeded.iter().filter(|payload| payload.reason == reason);
        let number = of_reason().count();
        if number == 0 {
            continue;
        }
        let bytes = human_bytes(of_reason().map(|payload| payload.size).sum());
        text.push_str(&format!("{} {words} ({bytes}):\n", count(number as u64, "payload")));
        for payload in of_reason().take(SHOWN) {
            let name = payload.named.as_ref().map(|named| printable(&named.to_string()));
            let name = name.unwrap_or_else(|| payload.sha256.to_string());
            text.push_str(&format!("  {name} ({})\n", human_bytes(payload.size)));
        }
        if number > SHOWN {
            text.push_str(&format!("  and {} more; `--json` lists all\n", number - SHOWN));
        }
    }
    if !report.sites.is_empty() {
        text.push_str(&format!(
            "What sites ({}) have approved by themselves is not known here: they keep what they have, but a new bundle brings files of \
             superseded updates again only after another `tidegate download`.\n",
            report.sites.join(", ")
        ));
    }
    text
}
