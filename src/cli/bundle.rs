//! `tidegate bundle`

use std::path::PathBuf;

use clap::Subcommand;
use tidegate::ops::bundle::{self, RepackReport, RepackRequest};

use super::{
    Context, Outcome,
    output::{count, human_bytes},
};

/// Divide a finished bundle anew: no key and no data folder is needed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Divide a bundle into smaller volumes
    Split(Split),
    /// Make one volume of all volumes of a bundle
    Join(Join),
}

#[derive(Debug, clap::Args)]
struct Split {
    #[command(flatten)]
    bundle: Bundle,
    /// No volume larger than this: 4.7GB, 700M, 1GiB, or a medium: cd, dvd, bd, fat32
    #[arg(long, value_name = "SIZE", value_parser = super::size::parse)]
    volume_size: u64,
}

#[derive(Debug, clap::Args)]
struct Join {
    #[command(flatten)]
    bundle: Bundle,
}

#[derive(Debug, clap::Args)]
struct Bundle {
    /// All volumes of one bundle, or folders of them
    #[arg(value_name = "BUNDLE", required = true)]
    bundles: Vec<PathBuf>,
    /// Folder for the new volumes; the old ones stay as they are
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let (bundle, volume_size) = match self.command {
            Command::Split(Split { bundle, volume_size }) => (bundle, Some(volume_size)),
            Command::Join(Join { bundle }) => (bundle, None),
        };
        let request = RepackRequest { bundles: bundle.bundles, out: bundle.out, volume_size };
        let report = bundle::repack(&context.ops(), &request)?;
        context.out.data(&report, || text(&report))?;
        Ok(Outcome::Done)
    }
}

fn text(report: &RepackReport) -> String {
    let mut text = format!(
        "Snapshot {} for {}: {} became {} ({}).\n",
        report.snapshot,
        report.site,
        count(report.before, "volume"),
        report.volumes.len(),
        human_bytes(report.bytes)
    );
    for volume in &report.volumes {
        text.push_str(&format!("{}\n", volume.display()));
    }
    text
}
