//! `tidegate init`

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;
use tidegate::{
    data_dir::{DataDir, Side},
    transfer::{self, ImportOptions},
};
use uuid::Uuid;

use super::{Context, Outcome, exit, output::count};

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
        if let Some(root) = &self.root {
            return self.seed(context, root);
        }
        let side = match self.site {
            Some(site) => {
                tidegate::data_dir::check_site(&site).map_err(exit::usage)?;
                Side::Isolated { site }
            }
            None => Side::Connected { mirror_id: self.mirror_id.unwrap_or_else(Uuid::new_v4) },
        };
        let data = DataDir::init(&context.data, side)?;
        let folder = data.root().display();
        let text = match data.side() {
            Side::Connected { mirror_id } => format!(
                "Made {folder}: connected side, mirror {mirror_id}.\nNext: tidegate keys init, then tidegate sync --from SOURCE"
            ),
            Side::Isolated { site } => format!(
                "Made {folder}: isolated side, site {site}.\nNext: tidegate trust add ROOT.json"
            ),
        };
        context.out.data(&json!({ "data": data.root(), "side": data.side() }), || text)?;
        Ok(Outcome::Done)
    }

    fn seed(&self, context: &Context, root: &Path) -> anyhow::Result<Outcome> {
        let options = ImportOptions {
            documents: context.config.document_limits(),
            ..ImportOptions::new(Timestamp::now())
        };
        let progress = context.out.phases();
        let fingerprint = self.fingerprint.as_deref();
        let report =
            transfer::seed(&context.data, &self.seed, root, fingerprint, &options, &progress)?;
        progress.finish();
        context.out.data(&report, || {
            format!(
                "Made {}: connected side, mirror {}, going on after snapshot {} with {} and {}.\nNext: bring back keys/ from the backup of the lost one (with new keys, every site has to trust a new root), then tidegate sync --from SOURCE",
                context.data.display(),
                report.mirror_id,
                report.snapshot,
                count(report.revisions, "revision"),
                count(report.payloads, "payload"),
            )
        })?;
        Ok(Outcome::Done)
    }
}
