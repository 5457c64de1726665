//! `tidegate verify`

use std::path::PathBuf;

use bundle_format::limits::BundleLimits;
use jiff::Timestamp;
use tidegate::transfer::{self, VerifiedVolume, VerifyAgainst, VerifyOptions};

use super::{
    Context, Outcome,
    output::{count, human_bytes},
};

/// Check every byte of a bundle. Needs only the trusted root, changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Volumes, or folders of them
    #[arg(value_name = "BUNDLE", required = true)]
    bundles: Vec<PathBuf>,
    /// Check against this root file instead of the data folder's trust
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Refuse expired signatures instead of warning
    #[arg(long)]
    refuse_expired: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let options = VerifyOptions {
            now: Timestamp::now(),
            refuse_expired: self.refuse_expired || context.config.import.refuse_expired,
            limits: BundleLimits::default(),
        };
        let data;
        let against = match &self.root {
            Some(root) => VerifyAgainst::Root(root),
            None => {
                data = context.data_dir()?;
                VerifyAgainst::Data(&data)
            }
        };
        let progress = context.out.phases();
        let report = transfer::verify(&self.bundles, against, &options, &progress)?;
        progress.finish();
        for warning in report.volumes.iter().flat_map(|volume| &volume.warnings) {
            context.out.warn(warning);
        }
        context.out.data(&report, || report.volumes.iter().map(text).collect())?;
        Ok(if report.is_complete() { Outcome::Done } else { Outcome::Partial })
    }
}

fn text(volume: &VerifiedVolume) -> String {
    format!(
        "{}: {}. Snapshot {} of mirror {}, sealed {:.0}, for {}; {}, {} ({}).\n",
        volume.path.display(),
        if volume.uncheckable == 0 { "good" } else { "good as far as it can be checked alone" },
        volume.snapshot,
        volume.mirror_id,
        volume.created,
        volume.sites.join(", "),
        count(volume.segments_here, "segment"),
        count(volume.payloads_here, "payload"),
        human_bytes(volume.bytes),
    )
}
