//! Make a data folder.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{Result, context::Context, error::OpsError, progress::TransferPhases};
pub use crate::transfer::SeedReport;
use crate::{
    catalog::Catalog,
    data_dir::{self, DataDir, Side},
    fleet::Fleet,
    journal::EntryKind,
    transfer::{self, ImportOptions},
};

/// Which side to make.
#[derive(Debug, Clone)]
pub enum NewSide {
    /// The connected side.
    Connected {
        /// The id of the mirror, to rebuild one that is lost; a new one if not given.
        mirror_id: Option<Uuid>,
    },
    /// An isolated side.
    Isolated {
        /// The name of the network, as bundles will name it.
        site: String,
    },
}

/// The data folder that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InitOutcome {
    /// Where it is.
    pub data: PathBuf,
    /// Which side it belongs to.
    pub side: Side,
}

/// A full bundle of a mirror that was lost.
#[derive(Debug, Clone)]
pub struct SeedRequest {
    /// Its volumes, or folders of them.
    pub bundles: Vec<PathBuf>,
    /// The root that its signatures are checked against.
    pub root: PathBuf,
    /// The fingerprint of that root, if it is to be compared.
    pub fingerprint: Option<String>,
}

/// Makes a data folder.
///
/// # Errors
/// When there is one already, the name of the site is not usable, or the disk fails.
pub fn init(context: &Context<'_>, side: NewSide) -> Result<InitOutcome> {
    let side = match side {
        NewSide::Isolated { site } => {
            data_dir::check_site(&site).map_err(|error| OpsError::usage(error.to_string()))?;
            Side::Isolated { site }
        }
        NewSide::Connected { mirror_id } => {
            Side::Connected { mirror_id: mirror_id.unwrap_or_else(Uuid::new_v4) }
        }
    };
    let data = DataDir::init_with(context.folder(), side, |data| {
        Catalog::open(&data.catalog())?;
        Fleet::open(&data.fleet())?;
        Ok::<_, OpsError>(())
    })?;
    let outcome = InitOutcome { data: data.root().to_owned(), side: data.side().clone() };
    context.journaled(EntryKind::Init, "init", Ok(outcome), |made| {
        Some(("this side was made".to_owned(), json!(made.side)))
    })
}

/// Makes a connected side that goes on as the mirror of a bundle: the same revisions keep their
/// numbers.
///
/// # Errors
/// When there is a data folder already, the bundle is refused or not whole, or the disk fails.
/// Nothing is left of an attempt that fails.
pub fn seed(context: &Context<'_>, request: &SeedRequest) -> Result<SeedReport> {
    let options =
        ImportOptions { documents: context.limits(), ..ImportOptions::new(context.now()) };
    let phases = TransferPhases::new(context.observer());
    let SeedRequest { bundles, root, fingerprint } = request;
    let fingerprint = fingerprint.as_deref();
    let seeded = transfer::seed(context.folder(), bundles, root, fingerprint, &options, &phases);
    drop(phases);
    context.journaled(EntryKind::Init, "init --seed", seeded.map_err(OpsError::from), |report| {
        Some(("this side was made from a bundle of a lost mirror".to_owned(), json!(report)))
    })
}
