//! The report to the upstream server after a synchronization.

use super::{Result, context::Context};
use crate::error_chain;
use crate::{
    catalog::Catalog,
    fleet::Fleet,
    upstream::{self, RollupReport, Source, SyncOptions},
};

/// Reports to the upstream how this server and its computers stand, if there is anything to report.
/// What goes wrong is a warning: the updates are here.
pub(super) fn report(
    context: &Context<'_>,
    source: &Source,
    catalog: &Catalog,
    fleet: &mut Fleet,
    options: &SyncOptions,
) -> Result<Option<RollupReport>> {
    let Source::Server(url) = source else { return Ok(None) };
    let anything = fleet.replica_of()?.is_some()
        || !fleet.downstreams()?.is_empty()
        || !fleet.computers()?.is_empty();
    if !anything {
        return Ok(None);
    }
    match upstream::rollup(url, catalog, fleet, options) {
        Ok(done) => Ok(done),
        Err(error) => {
            let why = error_chain::chain(&error);
            context
                .observer()
                .warn(&format!("the upstream server was not told how this one stands: {why}"));
            Ok(None)
        }
    }
}
