//! `tidegate backup`

use std::path::PathBuf;

use tidegate::ops::backup::{self, BackupOptions, BackupReport};

use super::{
    Context, Outcome,
    output::{count, human_bytes},
};

/// Copy the data folder, as it is at one moment, while a server runs: databases, trust state, signed
/// snapshots, keys. Payloads come again from bundles, or with `tidegate download`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder for the backup, which must not be there yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// With the payloads
    #[arg(long)]
    content: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let configuration = context.config.file.clone();
        let options = BackupOptions { with_content: self.content, configuration };
        let report = backup::backup(&context.ops(), &self.out, &options)?;
        context.out.data(&report, || text(&report))?;
        Ok(Outcome::complete(report.is_complete()))
    }
}

fn text(report: &BackupReport) -> String {
    let snapshot = match report.snapshot {
        Some(number) => format!(", with snapshot {number}"),
        None => String::new(),
    };
    let content = if report.with_content {
        "with payloads."
    } else {
        "without payloads. Those of installers that were published here come from nowhere else: --content takes them along."
    };
    format!(
        "Backed up to {}: {} ({}){snapshot}, {content}\nTo bring it back: tidegate --data NEW-FOLDER restore {}\n",
        report.backup.display(),
        count(report.files, "file"),
        human_bytes(report.bytes),
        report.backup.display(),
    )
}
