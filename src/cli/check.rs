//! `tidegate check`

use jiff::Timestamp;
use tidegate::transfer::{self, CheckReport};

use super::{
    Context, Outcome,
    output::{count, human_bytes},
};

/// Hash everything again and compare with the catalogue.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Move damaged files away, so that they count as missing and can be brought again
    #[arg(long)]
    put_aside: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let data = context.data_dir()?;
        let progress = context.out.phases();
        let report = transfer::check(&data, Timestamp::now(), self.put_aside, &progress)?;
        progress.finish();
        context.out.data(&report, || text(&report))?;
        anyhow::ensure!(
            report.is_good(),
            "{} found: see above",
            count(report.problems.len() as u64, "problem")
        );
        Ok(Outcome::Done)
    }
}

fn text(report: &CheckReport) -> String {
    let mut text = format!(
        "Checked {} ({}) and {}.\n",
        count(report.payloads, "payload"),
        human_bytes(report.payload_bytes),
        count(report.segments, "segment")
    );
    for problem in &report.problems {
        text.push_str(&format!("{problem}\n"));
    }
    if report.problems.is_empty() {
        text.push_str("All is in order.\n");
    }
    text
}
