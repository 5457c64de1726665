//! `tidegate init`

use serde_json::json;
use tidegate::data_dir::{DataDir, Side};
use uuid::Uuid;

use super::{Context, Outcome, exit};

/// Make a data folder.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Isolated side: the name of this network, as bundles will name it
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Connected side: the id of the mirror, to rebuild one that is lost
    #[arg(long, value_name = "UUID", conflicts_with = "site")]
    mirror_id: Option<Uuid>,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
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
}
