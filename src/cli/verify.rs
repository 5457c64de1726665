//! `tidegate verify`

use std::path::PathBuf;

use tidegate::ops::verify::{self, VerifiedVolume, VerifyRequest};

use super::{
    Context, Outcome,
    output::{count, human_bytes},
};

/// Check every byte of a bundle. Needs only the trusted root, changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Volumes, or folders of them; `-` for volumes on the standard input, one behind the other
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
        let request = VerifyRequest {
            bundles: self.bundles,
            root: self.root,
            refuse_expired: self.refuse_expired || context.config.import.refuse_expired,
        };
        let report = verify::verify(&context.ops(), &request)?;
        context.out.data(&report, || report.volumes.iter().map(text).collect())?;
        Ok(Outcome::complete(report.is_complete()))
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
