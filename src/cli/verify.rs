//! `tidegate verify`

use std::path::PathBuf;

use tidegate::ops::verify::{self, VerifiedVolume, VerifyReport, VerifyRequest};

use super::{
    Context, Outcome,
    output::{count, human_bytes},
    volumes,
};

/// Check every byte of a bundle. Needs only the trusted root, changes nothing. A disc that is damaged
/// keeps no other from being checked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    check: Check,
}

/// What to check, and against what.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Volumes, or folders of them; `-` for volumes on the standard input, one behind the other
    #[arg(value_name = "BUNDLE", required = true)]
    bundles: Vec<PathBuf>,
    /// Check against this root file instead of the data folder's trust
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Refuse expired signatures instead of warning
    #[arg(long)]
    refuse_expired: bool,
    /// Write every check that was made, with what went into it, to this file (JSON); also of a volume
    /// that is refused
    #[arg(long, value_name = "FILE")]
    transcript: Option<PathBuf>,
}

impl Check {
    pub(super) fn request(self, context: &Context) -> VerifyRequest {
        VerifyRequest {
            bundles: self.bundles,
            root: self.root,
            refuse_expired: self.refuse_expired || context.config.import.refuse_expired,
            transcript: self.transcript,
        }
    }
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let report = verify::verify(&context.ops(), &self.check.request(context))?;
        context.out.data(&report, || text(&report))?;
        outcome(&report)
    }
}

/// Refused (3) where a disc is, else done in part (4) where something is not there.
pub(super) fn outcome(report: &VerifyReport) -> anyhow::Result<Outcome> {
    match verify::refusal(report) {
        Some(refusal) => Err(refusal.into()),
        None => Ok(Outcome::complete(report.is_complete())),
    }
}

fn text(report: &VerifyReport) -> String {
    let (shown, rest) = report.volumes.split_at(report.volumes.len().min(volumes::SHOWN));
    let mut text: String = shown.iter().map(volume).collect();
    if !rest.is_empty() {
        text.push_str(&format!("{} more are good.\n", count(rest.len() as u64, "disc")));
    }
    text.push_str(&volumes::refused(&report.refused));
    text.push_str(&volumes::sets(report));
    text.extend(report.lacking.iter().map(volumes::lacking));
    text
}

fn volume(volume: &VerifiedVolume) -> String {
    let change = |change: &String| format!("  It brings a newer root: {change}.\n");
    let key_changes: String = volume.key_changes.iter().map(change).collect();
    format!(
        "{}: {}. Snapshot {} of mirror {}, sealed {:.0}, for {}; {} of the catalogue, {} ({}).\n  Signed by {}.\n{}",
        volumes::volume_name(volume),
        if volume.uncheckable == 0 { "good" } else { "good as far as it can be checked alone" },
        volume.snapshot,
        volume.mirror_id,
        volume.created,
        volume.sites.join(", "),
        count(volume.segments_here, "part"),
        count(volume.payloads_here + volume.parts_here, "file"),
        human_bytes(volume.bytes),
        volume.signed_by.join(", "),
        key_changes,
    )
}
