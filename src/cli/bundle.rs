//! `tidegate bundle`

use std::path::PathBuf;

use clap::Subcommand;
use tidegate::ops::bundle::{self, RepackReport, RepackRequest, RepairReport};

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
    /// Make parity files: each makes good one volume that is lost or damaged
    Parity(Parity),
    /// Restore volumes that are lost or damaged, with parity files
    Repair(Repair),
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

#[derive(Debug, clap::Args)]
struct Parity {
    /// All volumes of one bundle, or folders of them
    #[arg(value_name = "BUNDLE", required = true)]
    bundles: Vec<PathBuf>,
    /// How many parity files; each is as large as the largest volume
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    parity: u32,
    /// Folder for them [default: beside the first volume]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Repair {
    /// The volumes and parity files that are left, or folders of them
    #[arg(value_name = "BUNDLE", required = true)]
    bundles: Vec<PathBuf>,
    /// Folder for the restored volumes; what is there stays as it is
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let (bundle, volume_size) = match self.command {
            Command::Split(Split { bundle, volume_size }) => (bundle, Some(volume_size)),
            Command::Join(Join { bundle }) => (bundle, None),
            Command::Parity(args) => return args.run(context),
            Command::Repair(args) => return args.run(context),
        };
        let request = RepackRequest { bundles: bundle.bundles, out: bundle.out, volume_size };
        let report = bundle::repack(&context.ops(), &request)?;
        context.out.data(&report, || text(&report))?;
        Ok(Outcome::Done)
    }
}

impl Parity {
    fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let report =
            bundle::add_parity(&context.ops(), &self.bundles, self.out.as_deref(), self.parity)?;
        context.out.data(&report, || {
            let names = report.files.iter().map(|path| format!("{}\n", path.display()));
            let made = count(report.files.len() as u64, "parity file");
            format!("Made {made} ({}):\n{}", human_bytes(report.bytes), names.collect::<String>())
        })?;
        Ok(Outcome::Done)
    }
}

impl Repair {
    fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let report = bundle::repair(&context.ops(), &self.bundles, &self.out)?;
        context.out.data(&report, || repaired(&report))?;
        Ok(Outcome::Done)
    }
}

fn repaired(report: &RepairReport) -> String {
    let of = format!("snapshot {} for {}", report.snapshot, report.site);
    if report.damaged.is_empty() {
        return format!("All {} volumes of {of} are whole: nothing was written.\n", report.of);
    }
    let restored = report.damaged.len();
    let mut text = format!("Restored {restored} of {} volumes of {of}:\n", report.of);
    for volume in &report.damaged {
        let was = match (volume.missing, volume.bytes) {
            (true, _) => "was missing".to_owned(),
            (false, 0) => "had bytes behind its end".to_owned(),
            (false, bytes) => format!("had {} of damaged places", human_bytes(bytes)),
        };
        text.push_str(&format!("{} ({was})\n", volume.restored.display()));
    }
    text
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
