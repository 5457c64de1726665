//! `tidegate init`

use std::path::PathBuf;

use tidegate::{
    data_dir::Side,
    ops::init::{self, InitOutcome, NewSide, SeedReport, SeedRequest},
};
use uuid::Uuid;

use super::{Context, Outcome, output::count};

/// Make a data folder.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Isolated side: the name of this network, as bundles will name it
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Connected side: the id of the mirror, to rebuild one that is lost
    #[arg(long, value_name = "UUID", conflicts_with = "site")]
    mirror_id: Option<Uuid>,
    /// Connected side: go on as the mirror of this full bundle, which was lost; the same revisions
    /// keep their numbers. Give the newest bundle that there is
    #[arg(long, value_name = "BUNDLE", num_args = 1.., requires = "root", conflicts_with_all = ["site", "mirror_id"])]
    seed: Vec<PathBuf>,
    /// With --seed: the root that the bundle's signatures are checked against
    #[arg(long, value_name = "FILE", requires = "seed")]
    root: Option<PathBuf>,
    /// With --seed: the fingerprint of that root, as words or hexadecimal
    #[arg(long, value_name = "WORDS", requires = "root")]
    fingerprint: Option<String>,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        if let Some(root) = self.root {
            let (bundles, fingerprint) = (self.seed, self.fingerprint);
            let request = SeedRequest { bundles, root, fingerprint };
            let report = init::seed(&context.ops(), &request)?;
            context.out.data(&report, || seeded(context, &report))?;
            return Ok(Outcome::Done);
        }
        let side = match self.site {
            Some(site) => NewSide::Isolated { site },
            None => NewSide::Connected { mirror_id: self.mirror_id },
        };
        let made = init::init(&context.ops(), side)?;
        context.out.data(&made, || text(&made))?;
        Ok(Outcome::Done)
    }
}

fn text(made: &InitOutcome) -> String {
    let folder = made.data.display();
    match &made.side {
        Side::Connected { mirror_id } => format!(
            "Made {folder}: connected side, mirror {mirror_id}.\nNext: tidegate keys init, then tidegate sync --from SOURCE"
        ),
        Side::Isolated { site } => format!(
            "Made {folder}: isolated side, site {site}.\nNext: tidegate trust add ROOT.json"
        ),
    }
}

fn seeded(context: &Context, report: &SeedReport) -> String {
    format!(
        "Made {}: connected side, mirror {}, going on after snapshot {} with {} and {}.\nNext: bring back keys/ from the backup of the lost one (with new keys, every site has to trust a new root), then tidegate sync --from SOURCE",
        context.data.display(),
        report.mirror_id,
        report.snapshot,
        count(report.revisions, "revision"),
        count(report.payloads, "payload"),
    )
}
