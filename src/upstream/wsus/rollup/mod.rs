//! The last phase: reporting to the upstream how this server, the servers below and their computers
//! stand. [MS-WUSSS] 3.2.4.5
//!
//! What has been reported is remembered, so that only differences are reported next. Any fault ends
//! the phase; nothing is lost, it is reported the next time.
//!
//! | file | what |
//! |---|---|
//! | `servers`, `computers`, `statuses` | the three parts, in this order |
//! | `summary` | numbers, counted from catalogue and fleet |
//! | `run`, `report` | a report under way; what was reported, and why no more |

mod computers;
pub(in crate::upstream) mod report;
mod run;
mod servers;
mod statuses;
mod summary;

use std::collections::HashSet;

use reqwest::Url;

use super::{session::Session, upstream_record::known_upstreams};
use crate::{
    catalog::Catalog,
    fleet::Fleet,
    protocol::{ProtocolVersion, rollup::GetRollupConfiguration},
    upstream::report::SyncOptions,
};
use report::{RollupError, RollupReport};
use run::RollupRun;

/// The first version with reporting between servers.
const SINCE: ProtocolVersion = ProtocolVersion { major: 1, minor: 3 };

/// Reports to the server at `base`, which has been synchronized from. `None`: it is too old for
/// reports.
///
/// # Errors
/// When the server does not answer or refuses, or a store fails. What was reported is remembered.
pub fn rollup(
    base: &Url,
    catalog: &Catalog,
    fleet: &mut Fleet,
    options: &SyncOptions,
) -> Result<Option<RollupReport>, RollupError> {
    let record = known_upstreams(catalog)?.into_iter().find(|record| record.url == base.as_str());
    let version = record.as_ref().and_then(|record| record.facts.protocol_version.as_deref());
    let version = version.and_then(|version| version.parse::<ProtocolVersion>().ok());
    if version.is_none_or(|version| (version.major, version.minor) < (SINCE.major, SINCE.minor)) {
        return Ok(None);
    }
    let account = catalog.mirror_id()?.unwrap_or_default();
    let session = Session::new(base, account, &options.upstream.connection)?;
    let config = session.report(&GetRollupConfiguration)?;
    fleet.begin_reporting(base.as_str(), config.reset)?;
    let busy = options.upstream.connection.first_pause.saturating_mul(30);
    let reported_servers = HashSet::from([account]);
    let done = RollupReport::default();
    let mut run = RollupRun { session, fleet, account, reported_servers, config, busy, done };
    run.report_servers(catalog, record.and_then(|record| record.last_success))?;
    run.done.detailed = config.detailed;
    if config.detailed {
        let accepted = run.report_computers()?;
        run.ask_for_missing_statuses(&accepted)?;
        run.report_statuses(&accepted)?;
    }
    Ok(Some(run.done))
}
