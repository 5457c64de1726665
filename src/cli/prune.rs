//! `tidegate prune`

use tidegate::ops::prune::{self, PruneReport, PruneRequest};

use super::{
    Context, Outcome,
    output::{count, human_bytes},
};

/// Remove what belongs to past snapshots only.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Payloads that no update names any more, too
    #[arg(long)]
    payloads: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let request = PruneRequest { dry_run: self.dry_run, payloads: self.payloads };
        let report = prune::prune(&context.ops(), request)?;
        context.out.data(&report, || text(&report))?;
        Ok(Outcome::Done)
    }
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
    text.push_str(&format!(
        "{} {}, {} and {} ({}).\n",
        if report.dry_run { "Would remove" } else { "Removed" },
        count(report.heads.len() as u64, "head"),
        count(report.segments.len() as u64, "segment"),
        count(report.payloads.len() as u64, "payload"),
        human_bytes(report.bytes)
    ));
    text
}
