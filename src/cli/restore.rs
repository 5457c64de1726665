//! `tidegate restore`

use std::path::PathBuf;

use tidegate::{
    data_dir::Side,
    ops::restore::{self, RestoreReport},
};

use super::{
    Context, Outcome,
    output::{count, human_bytes},
};

/// Make a new data folder (--data) from a backup. Everything is checked first.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder that `tidegate backup` has made
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let report = restore::restore(&context.ops(), &self.backup)?;
        context.out.data(&report, || text(&report))?;
        Ok(Outcome::complete(report.is_complete()))
    }
}

fn text(report: &RestoreReport) -> String {
    let (side, next) = match &report.side {
        Side::Isolated { site } => (
            format!("isolated side, site {site}"),
            "`tidegate needs` lists them for the connected side, and the next bundles bring them",
        ),
        Side::Connected { mirror_id } => (
            format!("connected side, mirror {mirror_id}"),
            "`tidegate download` brings them, `tidegate sync --from FOLDER` those of a folder",
        ),
    };
    let snapshot = match report.snapshot {
        Some(number) => format!(", snapshot {number}"),
        None => String::new(),
    };
    let mut text = format!(
        "Restored {}: {side}{snapshot}, as of {:.0}: {} ({}).\n",
        report.data.display(),
        report.created,
        count(report.files, "file"),
        human_bytes(report.bytes),
    );
    if report.missing_payloads > 0 {
        text.push_str(&format!(
            "Not here, because the backup holds no payloads: {} ({}). {next}.\n",
            count(report.missing_payloads, "payload"),
            human_bytes(report.missing_bytes),
        ));
    }
    text
}
